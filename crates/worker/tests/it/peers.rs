//! The peers: an inventory, reservations and payments that record their calls and can be slow,
//! silent, or scripted to give a certain answer.

use async_trait::async_trait;
use domain::event::{Event, Fact};
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, ShowId};
use domain::money::{Currency, Money};
use domain::reservation::{End, Status};
use domain::time::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use ports::inventory::{
    CommitSeats, Committed, Held, HoldSeats, Inventory, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView, Payments};
use ports::reservations::{
    EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView, Reservations,
};
use ports::{CallContext, Clock, Fault, PortError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use worker::Peers;

/// A call as the test reads it.
pub(crate) type Call = String;

type Scripted<T, R> = VecDeque<Result<T, PortError<R>>>;

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) release: Scripted<Released, Rejection>,
    pub(crate) commit: Scripted<Committed, Rejection>,
    pub(crate) refuse: Scripted<PaymentRefused, Rejection>,
    pub(crate) payment: Scripted<PaymentView, PaymentRejection>,
    pub(crate) get: Scripted<ReservationView, NoSuchReservation>,
    pub(crate) end: Scripted<Ended, EndRejection>,
    pub(crate) cancel: Scripted<Cancelled, PaymentRejection>,
}

#[derive(Default)]
struct State {
    script: Script,
    calls: Vec<Call>,
    /// When each call to the inventory began, and for which reservation.
    runs: Vec<(Duration, String)>,
    busy: BTreeSet<ReservationId>,
    overlaps: usize,
    busy_max: usize,
    ended: BTreeMap<ReservationId, End>,
    committed: BTreeMap<ReservationId, OrderId>,
    released: BTreeSet<ReservationId>,
    refunds: BTreeMap<PaymentIntentId, u32>,
    paid_for: BTreeMap<PaymentIntentId, ReservationId>,
    holders: Vec<Option<PersonId>>,
    inventory_silent: bool,
    payments_silent: bool,
    failing: BTreeMap<ReservationId, u32>,
    poison: BTreeSet<ReservationId>,
    everything_elsewhere: bool,
    delay: Duration,
    panics: u32,
}

pub(crate) struct ScriptedPeers {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl ScriptedPeers {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default() })
    }

    pub(crate) fn as_ports(self: &Arc<Self>) -> Peers {
        Peers { inventory: self.clone(), reservations: self.clone(), payments: Some(self.clone()) }
    }

    fn is_elsewhere(&self, reservation: &ReservationId) -> bool {
        let state = self.state();
        state.everything_elsewhere || state.poison.contains(reservation)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn script(&self, write: impl FnOnce(&mut Script)) {
        write(&mut self.state().script);
    }

    /// Every call to the inventory takes this long.
    pub(crate) fn slow(&self, delay: Duration) {
        self.state().delay = delay;
    }

    pub(crate) fn inventory_silent(&self, silent: bool) {
        self.state().inventory_silent = silent;
    }

    pub(crate) fn payments_silent(&self, silent: bool) {
        self.state().payments_silent = silent;
    }

    /// The holder that each commit named.
    pub(crate) fn holders(&self) -> Vec<Option<PersonId>> {
        self.state().holders.clone()
    }

    /// The provider has captured what this event reports.
    pub(crate) fn pay(&self, event: &Event) {
        if let Fact::PaymentApproved { intent, .. } = &event.fact {
            self.state().paid_for.insert(intent.clone(), event.reservation.clone());
        }
    }

    /// The next `times` runs of a reservation fail as transient.
    pub(crate) fn fail(&self, reservation: &str, times: u32) {
        self.state().failing.insert(ReservationId::parse(reservation).expect("valid"), times);
    }

    /// Something that is not the inventory answers each call for this reservation.
    pub(crate) fn poison(&self, reservation: &str) {
        self.state().poison.insert(ReservationId::parse(reservation).expect("valid"));
    }

    /// Something that is not the inventory answers every call.
    pub(crate) fn everything_elsewhere(&self, elsewhere: bool) {
        self.state().everything_elsewhere = elsewhere;
    }

    /// The next `times` calls to the inventory panic.
    pub(crate) fn panic(&self, times: u32) {
        self.state().panics = times;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Calls to the inventory, in order, as `time, reservation + cause`.
    pub(crate) fn runs(&self) -> Vec<(Duration, String)> {
        self.state().runs.clone()
    }

    pub(crate) fn run_count(&self) -> usize {
        self.state().runs.len()
    }

    /// Overlapping runs of one reservation.
    pub(crate) fn overlaps(&self) -> usize {
        self.state().overlaps
    }

    pub(crate) fn busy(&self) -> usize {
        self.state().busy.len()
    }

    /// The most calls to the inventory at a time.
    pub(crate) fn busy_max(&self) -> usize {
        self.state().busy_max
    }

    pub(crate) fn ended(&self, reservation: &str) -> Option<Status> {
        self.state().ended.get(reservation).map(End::status)
    }

    pub(crate) fn ended_count(&self) -> usize {
        self.state().ended.len()
    }

    pub(crate) fn refunds(&self, intent: &str) -> u32 {
        self.state().refunds.get(intent).copied().unwrap_or_default()
    }

    async fn enter(&self, reservation: &ReservationId, what: &str) -> Result<Busy<'_>, Fault> {
        let (delay, silent) = {
            let mut state = self.state();
            let at = self.clock.elapsed();
            state.runs.push((at, format!("{what} {reservation}")));
            state.overlaps += usize::from(!state.busy.insert(reservation.clone()));
            state.busy_max = state.busy_max.max(state.busy.len());
            (state.delay, state.inventory_silent)
        };
        let busy = Busy(self, reservation.clone());
        if self.state().panics > 0 {
            self.state().panics -= 1;
            panic!("a peer's client panicked, as the test asked");
        }
        if !delay.is_zero() {
            self.clock.sleep(delay).await;
        }
        if silent {
            return Err(Fault::unavailable("no answer within 10 s"));
        }
        if self.is_elsewhere(reservation) {
            return Err(Fault::not_reached("status 404: default backend"));
        }
        if let Some(left) = self.state().failing.get_mut(reservation.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            return Err(Fault::transient("try again"));
        }
        Ok(busy)
    }
}

/// A reservation is being worked on until this is dropped, by a cancelled run as well.
struct Busy<'w>(&'w ScriptedPeers, ReservationId);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state().busy.remove(&self.1);
    }
}

pub(crate) fn view(id: &str, status: Status, intent: Option<&str>) -> ReservationView {
    ReservationView {
        id: ReservationId::parse(id).expect("valid"),
        status: Some(status),
        show: ShowId::parse("show").ok(),
        seats: vec![domain::id::SeatId::parse("A-1-1").expect("valid")],
        quantity: Some(1),
        person: None,
        order: None,
        intent: intent.map(|intent| PaymentIntentId::parse(intent).expect("valid")),
        total: Some(price()),
    }
}

pub(crate) fn price() -> Money {
    Money { amount: 120_000, currency: Currency::krw() }
}

/// A payment of the price that the provider has captured.
pub(crate) fn captured(intent: &str, reservation: &str) -> PaymentView {
    PaymentView {
        intent: PaymentIntentId::parse(intent).expect("valid"),
        reservation: ReservationId::parse(reservation).expect("valid"),
        person: None,
        status: domain::payment::Status::Captured,
        amount: Some(price()),
        refunded: 0,
    }
}

#[async_trait]
impl Inventory for ScriptedPeers {
    async fn hold(&self, _: &CallContext, _: HoldSeats) -> Result<Held, PortError<Rejection>> {
        let currency = Currency::krw();
        let total = Money { amount: 0, currency };
        let until = Timestamp::EPOCH;
        Ok(Held { seats: Vec::new(), total, until, state: ports::inventory::HeldState::Live })
    }

    async fn commit(&self, _: &CallContext, command: CommitSeats) -> Result<Committed, PortError<Rejection>> {
        let id = command.reservation;
        self.state().calls.push(format!("commit {id}"));
        self.state().holders.push(command.person);
        let _busy = self.enter(&id, "approved").await?;
        let mut state = self.state();
        if let Some(answer) = state.script.commit.pop_front() {
            return answer;
        }
        let order = OrderId::for_reservation(&id);
        state.committed.insert(id, order.clone());
        Ok(Committed { order, seats: Vec::new(), at: self.clock.now(), intent: command.intent })
    }

    async fn refuse(
        &self,
        _: &CallContext,
        command: RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>> {
        let mut state = self.state();
        state.calls.push(format!("refuse {} {}", command.reservation, command.intent));
        state.script.refuse.pop_front().unwrap_or(Ok(PaymentRefused::Recorded))
    }

    async fn release(
        &self,
        _: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        let id = command.reservation;
        let cause = command.cause.unwrap_or(ReleaseCause::Expired);
        self.state().calls.push(format!("release {} {id}", cause.as_str()));
        let what = if cause == ReleaseCause::Expired { "expired" } else { "failed" };
        let _busy = self.enter(&id, what).await?;
        let mut state = self.state();
        if let Some(answer) = state.script.release.pop_front() {
            return answer;
        }
        if let Some(order) = state.committed.get(&id) {
            let (order, intent) = (order.clone(), None);
            return Err(PortError::Rejected(Rejection::AlreadyCommitted { order, intent }));
        }
        let at = self.clock.now();
        if state.released.insert(id) {
            Ok(Released::Now { seats: command.seats, at })
        } else {
            Ok(Released::Before { cause, at })
        }
    }

    async fn health(&self, _: &CallContext) -> Result<(), Fault> {
        match self.state().everything_elsewhere {
            true => Err(Fault::not_reached("status 404: default backend")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Reservations for ScriptedPeers {
    async fn get(
        &self,
        _: &CallContext,
        id: &ReservationId,
    ) -> Result<ReservationView, PortError<NoSuchReservation>> {
        let mut state = self.state();
        state.calls.push(format!("get {id}"));
        if let Some(answer) = state.script.get.pop_front() {
            return answer;
        }
        let status = state.ended.get(id).map_or(Status::Hold, End::status);
        Ok(view(id.as_str(), status, None))
    }

    async fn record_error_code(
        &self,
        _: &CallContext,
        id: &ReservationId,
        code: Arc<str>,
    ) -> Result<(), PortError<NoSuchReservation>> {
        self.state().calls.push(format!("record {id} {code}"));
        Ok(())
    }

    async fn end(&self, _: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>> {
        assert!(command.inventory_settled, "the worker moves the inventory first and says so");
        let mut state = self.state();
        let detail = match &command.end {
            End::Confirmed { order, intent } => format!("{order:?} {intent:?}"),
            End::Cancelled { reason, error_code } => format!("{reason:?} {error_code:?}"),
            End::Expired { error_code } => format!("{error_code:?}"),
        };
        state.calls.push(format!("end {} {} {detail}", command.id, command.end.status().as_str()));
        if let Some(answer) = state.script.end.pop_front() {
            return answer;
        }
        state.ended.insert(command.id, command.end);
        Ok(Ended { reservation: None })
    }
}

#[async_trait]
impl Payments for ScriptedPeers {
    async fn get(
        &self,
        _: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        let mut state = self.state();
        state.calls.push(format!("payment {intent}"));
        if state.payments_silent {
            return Err(PortError::Failed(Fault::unavailable("connection refused")));
        }
        state.script.payment.pop_front().unwrap_or_else(|| {
            let unknown = || PortError::Rejected(PaymentRejection::NoSuchPayment);
            let reservation = state.paid_for.get(intent).ok_or_else(unknown)?;
            Ok(captured(intent.as_str(), reservation.as_str()))
        })
    }

    async fn cancel(
        &self,
        _: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        let mut state = self.state();
        state.calls.push(format!("cancel {} {}", command.intent, command.idempotency_key));
        if state.payments_silent {
            return Err(PortError::Failed(Fault::unavailable("connection refused")));
        }
        if let Some(answer) = state.script.cancel.pop_front() {
            return answer;
        }
        *state.refunds.entry(command.intent).or_default() += 1;
        Ok(Cancelled { status: domain::payment::Status::Refunded, refunded: 1 })
    }
}
