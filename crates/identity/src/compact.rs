//! The compact form of a token (RFC 7515): three parts with points between them, each base64url
//! without padding.
//!
//! Parsing is strict, so one token has one text: no padding, no line breaks, no bits after the last
//! byte, no duplicate member that matters. The header only names the key to look for; its `jwk`,
//! `jku`, `x5u` and `x5c` are ignored, because a token that brings its own key proves nothing.

use crate::Rejected;
use crate::signature::Algorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Longest token in bytes. Tokens grow with a person's groups and roles, and servers commonly
/// accept headers of 8 KiB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The parts of a token. Nothing in them has been verified.
pub(crate) struct Compact<'t> {
    header: Vec<u8>,
    /// The signed bytes, as received.
    pub(crate) signed: &'t [u8],
    payload: &'t str,
    /// The signature.
    pub(crate) signature: Vec<u8>,
}

/// The header's choice of a key.
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'h> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<Cow<'h, str>>,
}

#[derive(Deserialize)]
struct Members<'h> {
    #[serde(borrow, default, deserialize_with = "given")]
    alg: Option<Text<'h>>,
    #[serde(borrow, default, deserialize_with = "given")]
    kid: Option<Text<'h>>,
    #[serde(borrow, default, deserialize_with = "given")]
    typ: Option<Text<'h>>,
    #[serde(default, deserialize_with = "given")]
    crit: Option<IgnoredAny>,
}

impl<'t> Compact<'t> {
    /// Splits a token into its parts.
    pub(crate) fn parse(token: &'t str) -> Result<Self, Rejected> {
        if token.is_empty() {
            return Err(Rejected::Missing);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejected::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejected::Malformed)?;
        if payload.contains('.') {
            return Err(Rejected::Malformed);
        }
        let (header, signature) = (decoded(header)?, decoded(signature)?);
        Ok(Self { header, signed: signed.as_bytes(), payload, signature })
    }

    /// The key that it asks for.
    pub(crate) fn header(&self) -> Result<Header<'_>, Rejected> {
        let Members { alg, kid, typ, crit } = object(&self.header)?;
        // `crit` names extensions that must be understood (RFC 7515, 4.1.11); this reader
        // understands none.
        if crit.is_some() || !typ.is_none_or(|typ| is_access(&typ.0)) {
            return Err(Rejected::Malformed);
        }
        let algorithm = alg.and_then(|alg| Algorithm::parse(&alg.0)).ok_or(Rejected::Algorithm)?;
        Ok(Header { algorithm, kid: kid.map(|kid| kid.0) })
    }

    /// The claims as signed. The caller has verified the signature.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, Rejected> {
        decoded(self.payload)
    }
}

/// Providers sign other tokens too: a logout notice (`logout+jwt`), a proof of possession
/// (`dpop+jwt`), an event (`secevent+jwt`). These must not pass as access tokens (RFC 8725, 3.11
/// and 3.12).
fn is_access(typ: &str) -> bool {
    let prefix = "application/";
    let kind = match typ.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &typ[prefix.len()..],
        _ => typ,
    };
    kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt")
}

fn decoded(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected::Malformed)
}

/// Reads a JSON object. serde would also read a struct from an array, by position.
pub(crate) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Rejected> {
    let text = core::str::from_utf8(bytes).map_err(|_| Rejected::Malformed)?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Rejected::Malformed);
    }
    serde_json::from_str(text).map_err(|_| Rejected::Malformed)
}

/// Text that borrows unless it has escapes.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Reads a present member. `null` is then a value of the wrong type, not an absence.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// One encoded part of a token.
pub(crate) fn encoded(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("texts and numbers"))
}

/// The last part of a token.
pub(crate) fn encoded_signature(signature: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str) -> Result<(Algorithm, Option<String>), Rejected> {
        let token = format!("{}.e30.", URL_SAFE_NO_PAD.encode(json));
        let compact = Compact::parse(&token)?;
        compact.header().map(|header| (header.algorithm, header.kid.map(Cow::into_owned)))
    }

    #[test]
    fn a_header_names_the_algorithm_and_the_key() {
        assert_eq!(header(r#"{"alg":"HS256"}"#), Ok((Algorithm::Hs256, None)));
        assert_eq!(header(r#" {"alg":"RS256","kid":"a\u0041"} "#), Ok((Algorithm::Rs256, Some("aA".into()))));
        assert_eq!(header(r#"{"alg":"ES256","x5c":[1],"jku":"http://x"}"#), Ok((Algorithm::Es256, None)));
    }

    #[test]
    fn only_access_tokens_are_accepted() {
        for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT", "APPLICATION/JWT"] {
            assert!(header(&format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#)).is_ok(), "{typ}");
        }
        for typ in ["logout+jwt", "dpop+jwt", "", "application/", "JWE", "applicatio\u{43d}/jwt"] {
            let read = header(&format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#));
            assert_eq!(read, Err(Rejected::Malformed), "{typ}");
        }
    }

    #[test]
    fn an_odd_header_is_refused() {
        for json in [
            "",
            "null",
            r#"["HS256"]"#,
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","kid":null}"#,
            r#"{"alg":"HS256","typ":null}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":null}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"HS256"}{}"#,
            "{\"alg\":\"HS256\",\"x\":\"\u{0}\"}",
        ] {
            assert_eq!(header(json), Err(Rejected::Malformed), "{json}");
        }
        assert_eq!(header("{}"), Err(Rejected::Algorithm));
        assert_eq!(header(r#"{"Alg":"HS256"}"#), Err(Rejected::Algorithm));
    }
}
