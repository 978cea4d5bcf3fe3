//! The unmodified `reservation-worker` as a process of its own, between stand-ins: signals, crashes, faults, wrong settings.
//!
//! A few tests run at a time, whatever the machine, because each has a process that wants a core ([`stage`]). Counts are
//! small here; `cargo xtask soak` asks for more through the variables that the tests name. Times are printed and never asserted.
#![allow(missing_docs, clippy::print_stdout, reason = "a test binary")]

mod events;
mod fickle;
mod halves;
mod help;
mod kill;
mod order;
mod outage;
mod poison;
mod policy;
mod process;
mod rivals;
mod settings;
mod stage;
mod terminate;
mod weather;
