//! A gateway's verifier against tokens of other libraries, forged tokens, and rotated keys.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;
mod properties;
mod rotation;
mod tokens;
mod vectors;
