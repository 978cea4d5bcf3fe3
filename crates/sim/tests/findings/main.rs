//! What the simulator finds, reaches and has found. Built for release with the feature `plants`, by
//! `cargo xtask sim`.

#![allow(clippy::print_stdout, reason = "CI shows within how many seeds each bug was found")]

mod plants;
mod reach;
mod regressions;
mod replay;
