//! The JSON bodies of every HTTP API (`docs/contracts.md#http-apis`).
//!
//! A server's request bodies refuse unknown fields and wrong types, so a caller's mistake is
//! reported instead of ignored. A client's view of an answer ([`reservation::Seen`]) tolerates
//! unknown and missing fields, because the peer may be older or newer. Identifiers, counts and
//! times are still text and numbers here; `vocabulary` checks them.

pub mod admin;
pub mod gateway;
pub mod payment;
pub mod reservation;
pub mod webhook;
