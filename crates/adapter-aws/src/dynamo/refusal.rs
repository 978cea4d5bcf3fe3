//! An answer that is not a success, reduced to what decides: whether it reached the service, the
//! service's name for the error, and the row that failed a condition. No other module knows the
//! SDK's error types.

use super::item::{Item, operation_of, version_of};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use hyper_util::client::legacy;
use std::error::Error;

type BoxError = Box<dyn Error + Send + Sync>;

/// An answer that is not a success.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// How far the request got.
    pub(crate) delivery: Delivery,
    /// The service's name for the error.
    pub(crate) code: Option<String>,
    /// The HTTP status.
    pub(crate) status: Option<u16>,
    /// The service's message.
    pub(crate) message: Option<String>,
    /// The row that failed the condition of a single write.
    pub(crate) found: Option<Found>,
    /// What happened to each write of a cancelled transaction, in their order.
    pub(crate) reasons: Vec<Reason>,
    /// The SDK's error, if the service did not answer.
    pub(crate) source: Option<BoxError>,
}

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Delivery {
    /// The service answered it.
    #[default]
    Answered,
    /// There are no credentials to sign it with.
    Unsigned,
    /// It was not sent: no connection, or no credentials in time.
    NotSent,
    /// It may have arrived, and may have been carried out.
    Unknown,
}

/// What is known of the row that failed a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its version.
    pub(crate) version: u64,
    /// The commit that wrote it last.
    pub(crate) operation: String,
}

/// What a cancelled transaction reports for one of its writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The text `None` if nothing was wrong with it.
    pub(crate) code: String,
    /// The row, if its condition failed and there was one.
    pub(crate) found: Option<Found>,
}

impl Refusal {
    /// Any call's error.
    pub(crate) fn from_error<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        match error {
            SdkError::ServiceError(answer) => {
                let meta = answer.err().meta();
                let (code, message) = (meta.code().map(str::to_owned), meta.message().map(str::to_owned));
                Self { code, status, message, ..Self::default() }
            }
            error => {
                let delivery = delivery_of(&error);
                let source = error.into_source().unwrap_or_else(|error| Box::new(error));
                Self { delivery, status, source: Some(source), ..Self::default() }
            }
        }
    }

    /// The error of a single put.
    pub(crate) fn from_put(error: SdkError<PutItemError>) -> Self {
        let found = match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item().and_then(found_in),
            _ => None,
        };
        Self { found, ..Self::from_error(error) }
    }

    /// The error of a single delete.
    pub(crate) fn from_delete(error: SdkError<DeleteItemError>) -> Self {
        let found = match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(failed)) => {
                failed.item().and_then(found_in)
            }
            _ => None,
        };
        Self { found, ..Self::from_error(error) }
    }

    /// The error of a transaction.
    pub(crate) fn from_transaction(error: SdkError<TransactWriteItemsError>) -> Self {
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
                .cancellation_reasons()
                .iter()
                .map(|reason| Reason {
                    code: reason.code().unwrap_or("None").to_owned(),
                    found: reason.item().and_then(found_in),
                })
                .collect(),
            _ => Vec::new(),
        };
        Self { reasons, ..Self::from_error(error) }
    }

    /// Whether the service gave the error this name.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

fn found_in(item: &Item) -> Option<Found> {
    // A row without an operation was written by hand, in any case not by the commit that asks.
    Some(Found { version: version_of(item)?, operation: operation_of(item).unwrap_or_default().to_owned() })
}

fn delivery_of<E, R>(error: &SdkError<E, R>) -> Delivery
where
    E: Error + 'static,
    R: core::fmt::Debug + 'static,
{
    if let Some(credentials) = find::<CredentialsError>(error) {
        return match credentials {
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                Delivery::Unsigned
            }
            _ => Delivery::NotSent,
        };
    }
    if matches!(error, SdkError::ConstructionFailure(_)) {
        return Delivery::NotSent;
    }
    // Refused, not resolved, or not connected in time: all of them before the first byte of the
    // request.
    match find::<legacy::Error>(error) {
        Some(error) if error.is_connect() => Delivery::NotSent,
        _ => Delivery::Unknown,
    }
}

fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
