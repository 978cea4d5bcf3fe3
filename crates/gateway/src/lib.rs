//! gateway-api: the public edge, and the waiting room in front of a sale.
//!
//! It reduces 30,000 arrivals a second to the rate that the services behind it can take, and nobody
//! loses their place. The state of a place is the signed ticket that its owner holds ([`token`]).
//! The line itself is in a [`ports::WaitingRoomStore`] that all gateways share; each gateway keeps
//! a snapshot of it in memory ([`Room`]). So a gateway can start, stop and crash at any time.
//!
//! Behind the waiting room it knows no rules: shows, reservations and payments belong to their
//! services, which it calls in the name of the signed-in user ([`contracts::backends`]). Engines
//! and peers come from `app`.
//!
//! It has two services, `service::waiting_room` and `service::sales`. It stores no rows and sweeps
//! nothing.

mod cached_body;
mod catalogue;
mod config;
mod deps;
mod edge;
mod limits;
mod metrics;
pub mod proxies;
mod refusal;
mod room;
mod serve;
mod service;
mod single_flight_cache;
pub mod token;

pub use config::{Config, ISSUER, JwtConfig, LimitsConfig, LineConfig};
pub use deps::Deps;
pub use edge::openapi::document as openapi;
pub use limits::Rate;
pub use room::{Room, View};
pub use serve::{Gateway, assemble};
