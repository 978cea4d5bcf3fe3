//! One buyer, from the first wish to the last answer.

use super::hall::Wish;
use super::{Behaviour, Crowd, Hall, Promise, Receipt, is_no_answer};
use crate::client::Answer;
use anyhow::Result;
use contracts::payment::v1::{PaymentScenario, PaymentStatus};
use domain::random::{Random, SplitMix64};
use http::StatusCode;
use serde_json::json;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Times a buyer picks other seats before going home.
const WISHES_MAX: u32 = 5;
/// How long a buyer waits before standing in line again.
const LINE_UP_AGAIN: Duration = Duration::from_secs(1);

struct Held {
    reservation: String,
    amount: i64,
}

struct Buyer<'c> {
    crowd: &'c Crowd,
    person: String,
    bearer: String,
    dice: SplitMix64,
    receipt: Receipt,
}

/// Buys, or does not. `place` is given back while the buyer only waits, so that walkers do not block the door.
pub(super) async fn buy(crowd: &Crowd, number: u64, place: OwnedSemaphorePermit) -> Receipt {
    let mut dice = crowd.dice(number);
    let behaviour = Behaviour::draw(&mut dice);
    let receipt = Receipt::new(number, behaviour);
    let person = format!("buyer-{:x}-{number}", crowd.options.seed);
    let mut buyer = Buyer { crowd, person, bearer: String::new(), dice, receipt };
    if let Err(error) = buyer.live(behaviour, place).await {
        buyer.receipt.complain(format!("{error:#}"));
    }
    buyer.receipt
}

impl Buyer<'_> {
    async fn live(&mut self, behaviour: Behaviour, place: OwnedSemaphorePermit) -> Result<()> {
        let twice = behaviour == Behaviour::RepeatsEverything;
        self.bearer = self.crowd.bearer(&self.person)?;
        let Some(held) = self.reserve(twice).await? else { return Ok(()) };
        match behaviour {
            Behaviour::PaysAndConfirms => {
                if let Some(intent) = self.pay(&held, "card", false, false).await? {
                    self.confirm(&held, &intent).await?;
                }
            }
            Behaviour::PaysAndLeaves => drop(self.pay(&held, "card", false, false).await?),
            Behaviour::RepeatsEverything => {
                if let Some(intent) = self.pay(&held, "card", false, true).await? {
                    self.confirm(&held, &intent).await?;
                    self.confirm(&held, &intent).await?;
                }
            }
            Behaviour::IsDeclined => drop(self.pay(&held, "card", true, false).await?),
            Behaviour::IsDeclinedThenPays => {
                self.pay(&held, "card", true, false).await?;
                self.pay(&held, "second-card", false, false).await?;
            }
            Behaviour::WalksAway => {}
            Behaviour::PaysLate => {
                drop(place);
                self.crowd
                    .clock
                    .sleep(self.crowd.options.hold + Duration::from_millis(self.dice.below(1_500)))
                    .await;
                self.pay(&held, "card", false, false).await?;
            }
            Behaviour::PaysTwice => {
                self.pay(&held, "card", false, false).await?;
                self.pay(&held, "second-card", false, false).await?;
            }
            Behaviour::Cancels => self.cancel(&held).await?,
            Behaviour::PaysWhileCancelling => {
                self.pay(&held, "card", false, false).await?;
                self.cancel(&held).await?;
            }
        }
        Ok(())
    }

    /// Finds seats; `None` when there was nothing to buy.
    async fn reserve(&mut self, twice: bool) -> Result<Option<Held>> {
        let mut wish = self.crowd.hall.wish(&mut self.dice);
        let give_up = self.crowd.clock.elapsed() + self.crowd.options.patience;
        let mut pass = self.crowd.pass(&self.bearer, give_up).await?;
        let (mut attempt, mut unanswered) = (0, 0);
        while attempt < WISHES_MAX {
            let key = format!("{}-{attempt}", self.person);
            let asked_at = self.crowd.clock.elapsed();
            let mut answer = self.ask_for(&wish, &key, &pass).await?;
            if twice {
                let again = self.ask_for(&wish, &key, &pass).await?;
                let is_over = self.crowd.clock.elapsed() - asked_at >= self.crowd.options.hold;
                self.compare(&answer, &again, is_over);
                // Seats that were taken may be free by then: this buyer has them, and the pass is used.
                if again.status.is_success() {
                    answer = again;
                }
            }
            match answer.status {
                StatusCode::CREATED | StatusCode::OK => return Ok(Some(self.take(&wish, &answer))),
                // The request was away for longer than its hold: the same seats under a new key.
                StatusCode::CONFLICT if answer.code() == "RESERVATION_EXPIRED" => attempt += 1,
                StatusCode::CONFLICT => match self.another(&wish, answer.code()).await? {
                    Some(other) => {
                        wish = other;
                        attempt += 1;
                    }
                    None => {
                        self.receipt.promises.push(Promise::Refused { code: answer.code().to_owned() });
                        return Ok(None);
                    }
                },
                // The pass has run out while the platform was away, or was used by a request that came too late: in line again,
                // once the old one is over.
                StatusCode::FORBIDDEN if self.crowd.clock.elapsed() < give_up => {
                    self.crowd.clock.sleep(LINE_UP_AGAIN).await;
                    pass = self.crowd.pass(&self.bearer, give_up).await?;
                }
                // Nobody knows whether seats are held: the same key finds out.
                status if is_no_answer(status) && self.crowd.clock.elapsed() < give_up => {
                    self.crowd.rest(&mut unanswered).await;
                }
                status => anyhow::bail!("reserve: {status} {}", answer.message()),
            }
        }
        self.receipt.promises.push(Promise::Refused { code: "GAVE_UP".to_owned() });
        Ok(None)
    }

    async fn ask_for(&self, wish: &Wish, key: &str, pass: &str) -> Result<Answer> {
        let body = wish.body(&self.crowd.options.show, pass);
        let headers = [("idempotency-key", key), ("authorization", &*self.bearer)];
        self.until_answered(|| async {
            self.crowd.http.post(&self.crowd.gateway_url("/api/v1/reservations"), &headers, &body).await
        })
        .await
    }

    fn take(&mut self, wish: &Wish, answer: &Answer) -> Held {
        let reservation = answer.text("reservation_id").to_owned();
        let seats: Vec<String> = answer.body["seat_ids"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|s| s.as_str().map(Into::into))
            .collect();
        if let Wish::Named(wanted) = wish
            && *wanted != seats
        {
            self.receipt.complain(format!("asked for {wanted:?}, got {seats:?}"));
        }
        if seats.len() != wish.quantity() {
            self.receipt.complain(format!("asked for {} seats, got {seats:?}", wish.quantity()));
        }
        self.receipt.promises.push(Promise::Held { reservation: reservation.clone(), seats });
        Held { reservation, amount: answer.body["total_amount"].as_i64().unwrap_or_default() }
    }

    /// Same key, same request: the same answer (invariant X2). A refusal is not recorded, so only successes compare; and the
    /// second may be nobody's answer, or come when the hold `is_over`.
    fn compare(&mut self, first: &Answer, second: &Answer, is_over: bool) {
        let is_none = is_no_answer(second.status) || (is_over && second.code() == "RESERVATION_EXPIRED");
        let same = first.text("reservation_id") == second.text("reservation_id")
            && first.body["seat_ids"] == second.body["seat_ids"];
        if first.status.is_success() && !is_none && !(second.status.is_success() && same) {
            self.receipt.complain(format!("the same key was answered {} and {}", first.body, second.body));
        }
    }

    /// Looks at the plan again; `None` when nothing is free that this buyer would take.
    async fn another(&mut self, wish: &Wish, code: &str) -> Result<Option<Wish>> {
        let (section, quantity) = match wish {
            Wish::Named(seats) => (seats[0].split('-').next().unwrap_or_default().to_owned(), seats.len()),
            Wish::Any { quantity, .. } if code == "INSUFFICIENT_INVENTORY" && *quantity > 1 => {
                return Ok(Some(Wish::Any { section: "FLOOR", quantity: 1 }));
            }
            Wish::Any { quantity, .. } => ("STAND".to_owned(), *quantity as usize),
        };
        let free = self.until_answered(|| self.crowd.free_seats(&section)).await?;
        if let Some(wish) = Hall::second_choice(&free, quantity, &mut self.dice) {
            return Ok(Some(wish));
        }
        Ok((section == "VIP").then_some(Wish::Any { section: "FLOOR", quantity: quantity as u64 }))
    }

    /// Pays with one card; the intent if the money was taken.
    async fn pay(&mut self, held: &Held, card: &str, declined: bool, twice: bool) -> Result<Option<String>> {
        let scenario = if declined { PaymentScenario::Fail } else { PaymentScenario::Approve };
        let key = format!("{}-{card}", held.reservation);
        let open = || async {
            self.crowd.payer.open(&held.reservation, held.amount, &self.person, scenario, &key).await
        };
        let intent = self.until_answered(open).await?;
        if twice && self.until_answered(open).await? != intent {
            self.receipt.complain(format!("the key {key} opened two payments"));
        }
        let mut status = self.until_answered(|| async { self.crowd.payer.pay(&intent, &key).await }).await?;
        if twice {
            status = self.until_answered(|| async { self.crowd.payer.pay(&intent, &key).await }).await?;
        }
        match (status, declined) {
            // A late repetition may already find the money given back.
            (PaymentStatus::Completed | PaymentStatus::Refunded, false) => {
                let reservation = held.reservation.clone();
                self.receipt.promises.push(Promise::Captured { reservation, intent: intent.clone() });
                Ok(Some(intent))
            }
            (PaymentStatus::Failed, true) => {
                self.receipt.promises.push(Promise::Declined { intent });
                Ok(None)
            }
            (status, _) => anyhow::bail!("paid, and the payment is {status:?}"),
        }
    }

    async fn confirm(&mut self, held: &Held, intent: &str) -> Result<()> {
        let path = format!("/api/v1/reservations/{}/confirm", held.reservation);
        let body = json!({"payment_intent_id": intent});
        let answer = self
            .until_answered(|| async {
                self.crowd
                    .http
                    .post(&self.crowd.gateway_url(&path), &[("authorization", &*self.bearer)], &body)
                    .await
            })
            .await?;
        match answer.status {
            StatusCode::OK => {
                let (reservation, order) = (held.reservation.clone(), answer.text("order_id").to_owned());
                self.receipt.promises.push(Promise::Confirmed { reservation, order });
            }
            // A platform that was away longer than the hold may have given the seats away, and the money back.
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {}
            status if status.is_server_error() => {}
            status => anyhow::bail!("confirm: {status} {}", answer.message()),
        }
        Ok(())
    }

    async fn cancel(&mut self, held: &Held) -> Result<()> {
        let path = format!("/api/v1/reservations/{}/cancel", held.reservation);
        let answer = self
            .until_answered(|| async {
                self.crowd
                    .http
                    .post(&self.crowd.gateway_url(&path), &[("authorization", &*self.bearer)], &json!({}))
                    .await
            })
            .await?;
        match answer.status {
            StatusCode::OK => {
                self.receipt.promises.push(Promise::Cancelled { reservation: held.reservation.clone() })
            }
            // Too late: it is confirmed or has expired.
            StatusCode::CONFLICT => {}
            status if status.is_server_error() => {}
            status => anyhow::bail!("cancel: {status} {}", answer.message()),
        }
        Ok(())
    }

    /// Makes a call again until somebody answers, for as long as the crowd is patient.
    async fn until_answered<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let give_up = self.crowd.clock.elapsed() + self.crowd.options.patience;
        let mut unanswered = 0;
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) if self.crowd.clock.elapsed() >= give_up => return Err(error),
                Err(_) => self.crowd.rest(&mut unanswered).await,
            }
        }
    }
}
