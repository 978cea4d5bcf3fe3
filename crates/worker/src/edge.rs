//! The worker's ports: probes and metrics for everybody, WorkerService for operators,
//! administration behind its token.

pub(crate) mod admin;
pub(crate) mod grpc;
