//! A reservation-api that accepts every end of a reservation: `PATCH` and `GET
//! /internal/reservations/{id}`.
//!
//! An unknown reservation is in HOLD with two seats. After that it answers as the real one: the
//! same end again succeeds, and an end that does not follow from the present status is a 409.

use crate::http1::{self, Reply, Request};
use crate::journal::{Called, Journal, Lane, Outcome};
use crate::listener::Listener;
use crate::peer::{Fate, Peer, PeerFaults};
use contracts::reservation_wire as wire;
use contracts::rest::reservation::{Patch, Shown};
use domain::id::PaymentIntentId;
use domain::reservation::Status;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

const PATH: &str = "/internal/reservations/";
const LONG_AGO: &str = "2025-01-01T00:00:00Z";

/// The state of a reservation, and the calls about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its status.
    pub status: Status,
    /// The order of the payment that confirmed it.
    pub order_id: Option<String>,
    /// The payment that confirmed it.
    pub payment_intent_id: Option<String>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// The code of the failed payment.
    pub error_code: Option<String>,
    /// Calls of PATCH that were carried out or refused.
    pub patches: u32,
    /// How often its status changed.
    pub effects: u32,
}

impl Default for Reservation {
    fn default() -> Self {
        Self {
            status: Status::Hold,
            order_id: None,
            payment_intent_id: None,
            cancel_reason: None,
            error_code: None,
            patches: 0,
            effects: 0,
        }
    }
}

/// The server; ends when it is dropped.
pub struct Reservations {
    listener: Listener,
    book: Arc<Book>,
}

struct Book {
    peer: Peer,
    reservations: Mutex<HashMap<String, Reservation>>,
}

impl Reservations {
    /// Starts it on the current tokio runtime. The seed drives its latencies and failures.
    pub async fn start(journal: Arc<Journal>, faults: PeerFaults, seed: u64) -> io::Result<Self> {
        let book = Book { peer: Peer::new(journal, faults, seed), reservations: Mutex::default() };
        let book = Arc::new(book);
        let served = book.clone();
        let listener = Listener::open(move |stream| http1::serve(stream, served.clone())).await?;
        Ok(Self { listener, book })
    }

    /// The value for `RESERVATION_API_BASE`.
    pub fn base(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Changes how slow and how unreliable it is.
    pub fn misbehave(&self, change: impl FnOnce(&mut PeerFaults)) {
        self.book.peer.change(change);
    }

    /// Dead (`false`: connections break, new ones are refused), or back on the same port (`true`).
    pub fn set_open(&self, open: bool) {
        self.listener.set_open(open);
    }

    /// A reservation, if any call named it.
    pub fn reservation(&self, id: &str) -> Option<Reservation> {
        self.book.reservations().get(id).cloned()
    }
}

impl http1::Service for Book {
    async fn answer(&self, request: Request<'_>, reply: &mut Reply) {
        let Some(id) = request.path.strip_prefix(PATH).filter(|id| !id.is_empty()) else {
            return fail(reply, 404, "NOT_FOUND", "the stand-in has no such path");
        };
        let called = match request.method {
            "PATCH" => Called::Patch,
            "GET" => Called::Get,
            _ => return fail(reply, 405, "INVALID_ARGUMENT", "only PATCH and GET are supported"),
        };
        let lane = Lane::from_reservation(id);
        let fate = self.peer.take(called, request.tag, lane).await;
        let outcome = match fate {
            Fate::Fail => Outcome::Failed,
            Fate::Answer | Fate::Lose => match called {
                Called::Patch => self.patch(id, request.body, reply),
                _ => self.get(id, reply),
            },
        };
        if fate != Fate::Answer {
            reply.body.clear();
            fail(reply, 503, "UNAVAILABLE", "the stand-in fails on purpose");
        }
        self.peer.ended(called, request.tag, lane, fate, outcome);
    }
}

impl Book {
    fn reservations(&self) -> MutexGuard<'_, HashMap<String, Reservation>> {
        self.reservations.lock()
    }

    fn get(&self, id: &str, reply: &mut Reply) -> Outcome {
        let mut reservations = self.reservations();
        write(reply, &shown(id, reservations.entry(id.to_owned()).or_default()));
        Outcome::Effect
    }

    fn patch(&self, id: &str, body: &[u8], reply: &mut Reply) -> Outcome {
        let patch: Patch = match serde_json::from_slice(body) {
            Ok(patch) => patch,
            Err(why) => {
                fail(reply, 400, "INVALID_ARGUMENT", &why.to_string());
                return Outcome::Failed;
            }
        };
        let Some(to) = Status::parse(&patch.status).filter(|to| *to != Status::Hold) else {
            fail(reply, 400, "INVALID_ARGUMENT", "the status is not an end of a reservation");
            return Outcome::Failed;
        };
        let mut reservations = self.reservations();
        let reservation = reservations.entry(id.to_owned()).or_default();
        reservation.patches += 1;
        let outcome = match reservation.status {
            now if now == to => Outcome::Repeated,
            Status::Confirmed => Outcome::Refused,
            Status::Expired | Status::Cancelled if to != Status::Confirmed => Outcome::Refused,
            _ => Outcome::Effect,
        };
        if outcome == Outcome::Refused {
            refuse(reply, reservation);
            return outcome;
        }
        if outcome == Outcome::Effect {
            reservation.status = to;
            reservation.order_id = patch.order_id;
            reservation.payment_intent_id = patch.payment_intent_id;
            reservation.cancel_reason = patch.cancel_reason;
            reservation.error_code = patch.error_code;
            reservation.effects += 1;
        }
        write(reply, &shown(id, reservation));
        outcome
    }
}

fn shown(id: &str, reservation: &Reservation) -> Shown {
    Shown {
        reservation_id: id.to_owned(),
        event_id: "evt_stand_in".to_owned(),
        user_id: "usr_stand_in".to_owned(),
        status: reservation.status.as_str().to_owned(),
        seat_ids: vec!["A-1-1".to_owned(), "A-1-2".to_owned()],
        quantity: 2,
        total_price: 240_000,
        currency: "KRW".to_owned(),
        hold_expires_at: LONG_AGO.to_owned(),
        created_at: LONG_AGO.to_owned(),
        updated_at: LONG_AGO.to_owned(),
        section: None,
        order_id: reservation.order_id.clone(),
        payment_intent_id: reservation.payment_intent_id.clone(),
        cancel_reason: reservation.cancel_reason.clone(),
        error_code: reservation.error_code.clone(),
    }
}

fn refuse(reply: &mut Reply, reservation: &Reservation) {
    let intent = reservation.payment_intent_id.as_deref().and_then(|id| PaymentIntentId::parse(id).ok());
    let error = wire::illegal_move(reservation.status, intent.as_ref());
    reply.status = 409;
    write(reply, &wire::illegal_body(&error, reservation.status, intent.as_ref()));
}

fn fail(reply: &mut Reply, status: u16, code: &str, message: &str) {
    reply.status = status;
    write(reply, &json!({"error": {"code": code, "message": message, "trace_id": ""}}));
}

fn write(reply: &mut Reply, body: &impl Serialize) {
    serde_json::to_writer(&mut reply.body, body).expect("a buffer takes everything");
}
