//! The edges: bytes to commands and answers to bytes. Card data stops here: it is neither passed on
//! nor logged.

pub(crate) mod grpc;
pub(crate) mod rest;
