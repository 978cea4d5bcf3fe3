//! Mints tokens of our own, for local use.

use crate::compact::{encoded, encoded_signature};
use crate::signature::Secret;
use core::time::Duration;
use domain::id::PersonId;
use domain::time::Timestamp;
use serde::Serialize;

/// The claims of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the bearer.
    pub person: PersonId,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`.
    pub audience: Option<String>,
    /// `iat`, in whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, in whole seconds.
    pub expires_at: Timestamp,
}

impl Claims {
    /// The claims of a person, valid for `good_for` from `now`. `name` is both the issuer and the
    /// audience.
    pub fn new(person: PersonId, name: &str, now: Timestamp, good_for: Duration) -> Self {
        let name = Some(name.to_owned());
        Self { person, issuer: name.clone(), audience: name, issued_at: now, expires_at: now.plus(good_for) }
    }
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
}

#[derive(Serialize)]
struct Payload<'c> {
    sub: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'c str>,
    iat: u64,
    exp: u64,
}

/// A token with these claims, signed with HS256.
pub fn mint(secret: &Secret, claims: &Claims) -> String {
    let payload = Payload {
        sub: claims.person.as_str(),
        iss: claims.issuer.as_deref(),
        aud: claims.audience.as_deref(),
        iat: claims.issued_at.as_millis() / 1_000,
        exp: claims.expires_at.as_millis() / 1_000,
    };
    let mut token = format!("{}.{}", encoded(&Header { alg: "HS256", typ: "JWT" }), encoded(&payload));
    let signature = secret.sign(&token);
    token.push('.');
    token.push_str(&encoded_signature(&signature));
    token
}
