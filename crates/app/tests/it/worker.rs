//! The unmodified `reservation-worker` binary between stand-ins: signals, crashes, faults, wrong
//! settings.
//!
//! Only a few tests run at a time, on any machine, because each has a process that needs a core
//! ([`stand_ins`]). Counts are small here; `cargo xtask soak` raises them through the variables
//! that the tests name. Times are printed and never asserted.

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
mod stand_ins;
mod terminate;
mod weather;
