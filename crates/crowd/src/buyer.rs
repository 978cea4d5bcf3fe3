//! One buyer, from the first wish to the last answer.

use crate::behaviour::Behaviour;
use crate::promise::Promise;
use crate::shop::{Held, Refused, Shop};
use crate::wish::Wish;
use core::time::Duration;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Scenario, Status};
use domain::random::{Random, SplitMix64};

/// A buyer in a shop.
pub struct Buyer<S> {
    /// The platform as this buyer sees it.
    pub shop: S,
    /// Who.
    pub person: PersonId,
    /// All choices follow from it.
    pub dice: SplitMix64,
}

/// The answer to a wish.
type Answer<S> = Result<<S as Shop>::Placed, Refused>;

impl<S: Shop> Buyer<S> {
    /// Does what the behaviour says. An error means that the buyer went home before the end.
    pub async fn live(&mut self, behaviour: Behaviour) -> Result<(), S::Left> {
        match behaviour {
            Behaviour::AsksForNonsense => return self.ask_for_nonsense().await,
            Behaviour::PaysForNothing => return self.pay_for_nothing().await,
            _ => {}
        }
        let Some(held) = self.reserve(behaviour == Behaviour::RepeatsEverything).await? else {
            return Ok(());
        };
        self.shop.think(&mut self.dice).await;
        match behaviour {
            Behaviour::WalksAway | Behaviour::AsksForNonsense | Behaviour::PaysForNothing => {}
            Behaviour::Cancels => self.cancel(&held).await?,
            Behaviour::UsesOneKeyTwice => self.use_the_key_again(&held).await?,
            paying => self.pay_as_it_likes(paying, &held).await?,
        }
        Ok(())
    }

    async fn pay_as_it_likes(&mut self, behaviour: Behaviour, held: &Held) -> Result<(), S::Left> {
        match behaviour {
            Behaviour::PaysAndConfirms => {
                if let Some(intent) = self.pay(held, "card", Scenario::Approve, false).await? {
                    self.confirm(held, &intent).await?;
                }
            }
            Behaviour::RepeatsEverything => {
                if let Some(intent) = self.pay(held, "card", Scenario::Approve, true).await? {
                    self.confirm(held, &intent).await?;
                    self.confirm(held, &intent).await?;
                }
            }
            Behaviour::IsDeclined => drop(self.pay(held, "card", Scenario::Fail, false).await?),
            Behaviour::IsDeclinedThenPays => {
                self.pay(held, "card", Scenario::Fail, false).await?;
                self.pay(held, "second-card", Scenario::Approve, false).await?;
            }
            Behaviour::PaysLate => {
                self.shop.wait_for_the_end_of_the_hold(&mut self.dice).await;
                if let Some(intent) = self.pay(held, "card", Scenario::Approve, false).await? {
                    self.confirm(held, &intent).await?;
                }
            }
            Behaviour::PaysTwice => {
                self.pay(held, "card", Scenario::Approve, false).await?;
                self.pay(held, "second-card", Scenario::Approve, false).await?;
            }
            Behaviour::PaysWhileCancelling => {
                self.pay(held, "card", Scenario::Approve, false).await?;
                self.cancel(held).await?;
            }
            Behaviour::PaysSlowly => drop(self.pay(held, "card", Scenario::Delay, false).await?),
            Behaviour::PaysByChance => drop(self.pay(held, "card", Scenario::Random, false).await?),
            Behaviour::PaysIntoSilence => drop(self.pay(held, "card", Scenario::Timeout, false).await?),
            Behaviour::LetsAFriendPay => {
                let payer = PersonId::parse(&format!("friend-of-{}", self.person)).expect("letters");
                let intent = self.pay_as(&payer, held, "card", Scenario::Approve, false).await?;
                if let Some(intent) = intent.filter(|_| self.dice.below(2) == 0) {
                    self.confirm(held, &intent).await?;
                }
            }
            Behaviour::PaysAgainAndAgain => {
                if self.dice.below(2) == 0 {
                    self.shop.sleep(self.shop.hold()).await;
                }
                for card in ["first", "second", "third", "fourth"] {
                    let scenario = [Scenario::Fail, Scenario::Approve][self.dice.below(2) as usize];
                    self.pay(held, card, scenario, false).await?;
                }
            }
            _ => drop(self.pay(held, "card", Scenario::Approve, false).await?),
        }
        Ok(())
    }

    /// Finds seats; `None` when there was nothing to buy.
    async fn reserve(&mut self, twice: bool) -> Result<Option<Held>, S::Left> {
        let mut wish = self.shop.wish(&mut self.dice);
        for attempt in 0..S::WISHES_MAX {
            let key = self.key(attempt);
            let began = self.shop.elapsed();
            let mut answer = self.shop.reserve(&wish, &key).await?;
            if twice {
                let again = self.shop.reserve(&wish, &key).await?;
                self.compare(&answer, &again, began);
                // Seats that were taken may be free by then: this buyer has them, and the pass is
                // used.
                if S::HAS_PASSES && again.is_ok() {
                    answer = again;
                }
            }
            let refused = match answer {
                Ok(placed) => return Ok(Some(self.take(&wish, &placed))),
                Err(refused) => refused,
            };
            match self.shop.another(&mut self.dice, &wish, &refused).await? {
                Some(other) => wish = other,
                None => {
                    self.shop.record(Promise::Refused { code: refused.code });
                    return Ok(None);
                }
            }
        }
        self.shop.record(Promise::Refused { code: "GAVE_UP".to_owned() });
        Ok(None)
    }

    fn key(&self, attempt: u32) -> String {
        format!("{}-{attempt}", self.person)
    }

    fn take(&mut self, wish: &Wish, placed: &S::Placed) -> Held {
        let held = S::held(placed);
        let differs = !wish.seats.is_empty() && wish.seats != held.seats;
        if differs || held.seats.len() != wish.quantity as usize {
            let problem = format!("{} asked for {wish:?} and got {:?}", self.person, held.seats);
            self.shop.complain("answer", problem);
        }
        self.shop.record(Promise::Held { reservation: held.reservation.clone(), seats: held.seats.clone() });
        held
    }

    /// Same key, same request: the same answer (invariant X2). A refusal is not recorded, so only
    /// successes compare.
    fn compare(&mut self, first: &Answer<S>, second: &Answer<S>, began: Duration) {
        let Ok(placed) = first else { return };
        let fits = match second {
            Ok(again) => again == placed,
            Err(refused) => self.shop.may_refuse_again(refused, self.shop.elapsed().saturating_sub(began)),
        };
        if !fits {
            self.shop.complain("X2", format!("the same key was answered {first:?} and {second:?}"));
        }
    }

    /// Pays with one card; the intent if the money was taken.
    async fn pay(
        &mut self,
        held: &Held,
        card: &str,
        scenario: Scenario,
        twice: bool,
    ) -> Result<Option<PaymentIntentId>, S::Left> {
        let payer = self.person.clone();
        self.pay_as(&payer, held, card, scenario, twice).await
    }

    /// Pays as a person who need not be the one with the reservation.
    async fn pay_as(
        &mut self,
        payer: &PersonId,
        held: &Held,
        card: &str,
        scenario: Scenario,
        twice: bool,
    ) -> Result<Option<PaymentIntentId>, S::Left> {
        let key = format!("{}-{card}", held.reservation);
        let intent = self.shop.open(payer, held, scenario, &key).await?;
        self.shop.record_payment(&intent);
        if twice && self.shop.open(payer, held, scenario, &key).await? != intent {
            self.shop.complain("X2", format!("the key {key} opened two payments"));
        }
        let mut status = self.shop.process(&intent, scenario, &key).await?;
        if twice {
            status = self.shop.process(&intent, scenario, &key).await?;
        }
        match status {
            // A late repetition may already find the money given back.
            Some(Status::Captured | Status::Refunded) => {
                let reservation = held.reservation.clone();
                self.shop.record(Promise::Captured { reservation, intent: intent.clone() });
                Ok(Some(intent))
            }
            Some(Status::Failed) => {
                self.shop.record(Promise::Declined { intent });
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    async fn confirm(&mut self, held: &Held, intent: &PaymentIntentId) -> Result<(), S::Left> {
        if let Some(order) = self.shop.confirm(held, intent).await? {
            self.shop.record(Promise::Confirmed { reservation: held.reservation.clone(), order });
        }
        Ok(())
    }

    async fn cancel(&mut self, held: &Held) -> Result<(), S::Left> {
        if self.shop.cancel(held).await? {
            self.shop.record(Promise::Cancelled { reservation: held.reservation.clone() });
        }
        Ok(())
    }

    /// Another request under the key of one that was carried out must be refused.
    async fn use_the_key_again(&mut self, held: &Held) -> Result<(), S::Left> {
        let other = Wish::any(&self.shop.venue().show, &self.shop.venue().places, 9);
        for attempt in 0..2 {
            let key = self.key(attempt);
            if let Ok(placed) = self.shop.reserve(&other, &key).await?
                && S::held(&placed).reservation == held.reservation
            {
                let problem = format!("{key} belongs to {} and was answered {placed:?}", held.reservation);
                self.shop.complain("X2", problem);
            }
        }
        Ok(())
    }

    /// Pays for a reservation that does not exist: the money must be given back.
    async fn pay_for_nothing(&mut self) -> Result<(), S::Left> {
        let reservation = ReservationId::parse(&format!("rsv_mistyped_by_{}", self.person)).expect("letters");
        let total = Money { amount: 110_000, currency: Currency::krw() };
        let (payer, held) = (self.person.clone(), Held { reservation, seats: Vec::new(), total });
        let key = format!("{}-card", held.reservation);
        let intent = self.shop.open(&payer, &held, Scenario::Approve, &key).await?;
        self.shop.process(&intent, Scenario::Approve, &key).await?;
        self.shop.record_debt(&intent);
        Ok(())
    }

    /// Requests that can only be refused; they must leave nothing behind.
    async fn ask_for_nonsense(&mut self) -> Result<(), S::Left> {
        for (number, wish) in Wish::nonsense(self.shop.venue()).into_iter().enumerate() {
            if let Ok(placed) = self.shop.reserve(&wish, &format!("nonsense-{number}")).await? {
                self.shop.complain("S6", format!("{wish:?} was answered {placed:?}"));
            }
        }
        Ok(())
    }
}
