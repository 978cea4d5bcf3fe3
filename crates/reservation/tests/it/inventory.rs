//! A small inventory in memory by the domain's rules: section `A` of named seats, `FLOOR` of
//! general admission. It passes the suite of its port ([`crate::fakes`]).

use async_trait::async_trait;
use domain::hold::{
    BadRequest, Claim, CommitDecision, Hold, HoldKey, HoldState, RefuseDecision, Rejection, ReleaseCause,
    ReleaseDecision, Released, check_request, commit, refuse, release,
};
use domain::id::{OrderId, PaymentIntentId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::seat::{SeatStatus, SeatView};
use domain::show::{Layout, Section, Show};
use domain::time::Timestamp;
use ports::inventory::{
    CommitSeats, Committed, Held, HeldState, HoldSeats, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::{CallContext, Clock, Fault, Inventory, PortError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use testkit::Fuse;
use testkit::ManualClock;

pub(crate) const SHOW: &str = "show-1";
pub(crate) const PRICE: u64 = 120_000;

pub(crate) struct FakeInventory {
    clock: Arc<ManualClock>,
    fuse: Arc<Fuse>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shows: BTreeMap<ShowId, Show>,
    owners: BTreeMap<(ShowId, SeatId), ReservationId>,
    holds: BTreeMap<ReservationId, (Hold, Option<Hold>)>,
    /// Calls that were carried out.
    calls: Vec<&'static str>,
    /// Whether calls hang.
    hangs: bool,
}

type Answer<T> = Result<T, PortError<Rejection>>;

impl FakeInventory {
    /// With [`SHOW`] on sale.
    pub(crate) fn new(clock: Arc<ManualClock>, fuse: Arc<Fuse>) -> Self {
        let inventory = Self { clock, fuse, state: Mutex::default() };
        inventory.put_on_sale(show(), PRICE, 20);
        inventory
    }

    /// Another show with the two sections, with this many places of general admission.
    pub(crate) fn put_on_sale(&self, id: ShowId, price: u64, places: u32) {
        let part = |name: &str, seats| Section {
            id: section(name),
            name: name.to_owned(),
            price,
            layout: Layout::Places(seats),
        };
        let show = Show {
            id: id.clone(),
            name: String::new(),
            currency: Currency::krw(),
            sections: vec![part("A", 10_000), part("FLOOR", places)],
            waiting_room: None,
        };
        self.state.lock().unwrap().shows.insert(id, show);
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
        self.fuse.pass(acted, || Err(Fault::unavailable("the inventory does not answer").into())).await
    }
}

#[async_trait]
impl Inventory for FakeInventory {
    async fn hold(&self, _cx: &CallContext, command: HoldSeats) -> Answer<Held> {
        self.call("hold", |state, now| state.hold(command, now)).await
    }

    async fn commit(&self, _cx: &CallContext, command: CommitSeats) -> Answer<Committed> {
        self.call("commit", |state, now| state.commit(&command, now)).await
    }

    async fn release(&self, _cx: &CallContext, command: ReleaseSeats) -> Answer<Released> {
        self.call("release", |state, now| state.release(&command, now)).await
    }

    async fn refuse(&self, _cx: &CallContext, command: RefusePayment) -> Answer<PaymentRefused> {
        self.call("refuse", |state, _| state.refuse(&command)).await
    }
}

impl State {
    fn hold(&mut self, command: HoldSeats, now: Timestamp) -> Answer<Held> {
        let quantity = check_request(&command.seats, command.quantity)
            .or_else(|bad| rejected(Rejection::BadRequest(bad)))?;
        let Some(show) = self.shows.get(&command.show) else { return rejected(Rejection::NoSuchShow) };
        if let (Some(first), retake) = self.pair(&command.reservation) {
            first.same_request(&command.show, &command.seats, quantity, &command.person).or_else(rejected)?;
            return Ok(self.held(&retake.unwrap_or(first)));
        }
        if command.until <= now {
            return rejected(Rejection::BadRequest(BadRequest::UntilInThePast));
        }
        let (seats, any_of) = if command.seats.is_empty() {
            let section = show.section_for(command.section.as_ref()).map(|at| &show.sections[at]);
            let Some(section) = section else { return rejected(Rejection::NoSuchSection) };
            (self.any(&show.id, section, quantity, now)?, Some(section.id.clone()))
        } else {
            (command.seats.clone(), None)
        };
        if let Some(unknown) = seats.iter().find(|seat| show.locate(seat).is_none()) {
            return rejected(Rejection::NoSuchSeat(unknown.clone()));
        }
        let taken: Vec<SeatId> =
            seats.iter().filter(|seat| !self.is_free(&show.id, seat, now)).cloned().collect();
        if !taken.is_empty() {
            return rejected(Rejection::SeatTaken(taken));
        }
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
            closed: false,
        };
        self.own(&hold, now);
        let answer = self.held(&hold);
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
            CommitDecision::Already(hold) => Ok(self.committed(&hold)),
            CommitDecision::Adopt(hold) => {
                let holds = self.holds.get_mut(&command.reservation).unwrap();
                match hold.key {
                    HoldKey::First => holds.0 = hold.clone(),
                    HoldKey::Retake => holds.1 = Some(hold.clone()),
                }
                Ok(self.committed(&hold))
            }
            CommitDecision::Seal { order } => {
                let (hold, _) = self.holds.get_mut(&command.reservation).unwrap();
                hold.state = HoldState::Committed { order, intent: intent.cloned(), at: now };
                let hold = hold.clone();
                Ok(self.committed(&hold))
            }
            CommitDecision::Retake { order } => self.retake(&command.reservation, order, intent, now),
            CommitDecision::Reject(no) => rejected(no),
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
        let show = &self.shows[&first.show];
        let seats = match &first.any_of {
            Some(section) => {
                let section = &show.sections[show.section_for(Some(section)).unwrap()];
                self.any(&show.id, section, first.seats.len() as u32, now).ok()
            }
            None => Some(first.seats.clone())
                .filter(|seats| seats.iter().all(|seat| self.is_free(&show.id, seat, now))),
        };
        let Some(seats) = seats else {
            self.holds.get_mut(id).unwrap().0.refuse(intent);
            return rejected(Rejection::Expired);
        };
        let state = HoldState::Committed { order, intent: intent.cloned(), at: now };
        let retake = Hold { key: HoldKey::Retake, seats, state, placed_at: now, ..first };
        self.own(&retake, now);
        let answer = self.committed(&retake);
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
            ReleaseDecision::Close { cause, at } => {
                self.holds.get_mut(&command.reservation).unwrap().0.closed = true;
                Ok(Released::Before { cause, at })
            }
            ReleaseDecision::Reject(no) => rejected(no),
        }
    }

    fn refuse(&mut self, command: &RefusePayment) -> Answer<PaymentRefused> {
        let (first, retake) = self.pair(&command.reservation);
        match refuse(first.as_ref(), retake.as_ref(), &command.intent) {
            RefuseDecision::NoHold => Ok(PaymentRefused::NoHold),
            RefuseDecision::Before => Ok(PaymentRefused::Recorded),
            RefuseDecision::Record(hold) => {
                self.holds.get_mut(&command.reservation).unwrap().0 = hold;
                Ok(PaymentRefused::Recorded)
            }
            RefuseDecision::Reject(no) => rejected(no),
        }
    }

    fn pair(&self, id: &ReservationId) -> (Option<Hold>, Option<Hold>) {
        self.holds.get(id).map_or((None, None), |(first, retake)| (Some(first.clone()), retake.clone()))
    }

    fn any(&self, show: &ShowId, section: &Section, count: u32, now: Timestamp) -> Answer<Vec<SeatId>> {
        let all = (0..section.capacity()).filter_map(|index| section.seat_id(index));
        let free: Vec<SeatId> =
            all.filter(|seat| self.is_free(show, seat, now)).take(count as usize).collect();
        let remaining = free.len() as u32;
        if remaining == count { Ok(free) } else { rejected(Rejection::SoldOut { remaining }) }
    }

    fn is_free(&self, show: &ShowId, seat: &SeatId, now: Timestamp) -> bool {
        let Some(owner) = self.owners.get(&(show.clone(), seat.clone())) else { return true };
        let (first, retake) = &self.holds[owner];
        retake.is_none() && first.state == HoldState::Live && first.until <= now
    }

    /// Releases the due holds of these seats and gives the seats to this one.
    fn own(&mut self, hold: &Hold, now: Timestamp) {
        let places: Vec<_> = hold.seats.iter().map(|seat| (hold.show.clone(), seat.clone())).collect();
        let due: Vec<_> = places.iter().filter_map(|place| self.owners.get(place).cloned()).collect();
        for id in due {
            self.let_go(&id, ReleaseCause::Expired, now);
        }
        self.owners.extend(places.into_iter().map(|place| (place, hold.reservation.clone())));
    }

    fn let_go(&mut self, id: &ReservationId, cause: ReleaseCause, at: Timestamp) {
        self.owners.retain(|_, owner| owner != id);
        self.holds.get_mut(id).unwrap().0.state = HoldState::Released { cause, at };
    }

    fn views(&self, hold: &Hold, status: SeatStatus) -> Vec<SeatView> {
        let show = &self.shows[&hold.show];
        let view = |seat: &SeatId| {
            let place = show.locate(seat)?;
            show.sections[place.section].view(place.index, &show.currency, status)
        };
        hold.seats.iter().filter_map(view).collect()
    }

    fn held(&self, hold: &Hold) -> Held {
        let (state, status) = match &hold.state {
            HoldState::Live => (HeldState::Live, SeatStatus::Held),
            HoldState::Committed { order, .. } => (HeldState::Committed(order.clone()), SeatStatus::Sold),
            HoldState::Released { cause, .. } => (HeldState::Released(*cause), SeatStatus::Available),
        };
        let seats = self.views(hold, status);
        let amount = seats.iter().map(|seat| seat.price.amount).sum();
        Held { seats, total: Money { amount, currency: Currency::krw() }, until: hold.until, state }
    }

    fn committed(&self, hold: &Hold) -> Committed {
        let HoldState::Committed { order, at, intent } = &hold.state else { panic!("{hold:?} is not sold") };
        let seats = self.views(hold, SeatStatus::Sold);
        Committed { order: order.clone(), seats, at: *at, intent: intent.clone() }
    }
}

pub(crate) fn section(text: &str) -> SectionId {
    SectionId::parse(text).unwrap()
}

pub(crate) fn show() -> ShowId {
    ShowId::parse(SHOW).unwrap()
}

fn rejected<T>(rejection: Rejection) -> Answer<T> {
    Err(PortError::Rejected(rejection))
}
