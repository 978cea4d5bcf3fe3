//! Makes what the platform needs on AWS, idempotently: existing parts are compared and never
//! changed, missing parts are made, and a dry run only reports them. A run may be stopped at any
//! point and repeated.

use crate::connect::Aws;
use crate::dynamo::{Created, TableDefinition};
use crate::fault::{Failure, Kind, Unusable};
use core::fmt;
use ports::{Clock, Entropy};

mod policies;
mod queues;
mod rules;

pub use policies::{Role, policy};
pub use queues::{ExistingQueue, QueueDefinition};
pub use rules::RuleDefinition;

/// The result for one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was made.
    Made,
    /// It exists and is as needed.
    WasThere,
    /// It is missing; a dry run makes nothing.
    Missing,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made => "made",
            Self::WasThere => "there",
            Self::Missing => "would be made",
        })
    }
}

/// Whether to make what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Makes missing parts.
    Make,
    /// Only reports missing parts.
    DryRun,
}

/// The table, made if it is missing.
///
/// # Errors
///
/// When a table of that name has another schema, or AWS does not answer or refuses; the text says
/// what to change.
pub async fn table(
    aws: &Aws,
    table: &TableDefinition,
    mode: Mode,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Done, Unusable> {
    let client = aws_sdk_dynamodb::Client::new(aws.sdk());
    let done = match mode {
        Mode::Make => table.create_if_absent(&client, clock, entropy).await.map(|created| match created {
            Created::Now => Done::Made,
            Created::WasThere => Done::WasThere,
        }),
        Mode::DryRun => {
            let there = table.is_there(&client, clock, entropy).await;
            there.map(|there| if there { Done::WasThere } else { Done::Missing })
        }
    };
    done.map_err(|fault| Unusable::from_fault("--prefix", &fault))
}

/// Removes a table and its rows.
///
/// # Errors
/// When AWS does not answer or refuses.
pub async fn remove_table(aws: &Aws, name: &str) -> Result<(), Unusable> {
    let gone = aws_sdk_dynamodb::Client::new(aws.sdk()).delete_table().table_name(name).send().await;
    let gone = gone.map_err(|error| Failure::from_sdk(&format!("dynamodb:DeleteTable {name}"), &error));
    let removed = absent(gone).map(drop);
    removed
        .map_err(|failure| Unusable::from_failure(&failure, "--prefix", "dynamodb:DeleteTable", aws.region()))
}

/// Turns "it does not exist" into `None`.
fn absent<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        Err(failure) => Err(failure),
    }
}
