//! Tokens against a verifier as a gateway has it: those of other libraries, forged ones, and keys that change.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod forge;
mod properties;
mod rotation;
mod tokens;
mod vectors;
