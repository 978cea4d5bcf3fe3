//! Stand-ins for reservation-worker's three neighbours: the queue, the inventory, and
//! reservation-api.
//!
//! Each is a real server on loopback, port 0, for the unmodified binary, and can be made slow,
//! failing, silent or dead while it runs. They serve the load rig (`cargo xtask bench worker`) and
//! tests of the binary under faults and signals, so two things matter more than elsewhere:
//!
//! - They are cheap. They share the cores with the measured process, so HTTP/1.1 is parsed by hand,
//!   gRPC is HTTP/2 without a service stack, and a message becomes JSON once, when it is sent.
//! - They remember. Every step at any of the three goes into one [`Journal`] in one order, and
//!   [`Ledger`] reads from it whether every event had its effect, whether one was lost, and whether
//!   a group ran in order.
//!
//! A stand-in belongs to the tokio runtime that started it, and ends when its handle is dropped.
#![allow(
    clippy::disallowed_methods,
    reason = "servers on real sockets and real time; none of this runs in the simulator"
)]

mod http1;
mod inventory;
mod journal;
mod latency;
mod ledger;
mod listener;
mod peer;
mod reservations;
mod shows;
mod sqs;

pub use inventory::{Hold, Inventory};
pub use journal::{Called, Entry, Journal, Lane, Outcome, Step, Tag};
pub use latency::Latency;
pub use ledger::{Broken, Ledger, Times};
pub use peer::PeerFaults;
pub use reservations::{Reservation, Reservations};
pub use shows::Shows;
pub use sqs::{Action, Depth, Failure, Push, QueueSpec, Sqs, SqsFaults};
