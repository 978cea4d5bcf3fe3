//! Signs and verifies webhooks. Both are pure functions: the time is an argument. The headers are
//! listed in `docs/contracts.md#payment-sim-api`.
//!
//! The signature is HMAC-SHA256 over `timestamp "." body`, so neither can be changed or replayed
//! later without the secret. It is compared in constant time and before the timestamp, so a caller
//! without the secret learns nothing about our clock. The receiver remembers ids, so that a webhook
//! takes effect once.

use crate::digest::hex;
use core::time::Duration;
use domain::time::Timestamp;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Largest allowed distance between the timestamp and our clock, in either direction.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const SCHEME: &str = "sha256=";

/// Why a webhook is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// A header is missing or empty; its name is given.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("the timestamp is not a number of seconds since 1970")]
    MalformedTimestamp,
    /// The signature is not `sha256=` and 64 hexadecimal digits.
    #[error("the signature is not sha256=<64 hexadecimal digits>")]
    MalformedSignature,
    /// The signature does not match.
    #[error("the signature does not match")]
    WrongSignature,
    /// The timestamp is more than [`TOLERANCE`] away.
    #[error("the timestamp is more than 5 minutes away")]
    OutsideTolerance,
}

/// The value of `X-Webhook-Timestamp` at a point in time: seconds since 1970.
pub fn timestamp(at: Timestamp) -> String {
    (at.as_millis() / 1000).to_string()
}

/// The value of `X-Webhook-Signature`.
pub fn sign(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    let digest = mac(secret, timestamp, body).finalize().into_bytes();
    format!("{SCHEME}{}", hex(&digest))
}

/// Checks a webhook against the secret and our clock. `timestamp` and `signature` are the values of
/// the headers, `None` if a header is missing; `body` is the body as received.
pub fn verify(
    secret: &[u8],
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Rejected> {
    let text = timestamp.filter(|t| !t.is_empty()).ok_or(Rejected::MissingHeader("X-Webhook-Timestamp"))?;
    let signature =
        signature.filter(|s| !s.is_empty()).ok_or(Rejected::MissingHeader("X-Webhook-Signature"))?;
    let digest = signature.strip_prefix(SCHEME).and_then(digest).ok_or(Rejected::MalformedSignature)?;
    mac(secret, text, body).verify_slice(&digest).map_err(|_| Rejected::WrongSignature)?;
    if text.len() > 19 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejected::MalformedTimestamp);
    }
    let at = unix_time(text.parse().map_err(|_| Rejected::MalformedTimestamp)?);
    if at.since(now).max(now.since(at)) > TOLERANCE {
        return Err(Rejected::OutsideTolerance);
    }
    Ok(())
}

/// Seconds since 1970, or milliseconds if the number is at least 10^11 (in seconds that is the year
/// 5138). Providers write both.
pub fn unix_time(number: u64) -> Timestamp {
    Timestamp::from_millis(if number >= 100_000_000_000 { number } else { number * 1000 })
}

fn mac(secret: &[u8], timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let bytes = hex.as_bytes();
    let mut digest = [0; 32];
    if bytes.len() != 64 {
        return None;
    }
    for (at, pair) in bytes.chunks_exact(2).enumerate() {
        let nibble = |byte: u8| char::from(byte).to_digit(16);
        digest[at] = u8::try_from(nibble(pair[0])? * 16 + nibble(pair[1])?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"whsec_test";
    const BODY: &[u8] = br#"{"type":"payment.approved"}"#;
    const NOW: Timestamp = Timestamp::from_millis(1_737_626_400_000);

    fn check(timestamp: &str, signature: &str, body: &[u8], now: Timestamp) -> Result<(), Rejected> {
        verify(SECRET, Some(timestamp), Some(signature), body, now)
    }

    /// The expected value is the output of
    /// `printf '1737626400.{"type":"payment.approved"}' | openssl dgst -sha256 -hmac whsec_test`.
    #[test]
    fn the_signature_is_the_one_that_other_programs_compute() {
        assert_eq!(
            sign(SECRET, "1737626400", BODY),
            "sha256=824c96f568c84270af35334f3a750e9d58da9f19eef48ceb58263b8bf43d7743"
        );
    }

    #[test]
    fn a_signed_webhook_is_accepted_for_five_minutes_in_either_direction() {
        let stamp = timestamp(NOW);
        let signature = sign(SECRET, &stamp, BODY);
        for (millis, expected) in [(0, Ok(())), (300_000, Ok(())), (300_001, Err(Rejected::OutsideTolerance))]
        {
            let later = Timestamp::from_millis(NOW.as_millis() + millis);
            let earlier = Timestamp::from_millis(NOW.as_millis() - millis);
            assert_eq!(check(&stamp, &signature, BODY, later), expected, "{millis} later");
            assert_eq!(check(&stamp, &signature, BODY, earlier), expected, "{millis} earlier");
        }
        let millis = NOW.as_millis().to_string();
        assert_eq!(check(&millis, &sign(SECRET, &millis, BODY), BODY, NOW), Ok(()));
        let upper = signature.to_uppercase().replace("SHA256", "sha256");
        assert_eq!(check(&stamp, &upper, BODY, NOW), Ok(()));
    }

    /// Trap T-M5: unsigned and replayable webhooks.
    #[test]
    fn a_changed_webhook_is_rejected() {
        let stamp = timestamp(NOW);
        let signature = sign(SECRET, &stamp, BODY);
        let later = timestamp(Timestamp::from_millis(NOW.as_millis() + 1000));
        assert_eq!(check(&later, &signature, BODY, NOW), Err(Rejected::WrongSignature));
        assert_eq!(check(&stamp, &signature, b"{}", NOW), Err(Rejected::WrongSignature));
        let other = sign(b"another", &stamp, BODY);
        assert_eq!(check(&stamp, &other, BODY, NOW), Err(Rejected::WrongSignature));
        for bad in ["sha256=", "sha256=zz", "md5=00", &signature[..70], &format!("{signature}0"), "sha256=é"]
        {
            assert_eq!(check(&stamp, bad, BODY, NOW), Err(Rejected::MalformedSignature), "{bad}");
        }
        for missing in [None, Some("")] {
            assert!(matches!(
                verify(SECRET, missing, Some(&signature), BODY, NOW),
                Err(Rejected::MissingHeader("X-Webhook-Timestamp"))
            ));
            assert!(matches!(
                verify(SECRET, Some(&stamp), missing, BODY, NOW),
                Err(Rejected::MissingHeader("X-Webhook-Signature"))
            ));
        }
        for odd in ["now", "-1", "+1737626400", "1e9", "99999999999999999999", "1737626400 "] {
            let signature = sign(SECRET, odd, BODY);
            assert_eq!(check(odd, &signature, BODY, NOW), Err(Rejected::MalformedTimestamp), "{odd}");
        }
    }
}
