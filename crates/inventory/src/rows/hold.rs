//! The row of a hold.

use super::unreadable;
use domain::hash::fnv1a;
use domain::hold::{Hold, HoldKey, HoldState, ReleaseCause};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use ports::Fault;
use ports::store::{Attributes, Expect, IndexEntry, Key, Row, Write};
use std::sync::Arc;

/// The index of live holds by due time.
pub const DUE_HOLDS: &str = "due_holds";
/// Its shards, so that no single partition of an engine gets every hold.
pub const DUE_SHARDS: u32 = 8;

/// The shard of a reservation: FNV-1a of its id. It is stored, so it must not change.
pub fn due_shard(reservation: &str) -> Arc<str> {
    (fnv1a(reservation.as_bytes()) % u64::from(DUE_SHARDS)).to_string().into()
}

/// The key of a hold.
pub fn hold_key(reservation: &ReservationId, key: HoldKey) -> Key {
    let sort = match key {
        HoldKey::First => "1",
        HoldKey::Retake => "2",
    };
    Key::new(format!("hold#{reservation}"), sort)
}

/// The write of a hold. `version` is the version that was read, 0 for a new hold.
pub fn hold_put(hold: &Hold, version: u64) -> Write {
    let mut attributes = Attributes::with_room(12)
        .with("reservation_id", hold.reservation.shared())
        .with("show", hold.show.shared())
        .with_some("any_of", hold.any_of.as_ref().map(SectionId::shared))
        .with("seat_ids", hold.seats.iter().map(SeatId::shared).collect::<Vec<_>>())
        .with("person", hold.person.shared())
        .with("hold_expires_at", hold.until)
        .with("placed_at", hold.placed_at);
    attributes = match &hold.state {
        HoldState::Live => attributes.with("status", "LIVE"),
        HoldState::Committed { order, intent, at } => attributes
            .with("status", "COMMITTED")
            .with("order_id", order.as_str())
            .with_some("payment_intent_id", intent.as_ref().map(PaymentIntentId::as_str))
            .with("resolved_at", *at),
        HoldState::Released { cause, at } => {
            attributes.with("status", "RELEASED").with("cause", cause.as_str()).with("resolved_at", *at)
        }
    };
    if !hold.refused.is_empty() {
        let refused: Vec<Arc<str>> = hold.refused.iter().map(|intent| Arc::from(intent.as_str())).collect();
        attributes = attributes.with("refused", refused);
    }
    if hold.closed {
        attributes = attributes.with("retakes_closed", true);
    }
    let due = || IndexEntry { index: DUE_HOLDS, shard: due_shard(hold.reservation.as_str()), at: hold.until };
    Write::Put {
        key: hold_key(&hold.reservation, hold.key),
        expect: Expect::unchanged(version),
        attributes,
        indexes: if hold.state == HoldState::Live { vec![due()] } else { Vec::new() },
    }
}

/// Reads a hold.
pub fn read_hold(row: &Row) -> Result<Hold, Fault> {
    parse(row).ok_or_else(|| unreadable("hold", &row.key))
}

fn parse(row: &Row) -> Option<Hold> {
    let a = &row.attributes;
    let state = match &**a.text("status")? {
        "LIVE" => HoldState::Live,
        "COMMITTED" => HoldState::Committed {
            order: OrderId::parse(a.text("order_id")?).ok()?,
            intent: match a.text("payment_intent_id") {
                Some(intent) => Some(PaymentIntentId::parse(intent).ok()?),
                None => None,
            },
            at: a.time("resolved_at")?,
        },
        "RELEASED" => {
            HoldState::Released { cause: ReleaseCause::parse(a.text("cause")?)?, at: a.time("resolved_at")? }
        }
        _ => return None,
    };
    let seats =
        a.texts("seat_ids")?.iter().map(|seat| SeatId::parse(seat).ok()).collect::<Option<Vec<_>>>()?;
    let refused = a.texts("refused").unwrap_or_default();
    Some(Hold {
        reservation: ReservationId::parse(a.text("reservation_id")?).ok()?,
        key: if &*row.key.sort == "2" { HoldKey::Retake } else { HoldKey::First },
        show: ShowId::parse(a.text("show")?).ok()?,
        any_of: match a.text("any_of") {
            Some(section) => Some(SectionId::parse(section).ok()?),
            None => None,
        },
        seats,
        person: PersonId::parse(a.text("person")?).ok()?,
        until: a.time("hold_expires_at")?,
        placed_at: a.time("placed_at")?,
        state,
        refused: refused
            .iter()
            .map(|intent| PaymentIntentId::parse(intent).ok())
            .collect::<Option<Vec<_>>>()?,
        closed: a.flag("retakes_closed").unwrap_or(false),
    })
}
