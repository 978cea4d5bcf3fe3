//! Real servers for tests: ElasticMQ, DynamoDB Local, MiniStack and Redis, single and as a cluster.
//!
//! Two halves. A [`Rack`] fetches the servers, starts them on free loopback ports and ends them; `cargo xtask engines` is
//! a thin caller of it, and so is `cargo xtask test`. [`sqs`], [`dynamodb`] and the rest are for tests: the address of
//! an engine that is up, or a panic whose message is the command that starts it. A test never skips.
//!
//! What joins the halves is a file of addresses and processes, see [`State`]: `target/engines/engines.json`, or the one that
//! `TACOS_ENGINES` names. `docs/engines.md` says what each engine is for and where it differs from AWS.
#![allow(
    clippy::disallowed_methods,
    reason = "starts programs and waits for them in real time; no service and no simulation stands on it"
)]

mod addresses;
mod ask;
mod fetch;
mod kind;
mod launch;
mod ports;
mod process;
mod rack;
mod state;

pub use addresses::{Engines, dynamodb, ministack, read, redis, redis_cluster, sqs};
pub use kind::Kind;
pub use process::Process;
pub use rack::{Loan, Purpose, Rack, Status};
pub use state::{Entry, State};
