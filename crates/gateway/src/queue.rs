//! The waiting room's operations: join, status, enter, leave.
//!
//! The key of a ticket says who owns it: `u:` a person signed in at the join, `c:` a person by a
//! claimed name only, `a:` nobody yet. The three are different places: claiming a name does not
//! reach the place that this person took signed in, only one that was also taken by the name alone.
//! The pass of a claimed name belongs to that person, who alone can redeem it. Where joining
//! requires sign-in, there are only places of the first kind.

use crate::catalogue::Catalogue;
use crate::fresh::Fresh;
use crate::metrics::GatewayMetrics;
use crate::refusal::Refusal;
use crate::room::{Keep, Room, View};
use crate::token::{Rejected, Signer};
use contracts::error::{Code, WireError};
use contracts::pass::{self, Pass};
use contracts::rest::admin;
use contracts::rest::gateway::{Entered, Joined, QueueStatus, Status};
use core::time::Duration;
use domain::id::{PersonId, ShowId};
use domain::waiting_room::{Refusal as LineRefusal, RuleChange, Rules, Standing, Ticket};
use ports::plant::{Plant, planted};
use ports::{Clock, Entropy, PortError, Tasks, Trace};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How often people near the front poll, and people far back; in between it is a tenth of their
/// wait.
const POLL_MIN: Duration = Duration::from_millis(500);
const POLL_MAX: Duration = Duration::from_secs(5);
/// How long the answer waits for a pass that is not valid yet. A longer wait is answered with when
/// to try again, because thousands of waiting requests would be thousands of connections.
const HELD_BACK_MAX: Duration = Duration::from_secs(2);

/// The waiting room of every show. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    keep: Keep,
    catalogue: Arc<Catalogue>,
    signer: Signer,
    pass_secret: SecretString,
    metrics: GatewayMetrics,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
    shutdown: CancellationToken,
    /// The lines that are open at this gateway; each stays open for the life of the process.
    rooms: Fresh<ShowId, Arc<Room>>,
    must_sign_in: bool,
}

/// What the service is built from.
pub(crate) struct Parts {
    pub(crate) keep: Keep,
    pub(crate) catalogue: Arc<Catalogue>,
    /// The first signs.
    pub(crate) secrets: Vec<SecretString>,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: Tasks,
    pub(crate) shutdown: CancellationToken,
    /// Only signed-in users can join.
    pub(crate) must_sign_in: bool,
}

/// Identifies the person in a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joiner {
    /// Signed in.
    Person(PersonId),
    /// Only claims the name.
    Claimed(PersonId),
    /// No name yet: the Idempotency-Key and the sender's address identify them, because two
    /// strangers may choose the same key.
    Keyed(String, Option<IpAddr>),
    /// Nobody yet.
    Anybody,
}

/// An accepted ticket, and its line.
pub(crate) struct Held {
    show: ShowId,
    ticket: Ticket,
    room: Arc<Room>,
}

impl Queue {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { keep, catalogue, secrets, metrics, entropy, tasks, shutdown, must_sign_in } = parts;
        let signer = Signer::new(secrets.iter().map(|secret| secret.expose_secret().as_bytes()));
        let pass_secret = secrets.into_iter().next().expect("the configuration has one");
        let clock = keep.clock.clone();
        let rooms = Fresh::new(Duration::MAX, clock.clone(), tasks.clone());
        Self(Arc::new(Shared {
            keep,
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
        }))
    }

    /// Takes a place, or finds the one that the person already has.
    pub(crate) async fn join(
        &self,
        show: &ShowId,
        joiner: &Joiner,
        trace: &Trace,
    ) -> Result<Joined, Refusal> {
        let joined = self.joined(show, joiner, trace).await;
        self.count("join", joined.as_ref().map(|joined| joined.status.as_str()));
        joined
    }

    async fn joined(&self, show: &ShowId, joiner: &Joiner, trace: &Trace) -> Result<Joined, Refusal> {
        if self.0.must_sign_in && !matches!(joiner, Joiner::Person(_)) {
            let message = "sign in to join: send a token as Authorization: Bearer";
            return Err(Refusal::new(Code::Unauthenticated, message));
        }
        let room = self.room(show, trace).await?;
        let key = match joiner {
            Joiner::Person(person) => format!("u:{person}"),
            Joiner::Claimed(person) => format!("c:{person}"),
            Joiner::Keyed(key, Some(address)) => format!("a:k:{address}:{key}"),
            Joiner::Keyed(key, None) => format!("a:k::{key}"),
            Joiner::Anybody => {
                let entropy = &self.0.entropy;
                format!("a:r:{:016x}{:016x}", entropy.next_u64(), entropy.next_u64())
            }
        };
        let ticket = room.join(&key).await.map_err(|error| match error {
            PortError::Rejected(LineRefusal::Closed) => {
                Refusal::new(Code::Forbidden, "the line of this show is closed")
            }
            PortError::Rejected(LineRefusal::Full) => {
                Refusal::unavailable("the line of this show is full; try again later")
                    .after(Duration::from_secs(30))
            }
            PortError::Failed(fault) => Refusal::failed("join", &fault, trace),
        })?;
        // The API has only this answer to a join. Somebody whose earlier place has come further
        // learns it from the status.
        let status = self.describe(&room, &ticket, Standing::Waiting);
        Ok(Joined {
            waiting_token: self.0.signer.sign(show, &ticket),
            position_hint: status.position,
            status: status.status,
            eta_sec: status.eta_sec,
            poll_after_ms: status.poll_after_ms,
        })
    }

    /// Where a person stands. The only effect is a sign of life (trap T-W4).
    pub(crate) async fn status(&self, held: &Held) -> Status {
        let standing = held.room.standing(&held.ticket).await;
        if planted(Plant::StatusEnters) && matches!(standing, Standing::Ready { .. }) {
            drop(held.room.enter(&held.ticket).await);
        }
        let status = self.describe(&held.room, &held.ticket, standing);
        self.0.metrics.operation("status", status.status.as_str());
        status
    }

    fn describe(&self, room: &Room, ticket: &Ticket, standing: Standing) -> Status {
        // All these times are by the store's clock.
        let (view, now): (Arc<View>, _) = (room.view(), room.store_now());
        let (status, ready_for) = match standing {
            Standing::Waiting => (QueueStatus::Waiting, None),
            Standing::Ready { until } => (QueueStatus::Ready, Some(until.since(now))),
            Standing::Entered { until, .. } if now < until => (QueueStatus::Ready, Some(until.since(now))),
            Standing::Entered { .. } | Standing::Expired => (QueueStatus::Expired, None),
            Standing::Left => (QueueStatus::Left, None),
        };
        let waits = status == QueueStatus::Waiting;
        let ahead = if waits { view.ahead_of(ticket.number) } else { 0 };
        let wait = if waits { view.wait(ahead) } else { Some(Duration::ZERO) };
        Status {
            status,
            position: if waits { ahead + 1 } else { 0 },
            eta_sec: wait.map(whole),
            waiting_time: now.since(ticket.joined_at).as_secs(),
            ready_for_entry: status == QueueStatus::Ready,
            poll_after_ms: poll_after(ticket, wait),
            paused: view.snapshot.rules.paused,
            message: view.notice.as_deref().filter(|_| waits).map(str::to_owned),
            ready_for_sec: ready_for.map(|time| time.as_secs()),
        }
    }

    /// Exchanges a turn for a pass, which is returned when its time in the rate has come.
    /// `signed_in` is the caller, if known.
    pub(crate) async fn enter(
        &self,
        held: &Held,
        signed_in: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Entered, Refusal> {
        let entered = self.entered(held, signed_in, trace).await;
        self.count("enter", entered.as_ref().map(|_| "granted"));
        entered
    }

    async fn entered(
        &self,
        held: &Held,
        signed_in: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Entered, Refusal> {
        let Held { show, ticket, room } = held;
        let person =
            holder(ticket, signed_in).inspect_err(|no| self.record_foreign("ticket_foreign", no, trace))?;
        let (answer, is_first) =
            room.enter(ticket).await.map_err(|fault| Refusal::failed("enter", &fault, trace))?;
        if is_first && let Standing::Entered { at, .. } = answer.answer {
            self.0.metrics.waited(at.since(ticket.joined_at));
        }
        match answer.answer {
            Standing::Entered { at, until } if answer.at < until => {
                // By the store's clock, so that no window of time has more passes than the rate.
                let wait = at.since(answer.at);
                if wait > HELD_BACK_MAX {
                    // The pass is booked: asking again then returns it at once.
                    return Err(Refusal::not_ready(wait));
                }
                if !planted(Plant::PassBeforeItsTime) {
                    self.0.clock.sleep(wait).await;
                }
                let pass = Pass {
                    id: ticket.number.to_string().into(),
                    show: show.clone(),
                    person,
                    expires_at: until,
                };
                Ok(Entered {
                    admission: "granted".to_owned(),
                    reservation_token: pass::sign(self.0.pass_secret.expose_secret().as_bytes(), &pass),
                    ttl_sec: until.since(answer.at.plus(wait)).as_secs(),
                })
            }
            Standing::Entered { .. } => Err(Refusal::gone("EXPIRED", "your pass has expired; join again")),
            Standing::Waiting => {
                let view = room.view();
                let wait = view.wait(view.ahead_of(ticket.number));
                Err(Refusal::not_ready(Duration::from_millis(poll_after(ticket, wait))))
            }
            // Unreachable with a correct store: the line gives a ready person a pass.
            Standing::Ready { .. } => Err(Refusal::not_ready(POLL_MIN)),
            Standing::Left => Err(Refusal::gone("LEFT", "you have left the line; join again")),
            Standing::Expired => Err(Refusal::gone("EXPIRED", "your turn has passed; join again")),
        }
    }

    /// Gives up the place. It takes no pass back.
    pub(crate) async fn leave(&self, held: &Held, trace: &Trace) -> Result<QueueStatus, Refusal> {
        let left = held.room.leave(&held.ticket).await;
        let left = left.map_err(|fault| Refusal::failed("leave", &fault, trace));
        let left = left.map(|standing| self.describe(&held.room, &held.ticket, standing).status);
        self.count("leave", left.as_ref().map(|status| status.as_str()));
        left
    }

    /// Verifies a ticket and finds its line.
    pub(crate) async fn held(&self, token: &str, trace: &Trace) -> Result<Held, Refusal> {
        let (show, ticket) = self.0.signer.verify(token).map_err(|why| self.reject(token, why, trace))?;
        let room = self.room(&show, trace).await?;
        Ok(Held { show, ticket, room })
    }

    /// Records the use of another person's ticket or name, if that is why the request is refused.
    pub(crate) fn record_foreign(&self, reason: &'static str, no: &Refusal, trace: &Trace) {
        if no.code() == Code::Forbidden {
            self.0.metrics.rejected(reason);
            tracing::info!(
                reason,
                trace_id = trace.trace_id.as_deref(),
                "ticket or name of another person used"
            );
        }
    }

    fn reject(&self, token: &str, why: Rejected, trace: &Trace) -> Refusal {
        let reason = match why {
            Rejected::Malformed => "ticket_malformed",
            Rejected::WrongSignature => "ticket_signature",
        };
        self.0.metrics.rejected(reason);
        tracing::info!(reason, trace_id = trace.trace_id.as_deref(), "ticket rejected");
        match why {
            Rejected::Malformed if token.is_empty() => {
                WireError::invalid("token", "the waiting token is missing").into()
            }
            Rejected::Malformed => WireError::invalid("token", "this is not a waiting token").into(),
            Rejected::WrongSignature => Refusal::new(Code::Unauthenticated, "the waiting token is not valid"),
        }
    }

    /// Changes the rules of a show's line and returns the new ones.
    pub(crate) async fn rule(
        &self,
        show: &ShowId,
        change: RuleChange,
        trace: &Trace,
    ) -> Result<Rules, Refusal> {
        let room = self.room(show, trace).await?;
        room.rule(change).await.map_err(|fault| Refusal::failed("rule", &fault, trace))
    }

    /// Sets the message to the people who wait, or removes it.
    pub(crate) async fn announce(
        &self,
        show: &ShowId,
        notice: Option<&str>,
        trace: &Trace,
    ) -> Result<(), Refusal> {
        let room = self.room(show, trace).await?;
        room.announce(notice).await.map_err(|fault| Refusal::failed("announce", &fault, trace))
    }

    /// The line of a show that has a waiting room; the first caller opens it.
    pub(crate) async fn room(&self, show: &ShowId, trace: &Trace) -> Result<Arc<Room>, Refusal> {
        if let Some(room) = self.0.rooms.kept(show) {
            return Ok(room);
        }
        let wanted = match self.0.catalogue.waiting_room(show, trace).await {
            Ok(Some(settings)) => Some(rules(settings)),
            Ok(None) => {
                let message = format!("show {show} has no waiting room: reserve seats at once");
                return Err(Refusal::new(Code::NotFound, message));
            }
            // An existing line continues without the inventory.
            Err(no) if no.code() == Code::Unavailable => None,
            Err(no) => return Err(no),
        };
        let opening = || {
            let Shared { keep, tasks, shutdown, .. } = &*self.0;
            let (show, keep, tasks, shutdown) = (show.clone(), keep.clone(), tasks.clone(), shutdown.clone());
            async move { Room::open(show, wanted, keep, &tasks, &shutdown).await }
        };
        let room = self.0.rooms.get(show, opening).await;
        room.map_err(|fault| Refusal::failed("open", &fault, trace))
    }

    /// Every line that is open at this gateway.
    pub(crate) fn rooms(&self) -> Vec<(ShowId, Arc<Room>)> {
        let mut rooms = self.0.rooms.all();
        rooms.sort_by(|a, b| a.0.cmp(&b.0));
        rooms
    }

    /// The gateway's clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    fn count(&self, operation: &'static str, outcome: Result<&'static str, &Refusal>) {
        let status = match outcome {
            Ok(status) => status,
            Err(no) if no.is_not_ready() => "not_ready",
            Err(no) => match no.code() {
                Code::Unavailable => "unavailable",
                Code::Internal => "error",
                _ => "refused",
            },
        };
        self.0.metrics.operation(operation, status);
    }
}

impl Held {
    /// The key whose limit the requests count against: a ticket belongs to one person.
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.ticket.key
    }

    /// The ticket's show.
    pub(crate) fn show(&self) -> &ShowId {
        &self.show
    }
}

/// Rounds to whole people, at least one a second.
fn rules(settings: admin::WaitingRoom) -> Rules {
    let people = |value: f64| value.round().clamp(1.0, f64::from(u32::MAX)) as u32;
    let rate = people(settings.rate_per_sec);
    Rules { burst: settings.burst.map_or(rate, people), ..Rules::at(rate) }
}

/// The person that the ticket's pass belongs to.
fn holder(ticket: &Ticket, signed_in: Option<&PersonId>) -> Result<PersonId, Refusal> {
    let named = match ticket.key.split_once(':') {
        Some(("u" | "c", name)) => Some(
            PersonId::parse(name)
                .map_err(|_| WireError::invalid("waiting_token", "the ticket names no valid person"))?,
        ),
        _ => None,
    };
    match (named, signed_in) {
        (Some(named), Some(person)) if named != *person => {
            Err(Refusal::new(Code::Forbidden, "this ticket is another person's"))
        }
        (Some(named), _) => Ok(named),
        (None, Some(person)) => Ok(person.clone()),
        (None, None) => {
            let message =
                "this ticket has no owner yet; sign in to enter: send a token as Authorization: Bearer";
            Err(Refusal::new(Code::Unauthenticated, message))
        }
    }
}

/// Whole seconds, rounded up, so that a wait is never reported too short.
const fn whole(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000) as u64
}

/// A tenth of the wait in milliseconds, spread by the number, so that people who joined together do
/// not poll together.
fn poll_after(ticket: &Ticket, wait: Option<Duration>) -> u64 {
    let base = wait.map_or(POLL_MAX, |wait| wait / 10).clamp(POLL_MIN, POLL_MAX);
    let spread = ticket.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    base.as_millis() as u64 * (1_024 + spread) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;

    fn ticket(number: u64, key: &str) -> Ticket {
        Ticket { number, key: key.into(), joined_at: Timestamp::from_millis(0) }
    }

    fn person(name: &str) -> PersonId {
        PersonId::parse(name).unwrap()
    }

    #[test]
    fn a_pass_belongs_to_the_owner_of_the_ticket() {
        let of = |key, signed_in: Option<&str>| {
            let signed_in = signed_in.map(person);
            holder(&ticket(1, key), signed_in.as_ref()).map_err(|no| no.code())
        };
        assert_eq!(of("u:kim", None), Ok(person("kim")));
        assert_eq!(of("u:kim", Some("kim")), Ok(person("kim")));
        assert_eq!(of("u:kim", Some("lee")), Err(Code::Forbidden));
        assert_eq!(of("c:kim", Some("lee")), Err(Code::Forbidden));
        assert_eq!(of("c:kim", None), Ok(person("kim")));
        assert_eq!(of("u:a:b", None), Ok(person("a:b")));
        assert_eq!(of("a:k:u:kim", None), Err(Code::Unauthenticated));
        assert_eq!(of("a:r:1", Some("lee")), Ok(person("lee")));
    }

    #[test]
    fn people_near_the_front_poll_more_often_and_not_together() {
        let after = |seconds| poll_after(&ticket(7, "u:kim"), Some(Duration::from_secs(seconds)));
        assert!((500..=625).contains(&after(0)), "{}", after(0));
        assert!((2_000..=2_500).contains(&after(20)), "{}", after(20));
        assert!((5_000..=6_250).contains(&after(3_600)));
        assert!((5_000..=6_250).contains(&poll_after(&ticket(7, "u:kim"), None)));
        let different: std::collections::BTreeSet<_> = (0..100)
            .map(|number| poll_after(&ticket(number, "u:kim"), Some(Duration::from_secs(20))))
            .collect();
        assert!(different.len() > 50);
    }
}
