//! What every process of the platform has alike: settings from the environment, logs,
//! metrics, health, the order of shutdown, and the two kinds of server.
//!
//! This crate alone reads the environment, the wall clock and the system's randomness, and
//! alone opens listening servers; services get options structs, ports and ready listeners.
//! It knows no service and no engine.
//!
//! It decides how a server behaves at its edges: bounded headers, bodies, connections and
//! calls; errors in the one shape of docs/contracts.md#errors; metrics by matched route or
//! known method, never by a caller's text; a drain that lets every admitted call end.
//! [`serve()`] puts these together for a service, and [`Refusal`] is how a service says no.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod exit;
pub mod grpc;
pub mod health;
pub mod http;
pub mod metrics;
pub mod process;
pub mod refusal;
pub mod serve;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod trace;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
pub use exit::Exit;
pub use health::Health;
pub use metrics::Metrics;
pub use process::Process;
pub use refusal::{Refusal, Reply};
pub use serve::{Edges, Listeners, Order, RunError, serve};
pub use server::PeerAddress;
