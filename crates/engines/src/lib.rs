//! Real servers for tests: ElasticMQ, DynamoDB Local, MiniStack and Redis, single and as a cluster.
//!
//! Two halves. A [`ServerPool`] fetches the servers, starts them on free loopback ports and ends
//! them; `cargo xtask engines` and `cargo xtask test` are thin callers of it. [`sqs`], [`dynamodb`]
//! and the rest are for tests: the address of a running engine, or a panic whose message is the
//! command that starts it. A test never skips.
//!
//! The halves share a file of addresses and processes, see [`State`]:
//! `target/engines/engines.json`, or the one that `TACOS_ENGINES` names. `docs/engines.md` says
//! what each engine is for and where it differs from AWS.
#![allow(
    clippy::disallowed_methods,
    reason = "starts programs and waits for them in real time; no service and no simulation uses it"
)]

mod addresses;
mod ask;
mod fetch;
mod kind;
mod launch;
mod pool;
mod ports;
mod process;
mod state;

pub use addresses::{Engines, dynamodb, ministack, read, redis, redis_cluster, sqs};
pub use kind::Kind;
pub use pool::{Lease, Purpose, ServerPool, Status};
pub use process::Process;
pub use state::{Entry, State};
