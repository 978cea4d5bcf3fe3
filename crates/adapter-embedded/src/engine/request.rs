//! Requests to the writer, and its answers.
//!
//! An answer is always delivered, by whichever drops it last: the dispatcher on the runtime, or the
//! writer itself, for queues and if no runtime is left. So an index in memory learns of a durable
//! write even if the caller is gone.

use super::table::{Planned, Table};
use fjall::{Keyspace, Slice};
use ports::Fault;
use ports::store::CommitError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Called once with the outcome of a raw request.
pub(crate) type Done = Box<dyn FnOnce(Result<(), WriteError>) + Send>;

pub(crate) enum Request {
    /// A commit of a store: versions are checked, then all writes happen or none.
    Commit { table: Arc<Table>, writes: Vec<Planned>, answer: oneshot::Sender<Result<(), CommitError>> },
    /// Unconditional writes that happen together. `durable: false` asks for no sync.
    Raw { writes: Vec<RawWrite>, durable: bool, done: Option<Done> },
}

/// One key set to a value, or removed.
pub(crate) struct RawWrite {
    pub(crate) keyspace: Keyspace,
    pub(crate) key: Slice,
    pub(crate) value: Option<Slice>,
}

/// Why a write did not happen, or may not have.
#[derive(Debug, Clone)]
pub(crate) enum WriteError {
    /// Certainly nothing was written.
    Failed(Arc<str>),
    /// It may have been written.
    Ambiguous(Arc<str>),
}

impl WriteError {
    /// For callers that treat both alike.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Failed(why) | Self::Ambiguous(why) => Fault::unavailable(why.to_string()),
        }
    }

    pub(crate) fn for_commit(&self) -> CommitError {
        match self {
            Self::Failed(_) => CommitError::Failed(self.fault()),
            Self::Ambiguous(_) => CommitError::Ambiguous(self.fault()),
        }
    }
}

/// One answer of a batch.
pub(crate) enum Answer {
    Commit(oneshot::Sender<Result<(), CommitError>>, Result<(), CommitError>),
    Raw(Done, Result<(), WriteError>),
}

/// The answers of one batch, delivered in order when they are dropped.
pub(crate) struct Answers(pub(crate) Vec<Answer>);

impl Drop for Answers {
    fn drop(&mut self) {
        for answer in self.0.drain(..) {
            match answer {
                // A caller that is gone does not want its answer.
                Answer::Commit(sender, result) => drop(sender.send(result)),
                Answer::Raw(done, result) => done(result),
            }
        }
    }
}
