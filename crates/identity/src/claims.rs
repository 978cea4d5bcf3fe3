//! Checks a token's claims about its bearer, as a pure function: the time is an argument.

use crate::Rejected;
use crate::compact::{Text, given, object};
use core::time::Duration;
use domain::id::PersonId;
use domain::time::Timestamp;
use serde::{Deserialize, Deserializer};

/// Largest expected difference between the provider's clock and ours. A token is valid this much
/// earlier and later than it says.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// The authenticated sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The claim `sub`.
    pub id: PersonId,
    /// The claim `exp`. Anything that outlives one request ends [`LEEWAY`] after it.
    pub expires_at: Timestamp,
}

/// The required claims of a token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

/// Each of these claims appears at most once in a token (RFC 7519, 4) and has its own type.
#[derive(Deserialize)]
struct Claims<'c> {
    #[serde(borrow, default, deserialize_with = "given")]
    sub: Option<Text<'c>>,
    #[serde(borrow, default, deserialize_with = "given")]
    iss: Option<Text<'c>>,
    #[serde(borrow, default, deserialize_with = "given")]
    aud: Option<Audience<'c>>,
    #[serde(default, deserialize_with = "given")]
    exp: Option<NumericDate>,
    #[serde(default, deserialize_with = "given")]
    nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "given")]
    iat: Option<NumericDate>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience<'c> {
    #[serde(borrow)]
    One(Text<'c>),
    Many(Vec<Text<'c>>),
}

impl Audience<'_> {
    fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one.0 == audience,
            Self::Many(many) => many.iter().any(|one| one.0 == audience),
        }
    }
}

/// Seconds since 1970, possibly with a fraction. Times before 1970 become 1970.
struct NumericDate(Timestamp);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // A float holds every whole millisecond of the next 280,000 years, and the cast saturates.
        let seconds = f64::deserialize(from)?;
        Ok(Self(Timestamp::from_millis((seconds * 1_000.0) as u64)))
    }
}

/// Checks the claims of a token with a verified signature.
pub(crate) fn judge(payload: &[u8], expected: &Expected, now: Timestamp) -> Result<Person, Rejected> {
    let claims: Claims<'_> = object(payload)?;
    let NumericDate(expires_at) = claims.exp.ok_or(Rejected::Malformed)?;
    if now >= expires_at.plus(LEEWAY) {
        return Err(Rejected::Expired);
    }
    let begins = [claims.nbf, claims.iat];
    if begins.into_iter().flatten().any(|NumericDate(begin)| begin > now.plus(LEEWAY)) {
        return Err(Rejected::NotYetValid);
    }
    if let Some(issuer) = &expected.issuer
        && claims.iss.is_none_or(|given| given.0 != *issuer)
    {
        return Err(Rejected::Issuer);
    }
    if let Some(audience) = &expected.audience
        && !claims.aud.is_some_and(|given| given.has(audience))
    {
        return Err(Rejected::Audience);
    }
    let id = claims.sub.and_then(|sub| PersonId::parse(&sub.0).ok()).ok_or(Rejected::Subject)?;
    Ok(Person { id, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_750_000_000;
    const NOW: Timestamp = Timestamp::from_millis(NOW_S * 1_000);

    fn judged(json: &str) -> Result<String, Rejected> {
        let expected = Expected { issuer: Some("tacos".into()), audience: Some("gate".into()) };
        judge(json.as_bytes(), &expected, NOW).map(|person| person.id.to_string())
    }

    /// The claims of a valid token with one of them replaced.
    fn with(claim: &str, value: &str) -> String {
        let good = [
            ("sub", r#""kim""#.to_owned()),
            ("iss", r#""tacos""#.to_owned()),
            ("aud", r#""gate""#.to_owned()),
            ("exp", (NOW_S + 60).to_string()),
        ];
        let kept = good.iter().filter(|(name, _)| *name != claim);
        let mut members: Vec<_> = kept.map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        if !value.is_empty() {
            members.push(format!(r#""{claim}":{value}"#));
        }
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn a_token_is_good_up_to_the_leeway_at_both_ends() {
        let at = |claim: &str, second: f64| judged(&with(claim, &format!("{second:?}")));
        let now = NOW_S as f64;
        assert_eq!(at("exp", now - 29.999).as_deref(), Ok("kim"));
        assert_eq!(at("exp", now - 30.0), Err(Rejected::Expired));
        for begin in ["nbf", "iat"] {
            assert_eq!(at(begin, now + 30.0).as_deref(), Ok("kim"), "{begin}");
            assert_eq!(at(begin, now + 30.001), Err(Rejected::NotYetValid), "{begin}");
        }
    }

    #[test]
    fn extreme_times_are_read() {
        for (claim, value, expected) in [
            ("exp", "1e300", Ok("kim")),
            ("exp", "18446744073709551616", Ok("kim")),
            ("exp", "-1", Err(Rejected::Expired)),
            ("exp", "-1e300", Err(Rejected::Expired)),
            ("exp", "0", Err(Rejected::Expired)),
            ("exp", "1e999", Err(Rejected::Malformed)),
            ("exp", "NaN", Err(Rejected::Malformed)),
            ("nbf", "-1e300", Ok("kim")),
            ("nbf", "1e300", Err(Rejected::NotYetValid)),
            ("iat", "18446744073709551616", Err(Rejected::NotYetValid)),
        ] {
            let judged = judged(&with(claim, value));
            assert_eq!(judged.as_deref(), expected.as_ref().map(|id| *id), "{claim} {value}");
        }
        let far = Timestamp::MAX;
        let expired = judge(with("exp", "1e300").as_bytes(), &Expected::default(), far);
        assert_eq!(expired, Err(Rejected::Expired), "nothing is valid at the end of time");
    }

    #[test]
    fn issuer_audience_and_subject_are_compared() {
        for (claim, value, expected) in [
            ("iss", "", Err(Rejected::Issuer)),
            ("iss", r#""tacos2""#, Err(Rejected::Issuer)),
            ("iss", r#""TACOS""#, Err(Rejected::Issuer)),
            ("iss", r#"["tacos"]"#, Err(Rejected::Malformed)),
            ("iss", r#""t\u0061cos""#, Ok("kim")),
            ("aud", "", Err(Rejected::Audience)),
            ("aud", r#""gat""#, Err(Rejected::Audience)),
            ("aud", "[]", Err(Rejected::Audience)),
            ("aud", r#"["other","gate"]"#, Ok("kim")),
            ("aud", r#"[["gate"]]"#, Err(Rejected::Malformed)),
            ("aud", "null", Err(Rejected::Malformed)),
            ("sub", "", Err(Rejected::Subject)),
            ("sub", r#""""#, Err(Rejected::Subject)),
            ("sub", r#""a\nb""#, Err(Rejected::Subject)),
            ("sub", r#""\u0000""#, Err(Rejected::Subject)),
            ("sub", "7", Err(Rejected::Malformed)),
            ("sub", r#""김 민지|1""#, Ok("김 민지|1")),
        ] {
            let judged = judged(&with(claim, value));
            assert_eq!(judged.as_deref(), expected.as_ref().map(|id| *id), "{claim} {value}");
        }
        let long = |bytes: usize| judged(&with("sub", &format!("\"{}\"", "x".repeat(bytes))));
        assert!(long(128).is_ok());
        assert_eq!(long(129), Err(Rejected::Subject));
    }

    #[test]
    fn claims_without_a_requirement_are_not_compared() {
        let all = judge(with("iss", "").as_bytes(), &Expected::default(), NOW);
        assert!(all.is_ok(), "{all:?}");
    }

    #[test]
    fn a_duplicate_claim_or_one_of_another_type_is_refused() {
        for json in [
            with("exp", ""),
            with("exp", "null"),
            with("exp", r#""1750000060""#),
            with("exp", "true"),
            with("nbf", "null"),
            with("nbf", r#""1""#),
            with("iat", "{}"),
            with("x", r#"1,"sub":"lee""#),
            with("x", r#"1,"exp":1750000060"#),
            with("x", r#"1,"aud":"gate""#),
            "[]".into(),
            r#"["kim","tacos","gate",1750000060]"#.into(),
            "\"kim\"".into(),
            String::new(),
            with("x", "1") + "x",
        ] {
            assert_eq!(judged(&json), Err(Rejected::Malformed), "{json}");
        }
        assert_eq!(judge(b"{\"sub\":\"\xff\"}", &Expected::default(), NOW), Err(Rejected::Malformed));
    }
}
