//! Create: seats are held for a buyer, once for each Idempotency-Key.
//!
//! The id of the reservation, and so of its hold, is a function of person and key. A retry
//! therefore finds what an earlier try did, wherever that one was interrupted: nothing, a hold
//! without a reservation, or the recorded answer. The reservation, the event of its expiry and the
//! recorded answer are one commit (trap T-T14), so none exists without the others.
//!
//! The expiry of a hold starts here (ARCHITECTURE.md, walk 2): the commit contains the outbox row
//! "expire at `until`", and `announce` tells the relay's timer about it
//! (`crates/outbox/src/due.rs`).
//!
//! Where the show requires a pass, that commit redeems it. Whether it was redeemed before is
//! checked before the hold too, so that a spent pass holds no seats. A request that loses the pass
//! to another one after that check releases its seats.
//!
//! A refusal stores nothing: the same request under the same key may be tried again, for example
//! when the seats are free again. A hold whose reservation was never stored runs out by itself.

use super::admit::spent;
use super::{Service, unreadable};
use crate::refusal::{Peer, Refusal};
use crate::request::{Create, Fingerprint, Origin, reservation_id};
use crate::rows::{IdempotencyRow, PassRow, Placed, Stored, reservation_key};
use contracts::pass::Pass;
use core::time::Duration;
use domain::event::{Event, Fact, SeatsHint};
use domain::hold::{BadRequest, Rejection, ReleaseCause};
use domain::id::{ReservationId, SectionId};
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::reservation::{Reservation, Status};
use domain::time::Timestamp;
use ports::Trace;
use ports::inventory::{Held, HeldState, HoldSeats};
use ports::plant::{Plant, planted};
use ports::store::{CommitError, Write};

/// How long after the hold ran out the backstop sends its expiry once more.
const BACKSTOP_AFTER: Duration = Duration::from_secs(60);

/// The answer to a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAnswer {
    /// The held seats.
    pub placed: Placed,
    /// Whether the answer was recorded before: this request did nothing then.
    pub recorded: bool,
}

/// The rows under an id.
enum Found {
    Nothing,
    Recorded(IdempotencyRow),
    /// A reservation whose recorded answer was forgotten after 14 days, or that never had a key.
    WithoutRecord,
}

impl Service {
    /// Holds seats for a buyer.
    pub async fn create(&self, create: &Create, trace: &Trace) -> Result<CreateAnswer, Refusal> {
        let (id, keyed) = self.identity(create);
        if keyed && let Some(answer) = self.recorded(&id, create).await? {
            self.inner.metrics.created("recorded");
            return Ok(answer);
        }
        let pass = self.admit(&id, create, trace).await.inspect_err(|no| self.count_refused(no, trace))?;
        let held = self.hold(&id, create, trace).await?;
        if held.state != HeldState::Live || held.until <= self.inner.clock.now() {
            // An earlier try took the seats and was interrupted before it stored the reservation,
            // so no buyer knows of that hold. Or another try of this request has stored the
            // reservation by now.
            return self.recorded(&id, create).await?.ok_or(Refusal::KeyIsOver);
        }
        let stored = self.store(id, create, held, pass.as_ref(), keyed, trace).await;
        let answer = stored.inspect_err(|no| self.count_refused(no, trace))?;
        if pass.is_some() && !answer.recorded {
            self.inner.metrics.pass("redeemed");
        }
        self.inner.metrics.created(if answer.recorded { "recorded" } else { "placed" });
        Ok(answer)
    }

    /// The id of this request's reservation, and whether the same request again would get the same
    /// id.
    fn identity(&self, create: &Create) -> (ReservationId, bool) {
        let origin = match (&create.key, &create.pass) {
            (Some(key), _) if !planted(Plant::KeyIgnored) => Origin::Key(key),
            (None, Some(pass)) => Origin::Pass(pass),
            (None, None) | (Some(_), _) => {
                Origin::Chance([self.inner.entropy.next_u64(), self.inner.entropy.next_u64()])
            }
        };
        (reservation_id(&create.person, origin), !matches!(origin, Origin::Chance(_)))
    }

    /// The recorded answer, if the same request was carried out before.
    async fn recorded(&self, id: &ReservationId, create: &Create) -> Result<Option<CreateAnswer>, Refusal> {
        match self.found(id).await? {
            Found::Nothing => Ok(None),
            Found::Recorded(record) if record.fingerprint == Fingerprint::from_request(create) => {
                Ok(Some(CreateAnswer { placed: record.answer, recorded: true }))
            }
            Found::Recorded(_) | Found::WithoutRecord => Err(Refusal::OtherRequest),
        }
    }

    async fn found(&self, id: &ReservationId) -> Result<Found, Refusal> {
        let keys = [IdempotencyRow::key(id), reservation_key(id)];
        Ok(match self.inner.table.get(keys).await.map_err(Refusal::Store)? {
            [Some(record), _] => {
                Found::Recorded(IdempotencyRow::read(&record).ok_or_else(|| unreadable(id))?)
            }
            // A store may read the two rows one after the other, and another try of the same
            // request may store both in between. They are one commit, so after the reservation was
            // seen its record is there too.
            [None, Some(_)] => {
                let [record] =
                    self.inner.table.get([IdempotencyRow::key(id)]).await.map_err(Refusal::Store)?;
                match record {
                    Some(record) => {
                        Found::Recorded(IdempotencyRow::read(&record).ok_or_else(|| unreadable(id))?)
                    }
                    None => Found::WithoutRecord,
                }
            }
            [None, None] => Found::Nothing,
        })
    }

    /// Holds the seats, or finds them held by an earlier try of the same request.
    async fn hold(&self, id: &ReservationId, create: &Create, trace: &Trace) -> Result<Held, Refusal> {
        let command = HoldSeats {
            reservation: id.clone(),
            show: create.show.clone(),
            section: create.section.clone(),
            seats: create.seats.clone(),
            quantity: create.quantity,
            person: create.person.clone(),
            until: self.inner.clock.now().plus(self.inner.options.hold_ttl),
        };
        let limit = self.inner.options.inventory_timeout;
        let call = self.inventory_call(trace);
        match self.ask(Peer::Inventory, limit, self.inner.inventory.hold(&call, command)).await? {
            // A hold of an earlier request under this key, on as many places of another section.
            Ok(held) if !within(create.section.as_ref(), &held) => Err(Refusal::OtherRequest),
            Ok(held) => Ok(held),
            // The id is derived from person and key, so a hold on other seats is an earlier request
            // under this key.
            Err(Rejection::BadRequest(BadRequest::DifferentSeats) | Rejection::NotOwner) => {
                Err(Refusal::OtherRequest)
            }
            Err(no) => Err(Refusal::not_held(create.subject(), &no)),
        }
    }

    /// Stores the reservation, the event of its expiry and the recorded answer, all or none.
    async fn store(
        &self,
        id: ReservationId,
        create: &Create,
        held: Held,
        pass: Option<&Pass>,
        keyed: bool,
        trace: &Trace,
    ) -> Result<CreateAnswer, Refusal> {
        let now = self.inner.clock.now();
        let reservation = placed_reservation(id.clone(), create, &held, now);
        let Held { seats, total, until, .. } = held;
        let placed =
            Placed { id: id.clone(), show: create.show.clone(), seats, total, hold_expires_at: until };
        let event = expiry_event(&reservation, trace);
        let mut lost = None;
        for _ in 0..CONFLICT_RETRIES_MAX {
            let mut writes = self.writes(create, &reservation, &placed, &event, keyed, now, trace);
            writes.extend(pass.map(|pass| redemption(pass, &id, now).write()));
            // One commit: the reservation, its event, the recorded answer and the redeemed pass,
            // all or none (trap T-T14).
            match self.inner.table.commit(writes).await {
                Ok(()) => {
                    self.announce(until, &event);
                    log_placed(&reservation, trace);
                    return Ok(CreateAnswer { placed, recorded: false });
                }
                // Something stored it: another try of the same request, or this one with a lost
                // answer (trap T-S9).
                Err(CommitError::Conflict { .. }) => match self.stored(&id, create, &placed, keyed).await? {
                    Some(answer) => {
                        self.announce(until, &event);
                        return Ok(answer);
                    }
                    // Another request has redeemed the pass meanwhile.
                    None => match pass {
                        Some(pass) if self.is_spent(pass, &id).await? => {
                            self.give_up(&reservation, trace).await;
                            return Err(spent(create));
                        }
                        // A conflict with rows that do not exist: an engine that lags behind its
                        // own commits.
                        _ => continue,
                    },
                },
                // Writing again is safe: all rows must be absent.
                Err(CommitError::Ambiguous(fault)) if lost.is_none() => lost = Some(fault),
                Err(CommitError::Ambiguous(fault) | CommitError::Failed(fault)) => {
                    return Err(Refusal::Store(fault));
                }
            }
        }
        Err(Refusal::Contended(id))
    }

    /// Releases the seats of a reservation that will not be stored. If that fails, the hold runs
    /// out by itself.
    async fn give_up(&self, reservation: &Reservation, trace: &Trace) {
        if let Err(refusal) = self.release_seats(reservation, ReleaseCause::ByBuyer, trace).await {
            runtime::Refusal::log(&refusal, "release", trace);
        }
    }

    /// Counts and logs a refused pass, without the pass itself.
    fn count_refused(&self, no: &Refusal, trace: &Trace) {
        if let Refusal::NoAdmission(show, why) = no {
            self.inner.metrics.pass(why.as_str());
            let trace_id = trace.trace_id.as_deref();
            tracing::info!(show_id = %show, trace_id, reason = why.as_str(), "pass refused");
        }
    }

    /// Announces the expiry to the relay, and to the backstop where there is one. The backstop
    /// fires later, so that it finds nothing left to do unless the row was not published.
    fn announce(&self, until: Timestamp, event: &Event) {
        self.inner.relay.notify(until, &event.id);
        if let Some(alarms) = &self.inner.alarms {
            alarms.set(event, until.plus(BACKSTOP_AFTER));
        }
    }

    /// The answer after a conflict, if the stored rows are those of this very request.
    async fn stored(
        &self,
        id: &ReservationId,
        create: &Create,
        placed: &Placed,
        keyed: bool,
    ) -> Result<Option<CreateAnswer>, Refusal> {
        if keyed {
            return self.recorded(id, create).await;
        }
        // The id is random, so only this request can have written it.
        Ok(self.load(id).await?.map(|_| CreateAnswer { placed: placed.clone(), recorded: false }))
    }

    #[allow(clippy::too_many_arguments, reason = "the rows of one commit, gathered in one place")]
    fn writes(
        &self,
        create: &Create,
        reservation: &Reservation,
        placed: &Placed,
        event: &Event,
        keyed: bool,
        now: Timestamp,
        trace: &Trace,
    ) -> Vec<Write> {
        let shards = self.inner.outbox_shards;
        let mut writes = vec![
            Stored::placed(reservation.clone()).write(),
            outbox::row_write_traced(event, reservation.hold_expires_at, shards, trace),
        ];
        if keyed {
            let (fingerprint, answer) = (Fingerprint::from_request(create), placed.clone());
            writes.push(IdempotencyRow { fingerprint, answer, created_at: now }.write());
        }
        writes
    }
}

fn redemption(pass: &Pass, reservation: &ReservationId, now: Timestamp) -> PassRow {
    let Pass { id, show, person, .. } = pass.clone();
    PassRow { id, show, person, reservation: reservation.clone(), redeemed_at: now }
}

fn within(section: Option<&SectionId>, held: &Held) -> bool {
    section.is_none_or(|section| held.seats.iter().all(|seat| seat.section == *section))
}

/// The event that the hold of a reservation ran out. Its id is a function of the reservation, so
/// every service that announces it states the same event.
pub(crate) fn expiry_event(reservation: &Reservation, trace: &Trace) -> Event {
    Event {
        id: outbox::expired_event_id(&reservation.id),
        source: crate::SOURCE.into(),
        at: reservation.hold_expires_at,
        trace_id: trace.trace_id.clone(),
        reservation: reservation.id.clone(),
        seats: SeatsHint {
            show: Some(reservation.show.clone()),
            seats: reservation.seats.clone(),
            quantity: u32::try_from(reservation.seats.len()).ok(),
        },
        person: Some(reservation.person.clone()),
        fact: Fact::ReservationExpired { expired_at: Some(reservation.hold_expires_at) },
    }
}

fn placed_reservation(id: ReservationId, create: &Create, held: &Held, now: Timestamp) -> Reservation {
    // A buyer who names neither seats nor a section gets the only section of the show; the hold
    // says which.
    let section = || create.section.clone().or_else(|| held.seats.first().map(|seat| seat.section.clone()));
    Reservation {
        id,
        show: create.show.clone(),
        section: if create.seats.is_empty() { section() } else { None },
        person: create.person.clone(),
        status: Status::Hold,
        seats: held.seats.iter().map(|seat| seat.id.clone()).collect(),
        total: held.total.clone(),
        hold_expires_at: held.until,
        created_at: now,
        updated_at: now,
        order: None,
        intent: None,
        cancel_reason: None,
        error_code: None,
    }
}

fn log_placed(reservation: &Reservation, trace: &Trace) {
    tracing::info!(
        reservation_id = %reservation.id,
        show_id = %reservation.show,
        trace_id = trace.trace_id.as_deref(),
        status = reservation.status.as_str(),
        seats = reservation.seats.len(),
        "reservation placed"
    );
}
