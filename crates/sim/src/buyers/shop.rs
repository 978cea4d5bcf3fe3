//! The services as a buyer calls them: through the simulated network, again and again until
//! somebody answers.

use super::{Crowd, NAMED, PLACES, SHOW};
use crate::core::Core;
use crate::exec::lock;
use crate::network::Caller;
use contracts::payment::v1::PaymentMethod;
use core::time::Duration;
use crowd::{Held, Promise, Refused, Shop, Venue, Wish};
use domain::id::{OrderId, PaymentIntentId, PersonId, SeatId, SectionId, ShowId};
use domain::payment::{Scenario, Status};
use domain::random::{Random, SplitMix64};
use domain::reservation::Status as Reserved;
use domain::seat::SeatStatus;
use payment::CreateIntent;
use ports::{Fault, Trace};
use reservation::Refusal;
use reservation::request::{Create, IdempotencyKey};
use reservation::rows::Placed;
use std::sync::Arc;

/// The longest that one call may take.
const CALL_MAX: Duration = Duration::from_secs(5);
/// How long a buyer repeats a call without an answer. Longer than any outage of the simulated
/// world.
const PATIENCE: Duration = Duration::from_secs(600);

/// Nobody answered for a long time, and the buyer went home.
pub(super) struct WentHome;

pub(super) struct Services {
    crowd: Arc<Crowd>,
    caller: Caller,
    person: PersonId,
    venue: Venue,
}

impl Services {
    pub(super) fn new(crowd: Arc<Crowd>, caller: Caller, person: PersonId) -> Self {
        let section = |name| SectionId::parse(name).expect("a literal");
        let show = ShowId::parse(SHOW).expect("a literal");
        let venue = Venue { show, named: section(NAMED), places: section(PLACES) };
        Self { crowd, caller, person, venue }
    }

    fn core(&self) -> &Core {
        &self.crowd.cluster.core
    }

    /// The free seats of the section of named seats.
    async fn free_seats(&self) -> Result<Vec<SeatId>, WentHome> {
        let seats = self
            .until_answered(|| {
                let (caller, venue) = (self.caller.clone(), self.venue.clone());
                async move {
                    let handler = |service: inventory::Service| async move {
                        service.seats(&venue.show, &venue.named).await
                    };
                    match caller.call(handler).await? {
                        Ok(seats) => Ok(seats),
                        Err(ports::PortError::Rejected(_)) => Ok(Vec::new()),
                        Err(ports::PortError::Failed(fault)) => Err(fault),
                    }
                }
            })
            .await?;
        let free = seats.into_iter().filter(|seat| seat.status == SeatStatus::Available);
        Ok(free.map(|seat| seat.id).collect())
    }

    /// Makes a call again until somebody answers, as long as the buyer's patience lasts.
    async fn until_answered<T, F>(&self, call: impl Fn() -> F) -> Result<T, WentHome>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let exec = &self.core().exec;
        let give_up = exec.micros() + PATIENCE.as_micros() as u64;
        let mut rest = Duration::from_millis(50);
        loop {
            let answer = tokio::select! {
                biased;
                answer = call() => answer.ok(),
                () = exec.sleep(CALL_MAX) => None,
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
            if exec.micros() >= give_up {
                return Err(WentHome);
            }
            exec.sleep(rest).await;
            rest = (rest * 2).min(Duration::from_secs(5));
        }
    }
}

impl Shop for Services {
    type Left = WentHome;
    type Placed = Placed;

    const WISHES_MAX: u32 = 4;
    const HAS_PASSES: bool = false;

    fn venue(&self) -> &Venue {
        &self.venue
    }

    fn hold(&self) -> Duration {
        self.crowd.cluster.plan.hold
    }

    fn wish(&mut self, dice: &mut SplitMix64) -> Wish {
        let plan = &self.crowd.cluster.plan;
        let (named, places) = (u64::from(plan.named), u64::from(plan.places));
        let quantity = 1 + dice.below(4).min(dice.below(4));
        if dice.below(named + places) < named {
            let quantity = quantity.min(named);
            let first = dice.below(named - quantity + 1);
            let seat =
                |index| SeatId::parse(&format!("{NAMED}-1-{}", index + 1)).expect("letters and numbers");
            return Wish::named(&self.venue.show, (first..first + quantity).map(seat).collect());
        }
        Wish::any(&self.venue.show, &self.venue.places, quantity.min(10) as u32)
    }

    async fn another(
        &mut self,
        dice: &mut SplitMix64,
        wish: &Wish,
        refused: &Refused,
    ) -> Result<Option<Wish>, WentHome> {
        self.core().record(|| format!("{} is refused: {}", self.person, refused.code));
        let free = self.free_seats().await?;
        if free.is_empty() || dice.below(3) == 0 {
            let has_places = self.crowd.cluster.plan.places > 0;
            return Ok(has_places.then(|| Wish::any(&self.venue.show, &self.venue.places, 1)));
        }
        let start = dice.below(free.len() as u64) as usize;
        Ok(Some(wish.among(&free, start)))
    }

    async fn reserve(&mut self, wish: &Wish, key: &str) -> Result<Result<Placed, Refused>, WentHome> {
        let create = Create {
            show: wish.show.clone(),
            section: wish.section.clone(),
            seats: wish.seats.clone(),
            quantity: wish.quantity,
            person: self.person.clone(),
            pass: None,
            key: IdempotencyKey::parse(key).ok(),
        };
        let answer = self
            .until_answered(|| {
                let (caller, create) = (self.caller.clone(), create.clone());
                async move {
                    let handler = |service: reservation::Service| async move {
                        service.create(&create, &Trace::default()).await
                    };
                    final_answer(caller.call(handler).await)
                }
            })
            .await?;
        let refused = |refusal: Refusal| Refused {
            code: format!("{:?}", runtime::Refusal::reply(&refusal).error().code),
        };
        Ok(answer.map(|answer| answer.placed).map_err(refused))
    }

    fn held(placed: &Placed) -> Held {
        Held {
            reservation: placed.id.clone(),
            seats: placed.seats.iter().map(|seat| seat.id.clone()).collect(),
            total: placed.total.clone(),
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.core().exec.micros())
    }

    async fn open(
        &mut self,
        payer: &PersonId,
        held: &Held,
        scenario: Scenario,
        key: &str,
    ) -> Result<PaymentIntentId, WentHome> {
        let command = CreateIntent {
            reservation: held.reservation.clone(),
            amount: held.total.clone(),
            person: Some(payer.clone()),
            method: PaymentMethod::CreditCard,
            scenario,
            webhook_url: None,
            idempotency_key: IdempotencyKey::parse(key).ok(),
            open_until: None,
        };
        let opened = self
            .until_answered(|| {
                let (caller, command) = (self.caller.clone(), command.clone());
                async move {
                    let handler = |service: payment::Service| async move {
                        service.create(command, &Trace::default()).await
                    };
                    paid(caller.call(handler).await)
                }
            })
            .await?;
        match opened {
            Ok((row, _)) => Ok(row.payment.intent),
            Err(refusal) => {
                self.core().violated("answer", format!("no payment is opened: {refusal:?}"));
                Err(WentHome)
            }
        }
    }

    /// The provider refuses where an operator has voided the payment.
    async fn process(
        &mut self,
        intent: &PaymentIntentId,
        _: Scenario,
        _: &str,
    ) -> Result<Option<Status>, WentHome> {
        let answer = self
            .until_answered(|| {
                let (caller, intent) = (self.caller.clone(), intent.clone());
                async move {
                    let handler = |service: payment::Service| async move {
                        service.process(&intent, &Trace::default()).await
                    };
                    paid(caller.call(handler).await)
                }
            })
            .await?;
        Ok(answer.ok().map(|row| row.payment.status))
    }

    async fn confirm(&mut self, held: &Held, intent: &PaymentIntentId) -> Result<Option<OrderId>, WentHome> {
        let answer = self
            .until_answered(|| {
                let (caller, person) = (self.caller.clone(), self.person.clone());
                let (id, intent) = (held.reservation.clone(), intent.clone());
                async move {
                    let handler = |service: reservation::Service| async move {
                        service.confirm(&id, Some(&intent), Some(&person), &Trace::default()).await
                    };
                    final_answer(caller.call(handler).await)
                }
            })
            .await?;
        let order =
            |order: Option<OrderId>| order.unwrap_or_else(|| OrderId::for_reservation(&held.reservation));
        Ok(answer.ok().map(|confirmed| order(confirmed.order)))
    }

    async fn cancel(&mut self, held: &Held) -> Result<bool, WentHome> {
        let answer = self
            .until_answered(|| {
                let (caller, person) = (self.caller.clone(), self.person.clone());
                let id = held.reservation.clone();
                async move {
                    let handler = |service: reservation::Service| async move {
                        service.cancel(&id, Some(&person), &Trace::default()).await
                    };
                    final_answer(caller.call(handler).await)
                }
            })
            .await?;
        // One that had expired before stays EXPIRED.
        Ok(answer.is_ok_and(|cancelled| cancelled.status == Reserved::Cancelled))
    }

    async fn think(&mut self, dice: &mut SplitMix64) {
        let pause = Duration::from_millis(dice.below(3_000));
        self.core().exec.sleep(pause).await;
    }

    /// Around the end of the hold, when its timer and its payment meet.
    async fn wait_for_the_end_of_the_hold(&mut self, dice: &mut SplitMix64) {
        let late = Duration::from_millis(dice.below(6_000));
        let hold = self.hold().saturating_sub(Duration::from_secs(3));
        self.core().exec.sleep(hold + late).await;
    }

    async fn sleep(&mut self, duration: Duration) {
        self.core().exec.sleep(duration).await;
    }

    fn record(&mut self, promise: Promise) {
        // The trace has every refusal already, and no refusal is a promise that can be broken here.
        if !matches!(promise, Promise::Refused { .. }) {
            self.core().record(|| format!("{} is promised {promise:?}", self.person));
            lock(&self.crowd.ledger).promise(&self.person, promise);
        }
    }

    fn record_payment(&mut self, intent: &PaymentIntentId) {
        lock(&self.crowd.ledger).opened(&self.person, intent);
    }

    fn record_debt(&mut self, intent: &PaymentIntentId) {
        lock(&self.crowd.ledger).must_be_given_back(intent);
    }

    fn complain(&mut self, invariant: &'static str, problem: String) {
        self.core().violated(invariant, problem);
    }
}

/// An answer of reservation-api, or a fault where the answer says "try again".
fn final_answer<T>(answer: Result<Result<T, Refusal>, Fault>) -> Result<Result<T, Refusal>, Fault> {
    match answer? {
        Err(refusal) if runtime::Refusal::reply(&refusal).http_status().is_server_error() => {
            Err(Fault::unavailable(format!("{refusal:?}")))
        }
        answer => Ok(answer),
    }
}

/// An answer of the provider, or a fault where the answer says "try again".
fn paid<T>(answer: Result<Result<T, payment::Refusal>, Fault>) -> Result<Result<T, payment::Refusal>, Fault> {
    match answer? {
        Err(payment::Refusal::Failed(fault)) => Err(fault),
        answer => Ok(answer),
    }
}
