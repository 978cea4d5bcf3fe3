//! Signs and verifies the pass of a waiting room. Both are pure functions: the time is an argument.
//! See `docs/design.md#the-waiting-room`.
//!
//! The gateway makes a pass when a person's turn comes, and the reservation service redeems it
//! once. Its text is `p1.<payload>.<signature>`, both parts base64url without padding: the payload
//! is JSON, the signature is HMAC-SHA256 over everything before the last point. The prefix fixes
//! the scheme and names no algorithm, so the bearer cannot choose one. The signature is compared in
//! constant time, before any part of the payload is read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::{PersonId, ShowId};
use domain::time::Timestamp;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::borrow::Cow;
use std::sync::Arc;

/// Longest pass in bytes: three ids of 128 bytes with every byte escaped, and the rest.
pub const BYTES_MAX: usize = 4 * 1024;
/// Longest id in bytes.
pub const ID_BYTES_MAX: usize = 128;

const SCHEME: &str = "p1.";

/// The content of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Names one turn of the show, up to [`ID_BYTES_MAX`]. Two passes for one turn have the same
    /// id, so at most one of them is redeemed.
    pub id: Arc<str>,
    /// The show that it admits to.
    pub show: ShowId,
    /// The only person it admits.
    pub person: PersonId,
    /// The first moment at which it is no longer valid.
    pub expires_at: Timestamp,
}

/// Why a pass is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not a pass, or one of a later scheme.
    #[error("it is not a pass")]
    Malformed,
    /// Signed with another secret, or changed.
    #[error("its signature does not match")]
    WrongSignature,
    /// It has expired.
    #[error("it has expired")]
    Expired,
}

#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    id: Cow<'a, str>,
    show: Cow<'a, str>,
    person: Cow<'a, str>,
    /// Milliseconds since 1970.
    exp: u64,
}

/// The text of a pass.
pub fn sign(secret: &[u8], pass: &Pass) -> String {
    let payload = Payload {
        id: (&*pass.id).into(),
        show: pass.show.as_str().into(),
        person: pass.person.as_str().into(),
        exp: pass.expires_at.as_millis(),
    };
    let mut text = SCHEME.to_owned();
    let json = serde_json::to_vec(&payload).expect("texts and a number");
    URL_SAFE_NO_PAD.encode_string(json, &mut text);
    let signature = mac(secret, &text).finalize().into_bytes();
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    text
}

/// Reads a pass that one of these secrets has signed: the current secret and, during a rotation,
/// the one before. The caller compares the person and the show.
pub fn verify(secrets: &[&[u8]], text: &str, now: Timestamp) -> Result<Pass, Rejected> {
    if text.len() > BYTES_MAX {
        return Err(Rejected::Malformed);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(Rejected::Malformed)?;
    let payload = signed.strip_prefix(SCHEME).ok_or(Rejected::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejected::Malformed)?;
    if !secrets.iter().any(|secret| mac(secret, signed).verify_slice(&signature).is_ok()) {
        return Err(Rejected::WrongSignature);
    }
    let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Rejected::Malformed)?;
    let payload: Payload<'_> = serde_json::from_slice(&json).map_err(|_| Rejected::Malformed)?;
    let (Ok(show), Ok(person)) = (ShowId::parse(&payload.show), PersonId::parse(&payload.person)) else {
        return Err(Rejected::Malformed);
    };
    if payload.id.is_empty() || payload.id.len() > ID_BYTES_MAX {
        return Err(Rejected::Malformed);
    }
    let pass =
        Pass { id: (&*payload.id).into(), show, person, expires_at: Timestamp::from_millis(payload.exp) };
    if now >= pass.expires_at { Err(Rejected::Expired) } else { Ok(pass) }
}

fn mac(secret: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);

    fn pass(id: &str, show: &str, person: &str) -> Pass {
        Pass {
            id: id.into(),
            show: ShowId::parse(show).unwrap(),
            person: PersonId::parse(person).unwrap(),
            expires_at: NOW.plus(core::time::Duration::from_secs(30)),
        }
    }

    /// The expected value was computed with Python's hmac and base64 over the same bytes.
    #[test]
    fn a_pass_has_the_documented_form() {
        let text = sign(b"whsec_0123456789", &pass("show:7", "show", "kim"));
        let payload =
            "eyJpZCI6InNob3c6NyIsInNob3ciOiJzaG93IiwicGVyc29uIjoia2ltIiwiZXhwIjoxNzUwMDAwMDMwMDAwfQ";
        assert_eq!(text, format!("p1.{payload}.rS3pUJShU0w5i6TlxhUNML4jpKk0N60zxOKfQeK8veM"));
    }

    #[test]
    fn a_pass_is_valid_until_it_expires_under_either_secret() {
        let pass = pass("1", "show", "kim");
        let text = sign(b"old", &pass);
        assert_eq!(verify(&[b"new", b"old"], &text, NOW).as_ref(), Ok(&pass));
        let last = Timestamp::from_millis(pass.expires_at.as_millis() - 1);
        assert_eq!(verify(&[b"old"], &text, last).as_ref(), Ok(&pass));
        assert_eq!(verify(&[b"old"], &text, pass.expires_at), Err(Rejected::Expired));
        assert_eq!(verify(&[b"new"], &text, NOW), Err(Rejected::WrongSignature));
        assert_eq!(verify(&[], &text, NOW), Err(Rejected::WrongSignature));
    }

    #[test]
    fn malformed_passes_are_rejected() {
        let good = sign(b"s", &pass("1", "show", "kim"));
        let signed = |text: &str| {
            let signature = URL_SAFE_NO_PAD.encode(mac(b"s", text).finalize().into_bytes());
            format!("{text}.{signature}")
        };
        let json = |json: &str| signed(&format!("p1.{}", URL_SAFE_NO_PAD.encode(json)));
        for text in [
            String::new(),
            good.replace("p1.", "p2."),
            good.replace("p1.", ""),
            // A JSON Web Token without an algorithm.
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode("{}")),
            format!("{good}="),
            "x".repeat(BYTES_MAX + 1),
            signed("p2.e30"),
            json("{}"),
            json(r#"{"id":"","show":"s","person":"p","exp":9999999999999}"#),
            json(r#"{"id":"1","show":"","person":"p","exp":9999999999999}"#),
            json(r#"{"id":"1","show":"s","person":"p","exp":-1}"#),
        ] {
            assert_eq!(verify(&[b"s"], &text, NOW), Err(Rejected::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_pass_round_trips_and_any_change_is_detected(
            id in "[^\\x00-\\x1f]{1,30}", show in "[a-z가-힣|.]{1,30}", person in "[a-z\"\\\\]{1,30}", at: prop::sample::Index, flip in 1u8..128,
        ) {
            let pass = pass(&id, &show, &person);
            let text = sign(b"secret", &pass);
            prop_assert!(text.len() <= BYTES_MAX);
            prop_assert_eq!(verify(&[b"secret"], &text, NOW), Ok(pass));
            let mut changed = text.clone().into_bytes();
            changed[at.index(text.len())] ^= flip;
            if let Ok(changed) = String::from_utf8(changed) {
                prop_assert!(verify(&[b"secret"], &changed, NOW).is_err(), "{changed}");
            }
        }
    }
}
