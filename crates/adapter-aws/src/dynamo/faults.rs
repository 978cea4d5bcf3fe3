//! Faults with messages that name what to change.

use super::refusal::{Delivery, Refusal};
use ports::{Fault, FaultClass};

/// The fault of a call that ended with this refusal.
pub(crate) fn fault(operation: &str, table: &str, class: FaultClass, refusal: Refusal) -> Fault {
    let what = format!("DynamoDB {operation} on the table {table}");
    let message = match refusal.delivery {
        Delivery::Answered => answered(&what, operation, &refusal),
        Delivery::Unsigned => format!(
            "{what}: there are no credentials; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
             or give the pod a role"
        ),
        Delivery::NotSent => format!(
            "{what}: the service cannot be reached; check AWS_REGION, AWS_ENDPOINT_URL_DYNAMODB and the network"
        ),
        Delivery::Unknown => format!("{what}: no answer arrived"),
    };
    let fault = Fault::new(class, message);
    match refusal.source {
        Some(source) => fault.because(source),
        None => fault,
    }
}

fn answered(what: &str, operation: &str, refusal: &Refusal) -> String {
    let code = refusal.code.as_deref().unwrap_or("an error without a name");
    let status = refusal.status.map(|status| format!(" ({status})")).unwrap_or_default();
    let words = refusal.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    let advice = match code {
        "ResourceNotFoundException" => {
            "; there is no such table or index in this region and account: check its name, AWS_REGION and \
             AWS_ENDPOINT_URL_DYNAMODB, or make it with `tacos aws create`"
                .to_owned()
        }
        "AccessDeniedException" => {
            format!("; allow dynamodb:{operation} on the table and its indexes in the role's policy")
        }
        "ExpiredTokenException" | "ExpiredToken" => {
            "; the credentials have expired: renew AWS_SESSION_TOKEN, or log in to AWS_PROFILE again".to_owned()
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignatureException" => {
            "; the credentials are not known there: check AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN and \
             AWS_REGION"
                .to_owned()
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => {
            "; check AWS_SECRET_ACCESS_KEY and this machine's clock".to_owned()
        }
        "UnknownOperationException" => {
            "; that is no DynamoDB: check AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL".to_owned()
        }
        "ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded" => {
            "; raise the table's or the account's throughput, or spread the load".to_owned()
        }
        _ => String::new(),
    };
    let mut reasons: Vec<&str> =
        refusal.reasons.iter().map(|reason| &*reason.code).filter(|code| *code != "None").collect();
    reasons.dedup();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" [{}]", reasons.join(", ")) };
    format!("{what}: {code}{status}{words}{reasons}{advice}")
}
