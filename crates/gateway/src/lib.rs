//! gateway-api: the public edge, and the waiting room in front of a sale.
//!
//! It flattens 30,000 people a second to the rate that the services behind it can take, without losing anybody's place. The
//! state of a place is the signed ticket that its owner holds ([`token`]); the line itself is in a
//! [`ports::WaitingRoomStore`], run once for all gateways, of which each keeps a snapshot in memory ([`Room`]). So a gateway
//! can come, go and crash as it likes.
//!
//! Behind the waiting room it knows no rules: what is on sale, reservations and payments are the services' own, asked in the
//! name of who is signed in ([`Shows`], [`Sales`]). Engines and peers come from `app`.

mod backends;
mod catalogue;
mod config;
mod edge;
mod fresh;
mod limits;
mod metrics;
mod prepared;
pub mod proxies;
mod queue;
mod refusal;
mod room;
mod run;
mod sales;
pub mod token;

pub use backends::{Answer, Sales, Shows};
pub use config::{Config, ISSUER};
pub use limits::Rate;
pub use room::{Room, View};
pub use run::{Deps, Gateway, Listeners, RunError, assemble};
