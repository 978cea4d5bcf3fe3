//! The inventory's commands and answers on the wire, both directions: inventory-api reads commands and writes answers
//! with this module, its clients do the reverse, so the two cannot disagree.
//!
//! Business refusals are in-band (status OK, `error` set, particulars in `details`); a request that contradicts itself
//! and an outage are gRPC statuses. Readers decide by the particulars; where an earlier peer gives none, by the error's code,
//! then by the status enum of the answer. Nothing is ever decided by looking at a message.
//!
//! - [`hold_from_proto`] and its like read a command, [`hold_to_proto`] writes it.
//! - [`hold_response`] and its like write an answer, [`held_from_proto`] reads it.
//! - [`rejection_to_error`] is also what reservation-api answers its own callers with.

mod answer;
mod read;
mod rejection;
mod request;

pub use answer::{commit_response, hold_response, release_response};
pub use read::{committed_from_proto, held_from_proto, released_from_proto};
pub use rejection::{Call, Subject, rejection_from_error, rejection_to_error};
pub use request::{
    commit_from_proto, commit_to_proto, hold_from_proto, hold_to_proto, release_from_proto, release_to_proto,
};

#[cfg(test)]
mod tests;
