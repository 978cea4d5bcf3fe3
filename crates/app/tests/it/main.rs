//! Tests of the whole platform, started as a user starts it, over real sockets.
#![allow(missing_docs, clippy::print_stdout, reason = "a test binary")]

mod bad_input;
mod binaries;
mod cli;
mod crash;
mod demo;
mod full_disk;
mod running;
mod waiting_room;
mod walk;
mod worker;
