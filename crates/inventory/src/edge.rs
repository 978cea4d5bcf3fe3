//! The edges: gRPC for the services, HTTP for probes and administration.

pub(crate) mod grpc;
pub(crate) mod rest;
