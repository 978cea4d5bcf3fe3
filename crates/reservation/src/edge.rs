//! The two edges. Each reads its own wire form into the service's words and tells answers and refusals by the one table
//! of [`crate::refusal`].

pub(crate) mod grpc;
pub(crate) mod rest;
