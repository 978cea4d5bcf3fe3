//! The event envelope that travels on the queue: every producer writes it and every consumer reads
//! it. Its fields are listed in `docs/contracts.md#events`.
//!
//! [`encode`] writes the one canonical form. [`decode`] accepts that form and its equivalents: the
//! type under `detail-type`, the real EventBridge envelope, the older name
//! `reservation.hold.expired`, missing optional fields, a missing id. Everything else is
//! [`Undecodable`] with its reason. A retry cannot help such a message, so it goes to the
//! dead-letter queue at once.
//!
//! - Unknown fields are skipped. `null` and "" mean the same as a missing field, because producers
//!   in other languages write them instead of leaving the field out.
//! - A `qty` of 0 means that the producer does not know the quantity.
//! - Decoding borrows from the body, allocates only what the event keeps, and never panics or
//!   recurses on its input.

mod raw;
mod undecodable;

pub use undecodable::{Reason, Undecodable};

use crate::time;
use crate::trace;
use domain::event::{Event, Fact, Kind, SeatsHint};
use domain::id::{EventId, InvalidId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::limits::MESSAGE_BYTES_MAX;
use domain::money::{Currency, Money};
use domain::time::Timestamp;
use ports::Trace;
use raw::{Detail, Envelope, Object, Text};
use serde::Serialize;
use std::sync::Arc;

/// The deepest nesting that is decoded; the same as serde_json's own limit for values.
const DEPTH_MAX: usize = 128;
/// Longest kept prefix, in bytes, of a provider's error code and error message.
const TEXT_BYTES_MAX: usize = 1024;
/// The older name of `reservation.expired`.
pub const EXPIRED_ALIAS: &str = "reservation.hold.expired";

/// Decodes a message. `message_id` is the queue's own id, `attributes` are the message attributes
/// and system attributes.
///
/// The trace comes from `traceparent`, else `AWSTraceHeader`, else the field `trace_id`.
pub fn decode(
    body: &str,
    message_id: &str,
    attributes: &[(String, String)],
) -> Result<(Event, Trace), Undecodable> {
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(Undecodable::new(Reason::TooLarge { bytes: body.len() }, "unknown"));
    }
    if too_deep(body.as_bytes()) {
        return Err(Undecodable::new(Reason::TooDeep, "unknown"));
    }
    let Object(envelope) = serde_json::from_str::<Object<Envelope<'_>>>(body).map_err(|why| {
        let reason = if why.is_data() {
            Reason::BadField(undecodable::clipped(&why.to_string()))
        } else {
            Reason::NotJson(undecodable::clipped(&why.to_string()))
        };
        Undecodable::new(reason, label_of(body))
    })?;
    let name = given(&envelope.kind).or_else(|| given(&envelope.detail_type));
    let Some(name) = name else {
        return Err(Undecodable::new(Reason::MissingField("type"), "unknown"));
    };
    let Some(kind) = kind_of(name) else {
        return Err(Undecodable::new(Reason::UnknownType(undecodable::clipped(name)), "unknown"));
    };
    event(kind, &envelope, message_id, attributes).map_err(|reason| Undecodable::new(reason, kind.label()))
}

/// Encodes an event in the canonical form.
pub fn encode(event: &Event) -> String {
    let (intent, amount, error_code, error_message, expired_at) = match &event.fact {
        Fact::ReservationExpired { expired_at } => (None, None, None, None, *expired_at),
        Fact::PaymentApproved { intent, amount } => (Some(intent), amount.as_ref(), None, None, None),
        Fact::PaymentFailed { intent, amount, error_code, error_message } => {
            (Some(intent), amount.as_ref(), error_code.as_deref(), error_message.as_deref(), None)
        }
    };
    let written = Written {
        id: event.id.as_str(),
        kind: event.fact.kind().wire(),
        source: &event.source,
        detail: WrittenDetail {
            reservation_id: event.reservation.as_str(),
            event_id: event.seats.show.as_ref().map(ShowId::as_str),
            qty: event.seats.quantity,
            seat_ids: event.seats.seats.iter().map(SeatId::as_str).collect(),
            user_id: event.person.as_ref().map(PersonId::as_str),
            expires_at: expired_at.map(time::rfc3339),
            payment_intent_id: intent.map(PaymentIntentId::as_str),
            amount: amount.map(|money| money.amount),
            currency: amount.map(|money| money.currency.as_str()),
            error_code,
            error_message,
        },
        time: time::rfc3339(event.at),
        trace_id: event.trace_id.as_deref(),
        version: "1.0",
    };
    serde_json::to_string(&written).expect("the envelope has text keys and no failing Serialize")
}

fn kind_of(name: &str) -> Option<Kind> {
    if name == EXPIRED_ALIAS {
        return Some(Kind::Expired);
    }
    Kind::ALL.into_iter().find(|kind| kind.wire() == name)
}

/// The label of a body that failed to decode: its type, if at least that can be found.
fn label_of(body: &str) -> &'static str {
    let name = serde_json::from_str::<raw::TypeOnly<'_>>(body).ok().and_then(|raw| {
        let name = given(&raw.kind).or_else(|| given(&raw.detail_type))?;
        kind_of(name)
    });
    name.map_or("unknown", Kind::label)
}

fn event(
    kind: Kind,
    envelope: &Envelope<'_>,
    message_id: &str,
    attributes: &[(String, String)],
) -> Result<(Event, Trace), Reason> {
    let Object(detail) = envelope.detail.as_ref().ok_or(Reason::MissingField("detail"))?;
    let reservation = id(ReservationId::parse, "reservation_id", &detail.reservation_id)?
        .ok_or(Reason::MissingField("reservation_id"))?;
    let fact = fact(kind, detail)?;
    let own = id(EventId::parse, "id", &envelope.id)?;
    let event_id = match own {
        Some(id) => id,
        None => EventId::parse(message_id).map_err(|why| Reason::InvalidId { field: "id", why })?,
    };
    let written = given(&envelope.trace_id);
    let trace = trace::from_message(attributes, written);
    let same = trace.trace_id.as_deref() == written;
    let event = Event {
        id: event_id,
        source: given(&envelope.source).unwrap_or_default().into(),
        at: instant("time", &envelope.time)?.unwrap_or(Timestamp::EPOCH),
        trace_id: written.filter(|_| !same).map(Arc::from).or_else(|| trace.trace_id.clone()),
        reservation,
        seats: seats(detail)?,
        person: id(PersonId::parse, "user_id", &detail.user_id)?,
        fact,
    };
    Ok((event, trace))
}

fn fact(kind: Kind, detail: &Detail<'_>) -> Result<Fact, Reason> {
    if kind == Kind::Expired {
        return Ok(Fact::ReservationExpired { expired_at: instant("expires_at", &detail.expires_at)? });
    }
    let intent = id(PaymentIntentId::parse, "payment_intent_id", &detail.payment_intent_id)?
        .ok_or(Reason::MissingField("payment_intent_id"))?;
    let amount = match detail.amount {
        None => None,
        Some(amount) => Some(Money { amount, currency: currency(&detail.currency)? }),
    };
    Ok(match kind {
        Kind::Failed => Fact::PaymentFailed {
            intent,
            amount,
            error_code: clipped_text(&detail.error_code),
            error_message: clipped_text(&detail.error_message),
        },
        Kind::Expired | Kind::Approved => Fact::PaymentApproved { intent, amount },
    })
}

fn seats(detail: &Detail<'_>) -> Result<SeatsHint, Reason> {
    let texts = detail.seat_ids.as_deref().unwrap_or_default();
    let seats = texts
        .iter()
        .map(|text| SeatId::parse(text.as_str()).map_err(|why| Reason::InvalidId { field: "seat_ids", why }))
        .collect::<Result<_, _>>()?;
    Ok(SeatsHint {
        show: id(ShowId::parse, "event_id", &detail.event_id)?,
        seats,
        quantity: detail.qty.filter(|qty| *qty > 0),
    })
}

fn currency(text: &Option<Text<'_>>) -> Result<Currency, Reason> {
    match given(text) {
        None => Ok(Currency::krw()),
        Some(text) => Currency::parse(text)
            .ok_or_else(|| Reason::BadField("currency is not three upper-case letters".to_owned())),
    }
}

fn instant(field: &'static str, text: &Option<Text<'_>>) -> Result<Option<Timestamp>, Reason> {
    given(text).map(|text| time::parse_rfc3339(text).ok_or(Reason::BadTime(field))).transpose()
}

fn id<T>(
    parse: impl Fn(&str) -> Result<T, InvalidId>,
    field: &'static str,
    text: &Option<Text<'_>>,
) -> Result<Option<T>, Reason> {
    given(text).map(|text| parse(text).map_err(|why| Reason::InvalidId { field, why })).transpose()
}

fn clipped_text(text: &Option<Text<'_>>) -> Option<Arc<str>> {
    given(text).map(|text| text[..text.floor_char_boundary(TEXT_BYTES_MAX)].into())
}

fn given<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(Text::as_str).filter(|text| !text.is_empty())
}

/// Whether brackets nest deeper than [`DEPTH_MAX`]. Only a body with that many brackets is scanned
/// in full.
fn too_deep(body: &[u8]) -> bool {
    // This runs over every message, and compilers turn sums of bytes over short pieces into vector
    // instructions. `[` and `{` differ in one bit.
    let in_piece =
        |piece: &[u8]| usize::from(piece.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>());
    if body.chunks(255).map(in_piece).sum::<usize>() <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    source: &'a str,
    detail: WrittenDetail<'a>,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    version: &'static str,
}

#[derive(Serialize)]
struct WrittenDetail<'a> {
    reservation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qty: Option<u32>,
    seat_ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_intent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

#[cfg(test)]
mod tests;
