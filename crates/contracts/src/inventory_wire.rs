//! The inventory's commands and answers on the wire, both directions. inventory-api reads commands
//! and writes answers with this module and its clients do the reverse, so the two cannot disagree.
//!
//! Business refusals are in-band (status OK, `error` set, particulars in `details`). A request that
//! contradicts itself and an outage are gRPC statuses. Readers decide by the particulars; where an
//! earlier peer gives none, by the error's code, then by the answer's status enum. No reader
//! decides by a message.
//!
//! - [`hold_from_proto`] and its siblings read a command, [`hold_to_proto`] writes it.
//! - [`hold_response`] and its siblings write an answer, [`held_from_proto`] reads it.
//! - reservation-api also answers its own callers with [`rejection_to_error`].

mod answer;
mod read;
mod rejection;
mod request;

pub use answer::{commit_response, hold_response, refuse_response, release_response};
pub use read::{committed_from_proto, held_from_proto, refused_from_proto, released_from_proto};
pub use rejection::{Call, Subject, rejection_from_error, rejection_to_error};
pub use request::{
    commit_from_proto, commit_to_proto, hold_from_proto, hold_to_proto, refuse_from_proto, refuse_to_proto,
    release_from_proto, release_to_proto,
};

#[cfg(test)]
mod tests;
