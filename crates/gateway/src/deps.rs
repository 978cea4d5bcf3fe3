//! The ports that gateway-api is given.

use contracts::backends::{Sales, Shows};
use identity::KeySource;
use ports::{Clock, Entropy, Tasks, WaitingRoomStore};
use runtime::Process;
use std::sync::Arc;

/// The ports that gateway-api is given.
#[derive(Clone)]
pub struct Deps {
    /// The store of the waiting room's lines.
    pub waiting_room: Arc<dyn WaitingRoomStore>,
    /// The shows on sale.
    pub shows: Arc<dyn Shows>,
    /// Reservations and payments.
    pub sales: Arc<dyn Sales>,
    /// The identity provider's keys, if there is one.
    pub keys: Option<Arc<dyn KeySource>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This instance's tasks.
    pub tasks: Tasks,
    /// Metrics and health.
    pub process: Process,
}
