//! The waiting room: join, status, enter and leave, one file for each operation.
//!
//! The key of a ticket says who owns it: `u:` a person signed in at the join, `c:` a person by a
//! claimed name only, `a:` nobody yet. The three are different places: claiming a name does not
//! reach the place that this person took signed in, only one that was also taken by the name alone.
//! The pass of a claimed name belongs to that person, who alone can redeem it. Where joining
//! requires sign-in, there are only places of the first kind.

mod enter;
mod join;
mod leave;
mod operate;
mod status;
mod ticket;

pub(crate) use join::Joiner;
pub(crate) use ticket::HeldTicket;

use crate::catalogue::Catalogue;
use crate::metrics::GatewayMetrics;
use crate::refusal::Refusal;
use crate::room::{LineStore, Room};
use crate::single_flight_cache::SingleFlightCache;
use crate::token::Signer;
use contracts::error::Code;
use contracts::rest::admin;
use core::time::Duration;
use domain::id::ShowId;
use domain::waiting_room::Rules;
use ports::{Clock, Entropy, Tasks, Trace};
use runtime::refusal::Refusal as _;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The waiting room of every show. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct WaitingRoomService {
    inner: Arc<Inner>,
}

struct Inner {
    store: LineStore,
    catalogue: Arc<Catalogue>,
    signer: Signer,
    pass_secret: SecretString,
    metrics: GatewayMetrics,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
    shutdown: CancellationToken,
    /// The lines that are open at this gateway; each stays open for the life of the process.
    rooms: SingleFlightCache<ShowId, Arc<Room>>,
    must_sign_in: bool,
}

/// What the service is built from.
pub(crate) struct WaitingRoomDeps {
    pub(crate) store: LineStore,
    pub(crate) catalogue: Arc<Catalogue>,
    /// The first signs.
    pub(crate) secrets: Vec<SecretString>,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: Tasks,
    /// Ends the tasks of the lines.
    pub(crate) shutdown: CancellationToken,
    /// Only signed-in users can join.
    pub(crate) must_sign_in: bool,
}

impl WaitingRoomService {
    pub(crate) fn new(deps: WaitingRoomDeps) -> Self {
        let WaitingRoomDeps { store, catalogue, secrets, metrics, entropy, tasks, shutdown, must_sign_in } =
            deps;
        let signer = Signer::new(secrets.iter().map(|secret| secret.expose_secret().as_bytes()));
        let pass_secret = secrets.into_iter().next().expect("the configuration has one");
        let clock = store.clock.clone();
        let rooms = SingleFlightCache::new(Duration::MAX, clock.clone(), tasks.clone());
        Self {
            inner: Arc::new(Inner {
                store,
                catalogue,
                signer,
                pass_secret,
                metrics,
                clock,
                entropy,
                tasks,
                shutdown,
                rooms,
                must_sign_in,
            }),
        }
    }

    /// The line of a show that has a waiting room; the first caller opens it.
    pub(crate) async fn room(&self, show: &ShowId, trace: &Trace) -> Result<Arc<Room>, Refusal> {
        if let Some(room) = self.inner.rooms.kept(show) {
            return Ok(room);
        }
        let wanted = match self.inner.catalogue.waiting_room(show, trace).await {
            Ok(Some(settings)) => Some(rules(settings)),
            Ok(None) => {
                let message = format!("show {show} has no waiting room: reserve seats at once");
                return Err(Refusal::new(Code::NotFound, message));
            }
            // An existing line continues without the inventory.
            Err(refusal) if refusal.code() == Code::Unavailable => {
                refusal.log("open", trace);
                None
            }
            Err(refusal) => return Err(refusal),
        };
        let opening = || {
            let Inner { store, tasks, shutdown, .. } = &*self.inner;
            let (show, store, tasks, shutdown) =
                (show.clone(), store.clone(), tasks.clone(), shutdown.clone());
            async move { Room::open(show, wanted, store, &tasks, &shutdown).await }
        };
        let room = self.inner.rooms.get(show, opening).await;
        room.map_err(|fault| Refusal::failed("open", fault))
    }

    /// Every line that is open at this gateway.
    pub(crate) fn rooms(&self) -> Vec<(ShowId, Arc<Room>)> {
        let mut rooms = self.inner.rooms.all();
        rooms.sort_by(|a, b| a.0.cmp(&b.0));
        rooms
    }

    /// The gateway's clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    fn count(&self, operation: &'static str, outcome: Result<&'static str, &Refusal>) {
        let status = match outcome {
            Ok(status) => status,
            Err(Refusal::NotReady(_)) => "not_ready",
            Err(refusal) => match refusal.code() {
                Code::Unavailable => "unavailable",
                Code::Internal => "error",
                _ => "refused",
            },
        };
        self.inner.metrics.operation(operation, status);
    }
}

/// Rounds to whole people, at least one a second.
fn rules(settings: admin::WaitingRoom) -> Rules {
    let people = |value: f64| value.round().clamp(1.0, f64::from(u32::MAX)) as u32;
    let rate = people(settings.rate_per_sec);
    Rules { burst: settings.burst.map_or(rate, people), ..Rules::at(rate) }
}
