//! A small inventory in memory by the domain's rules: section `A` of named seats, `FLOOR` of
//! general admission.

use async_trait::async_trait;
use domain::hold::{
    Claim, CommitDecision, Hold, HoldKey, HoldState, Rejection, ReleaseCause, ReleaseDecision, Released,
    check_request, commit, release,
};
use domain::id::{OrderId, PaymentIntentId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::seat::{SeatStatus, SeatView};
use domain::time::Timestamp;
use ports::inventory::{CommitSeats, Committed, Held, HeldState, HoldSeats, ReleaseSeats};
use ports::{CallContext, Clock, Fault, Inventory, PortError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use testkit::Fuse;
use testkit::ManualClock;

pub(crate) const SHOW: &str = "show-1";
pub(crate) const PRICE: u64 = 120_000;
/// Seats of each section.
const SEATS: [(&str, usize); 2] = [("A", 10_000), ("FLOOR", 20)];

pub(crate) struct Stock {
    clock: Arc<ManualClock>,
    fuse: Arc<Fuse>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    owners: BTreeMap<SeatId, ReservationId>,
    holds: BTreeMap<ReservationId, (Hold, Option<Hold>)>,
    /// Calls that were carried out.
    calls: Vec<&'static str>,
    /// Whether calls hang.
    hangs: bool,
}

type Answer<T> = Result<T, PortError<Rejection>>;

impl Stock {
    pub(crate) fn new(clock: Arc<ManualClock>, fuse: Arc<Fuse>) -> Self {
        Self { clock, fuse, state: Mutex::default() }
    }

    /// Every hold that was ever taken, re-takes too.
    pub(crate) fn holds(&self) -> Vec<Hold> {
        let state = self.state.lock().unwrap();
        state
            .holds
            .values()
            .flat_map(|(first, retake)| [Some(first.clone()), retake.clone()])
            .flatten()
            .collect()
    }

    /// The hold of a reservation.
    pub(crate) fn hold_of(&self, id: &ReservationId) -> Option<Hold> {
        self.state.lock().unwrap().holds.get(id).map(|(first, _)| first.clone())
    }

    /// The order that the seats of a reservation are sold to.
    pub(crate) fn order_of(&self, id: &ReservationId) -> Option<OrderId> {
        let state = self.state.lock().unwrap();
        let (first, retake) = state.holds.get(id)?;
        [Some(first), retake.as_ref()].into_iter().flatten().find_map(|hold| match &hold.state {
            HoldState::Committed { order, .. } => Some(order.clone()),
            _ => None,
        })
    }

    /// Calls that were carried out, in order; the list starts empty after each read.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// Loses a hold, as an inventory does after 14 days.
    pub(crate) fn forget(&self, id: &ReservationId) {
        let mut state = self.state.lock().unwrap();
        state.holds.remove(id);
        state.owners.retain(|_, owner| owner != id);
    }

    /// From now on calls hang.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().hangs = true;
    }

    async fn call<T>(
        &self,
        name: &'static str,
        act: impl FnOnce(&mut State, Timestamp) -> Answer<T>,
    ) -> Answer<T> {
        if self.state.lock().unwrap().hangs {
            return std::future::pending().await;
        }
        let acted = async {
            let now = self.clock.now();
            let mut state = self.state.lock().unwrap();
            state.calls.push(name);
            act(&mut state, now)
        };
        self.fuse.pass(acted, || Err(Fault::unavailable("the stock does not answer").into())).await
    }
}

#[async_trait]
impl Inventory for Stock {
    async fn hold(&self, _cx: &CallContext, command: HoldSeats) -> Answer<Held> {
        self.call("hold", |state, now| state.hold(command, now)).await
    }

    async fn commit(&self, _cx: &CallContext, command: CommitSeats) -> Answer<Committed> {
        self.call("commit", |state, now| state.commit(&command, now)).await
    }

    async fn release(&self, _cx: &CallContext, command: ReleaseSeats) -> Answer<Released> {
        self.call("release", |state, now| state.release(&command, now)).await
    }
}

impl State {
    fn hold(&mut self, command: HoldSeats, now: Timestamp) -> Answer<Held> {
        if command.show.as_str() != SHOW {
            return Err(PortError::Rejected(Rejection::NoSuchShow));
        }
        let quantity = check_request(&command.seats, command.quantity)
            .map_err(|bad| PortError::Rejected(Rejection::BadRequest(bad)))?;
        if let Some((known, _)) = self.holds.get(&command.reservation) {
            known
                .same_request(&command.show, &command.seats, quantity, &command.person)
                .map_err(PortError::Rejected)?;
            return Ok(held(known));
        }
        let any_of =
            command.seats.is_empty().then(|| command.section.clone().unwrap_or_else(|| section("FLOOR")));
        let seats = match &any_of {
            Some(section) => self.any(section, quantity as usize, now)?,
            None => command.seats.clone(),
        };
        if let Some(unknown) = seats.iter().find(|seat| !exists(seat)) {
            return Err(PortError::Rejected(Rejection::NoSuchSeat(unknown.clone())));
        }
        let taken: Vec<SeatId> = seats.iter().filter(|seat| !self.free(seat, now)).cloned().collect();
        if !taken.is_empty() {
            return Err(PortError::Rejected(Rejection::SeatTaken(taken)));
        }
        self.release_due(&seats, now);
        self.own(&seats, &command.reservation);
        let hold = Hold {
            reservation: command.reservation.clone(),
            key: HoldKey::First,
            show: command.show,
            any_of,
            seats,
            person: command.person,
            until: command.until,
            placed_at: now,
            state: HoldState::Live,
            refused: Vec::new(),
            retakes_closed: false,
        };
        let answer = held(&hold);
        self.holds.insert(command.reservation, (hold, None));
        Ok(answer)
    }

    fn commit(&mut self, command: &CommitSeats, now: Timestamp) -> Answer<Committed> {
        let (first, retake) = self.pair(&command.reservation);
        let claim = Claim {
            show: command.show.as_ref(),
            seats: &command.seats,
            quantity: command.quantity,
            person: command.person.as_ref(),
        };
        let intent = command.intent.as_ref();
        match commit(first.as_ref(), retake.as_ref(), claim, intent) {
            CommitDecision::Already(hold) => Ok(committed(&hold, now)),
            CommitDecision::Seal { order } => {
                let (hold, _) = self.holds.get_mut(&command.reservation).unwrap();
                hold.state = HoldState::Committed { order, intent: intent.cloned(), at: now };
                Ok(committed(hold, now))
            }
            CommitDecision::Retake { order } => self.retake(&command.reservation, order, intent, now),
            CommitDecision::Reject(no) => Err(PortError::Rejected(no)),
        }
    }

    fn retake(
        &mut self,
        id: &ReservationId,
        order: OrderId,
        intent: Option<&PaymentIntentId>,
        now: Timestamp,
    ) -> Answer<Committed> {
        let first = self.holds[id].0.clone();
        let seats = match &first.any_of {
            Some(section) => self.any(section, first.seats.len(), now).ok(),
            None => Some(first.seats.clone()).filter(|seats| seats.iter().all(|seat| self.free(seat, now))),
        };
        let Some(seats) = seats else {
            self.holds.get_mut(id).unwrap().0.refuse(intent);
            return Err(PortError::Rejected(Rejection::Expired));
        };
        self.release_due(&seats, now);
        self.own(&seats, id);
        let state = HoldState::Committed { order, intent: intent.cloned(), at: now };
        let retake = Hold { key: HoldKey::Retake, seats, state, placed_at: now, ..first };
        let answer = committed(&retake, now);
        self.holds.get_mut(id).unwrap().1 = Some(retake);
        Ok(answer)
    }

    fn release(&mut self, command: &ReleaseSeats, now: Timestamp) -> Answer<Released> {
        let (first, retake) = self.pair(&command.reservation);
        let claim = Claim {
            show: command.show.as_ref(),
            seats: &command.seats,
            quantity: command.quantity,
            person: None,
        };
        match release(first.as_ref(), retake.as_ref(), claim, command.cause, now) {
            ReleaseDecision::Release(cause) => {
                let seats = first.unwrap().seats;
                self.let_go(&command.reservation, cause, now);
                Ok(Released::Now { seats, at: now })
            }
            ReleaseDecision::Before { cause, at } => Ok(Released::Before { cause, at }),
            ReleaseDecision::Reject(no) => Err(PortError::Rejected(no)),
        }
    }

    fn pair(&self, id: &ReservationId) -> (Option<Hold>, Option<Hold>) {
        self.holds.get(id).map_or((None, None), |(first, retake)| (Some(first.clone()), retake.clone()))
    }

    fn any(
        &self,
        section: &SectionId,
        count: usize,
        now: Timestamp,
    ) -> Result<Vec<SeatId>, PortError<Rejection>> {
        let all = (1..=seats_of(section.as_str())).map(|n| SeatId::parse(&format!("{section}-{n}")).unwrap());
        let free: Vec<SeatId> = all.filter(|seat| self.free(seat, now)).take(count).collect();
        if free.len() == count {
            return Ok(free);
        }
        Err(PortError::Rejected(Rejection::SoldOut { remaining: free.len() as u32 }))
    }

    fn free(&self, seat: &SeatId, now: Timestamp) -> bool {
        let Some(owner) = self.owners.get(seat) else { return true };
        let (first, retake) = &self.holds[owner];
        retake.is_none() && first.state == HoldState::Live && first.until <= now
    }

    fn own(&mut self, seats: &[SeatId], id: &ReservationId) {
        self.owners.extend(seats.iter().map(|seat| (seat.clone(), id.clone())));
    }

    fn release_due(&mut self, seats: &[SeatId], now: Timestamp) {
        let due: Vec<ReservationId> =
            seats.iter().filter_map(|seat| self.owners.get(seat).cloned()).collect();
        for id in due {
            self.let_go(&id, ReleaseCause::Expired, now);
        }
    }

    fn let_go(&mut self, id: &ReservationId, cause: ReleaseCause, at: Timestamp) {
        self.owners.retain(|_, owner| owner != id);
        self.holds.get_mut(id).unwrap().0.state = HoldState::Released { cause, at };
    }
}

pub(crate) fn section(text: &str) -> SectionId {
    SectionId::parse(text).unwrap()
}

pub(crate) fn show() -> ShowId {
    ShowId::parse(SHOW).unwrap()
}

fn seats_of(section: &str) -> usize {
    SEATS.iter().find(|(name, _)| *name == section).map_or(0, |(_, count)| *count)
}

fn exists(seat: &SeatId) -> bool {
    let parts = seat.as_str().split_once('-');
    parts.is_some_and(|(section, n)| n.parse().is_ok_and(|n: usize| (1..=seats_of(section)).contains(&n)))
}

fn views(hold: &Hold, status: SeatStatus) -> Vec<SeatView> {
    let view = |seat: &SeatId| {
        let (name, number) = seat.as_str().split_once('-').unwrap();
        SeatView {
            id: seat.clone(),
            section: section(name),
            row: String::new(),
            number: number.to_owned(),
            price: Money { amount: PRICE, currency: Currency::krw() },
            status,
        }
    };
    hold.seats.iter().map(view).collect()
}

fn held(hold: &Hold) -> Held {
    let state = match &hold.state {
        HoldState::Live => HeldState::Live,
        HoldState::Committed { order, .. } => HeldState::Committed(order.clone()),
        HoldState::Released { cause, .. } => HeldState::Released(*cause),
    };
    let total = Money { amount: PRICE * hold.seats.len() as u64, currency: Currency::krw() };
    Held { seats: views(hold, SeatStatus::Held), total, until: hold.until, state }
}

fn committed(hold: &Hold, now: Timestamp) -> Committed {
    let (order, at) = match &hold.state {
        HoldState::Committed { order, at, .. } => (order.clone(), *at),
        other => panic!("{other:?} at {now:?} is no sale"),
    };
    Committed { order, seats: views(hold, SeatStatus::Sold), at }
}
