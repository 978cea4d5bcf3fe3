//! Other actors: operators who block seats, redrive dead letters, handle events by hand and decide
//! payments that hang; a provider whose webhooks arrive late and twice; a forger of webhooks; a
//! producer of nonsense.
//!
//! Operators tell the truth: an event that they handle by hand did happen. Nonsense and forgeries
//! must have no effect.

use crate::buyers::{Crowd, NAMED, SHOW};
use crate::checker::OUTSIDE;
use crate::cluster::Cluster;
use crate::core::{SimClock, stream};
use crate::exec::lock;
use crate::network::Caller;
use crate::queue::SimLetters;
use contracts::payment::v1::PaymentMethod;
use contracts::rest::webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use core::sync::atomic::Ordering;
use core::time::Duration;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::money::{Currency, Money};
use domain::payment::{Outcome, Scenario, Status};
use domain::random::{Random, SplitMix64};
use payment::{CreateIntent, SimulateWebhook};
use ports::inventory::{CommitSeats, HoldSeats};
use ports::payments::CancelPayment;
use ports::queue::Outgoing;
use ports::{CallContext, Clock, Inventory, Trace};
use std::sync::Arc;
use worker::Handlers;
use worker::redrive::{RedriveOptions, Report, Selection, redrive};

/// How long an operator rests between two actions.
const REST_MAX: Duration = Duration::from_secs(4);

struct Operator {
    cluster: Arc<Cluster>,
    caller: Caller,
    clock: Arc<SimClock>,
    dice: SplitMix64,
    sent: u64,
}

/// Lets the operators work while there are faults.
pub fn begin(crowd: &Arc<Crowd>) {
    let cluster = Arc::clone(&crowd.cluster);
    let mut operator = Operator {
        caller: Caller { network: Arc::clone(&cluster.network), id: OUTSIDE },
        clock: SimClock::new(cluster.core.exec.clone(), 0),
        dice: stream(cluster.plan.seed, 5),
        sent: 0,
        cluster,
    };
    let crowd = Arc::clone(crowd);
    let core = Arc::clone(&crowd.cluster.core);
    crowd.cluster.operators.fetch_add(1, Ordering::Relaxed);
    core.exec.clone().spawn(core.world, async move {
        while core.faults.active() {
            let rest = Duration::from_micros(operator.dice.below(REST_MAX.as_micros() as u64));
            core.exec.sleep(rest).await;
            operator.deed().await;
        }
        crowd.cluster.operators.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Sends every dead letter back, as `tacos dlq redrive` does. `None` if the queues failed.
pub async fn redrive_all(cluster: &Cluster, limit: usize) -> Option<Report> {
    let options = RedriveOptions { selection: Selection::All, limit, rate: 100, dry_run: false };
    let letters = SimLetters(Arc::clone(&cluster.letters));
    let clock = SimClock::new(cluster.core.exec.clone(), 0);
    redrive(&letters, &*cluster.queue(OUTSIDE), &*clock, &options).await.ok()
}

impl Operator {
    async fn deed(&mut self) {
        match self.dice.below(12) {
            0 => self.block().await,
            1 => drop(redrive_all(&self.cluster, 5).await),
            2 => self.by_hand().await,
            3 => self.post_again().await,
            4 => self.forge().await,
            5 => self.nonsense().await,
            6 => self.unknown_payment().await,
            7 => self.give_back().await,
            8 => self.ask_directly().await,
            9 => self.pay_wrongly().await,
            10 => self.give_back_a_part().await,
            _ => self.decide().await,
        }
    }

    /// Takes a seat off sale, or puts it back.
    async fn block(&mut self) {
        let named = u64::from(self.cluster.plan.named);
        if named == 0 {
            return;
        }
        let seat = SeatId::parse(&format!("{NAMED}-1-{}", self.dice.below(named) + 1)).expect("a name");
        let blocked = self.dice.below(3) == 0;
        let handler = |service: inventory::Service| async move {
            let show = ShowId::parse(SHOW).expect("a literal");
            service.set_blocked(&show, &[seat], blocked).await.is_ok()
        };
        drop(self.caller.call(handler).await);
    }

    /// Runs the worker's own handlers with an event that happened.
    async fn by_hand(&mut self) {
        let Some((reservation, fact)) = self.fact() else { return };
        self.cluster
            .core
            .record(|| format!("an operator drives {} of {reservation} by hand", fact.kind().wire()));
        let clock: Arc<dyn Clock> = self.clock.clone();
        let event = self.event(reservation, fact, "by-hand");
        let handlers =
            Handlers::new(self.cluster.worker_peers(self.caller.clone()), clock, self.cluster.plan.call_max);
        // The operator sees the result, and tries again another time.
        drop(handlers.handle(&event, &Trace::default()).await);
    }

    fn event(&self, reservation: ReservationId, fact: Fact, id: &str) -> Event {
        Event {
            id: EventId::parse(id).expect("letters and numbers"),
            source: "operator".into(),
            at: self.clock.now(),
            trace_id: None,
            reservation,
            seats: SeatsHint::default(),
            person: None,
            fact,
        }
    }

    /// An event that is true of some reservation.
    fn fact(&mut self) -> Option<(ReservationId, Fact)> {
        let checker = lock(&self.cluster.core.checker);
        let world = checker.world();
        if self.dice.below(2) == 0 && !world.reservations.is_empty() {
            let choice = self.dice.below(world.reservations.len() as u64) as usize;
            let id = world.reservations[choice].id.clone();
            return Some((id, Fact::ReservationExpired { expired_at: None }));
        }
        let decided: Vec<_> = world
            .payments
            .iter()
            .filter(|payment| matches!(payment.status, Status::Captured | Status::Refunded | Status::Failed))
            .collect();
        let payment = decided.get(self.dice.below(decided.len().max(1) as u64) as usize)?;
        let intent = payment.intent.clone();
        let fact = match payment.status {
            Status::Failed => {
                Fact::PaymentFailed { intent, amount: None, error_code: None, error_message: None }
            }
            _ => Fact::PaymentApproved { intent, amount: None },
        };
        Some((payment.reservation.clone(), fact))
    }

    /// A webhook that was posted before, late or twice.
    async fn post_again(&mut self) {
        let request = {
            let posted = lock(&self.cluster.network.posted);
            posted.get(self.dice.below(posted.len().max(1) as u64) as usize).cloned()
        };
        if let Some(request) = request {
            drop(self.caller.webhook(request).await);
        }
    }

    /// A webhook that the provider did not sign: it must be refused.
    async fn forge(&mut self) {
        let request = {
            let posted = lock(&self.cluster.network.posted);
            posted.get(self.dice.below(posted.len().max(1) as u64) as usize).cloned()
        };
        let Some(mut request) = request else { return };
        let worthless = format!("sha256={}", "0".repeat(64));
        let now = contracts::webhook_signature::timestamp(self.clock.now());
        for (name, value) in &mut request.headers {
            if *name == SIGNATURE_HEADER {
                value.clone_from(&worthless);
            } else if *name == TIMESTAMP_HEADER {
                value.clone_from(&now);
            }
        }
        if let Ok(200) = self.caller.webhook(request).await {
            self.cluster.core.violated("M5", "an unsigned webhook was accepted");
        }
    }

    /// A producer that writes nonsense into the group of a reservation.
    async fn nonsense(&mut self) {
        let bodies = [
            "{",
            "[]",
            r#"{"type":"payment.exploded","detail":{}}"#,
            r#"{"type":"payment.approved","detail":{}}"#,
        ];
        let body = bodies[self.dice.below(bodies.len() as u64) as usize];
        let group = {
            let checker = lock(&self.cluster.core.checker);
            let reservations = &checker.world().reservations;
            reservations.first().map_or_else(|| "nobody".to_owned(), |known| known.id.to_string())
        };
        self.send(vec![body.to_owned()], group).await;
    }

    /// Events of a reservation that does not exist, a few at once, so that a lane has something to
    /// keep in order. The provider does not know their payment.
    async fn unknown_payment(&mut self) {
        let reservation = ReservationId::parse("rsv_nobody").expect("a literal");
        let intent = PaymentIntentId::parse("pay_nobody").expect("a literal");
        let mut bodies = Vec::new();
        for _ in 0..1 + self.dice.below(5) {
            let intent = intent.clone();
            let fact = match self.dice.below(4) {
                0 => Fact::PaymentApproved { intent, amount: None },
                1 => Fact::PaymentFailed { intent, amount: None, error_code: None, error_message: None },
                _ => Fact::ReservationExpired { expired_at: None },
            };
            let id = format!("foreign-{}-{}", self.sent, bodies.len());
            bodies.push(contracts::envelope::encode(&self.event(reservation.clone(), fact, &id)));
        }
        self.send(bodies, reservation.to_string()).await;
    }

    async fn send(&mut self, bodies: Vec<String>, group: String) {
        self.sent += 1;
        let fifo = self.cluster.is_fifo();
        let entry = |(number, body): (usize, String)| Outgoing {
            body,
            group: fifo.then(|| group.clone()),
            dedup_id: fifo.then(|| format!("foreign-{}-{number}", self.sent)),
            ..Outgoing::default()
        };
        let entries = bodies.into_iter().enumerate().map(entry).collect();
        // A producer without an answer sends no more.
        drop(self.cluster.queue(OUTSIDE).send(entries).await);
    }

    /// Refunds by hand a payment without money, in full or more than all of it.
    async fn give_back(&mut self) {
        let find = |wanted: &[Status]| {
            let checker = lock(&self.cluster.core.checker);
            let mut payments = checker.world().payments.iter();
            payments.find(|payment| wanted.contains(&payment.status)).cloned()
        };
        if let Some(payment) = find(&[Status::Failed, Status::Refunded]) {
            let clock: Arc<dyn Clock> = self.clock.clone();
            let peers = self.cluster.worker_peers(self.caller.clone());
            let handlers = Handlers::new(peers, clock, self.cluster.plan.call_max);
            drop(handlers.refund(Some(&payment.reservation), &payment.intent, &Trace::default()).await);
        }
        // More than all of it: that is refused, or M2 does not hold.
        let Some(payment) = find(&[Status::Captured]) else { return };
        let command = CancelPayment {
            intent: payment.intent,
            reason: "too much".into(),
            idempotency_key: "too-much".into(),
        };
        let amount = Money { amount: payment.amount.amount + 1, ..payment.amount };
        let handler = |service: payment::Service| async move {
            service.cancel_payment(&command, Some(&amount)).await.is_ok()
        };
        drop(self.caller.call(handler).await);
    }

    /// Somebody pays another price for a reservation, directly at the provider (case M1). The seats
    /// must not be sold for it, and the money must go back.
    async fn pay_wrongly(&mut self) {
        let found = {
            let checker = lock(&self.cluster.core.checker);
            let reservations = &checker.world().reservations;
            reservations
                .get(self.dice.below(reservations.len().max(1) as u64) as usize)
                .map(|known| (known.id.clone(), known.total.clone()))
        };
        let Some((reservation, price)) = found else { return };
        let amount = match self.dice.below(3) {
            0 => Money { amount: 1, ..price },
            1 => Money { amount: price.amount * 10, ..price },
            _ => Money { currency: Currency::parse("EUR").expect("three letters"), ..price },
        };
        let command = CreateIntent {
            reservation,
            amount,
            person: None,
            method: PaymentMethod::CreditCard,
            scenario: Scenario::Approve,
            webhook_url: None,
            idempotency_key: None,
            open_until: None,
        };
        let handler = |service: payment::Service| async move {
            let trace = Trace::default();
            let Ok((opened, _)) = service.create(command, &trace).await else { return false };
            service.process(&opened.payment.intent, &trace).await.is_ok()
        };
        drop(self.caller.call(handler).await);
    }

    /// Gives a part of a captured payment back, before or after its seats are sold (case M2).
    async fn give_back_a_part(&mut self) {
        let captured: Vec<_> = {
            let checker = lock(&self.cluster.core.checker);
            let payments = &checker.world().payments;
            payments.iter().filter(|payment| payment.status == Status::Captured).cloned().collect()
        };
        let choice = self.dice.below(captured.len().max(1) as u64) as usize;
        let Some(payment) = captured.get(choice) else { return };
        self.sent += 1;
        let command = CancelPayment {
            intent: payment.intent.clone(),
            reason: "goodwill".into(),
            idempotency_key: format!("part-{}", self.sent).into(),
        };
        let part = Money { amount: 1 + payment.amount.amount / 10, ..payment.amount.clone() };
        let handler = |service: payment::Service| async move {
            service.cancel_payment(&command, Some(&part)).await.is_ok()
        };
        drop(self.caller.call(handler).await);
    }

    /// An older caller that calls the inventory directly, for things that do not exist.
    async fn ask_directly(&mut self) {
        let reservation = ReservationId::parse("rsv_nobody").expect("a literal");
        let hold = HoldSeats {
            reservation: reservation.clone(),
            show: ShowId::parse("no-such-show").expect("a literal"),
            section: None,
            seats: Vec::new(),
            quantity: 1,
            person: PersonId::parse("nobody").expect("a literal"),
            until: self.clock.now().plus(Duration::from_secs(5)),
        };
        let commit = CommitSeats {
            reservation,
            show: None,
            seats: Vec::new(),
            quantity: None,
            intent: None,
            person: None,
        };
        let cx = CallContext::default();
        let known =
            lock(&self.cluster.core.checker).world().reservations.first().map(|known| known.id.clone());
        if let Some(reservation) = known {
            let person = PersonId::parse("nobody").ok();
            let stolen = CommitSeats { reservation, person, ..commit.clone() };
            if Inventory::commit(&self.caller, &cx, stolen).await.is_ok() {
                self.cluster.core.violated("S2", "somebody committed the hold of another");
            }
        }
        let held = Inventory::hold(&self.caller, &cx, hold).await.is_ok();
        let sold = Inventory::commit(&self.caller, &cx, commit).await.is_ok();
        if held || sold {
            self.cluster.core.violated("S6", "the inventory gives what is not there");
        }
    }

    /// Decides a payment that got no answer, one way or the other.
    async fn decide(&mut self) {
        let open: Vec<PaymentIntentId> = {
            let checker = lock(&self.cluster.core.checker);
            // Sometimes a payment that is decided already: the provider does not change its
            // decision.
            let any = self.dice.below(5) == 0;
            let payments = checker.world().payments.iter();
            let open = payments.filter(|payment| any || !payment.status.is_decided());
            open.map(|payment| payment.intent.clone()).collect()
        };
        let Some(intent) = open.get(self.dice.below(open.len().max(1) as u64) as usize).cloned() else {
            return;
        };
        let outcome = match self.dice.below(2) {
            0 => Outcome::Approved,
            _ => Outcome::Failed { error_code: "DECLINED".into() },
        };
        let delay = Duration::from_secs(self.dice.below(2) * 3);
        let command = SimulateWebhook { intent, outcome, delay, force: self.dice.below(2) == 0 };
        let handler = |service: payment::Service| async move {
            service.simulate(&command, &Trace::default()).await.is_ok()
        };
        drop(self.caller.call(handler).await);
    }
}
