//! One buyer, from the first wish to the last answer.

use super::Crowd;
use crate::core::Core;
use crate::exec::lock;
use crate::ledger::Promise;
use crate::network::Caller;
use core::time::Duration;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId};
use domain::money::Money;
use domain::payment::Scenario;
use domain::random::{Random, SplitMix64};
use ports::{Fault, Trace};
use reservation::Refusal;
use std::sync::Arc;

/// The longest that one call may take.
const CALL_MAX: Duration = Duration::from_secs(5);
/// How long a buyer repeats what nobody answers. Longer than any outage of the simulated world.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a buyer does after getting seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
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

pub(super) const BEHAVIOURS: [Behaviour; 18] = [
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

pub(super) struct Buyer {
    pub(super) crowd: Arc<Crowd>,
    pub(super) caller: Caller,
    pub(super) person: PersonId,
    pub(super) dice: SplitMix64,
}

pub(super) struct Held {
    pub(super) reservation: ReservationId,
    pub(super) total: Money,
}

impl Buyer {
    pub(super) fn core(&self) -> &Core {
        &self.crowd.house.core
    }

    pub(super) fn promise(&self, promise: Promise) {
        self.core().tell(|| format!("{} is told {promise:?}", self.person));
        lock(&self.crowd.ledger).promise(&self.person, promise);
    }

    pub(super) async fn live(&mut self, behaviour: Behaviour) -> Option<()> {
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
                if self.dice.below(2) == 0 {
                    self.core().exec.sleep(self.crowd.house.plan.hold).await;
                }
                for card in ["first", "second", "third", "fourth"] {
                    let scenario = [Scenario::Fail, Scenario::Approve][self.dice.below(2) as usize];
                    self.pay(&held, card, scenario, false).await?;
                }
            }
            Behaviour::UsesOneKeyTwice => self.use_the_key_again(&held).await?,
        }
        Some(())
    }

    pub(super) async fn confirm(&self, held: &Held, intent: &PaymentIntentId) -> Option<()> {
        let answer = self
            .until_answered(|| {
                let (caller, person) = (self.caller.clone(), self.person.clone());
                let (id, intent) = (held.reservation.clone(), intent.clone());
                async move {
                    let handler = |service: reservation::Service| async move {
                        service.confirm(&id, &intent, Some(&person), &Trace::default()).await
                    };
                    final_answer(caller.call(handler).await)
                }
            })
            .await?;
        if let Ok(confirmed) = answer {
            let order = confirmed.order.unwrap_or_else(|| OrderId::for_reservation(&held.reservation));
            self.promise(Promise::Confirmed { reservation: held.reservation.clone(), order });
        }
        Some(())
    }

    pub(super) async fn cancel(&self, held: &Held) -> Option<()> {
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
        if answer.is_ok() {
            self.promise(Promise::Cancelled { reservation: held.reservation.clone() });
        }
        Some(())
    }

    /// Makes a call again until somebody answers; `None` when the buyer's patience is at its end.
    pub(super) async fn until_answered<T, F>(&self, call: impl Fn() -> F) -> Option<T>
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
pub(super) fn final_answer<T>(
    answer: Result<Result<T, Refusal>, Fault>,
) -> Result<Result<T, Refusal>, Fault> {
    match answer? {
        Err(refusal) if refusal.reply().status.is_server_error() => {
            Err(Fault::unavailable(format!("{refusal:?}")))
        }
        answer => Ok(answer),
    }
}
