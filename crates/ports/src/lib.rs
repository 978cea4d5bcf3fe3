//! What the services need from outside, as traits. The doc comment of a port is its contract, and
//! the suite of the port in the crate `ports-contract` checks that an engine keeps it.
//!
//! Ports know no engine and no wire format. Time and entropy come through [`Clock`] and
//! [`Entropy`], and every task is spawned through [`Tasks`], so that a simulator can run this code
//! on one thread with a virtual clock and kill an instance at any await. Two more hooks exist only
//! for the simulator and cost nothing without it: [`probe`] counts the decisions that the services
//! acted on, and [`plant`] holds known bugs that the simulator must find.

pub mod admissions;
pub mod backstop;
pub mod clock;
pub mod dead_letters;
pub mod entropy;
pub mod fault;
pub mod inventory;
pub mod payments;
pub mod plant;
pub mod probe;
pub mod publisher;
pub mod queue;
pub mod reservations;
pub mod store;
pub mod table;
pub mod tasks;
pub mod trace;
pub mod waiting_room;
pub mod webhook;

pub use admissions::Admissions;
pub use backstop::{Alarm, Backstop};
pub use clock::Clock;
pub use dead_letters::DeadLetters;
pub use entropy::{Dice, Entropy};
pub use fault::{Fault, FaultClass, PortError};
pub use inventory::Inventory;
pub use payments::Payments;
pub use publisher::Publisher;
pub use queue::Queue;
pub use reservations::Reservations;
pub use store::Store;
pub use table::Table;
pub use tasks::Tasks;
pub use trace::{CallContext, Trace};
pub use waiting_room::WaitingRoomStore;
pub use webhook::{WebhookPost, WebhookRequest};
