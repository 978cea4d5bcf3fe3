//! Event ids that are a function of the fact, and their compact form in memory.
//!
//! Two services that state the same fact (the payment simulator on the queue, the webhook's
//! receiver in its outbox) derive the same id without talking to each other, so the queue
//! deduplicates them and a consumer treats them as one.

use contracts::digest::{HALF_SHA256_BYTES, half_sha256, hex};
use domain::event::Kind;
use domain::id::{EventId, PaymentIntentId, ReservationId};

const PREFIX: &str = "evt_";

/// The id of "this intent was approved" or "this intent failed": `evt_` and the first half of the
/// SHA-256 of `payment`, the intent, and `approved` or `failed`, separated by zero bytes.
/// [`Kind::Expired`] is no fact about an intent and uses its own word.
pub fn payment_event_id(intent: &PaymentIntentId, kind: Kind) -> EventId {
    derive(&["payment", intent.as_str(), kind.label()])
}

/// The id of "the hold of this reservation ran out", made like [`payment_event_id`].
pub fn expired_event_id(reservation: &ReservationId) -> EventId {
    derive(&["expired", reservation.as_str()])
}

fn derive(parts: &[&str]) -> EventId {
    // Identifiers have no control characters, so a zero byte separates without ambiguity.
    let digest = half_sha256(parts.join("\0").as_bytes());
    EventId::parse(&CompactId::Digest(digest).text())
        .expect("evt_ and 32 hexadecimal digits are an identifier")
}

/// An event id in 24 bytes on the heap of a million: derived ids are stored as their digest, others
/// as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CompactId {
    Digest([u8; HALF_SHA256_BYTES]),
    Text(Box<str>),
}

impl CompactId {
    pub(crate) fn new(text: &str) -> Self {
        digest_of(text).map_or_else(|| Self::Text(text.into()), Self::Digest)
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Digest(bytes) => format!("{PREFIX}{}", hex(bytes)),
            Self::Text(text) => text.to_string(),
        }
    }
}

fn digest_of(text: &str) -> Option<[u8; HALF_SHA256_BYTES]> {
    let hex = text.strip_prefix(PREFIX)?.as_bytes();
    if hex.len() != 2 * HALF_SHA256_BYTES {
        return None;
    }
    // An id with upper-case digits is not one of ours and must be returned as it was written.
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; HALF_SHA256_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(text: &str) -> PaymentIntentId {
        PaymentIntentId::parse(text).expect("valid")
    }

    #[test]
    fn the_same_fact_has_the_same_id_and_another_fact_another() {
        let approved = payment_event_id(&intent("pay_1"), Kind::Approved);
        assert_eq!(approved, payment_event_id(&intent("pay_1"), Kind::Approved));
        assert_ne!(approved, payment_event_id(&intent("pay_1"), Kind::Failed));
        assert_ne!(approved, payment_event_id(&intent("pay_2"), Kind::Approved));
        let expired = expired_event_id(&ReservationId::parse("pay_1").expect("valid"));
        assert_ne!(expired, approved);
        assert!(expired.as_str().starts_with("evt_") && expired.as_str().len() == 36, "{expired}");
    }

    #[test]
    fn the_derivation_is_the_documented_one() {
        // printf 'payment\0pay_abc\0approved' | sha256sum | cut -c1-32
        let id = payment_event_id(&intent("pay_abc"), Kind::Approved);
        assert_eq!(id.as_str(), "evt_bb815bbe7ee4eaf9784f36307f101455");
    }

    #[test]
    fn every_id_survives_its_compact_form() {
        let derived = expired_event_id(&ReservationId::parse("rsv_1").expect("valid"));
        let others = ["evt_", "evt_x", "evt_ABCDEF00112233445566778899AABBCC", "evt_2025_1001", "좌석", "a"];
        for text in others.into_iter().chain([derived.as_str()]) {
            assert_eq!(CompactId::new(text).text(), text);
        }
        assert!(matches!(CompactId::new(derived.as_str()), CompactId::Digest(_)));
        assert!(size_of::<CompactId>() <= 24);
    }
}
