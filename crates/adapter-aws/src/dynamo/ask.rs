//! Calls that may be repeated: reads, and the few that make a table.

use super::backoff::Tries;
use super::classify::{Verdict, classify};
use super::refusal::Refusal;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use ports::{Clock, Entropy, FaultClass};
use std::error::Error;

/// A call that changes nothing, or that may be repeated without effect: tried until the answer is
/// final.
pub(crate) async fn ask<T, E, F>(
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    call: impl Fn() -> F,
) -> Result<T, (FaultClass, Refusal)>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let mut tries = Tries::begin(clock, entropy);
    loop {
        // The SDK's futures are tens of kilobytes; boxed, they do not grow the future of every
        // caller.
        let refusal = match Box::pin(call()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => Refusal::from_error(error),
        };
        let class = match classify(&refusal) {
            Verdict::Again(class) => class,
            Verdict::Lost => FaultClass::Unavailable,
            Verdict::Never(class) => return Err((class, refusal)),
            Verdict::Refused { .. } => return Err((FaultClass::Permanent, refusal)),
        };
        if !tries.rest().await {
            return Err((class, refusal));
        }
    }
}
