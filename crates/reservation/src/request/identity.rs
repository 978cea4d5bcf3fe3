//! Ids that are functions of a request: a retry after a crash finds its own reservation and its own
//! hold.

use super::Create;
use contracts::IdempotencyKey;
use contracts::digest::half_sha256_hex;
use domain::id::{PersonId, ReservationId};
use std::sync::Arc;

/// What makes two requests the same reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The person's Idempotency-Key.
    Key(&'a IdempotencyKey),
    /// The pass of the waiting room, which is used once: for callers without a key.
    Pass(&'a str),
    /// Nothing: each request is another reservation. The numbers are random.
    Chance([u64; 2]),
}

/// The reservation's id: `rsv_` and 32 hexadecimal digits of the SHA-256 of person and origin.
pub fn reservation_id(person: &PersonId, origin: Origin<'_>) -> ReservationId {
    // Neither person nor key has control characters, so zero bytes separate them. The second zero
    // byte keeps a pass from being taken for a key.
    let mut bytes = person.as_str().as_bytes().to_vec();
    match origin {
        Origin::Key(key) => {
            bytes.extend(b"\0");
            bytes.extend(key.as_str().as_bytes());
        }
        Origin::Pass(pass) => {
            bytes.extend(b"\0\0");
            bytes.extend(pass.as_bytes());
        }
        Origin::Chance(numbers) => {
            bytes.extend(b"\0\0\0");
            bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        }
    }
    let text = format!("rsv_{}", half_sha256_hex(&bytes));
    ReservationId::parse(&text).expect("rsv_ and 32 hexadecimal digits are an identifier")
}

/// What a request wants, in 32 hexadecimal digits: the same key with another fingerprint is another
/// request.
///
/// The pass is not part of it: a retry may carry a newer one. The order of the seats counts, as it
/// does for the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub Arc<str>);

impl Fingerprint {
    /// The fingerprint of a request.
    pub fn from_request(create: &Create) -> Self {
        let seats = create.seats.iter().map(AsRef::as_ref);
        let section = create.section.as_ref().map(AsRef::as_ref).unwrap_or_default();
        let quantity = create.quantity.to_string();
        let head = [create.show.as_str(), section, &quantity];
        let text = head.into_iter().chain(seats).collect::<Vec<_>>().join("\0");
        Self(half_sha256_hex(text.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(text: &str) -> PersonId {
        PersonId::parse(text).unwrap()
    }

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey::parse(text).unwrap()
    }

    #[test]
    fn the_derivation_is_the_documented_one() {
        // printf 'kim\0buy-1' | sha256sum | cut -c1-32
        let id = reservation_id(&person("kim"), Origin::Key(&key("buy-1")));
        assert_eq!(id.as_str(), "rsv_a4a5af7f13403cbfe7f047e4a5dc975a");
    }

    #[test]
    fn person_key_and_origin_make_different_reservations() {
        let ids = [
            reservation_id(&person("kim"), Origin::Key(&key("a"))),
            reservation_id(&person("lee"), Origin::Key(&key("a"))),
            reservation_id(&person("kim"), Origin::Key(&key("b"))),
            reservation_id(&person("kim"), Origin::Pass("a")),
            reservation_id(&person("kim"), Origin::Chance([1, 2])),
            reservation_id(&person("kim"), Origin::Chance([1, 3])),
            reservation_id(&person("ki"), Origin::Key(&key("ma"))),
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }
}
