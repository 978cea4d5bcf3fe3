//! What the SDK's errors mean: a class for the caller, and a message that names what to change.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use core::fmt;
use ports::{Fault, FaultClass};
use std::error::Error;

/// The meaning of AWS's answer, apart from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The credentials may not do this.
    Denied,
    /// The credentials are unknown, wrong, or missing.
    Credentials,
    /// The credentials have expired.
    Expired,
    /// The clock of this machine or the secret key is wrong.
    Signature,
    /// The queue, table, secret or bus does not exist, in this region and account.
    Missing,
    /// Too much at once.
    Throttled,
    /// No answer, not in time, or a failure of the service's own.
    Silent,
    /// The request is wrong.
    Refused,
    /// An answer that cannot be read.
    Garbled,
}

impl Kind {
    /// The kind of an AWS error code. Codes come as `Name`, in older protocols as
    /// `AWS.SimpleQueueService.Name`.
    pub(crate) fn from_code(code: &str) -> Option<Self> {
        let code = code.rsplit(['.', '#']).next().unwrap_or(code);
        Some(match code {
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "NotAuthorized"
            | "KmsAccessDenied" => Self::Denied,
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "AuthFailure"
            | "InvalidSecurity" => Self::Credentials,
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
                Self::Expired
            }
            "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "RequestTimeTooSkewed"
            | "InvalidSignature" => Self::Signature,
            "QueueDoesNotExist"
            | "NonExistentQueue"
            | "ResourceNotFoundException"
            | "QueueDeletedRecently"
            | "TableNotFoundException"
            | "NoSuchEntity" => Self::Missing,
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceededException"
            | "SlowDown"
            | "KmsThrottled"
            | "OverLimit" => Self::Throttled,
            "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalServiceError"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestTimeout"
            | "RequestTimeoutException" => Self::Silent,
            _ => return None,
        })
    }

    /// The kind of an answer's status, if its code says nothing.
    pub(crate) fn from_status(status: u16) -> Self {
        match status {
            429 => Self::Throttled,
            403 => Self::Denied,
            500.. => Self::Silent,
            _ => Self::Refused,
        }
    }

    /// The class for the caller. A problem that can be fixed while the process runs (credentials, a
    /// missing queue) is Transient, so that nothing is given up meanwhile.
    pub(crate) const fn class(self) -> FaultClass {
        match self {
            Self::Denied | Self::Refused => FaultClass::Permanent,
            Self::Credentials | Self::Expired | Self::Signature | Self::Missing | Self::Garbled => {
                FaultClass::Transient
            }
            Self::Throttled | Self::Silent => FaultClass::Unavailable,
        }
    }
}

/// One call to AWS that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    message: String,
}

impl Failure {
    /// Reads an error of the SDK. `what` names the call, such as `sqs:ReceiveMessage on https://…`.
    pub(crate) fn from_sdk<E>(what: &str, error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (kind, code, text): (Kind, Option<&str>, String) = match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                let kind = meta.code().and_then(Kind::from_code);
                let kind = kind.unwrap_or_else(|| Kind::from_status(service.raw().status().as_u16()));
                (kind, meta.code(), meta.message().unwrap_or_default().to_owned())
            }
            SdkError::TimeoutError(_) => return Self::late(what),
            SdkError::DispatchFailure(failure) => {
                let text = failure.as_connector_error().map_or_else(|| chain(error), |error| chain(error));
                let kind = if text.contains("credential") { Kind::Credentials } else { Kind::Silent };
                (kind, None, text)
            }
            SdkError::ResponseError(_) => (Kind::Garbled, None, chain(error)),
            _ => (Kind::Refused, None, chain(error)),
        };
        Self::new(what, kind, code, &text)
    }

    /// `text` is AWS's message, or what happened.
    pub(crate) fn new(what: &str, kind: Kind, code: Option<&str>, text: &str) -> Self {
        let message = match (code, text) {
            (Some(code), "") => format!("{what}: {code}"),
            (Some(code), text) => format!("{what}: {code}: {text}"),
            (None, text) => format!("{what}: {text}"),
        };
        Self { kind, message }
    }

    /// There was no answer within the limit of the call.
    pub(crate) fn late(what: &str) -> Self {
        Self::new(what, Kind::Silent, None, "no answer in time")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind.class(), failure.message)
    }
}

/// An error and every error below it, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let text = ports::fault::chain(error);
    // The credentials' chain reports each of its providers on a line of its own.
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// An engine cannot be used as it is configured; found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// A setting must be changed; the text names it.
    Setting(String),
    /// The credentials are valid but may not do this; the text names the permissions to allow.
    Denied(String),
    /// No answer from that address.
    Silent(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(text) | Self::Denied(text) | Self::Silent(text) => f.write_str(text),
        }
    }
}

impl Error for Unusable {}

impl Unusable {
    /// A store's failure at the start. `setting` is the variable that names the table.
    pub fn from_fault(setting: &str, fault: &Fault) -> Self {
        let message = format!("{setting}: {}", fault.chain());
        match fault.class {
            FaultClass::Unavailable | FaultClass::NotReached => Self::Silent(message),
            FaultClass::Transient
            | FaultClass::Conflict
            | FaultClass::Permanent
            | FaultClass::Unsupported => Self::Setting(message),
        }
    }

    /// Names the setting for a call that failed at the start. `setting` is the variable that names
    /// the resource, `allow` the permissions that are needed on it.
    pub(crate) fn from_failure(failure: &Failure, setting: &str, allow: &str, region: &str) -> Self {
        let advice = match failure.kind {
            Kind::Denied => return Self::Denied(format!("{failure}; allow {allow} to these credentials")),
            Kind::Credentials => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the pod a role".to_owned(),
            Kind::Expired => {
                "the credentials have expired: renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN".to_owned()
            }
            Kind::Signature => {
                "AWS_SECRET_ACCESS_KEY is wrong, or AWS_REGION, or the clock of this machine is".to_owned()
            }
            Kind::Missing => format!("{setting} names nothing in AWS_REGION {region} that these credentials see"),
            Kind::Refused | Kind::Garbled => format!("check {setting} and AWS_ENDPOINT_URL"),
            Kind::Throttled | Kind::Silent => {
                return Self::Silent(format!("{failure}; is {setting} right, and AWS_ENDPOINT_URL if it is set?"));
            }
        };
        Self::Setting(format!("{failure}; {advice}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_with_and_without_a_prefix() {
        assert_eq!(Kind::from_code("AWS.SimpleQueueService.NonExistentQueue"), Some(Kind::Missing));
        assert_eq!(Kind::from_code("com.amazonaws.sqs#QueueDoesNotExist"), Some(Kind::Missing));
        assert_eq!(Kind::from_code("AccessDeniedException"), Some(Kind::Denied));
        assert_eq!(Kind::from_code("Whatever"), None);
    }

    #[test]
    fn a_problem_that_can_be_fixed_gives_nothing_up() {
        for kind in [Kind::Credentials, Kind::Expired, Kind::Signature, Kind::Missing] {
            assert_eq!(kind.class(), FaultClass::Transient);
        }
        assert_eq!(Kind::Denied.class(), FaultClass::Permanent);
        assert_eq!(Kind::from_status(503).class(), FaultClass::Unavailable);
        assert_eq!(Kind::from_status(400).class(), FaultClass::Permanent);
    }
}
