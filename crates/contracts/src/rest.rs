//! The JSON bodies of contracts 3.2 to 3.4.
//!
//! What we receive as a server refuses unknown fields and wrong types, so a caller's slip is told to it instead of being
//! ignored. What we read as a client ([`reservation::Seen`]) tolerates unknown and missing fields, because the peer may be
//! older or newer. Identifiers, counts and times are still text and numbers here; `vocabulary` checks them.

pub mod admin;
pub mod gateway;
pub mod reservation;
pub mod webhook;
