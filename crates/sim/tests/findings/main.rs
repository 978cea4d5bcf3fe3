//! What the simulator finds, reaches and has found. Built for release with the feature `plants`, by `cargo xtask sim`.

mod plants;
mod reach;
mod regressions;
