//! What a buyer does at the payment provider.

use super::buyer::{Buyer, Held};
use crate::exec::lock;
use crate::ledger::Promise;
use contracts::payment::v1::PaymentMethod;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Scenario, Status};
use payment::CreateIntent;
use ports::{Fault, Trace};

impl Buyer {
    /// Pays with one card; the intent if the money was taken.
    pub(super) async fn pay(
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
    pub(super) async fn pay_as(
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

    pub(super) async fn open(
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
                    paid(caller.call(handler).await)
                }
            })
            .await?;
        match opened {
            Ok((row, _)) => Some(row.payment.intent),
            Err(refusal) => {
                self.core().violated("answer", format!("no payment is opened: {refusal:?}"));
                None
            }
        }
    }

    /// The status that the provider answers with; `Some(None)` when it refuses, as it does after an operator voided it.
    pub(super) async fn process(&self, intent: &PaymentIntentId) -> Option<Option<Status>> {
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
        Some(answer.ok().map(|row| row.payment.status))
    }

    /// Pays for a reservation that nobody made: the money must come back.
    pub(super) async fn pay_for_nothing(&mut self) -> Option<()> {
        let reservation = ReservationId::parse(&format!("rsv_mistyped_by_{}", self.person)).expect("letters");
        let total = Money { amount: 110_000, currency: Currency::krw() };
        let (payer, held) = (self.person.clone(), Held { reservation, total });
        let intent = self.open(&payer, &held, "card", Scenario::Approve).await?;
        self.process(&intent).await?;
        lock(&self.crowd.ledger).must_be_given_back(&intent);
        Some(())
    }
}

/// An answer of the provider, or a fault where the answer says "try again".
fn paid<T>(answer: Result<Result<T, payment::Refusal>, Fault>) -> Result<Result<T, payment::Refusal>, Fault> {
    match answer? {
        Err(payment::Refusal::Failed(fault)) => Err(fault),
        answer => Ok(answer),
    }
}
