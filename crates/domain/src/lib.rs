//! The rules of Traffic Tacos: seats, holds, reservations, payments, lanes, retries, and the
//! invariants over them.
//!
//! This crate is pure. It has no async, no I/O, no clock, no source of randomness and no
//! serialisation; it depends on nothing but `std`. Time and random numbers are arguments. A rule
//! takes a state and a command and returns a decision; the services load, let it decide, commit,
//! and reply.
//!
//! `cargo xtask tidy` checks these absences.

pub mod breaker;
pub mod concurrency;
pub mod event;
pub mod hash;
pub mod hold;
pub mod id;
pub mod invariant;
pub mod lanes;
pub mod limits;
pub mod money;
pub mod payment;
pub mod random;
pub mod reservation;
pub mod retry;
pub mod seat;
pub mod show;
pub mod time;
pub mod valve;
pub mod waiting_room;
