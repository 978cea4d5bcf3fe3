//! The provider's public keys, as a JSON Web Key Set (RFC 7517).
//!
//! Providers publish keys for other purposes too, and new kinds of keys appear before every reader
//! knows them. So an unusable key is skipped and the rest is used (RFC 7517, 5). A usable key is
//! for RS256 or ES256, as decided by its type, its curve and, if given, its use and its algorithm.

use crate::signature::{Algorithm, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ports::Fault;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Longest key set in bytes. Real ones have a few kilobytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// Bits of an RSA key: shorter keys can be broken (RFC 7518, 3.3), longer keys cost time at every
/// request.
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 8_192;

/// The keys that verify tokens.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    left_out: usize,
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// Its two numbers as published, to recognise the key.
    numbers: (String, String),
    verifying: VerifyingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The members of a key that matter here (RFC 7517, 4; RFC 7518, 6).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

impl KeySet {
    /// Reads a key set.
    ///
    /// # Errors
    /// If it is not a key set. One without a usable key is still a key set.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            let what = format!("the key set has {} bytes; the limit is {KEY_SET_BYTES_MAX}", bytes.len());
            return Err(Fault::permanent(what));
        }
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Fault::permanent("the provider's answer is not a key set"));
        }
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| Fault::permanent("the provider's answer is not a key set").because(error))?;
        let published = document.keys.len();
        let mut keys: Vec<Key> = Vec::new();
        for key in document.keys.into_iter().filter_map(usable) {
            if !keys.iter().any(|known| known.is(&key)) {
                keys.push(key);
            }
        }
        let left_out = published - keys.len();
        Ok(Self { keys, left_out })
    }

    /// The key of this algorithm with this id; without an id, the only key of this algorithm.
    /// `None` if two keys fit: a token is never tried against one key after the other.
    pub(crate) fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<&VerifyingKey> {
        let named = |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        let mut fitting = self.keys.iter().filter(|key| key.verifying.algorithm() == algorithm).filter(named);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(&key.verifying),
            _ => None,
        }
    }

    /// How many usable keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many published keys were skipped.
    pub(crate) fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether the keys are the same, in any order.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.keys.iter().all(|key| other.keys.iter().any(|theirs| key.is(theirs)))
    }
}

impl Key {
    fn is(&self, other: &Self) -> bool {
        (&self.kid, &self.numbers, self.verifying.algorithm())
            == (&other.kid, &other.numbers, other.verifying.algorithm())
    }
}

/// The key, if it may verify tokens.
fn usable(key: Value) -> Option<Key> {
    // serde would also read a struct from an array, by position.
    let jwk: Jwk = key.is_object().then(|| serde_json::from_value(key).ok())??;
    let signs = jwk.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    // A key with a published private part signs for everybody.
    if !signs || jwk.d.is_some() {
        return None;
    }
    let is_for = |algorithm: &str| jwk.alg.as_deref().is_none_or(|alg| alg == algorithm);
    let (numbers, verifying) = match jwk.kty.as_str() {
        "RSA" if is_for("RS256") => {
            let numbers = (jwk.n?, jwk.e?);
            let verifying = rsa(&number(&numbers.0)?, &number(&numbers.1)?)?;
            (numbers, verifying)
        }
        "EC" if is_for("ES256") && jwk.crv.as_deref() == Some("P-256") => {
            let numbers = (jwk.x?, jwk.y?);
            let (x, y) = (number(&numbers.0)?.try_into().ok()?, number(&numbers.1)?.try_into().ok()?);
            (numbers, VerifyingKey::p256(&x, &y))
        }
        _ => return None,
    };
    Some(Key { kid: jwk.kid, numbers, verifying })
}

fn number(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<VerifyingKey> {
    let (modulus, exponent) = (trimmed(modulus), trimmed(exponent));
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    // With an exponent of 1 every message is its own signature. An even exponent makes no key, and
    // no exponent in use has more than 32 bits.
    let exponent_fits = match exponent {
        [] | [1] => false,
        [.., last] => exponent.len() <= 4 && last % 2 == 1,
    };
    let fits = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) && exponent_fits;
    fits.then(|| VerifyingKey::rsa(modulus, exponent))
}

/// Without leading zeros.
fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
