//! The gateway over its public routes and over sockets, on the embedded waiting room. The tests of
//! `app` cover the services behind it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary")]

mod fixture;
mod grpc;
mod identity;
mod limits;
mod line;
mod operator;
mod pages;
mod served;
mod store_faults;
