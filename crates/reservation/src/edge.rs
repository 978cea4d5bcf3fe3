//! The two edges. Each decodes its own wire form into the service's commands and encodes answers
//! and refusals by the one table in [`crate::refusal`].

pub(crate) mod grpc;
pub(crate) mod rest;
