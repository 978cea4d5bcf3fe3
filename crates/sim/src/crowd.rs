//! The buyers: they want seats, pay or do not, change their minds, and repeat what nobody answered.
//!
//! They do what the buyers of `tacos demo` do, and what people do besides: pay with a card that is slow, or that never
//! answers, ask for seats that do not exist. A buyer knows what it was told and nothing else; the [`Ledger`] keeps it.

use crate::checker::OUTSIDE;
use crate::core::{Core, stream};
use crate::exec::{Group, lock};
use crate::house::House;
use crate::ledger::{Ledger, Promise};
use crate::network::Caller;
use contracts::payment::v1::PaymentMethod;
use core::time::Duration;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::payment::{Scenario, Status};
use domain::random::{Random, SplitMix64};
use domain::seat::SeatStatus;
use payment::CreateIntent;
use ports::{Fault, Trace};
use reservation::request::{Create, IdempotencyKey};
use reservation::{CreateAnswer, Refusal};
use std::sync::{Arc, Mutex};

/// The show that everybody wants.
pub const SHOW: &str = "show";
/// The section of named seats.
pub const NAMED: &str = "A";
/// The section of general admission.
pub const PLACES: &str = "F";
/// The longest that one call may take.
const CALL_MAX: Duration = Duration::from_secs(5);
/// How long a buyer repeats what nobody answers. Longer than any outage of the simulated world.
const PATIENCE: Duration = Duration::from_secs(600);
/// Times a buyer picks other seats before going home.
const WISHES_MAX: u32 = 4;

/// What a buyer does after getting seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    PaysAndConfirms,
    PaysAndLeaves,
    RepeatsEverything,
    IsDeclined,
    IsDeclinedThenPays,
    WalksAway,
    PaysLate,
    PaysTwice,
    Cancels,
    PaysWhileCancelling,
    PaysSlowly,
    PaysByChance,
    PaysIntoSilence,
    LetsAFriendPay,
    UsesOneKeyTwice,
    PaysForNothing,
    PaysAgainAndAgain,
    AsksForNonsense,
}

const BEHAVIOURS: [Behaviour; 18] = [
    Behaviour::PaysAndConfirms,
    Behaviour::PaysAndLeaves,
    Behaviour::RepeatsEverything,
    Behaviour::IsDeclined,
    Behaviour::IsDeclinedThenPays,
    Behaviour::WalksAway,
    Behaviour::PaysLate,
    Behaviour::PaysTwice,
    Behaviour::Cancels,
    Behaviour::PaysWhileCancelling,
    Behaviour::PaysSlowly,
    Behaviour::PaysByChance,
    Behaviour::PaysIntoSilence,
    Behaviour::LetsAFriendPay,
    Behaviour::UsesOneKeyTwice,
    Behaviour::PaysForNothing,
    Behaviour::PaysAgainAndAgain,
    Behaviour::AsksForNonsense,
];

/// The crowd of one run.
pub struct Crowd {
    /// Where they buy.
    pub house: Arc<House>,
    /// What they were told.
    pub ledger: Mutex<Ledger>,
    group: Group,
}

struct Buyer {
    crowd: Arc<Crowd>,
    caller: Caller,
    person: PersonId,
    dice: SplitMix64,
}

struct Held {
    reservation: ReservationId,
    total: Money,
}

/// What a buyer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    show: ShowId,
    section: Option<SectionId>,
    seats: Vec<SeatId>,
    quantity: u32,
}

impl Crowd {
    /// A crowd in front of a house.
    pub fn new(house: Arc<House>) -> Arc<Self> {
        let group = house.core.exec.group();
        Arc::new(Self { house, ledger: Mutex::default(), group })
    }

    /// Lets everybody come in their time.
    pub fn come(self: &Arc<Self>) {
        let plan = &self.house.plan;
        for number in 0..plan.buyers {
            let mut dice = stream(plan.seed, 100_000 + u64::from(number));
            let at = Duration::from_micros(dice.below(plan.arrivals.as_micros() as u64 + 1));
            let person = PersonId::parse(&format!("buyer-{number}")).expect("letters and a number");
            let caller = Caller { network: Arc::clone(&self.house.network), id: OUTSIDE };
            let mut buyer = Buyer { crowd: Arc::clone(self), caller, person, dice };
            let exec = self.house.core.exec.clone();
            self.house.core.exec.spawn(self.group, async move {
                exec.sleep(at).await;
                let behaviour = BEHAVIOURS[buyer.dice.below(BEHAVIOURS.len() as u64) as usize];
                buyer.core().tell(|| format!("{} comes: {behaviour:?}", buyer.person));
                // `None`: nobody answered for a long time, and the buyer went home.
                let _ = buyer.live(behaviour).await;
                buyer.core().tell(|| format!("{} goes", buyer.person));
            });
        }
    }

    /// Whose tasks they are.
    pub fn group(&self) -> Group {
        self.group
    }

    /// How many are still there.
    pub fn there(&self) -> usize {
        self.house.core.exec.running(self.group)
    }
}

impl Buyer {
    fn core(&self) -> &Core {
        &self.crowd.house.core
    }

    fn promise(&self, promise: Promise) {
        self.core().tell(|| format!("{} is told {promise:?}", self.person));
        lock(&self.crowd.ledger).promise(&self.person, promise);
    }

    async fn live(&mut self, behaviour: Behaviour) -> Option<()> {
        match behaviour {
            Behaviour::AsksForNonsense => return self.ask_for_nonsense().await,
            Behaviour::PaysForNothing => return self.pay_for_nothing().await,
            _ => {}
        }
        let twice = behaviour == Behaviour::RepeatsEverything;
        let Some(held) = self.reserve(twice).await? else { return Some(()) };
        let pause = Duration::from_millis(self.dice.below(3_000));
        self.core().exec.sleep(pause).await;
        match behaviour {
            Behaviour::PaysAndConfirms => {
                if let Some(intent) = self.pay(&held, "card", Scenario::Approve, false).await? {
                    self.confirm(&held, &intent).await?;
                }
            }
            Behaviour::PaysAndLeaves => drop(self.pay(&held, "card", Scenario::Approve, false).await?),
            Behaviour::RepeatsEverything => {
                if let Some(intent) = self.pay(&held, "card", Scenario::Approve, true).await? {
                    self.confirm(&held, &intent).await?;
                    self.confirm(&held, &intent).await?;
                }
            }
            Behaviour::IsDeclined => drop(self.pay(&held, "card", Scenario::Fail, false).await?),
            Behaviour::IsDeclinedThenPays => {
                self.pay(&held, "card", Scenario::Fail, false).await?;
                self.pay(&held, "second-card", Scenario::Approve, false).await?;
            }
            Behaviour::WalksAway | Behaviour::AsksForNonsense | Behaviour::PaysForNothing => {}
            Behaviour::PaysLate => {
                // Around the end of the hold, when its timer and its payment meet.
                let late = Duration::from_millis(self.dice.below(6_000));
                let hold = self.crowd.house.plan.hold.saturating_sub(Duration::from_secs(3));
                self.core().exec.sleep(hold + late).await;
                if let Some(intent) = self.pay(&held, "card", Scenario::Approve, false).await? {
                    self.confirm(&held, &intent).await?;
                }
            }
            Behaviour::PaysTwice => {
                self.pay(&held, "card", Scenario::Approve, false).await?;
                self.pay(&held, "second-card", Scenario::Approve, false).await?;
            }
            Behaviour::Cancels => self.cancel(&held).await?,
            Behaviour::PaysWhileCancelling => {
                self.pay(&held, "card", Scenario::Approve, false).await?;
                self.cancel(&held).await?;
            }
            Behaviour::PaysSlowly => drop(self.pay(&held, "card", Scenario::Delay, false).await?),
            Behaviour::PaysByChance => drop(self.pay(&held, "card", Scenario::Random, false).await?),
            Behaviour::PaysIntoSilence => drop(self.pay(&held, "card", Scenario::Timeout, false).await?),
            Behaviour::LetsAFriendPay => {
                let payer = PersonId::parse(&format!("friend-of-{}", self.person)).expect("letters");
                let intent = self.pay_as(&payer, &held, "card", Scenario::Approve, false).await?;
                if let Some(intent) = intent.filter(|_| self.dice.below(2) == 0) {
                    self.confirm(&held, &intent).await?;
                }
            }
            Behaviour::PaysAgainAndAgain => {
                for card in ["first", "second", "third", "fourth"] {
                    let scenario = [Scenario::Fail, Scenario::Approve][self.dice.below(2) as usize];
                    self.pay(&held, card, scenario, false).await?;
                }
            }
            Behaviour::UsesOneKeyTwice => self.use_the_key_again(&held).await?,
        }
        Some(())
    }

    fn wish(&mut self) -> Wish {
        let plan = &self.crowd.house.plan;
        let (named, places) = (u64::from(plan.named), u64::from(plan.places));
        let quantity = 1 + self.dice.below(4).min(self.dice.below(4));
        let show = name(SHOW);
        if self.dice.below(named + places) < named {
            let quantity = quantity.min(named);
            let first = self.dice.below(named - quantity + 1);
            let seats = (first..first + quantity).map(seat).collect();
            return Wish { show, section: None, seats, quantity: quantity as u32 };
        }
        Wish { show, section: Some(section(PLACES)), seats: Vec::new(), quantity: quantity.min(10) as u32 }
    }

    /// Finds seats; `Some(None)` when there was nothing to buy, `None` when nobody answered.
    async fn reserve(&mut self, twice: bool) -> Option<Option<Held>> {
        let mut wish = self.wish();
        for attempt in 0..WISHES_MAX {
            let key = format!("{}-{attempt}", self.person);
            let answer = self.ask_for(&wish, &key).await?;
            if twice {
                let again = self.ask_for(&wish, &key).await?;
                self.compare(&answer, &again);
            }
            match answer {
                Ok(answer) => return Some(Some(self.take(&wish, answer))),
                Err(refusal) => {
                    let code = refusal.reply().error.code;
                    self.core().tell(|| format!("{} is refused: {code:?}", self.person));
                }
            }
            match self.another(&wish).await? {
                Some(other) => wish = other,
                None => return Some(None),
            }
        }
        Some(None)
    }

    async fn ask_for(&self, wish: &Wish, key: &str) -> Option<Result<CreateAnswer, Refusal>> {
        let create = Create {
            show: wish.show.clone(),
            section: wish.section.clone(),
            seats: wish.seats.clone(),
            quantity: wish.quantity,
            person: self.person.clone(),
            pass: None,
            key: IdempotencyKey::parse(key).ok(),
        };
        self.until_answered(|| {
            let (caller, create) = (self.caller.clone(), create.clone());
            async move {
                let handler = |service: reservation::Service| async move {
                    service.create(&create, &Trace::default()).await
                };
                final_answer(caller.reservation(handler).await)
            }
        })
        .await
    }

    fn take(&mut self, wish: &Wish, answer: CreateAnswer) -> Held {
        let placed = answer.placed;
        let seats: Vec<SeatId> = placed.seats.iter().map(|seat| seat.id.clone()).collect();
        if !wish.seats.is_empty() && wish.seats != seats || seats.len() != wish.quantity as usize {
            self.core().violated("answer", format!("{} asked for {wish:?} and got {seats:?}", self.person));
        }
        self.promise(Promise::Held { reservation: placed.id.clone(), seats });
        Held { reservation: placed.id, total: placed.total }
    }

    /// Same key, same request: the same answer (invariant X2). A refusal is not recorded, so only successes compare.
    fn compare(&self, first: &Result<CreateAnswer, Refusal>, second: &Result<CreateAnswer, Refusal>) {
        if let Ok(first) = first
            && !second.as_ref().is_ok_and(|second| second.placed == first.placed)
        {
            self.core().violated("X2", format!("the same key was answered {first:?} and {second:?}"));
        }
    }

    /// Looks at the plan; `Some(None)` when nothing is free that this buyer would take.
    async fn another(&mut self, wish: &Wish) -> Option<Option<Wish>> {
        let free = self
            .until_answered(|| {
                let caller = self.caller.clone();
                async move {
                    let handler = |service: inventory::Service| async move {
                        let show = ShowId::parse(SHOW).expect("a literal");
                        service.seats(&show, &section(NAMED)).await
                    };
                    match caller.inventory(handler).await? {
                        Ok(seats) => Ok(seats),
                        Err(ports::PortError::Rejected(_)) => Ok(Vec::new()),
                        Err(ports::PortError::Failed(fault)) => Err(fault),
                    }
                }
            })
            .await?;
        let free: Vec<SeatId> = free
            .into_iter()
            .filter(|seat| seat.status == SeatStatus::Available)
            .map(|seat| seat.id)
            .collect();
        if free.is_empty() || self.dice.below(3) == 0 {
            return Some((self.crowd.house.plan.places > 0).then(|| Wish {
                section: Some(section(PLACES)),
                seats: Vec::new(),
                quantity: 1,
                ..wish.clone()
            }));
        }
        let start = self.dice.below(free.len() as u64) as usize;
        let count = (wish.quantity as usize).min(free.len());
        let seats: Vec<SeatId> = free.iter().cycle().skip(start).take(count).cloned().collect();
        Some(Some(Wish { section: None, quantity: seats.len() as u32, seats, ..wish.clone() }))
    }

    /// Pays with one card; the intent if the money was taken.
    async fn pay(
        &mut self,
        held: &Held,
        card: &str,
        scenario: Scenario,
        twice: bool,
    ) -> Option<Option<PaymentIntentId>> {
        let payer = self.person.clone();
        self.pay_as(&payer, held, card, scenario, twice).await
    }

    /// Pays as somebody, who need not be who reserved.
    async fn pay_as(
        &mut self,
        payer: &PersonId,
        held: &Held,
        card: &str,
        scenario: Scenario,
        twice: bool,
    ) -> Option<Option<PaymentIntentId>> {
        let intent = self.open(payer, held, card, scenario).await?;
        lock(&self.crowd.ledger).opened(&self.person, &intent);
        if twice && self.open(payer, held, card, scenario).await? != intent {
            self.core().violated("X2", format!("the key {card} opened two payments"));
        }
        let mut status = self.process(&intent).await?;
        if twice {
            status = self.process(&intent).await?;
        }
        match status {
            // A late repetition may already find the money given back.
            Some(Status::Captured | Status::Refunded) => {
                let reservation = held.reservation.clone();
                self.promise(Promise::Captured { reservation, intent: intent.clone() });
                Some(Some(intent))
            }
            Some(Status::Failed) => {
                self.promise(Promise::Declined { intent });
                Some(None)
            }
            _ => Some(None),
        }
    }

    async fn open(
        &self,
        payer: &PersonId,
        held: &Held,
        card: &str,
        scenario: Scenario,
    ) -> Option<PaymentIntentId> {
        let command = CreateIntent {
            reservation: held.reservation.clone(),
            amount: held.total.clone(),
            person: Some(payer.clone()),
            method: PaymentMethod::CreditCard,
            scenario,
            webhook_url: None,
            idempotency_key: Some(format!("{}-{card}", held.reservation).into()),
        };
        let opened = self
            .until_answered(|| {
                let (caller, command) = (self.caller.clone(), command.clone());
                async move {
                    let handler = |service: payment::Service| async move {
                        service.create(command, &Trace::default()).await
                    };
                    paid(caller.payments(handler).await)
                }
            })
            .await?;
        match opened {
            Ok(row) => Some(row.payment.intent),
            Err(refusal) => {
                self.core().violated("answer", format!("no payment is opened: {refusal:?}"));
                None
            }
        }
    }

    /// The status that the provider answers with; `Some(None)` when it refuses, as it does after an operator voided it.
    async fn process(&self, intent: &PaymentIntentId) -> Option<Option<Status>> {
        let answer = self
            .until_answered(|| {
                let (caller, intent) = (self.caller.clone(), intent.clone());
                async move {
                    let handler = |service: payment::Service| async move {
                        service.process(&intent, &Trace::default()).await
                    };
                    paid(caller.payments(handler).await)
                }
            })
            .await?;
        Some(answer.ok().map(|row| row.payment.status))
    }

    async fn confirm(&self, held: &Held, intent: &PaymentIntentId) -> Option<()> {
        let answer = self
            .until_answered(|| {
                let (caller, person) = (self.caller.clone(), self.person.clone());
                let (id, intent) = (held.reservation.clone(), intent.clone());
                async move {
                    let handler = |service: reservation::Service| async move {
                        service.confirm(&id, &intent, Some(&person), &Trace::default()).await
                    };
                    final_answer(caller.reservation(handler).await)
                }
            })
            .await?;
        if let Ok(confirmed) = answer {
            let order = confirmed.order.unwrap_or_else(|| OrderId::of(&held.reservation));
            self.promise(Promise::Confirmed { reservation: held.reservation.clone(), order });
        }
        Some(())
    }

    async fn cancel(&self, held: &Held) -> Option<()> {
        let answer = self
            .until_answered(|| {
                let (caller, person) = (self.caller.clone(), self.person.clone());
                let id = held.reservation.clone();
                async move {
                    let handler = |service: reservation::Service| async move {
                        service.cancel(&id, Some(&person), &Trace::default()).await
                    };
                    final_answer(caller.reservation(handler).await)
                }
            })
            .await?;
        if answer.is_ok() {
            self.promise(Promise::Cancelled { reservation: held.reservation.clone() });
        }
        Some(())
    }

    /// Pays for a reservation that nobody made: the money must come back.
    async fn pay_for_nothing(&mut self) -> Option<()> {
        let reservation = ReservationId::parse(&format!("rsv_mistyped_by_{}", self.person)).expect("letters");
        let total = Money { amount: 110_000, currency: Currency::krw() };
        let (payer, held) = (self.person.clone(), Held { reservation, total });
        let intent = self.open(&payer, &held, "card", Scenario::Approve).await?;
        self.process(&intent).await?;
        lock(&self.crowd.ledger).must_be_given_back(&intent);
        Some(())
    }

    /// Another request under the key of one that was carried out must be refused.
    async fn use_the_key_again(&mut self, held: &Held) -> Option<()> {
        let other = Wish { show: name(SHOW), section: Some(section(PLACES)), seats: Vec::new(), quantity: 9 };
        for attempt in 0..WISHES_MAX {
            let key = format!("{}-{attempt}", self.person);
            if let Ok(answer) = self.ask_for(&other, &key).await?
                && answer.placed.id == held.reservation
            {
                let words = format!("{key} belongs to {} and was answered {answer:?}", held.reservation);
                self.core().violated("X2", words);
            }
            if attempt > 0 {
                break;
            }
        }
        Some(())
    }

    /// Requests that can only be refused; nothing of them may stay.
    async fn ask_for_nonsense(&mut self) -> Option<()> {
        let (show, nowhere) = (name(SHOW), name("no-such-show"));
        let any = |show, name: &str, quantity| Wish {
            show,
            section: Some(section(name)),
            seats: Vec::new(),
            quantity,
        };
        let wishes = [
            any(nowhere, PLACES, 1),
            any(show.clone(), "no-such-section", 1),
            any(show.clone(), PLACES, 11),
            Wish { show: show.clone(), section: None, seats: vec![seat(999)], quantity: 1 },
            Wish { show: show.clone(), section: None, seats: vec![seat(0), seat(0)], quantity: 2 },
            Wish { show, section: None, seats: vec![seat(0)], quantity: 3 },
        ];
        for (number, wish) in wishes.into_iter().enumerate() {
            if let Ok(answer) = self.ask_for(&wish, &format!("nonsense-{number}")).await? {
                self.core().violated("S6", format!("{wish:?} was answered {answer:?}"));
            }
        }
        Some(())
    }

    /// Makes a call again until somebody answers; `None` when the buyer's patience is at its end.
    async fn until_answered<T, F>(&self, call: impl Fn() -> F) -> Option<T>
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
                return Some(answer);
            }
            if exec.micros() >= give_up {
                return None;
            }
            exec.sleep(rest).await;
            rest = (rest * 2).min(Duration::from_secs(5));
        }
    }
}

/// An answer of reservation-api, or a fault where the answer says "try again".
fn final_answer<T>(answer: Result<Result<T, Refusal>, Fault>) -> Result<Result<T, Refusal>, Fault> {
    match answer? {
        Err(refusal) if refusal.reply().status.is_server_error() => {
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

fn seat(index: u64) -> SeatId {
    SeatId::parse(&format!("{NAMED}-1-{}", index + 1)).expect("letters and numbers")
}

fn name(show: &str) -> ShowId {
    ShowId::parse(show).expect("a literal")
}

fn section(name: &str) -> SectionId {
    SectionId::parse(name).expect("a literal")
}
