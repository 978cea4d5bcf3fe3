//! The platform as a buyer calls it: REST at the gateway, gRPC at the payment provider.

use super::venue::{STALLS, STANDS};
use super::{Crowd, Receipt, is_no_answer};
use crate::client::Answer;
use anyhow::{Context, Result, bail};
use crowd::{Held, Promise, Refused, Shop, Wish};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId};
use domain::money::{Currency, Money};
use domain::payment::{Scenario, Status};
use domain::random::{Random, SplitMix64};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long a buyer waits before standing in line again.
const LINE_UP_AGAIN: Duration = Duration::from_secs(1);
/// The code of a request that was away for longer than its hold.
const EXPIRED: &str = "RESERVATION_EXPIRED";

/// The platform as one buyer sees it.
pub(super) struct Counter {
    crowd: Arc<Crowd>,
    bearer: String,
    pass: Option<String>,
    /// Given back while the buyer only waits, so that walkers do not block the door.
    place: Option<OwnedSemaphorePermit>,
    pub(super) receipt: Receipt,
}

impl Counter {
    pub(super) fn new(
        crowd: Arc<Crowd>,
        bearer: String,
        place: OwnedSemaphorePermit,
        receipt: Receipt,
    ) -> Self {
        Self { crowd, bearer, pass: None, place: Some(place), receipt }
    }

    /// Posts to the gateway in the buyer's name until it answers.
    async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let headers = [("authorization", &*self.bearer)];
        // The address is asked for each time: the platform may have restarted elsewhere.
        self.until_answered(|| async {
            self.crowd.http.post(&self.crowd.gateway_url(path), &headers, body).await
        })
        .await
    }

    /// Makes a call again until somebody answers, for as long as the crowd is patient.
    async fn until_answered<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let give_up = self.give_up();
        let mut unanswered = 0;
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) if self.crowd.clock.elapsed() >= give_up => return Err(error),
                Err(_) => self.crowd.rest(&mut unanswered).await,
            }
        }
    }

    fn give_up(&self) -> Duration {
        self.crowd.clock.elapsed() + self.crowd.options.patience
    }
}

impl Shop for Counter {
    type Left = anyhow::Error;
    type Placed = Held;

    const WISHES_MAX: u32 = 5;
    const HAS_PASSES: bool = true;

    fn venue(&self) -> &crowd::Venue {
        &self.crowd.sections
    }

    fn hold(&self) -> Duration {
        self.crowd.options.hold
    }

    fn wish(&mut self, dice: &mut SplitMix64) -> Wish {
        self.crowd.venue.wish(&self.crowd.sections.show, dice)
    }

    /// Looks at the plan again. A request that was away for longer than its hold asks for the same
    /// seats under a new key.
    async fn another(
        &mut self,
        dice: &mut SplitMix64,
        wish: &Wish,
        refused: &Refused,
    ) -> Result<Option<Wish>> {
        if refused.code == EXPIRED {
            return Ok(Some(wish.clone()));
        }
        let section = match (&wish.section, wish.seats.first()) {
            (Some(_), _) if refused.code == "INSUFFICIENT_INVENTORY" && wish.quantity > 1 => {
                return Ok(Some(Wish { quantity: 1, ..wish.clone() }));
            }
            (None, Some(seat)) => seat.as_str().split('-').next().unwrap_or_default(),
            _ => STANDS,
        };
        let free = self.until_answered(|| self.crowd.free_seats(section)).await?;
        if !free.is_empty() {
            let start = dice.below(free.len() as u64) as usize;
            return Ok(Some(wish.among(&free, start)));
        }
        let crowd::Venue { show, places, .. } = &self.crowd.sections;
        Ok((section == STALLS).then(|| Wish::any(show, places, wish.quantity)))
    }

    async fn reserve(&mut self, wish: &Wish, key: &str) -> Result<Result<Held, Refused>> {
        let give_up = self.give_up();
        let mut unanswered = 0;
        loop {
            let pass = match self.pass.take() {
                Some(pass) => pass,
                None => self.crowd.pass(&self.bearer, give_up).await?,
            };
            let body = body(wish, &pass);
            self.pass = Some(pass);
            let headers = [("idempotency-key", key), ("authorization", &*self.bearer)];
            let answer = self
                .until_answered(|| async {
                    let url = self.crowd.gateway_url("/api/v1/reservations");
                    self.crowd.http.post(&url, &headers, &body).await
                })
                .await?;
            match answer.status {
                StatusCode::CREATED | StatusCode::OK => return Ok(Ok(held(&answer)?)),
                StatusCode::CONFLICT => return Ok(Err(Refused { code: answer.code().to_owned() })),
                // The pass has run out while the platform was away, or was used by a request that
                // came too late: in line again, once the old one is over.
                StatusCode::FORBIDDEN if self.crowd.clock.elapsed() < give_up => {
                    self.pass = None;
                    self.crowd.clock.sleep(LINE_UP_AGAIN).await;
                }
                // It is unknown whether seats are held: the same key finds out.
                status if is_no_answer(status) && self.crowd.clock.elapsed() < give_up => {
                    self.crowd.rest(&mut unanswered).await;
                }
                status => bail!("reserve: {status} {}", answer.message()),
            }
        }
    }

    fn held(placed: &Held) -> Held {
        placed.clone()
    }

    fn may_refuse_again(&self, refused: &Refused, since: Duration) -> bool {
        refused.code == EXPIRED && since >= self.crowd.options.hold
    }

    fn elapsed(&self) -> Duration {
        self.crowd.clock.elapsed()
    }

    async fn open(
        &mut self,
        payer: &PersonId,
        held: &Held,
        scenario: Scenario,
        key: &str,
    ) -> Result<PaymentIntentId> {
        let opened = self.until_answered(|| self.crowd.payer.open(payer, held, scenario, key)).await?;
        PaymentIntentId::parse(&opened).context("the id of a payment")
    }

    async fn process(
        &mut self,
        intent: &PaymentIntentId,
        scenario: Scenario,
        key: &str,
    ) -> Result<Option<Status>> {
        let status = self.until_answered(|| self.crowd.payer.pay(intent, key)).await?;
        match (status, scenario) {
            (Status::Captured | Status::Refunded, Scenario::Approve) | (Status::Failed, Scenario::Fail) => {
                Ok(Some(status))
            }
            // No operator decides payments here, so a card is answered as its scenario says.
            (status, _) => bail!("paid with the scenario {scenario:?}, and the payment is {status:?}"),
        }
    }

    async fn confirm(&mut self, held: &Held, intent: &PaymentIntentId) -> Result<Option<OrderId>> {
        let path = format!("/api/v1/reservations/{}/confirm", held.reservation);
        let answer = self.post(&path, &json!({"payment_intent_id": intent.as_str()})).await?;
        match answer.status {
            StatusCode::OK => {
                Ok(Some(OrderId::parse(answer.text("order_id")).context("the id of an order")?))
            }
            // A platform that was away longer than the hold may have sold the seats to somebody
            // else, and refunded the money.
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Ok(None),
            status if status.is_server_error() => Ok(None),
            status => bail!("confirm: {status} {}", answer.message()),
        }
    }

    async fn cancel(&mut self, held: &Held) -> Result<bool> {
        let path = format!("/api/v1/reservations/{}/cancel", held.reservation);
        let answer = self.post(&path, &json!({})).await?;
        match answer.status {
            // One that had expired before stays EXPIRED.
            StatusCode::OK => Ok(answer.body["status"] == "CANCELLED"),
            // Too late: it is confirmed.
            StatusCode::CONFLICT => Ok(false),
            status if status.is_server_error() => Ok(false),
            status => bail!("cancel: {status} {}", answer.message()),
        }
    }

    async fn think(&mut self, _: &mut SplitMix64) {}

    /// Until the hold has run out.
    async fn wait_for_the_end_of_the_hold(&mut self, dice: &mut SplitMix64) {
        let late = Duration::from_millis(dice.below(1_500));
        self.sleep(self.crowd.options.hold + late).await;
    }

    async fn sleep(&mut self, duration: Duration) {
        self.place = None;
        self.crowd.clock.sleep(duration).await;
    }

    fn record(&mut self, promise: Promise) {
        self.receipt.promises.push(promise);
    }

    fn record_payment(&mut self, _: &PaymentIntentId) {}

    fn record_debt(&mut self, _: &PaymentIntentId) {}

    fn complain(&mut self, invariant: &'static str, problem: String) {
        self.receipt.complain(format!("{invariant}: {problem}"));
    }
}

/// The body of `POST /api/v1/reservations`.
fn body(wish: &Wish, pass: &str) -> Value {
    let mut body = json!({
        "event_id": wish.show.as_str(), "quantity": wish.quantity, "reservation_token": pass
    });
    match &wish.section {
        Some(section) => body["section"] = json!(section.as_str()),
        None => body["seat_ids"] = wish.seats.iter().map(|seat| seat.as_str()).collect(),
    }
    body
}

fn held(answer: &Answer) -> Result<Held> {
    let seats = answer.body["seat_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let seats: Result<Vec<SeatId>, _> = seats.map(SeatId::parse).collect();
    Ok(Held {
        reservation: ReservationId::parse(answer.text("reservation_id"))
            .context("the id of a reservation")?,
        seats: seats.context("the id of a seat")?,
        total: Money {
            amount: answer.body["total_amount"].as_u64().unwrap_or_default(),
            currency: Currency::krw(),
        },
    })
}
