//! Accepted and rejected tokens, with the reason.

use crate::forge::{Fixed, ISSUED};
use crate::forge::{
    base64url, claims, clock, key_set, knowing, options, secret, signed, with_keys, with_secret,
};
use crate::vectors::*;
use core::time::Duration;
use domain::id::PersonId;
use identity::{Claims, LEEWAY, Options, Rejected, TOKEN_BYTES_MAX, Verifier, mint};
use std::sync::Arc;

const PLAIN: &str = r#"{"alg":"HS256"}"#;

fn taken(verifier: &Verifier, token: &str) {
    let person = verifier.verify(token).expect(token);
    assert_eq!(person.id.as_str(), "kim");
    assert_eq!(person.expires_at, ISSUED.plus(Duration::from_secs(3_600)));
}

#[tokio::test]
async fn tokens_of_another_library_are_accepted() {
    let verifier = with_keys(&[RSA_A, RSA_B, EC_A]).await;
    for token in [HS256, RS256_A, RS256_B, ES256, ES256_UNNAMED] {
        taken(&verifier, token);
    }
    taken(&with_keys(&[RSA_A, EC_A]).await, RS256_A_UNNAMED);
    taken(&with_secret(), HS256);
}

#[tokio::test]
async fn an_unnamed_key_is_the_only_one_that_fits_or_none() {
    let verify = async |keys: &[&str]| with_keys(keys).await.verify(RS256_A_UNNAMED);
    assert_eq!(verify(&[RSA_A, RSA_B]).await, Err(Rejected::UnknownKey));
    assert_eq!(verify(&[EC_A]).await, Err(Rejected::UnknownKey));
    assert_eq!(verify(&[RSA_B]).await, Err(Rejected::Signature));
    let alike = RSA_B.replace("rsa-b", "rsa-a");
    let twice = with_keys(&[RSA_A, &alike]).await;
    assert_eq!(twice.verify(RS256_A), Err(Rejected::UnknownKey), "two keys of one name");
    taken(&with_keys(&[RSA_A, RSA_A]).await, RS256_A);
}

#[tokio::test]
async fn only_three_algorithms_are_accepted() {
    let verifier = with_keys(&[RSA_A, EC_A, EC_P384]).await;
    for token in [ES384, HS512, RS512_A, PS256_A, EDDSA] {
        assert_eq!(verifier.verify(token), Err(Rejected::Algorithm), "{token}");
    }
    for alg in ["none", "None", "NONE", "nOnE", "", " none", "hs256", "HS256\\u0000", "RS256,HS256", "HS-256"]
    {
        let header = format!(r#"{{"alg":"{alg}","kid":"rsa-a"}}"#);
        let unsigned = format!("{}.{}.", base64url(&header), base64url(claims()));
        for token in [unsigned, signed(SECRET, &header, &claims()), signed("", &header, &claims())] {
            assert_eq!(verifier.verify(&token), Err(Rejected::Algorithm), "{alg}");
        }
    }
}

#[tokio::test]
async fn an_algorithm_without_a_matching_key_is_refused() {
    for token in [RS256_A, ES256] {
        assert_eq!(with_secret().verify(token), Err(Rejected::Algorithm));
    }
    let keys = Some(Arc::new(Fixed(key_set(&[RSA_A]))) as _);
    let verifier = knowing(Options { secret: None, ..options(keys) }).await;
    taken(&verifier, RS256_A);
    assert_eq!(verifier.verify(HS256), Err(Rejected::Algorithm));
    let (nobody, refresher) = Verifier::new(Options::default(), clock(Duration::ZERO));
    assert!(refresher.is_none());
    for token in [HS256, RS256_A, ES256] {
        assert_eq!(nobody.verify(token), Err(Rejected::Algorithm));
    }
}

#[tokio::test]
async fn a_public_key_is_not_a_secret() {
    let confused = [
        HS256_BY_PEM,
        HS256_BY_PEM_TRIMMED,
        HS256_BY_DER,
        HS256_BY_MODULUS,
        HS256_BY_MODULUS_TEXT,
        HS256_BY_EMPTY,
    ];
    let verifier = with_keys(&[RSA_A, EC_A]).await;
    let keys = Some(Arc::new(Fixed(key_set(&[RSA_A]))) as _);
    let without_secret = knowing(Options { secret: None, ..options(keys) }).await;
    for token in confused {
        assert_eq!(verifier.verify(token), Err(Rejected::Signature));
        assert_eq!(without_secret.verify(token), Err(Rejected::Algorithm));
    }
}

#[tokio::test]
async fn a_key_verifies_only_its_own_algorithm() {
    let verifier = with_keys(&[RSA_A, EC_A]).await;
    assert_eq!(verifier.verify(RS256_B_AS_A), Err(Rejected::Signature));
    assert_eq!(verifier.verify(RS256_B), Err(Rejected::UnknownKey));
    assert_eq!(verifier.verify(ES256_OWN_KEY), Err(Rejected::Signature), "a key in the header is not read");
    // The ids are known, but their keys are of the other kind.
    let (_, rest) = RS256_A.split_once('.').unwrap();
    let other = format!("{}.{rest}", base64url(r#"{"alg":"ES256","kid":"rsa-a"}"#));
    assert_eq!(verifier.verify(&other), Err(Rejected::UnknownKey));
    let (_, rest) = ES256.split_once('.').unwrap();
    let other = format!("{}.{rest}", base64url(r#"{"alg":"RS256","kid":"ec-a"}"#));
    assert_eq!(verifier.verify(&other), Err(Rejected::UnknownKey));
}

#[tokio::test]
async fn a_signature_has_one_form() {
    let verifier = with_keys(&[RSA_A, EC_A]).await;
    assert_eq!(verifier.verify(ES256_DER), Err(Rejected::Signature));
    for token in [HS256, RS256_A, ES256] {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        for bytes in [0, 1, 32, 64, 256, 257] {
            let forged = format!("{signed}.{}", base64url(vec![0_u8; bytes]));
            assert_eq!(verifier.verify(&forged), Err(Rejected::Signature), "{bytes} zeros");
        }
        let longer = format!("{token}AAAA");
        assert_eq!(verifier.verify(&longer), Err(Rejected::Signature));
        assert_eq!(verifier.verify(&format!("{signed}.{}", &signature[4..])), Err(Rejected::Signature));
    }
}

/// A skipped key is unknown, and the one beside it is used.
#[tokio::test]
async fn keys_that_must_not_verify_are_left_out() {
    let changed = |from: &str, to: &str| {
        let key = RSA_A.replace(from, to);
        assert_ne!(key, RSA_A, "{from}");
        key
    };
    let ec = |from: &str, to: &str| {
        let key = EC_A.replace(from, to);
        assert_ne!(key, EC_A, "{from}");
        key
    };
    let (_, x) = EC_A.split_once(r#""x":""#).unwrap();
    let x = x.split('"').next().unwrap();
    for (key, token) in [
        (RSA_WEAK.to_owned(), RS256_WEAK),
        (RSA_ONE.to_owned(), RS256_ONE),
        (EC_P384.replace("ec-p384", "ec-a"), ES256),
        (changed(r#""use":"sig""#, r#""use":"enc""#), RS256_A),
        (changed(r#""use":"sig""#, r#""key_ops":["encrypt"]"#), RS256_A),
        (changed(r#""use":"sig""#, r#""key_ops":[]"#), RS256_A),
        (changed(r#""use":"sig""#, r#""d":"AQAB""#), RS256_A),
        (changed("RS256", "RS512"), RS256_A),
        (changed("RS256", "HS256"), RS256_A),
        (changed(r#""kty":"RSA""#, r#""kty":"EC""#), RS256_A),
        (changed("AQAB", "Ag"), RS256_A),
        (changed("AQAB", ""), RS256_A),
        (changed("AQAB", "AQAAAAAB"), RS256_A),
        (changed("AQAB", "AQAB=="), RS256_A),
        (changed(r#""n":""#, r#""n":"="#), RS256_A),
        (changed(r#""n":""#, r#""m":""#), RS256_A),
        (changed("rsa-a", "RSA-A"), RS256_A),
        (ec("ES256", "ES384"), ES256),
        (ec("P-256", "secp256k1"), ES256),
        (ec(x, &x[4..]), ES256),
        (ec(x, &format!("AAAA{x}")), ES256),
        (format!(r#"{{"kty":"oct","kid":"rsa-a","k":"{}"}}"#, base64url(SECRET)), RS256_A),
        (r#"["RSA","rsa-a"]"#.to_owned(), RS256_A),
        ("null".to_owned(), RS256_A),
        ("{}".to_owned(), RS256_A),
    ] {
        let verifier = with_keys(&[&key, RSA_B]).await;
        assert_eq!(verifier.verify(token), Err(Rejected::UnknownKey), "{key}");
        taken(&verifier, RS256_B);
    }
    // A point off the curve is no key, which shows when it verifies.
    let off = ec(x, &format!("A{}", &x[1..]));
    assert_eq!(with_keys(&[&off]).await.verify(ES256), Err(Rejected::Signature));
    // The same keys with more members, or fewer.
    taken(&with_keys(&[&changed(r#""use":"sig","alg":"RS256","#, "")]).await, RS256_A);
    taken(&with_keys(&[&changed(r#""use":"sig""#, r#""key_ops":["verify"],"x5c":["x"]"#)]).await, RS256_A);
}

#[test]
fn malformed_tokens_are_refused() {
    let verifier = with_secret();
    assert_eq!(verifier.verify(""), Err(Rejected::Missing));
    let (header, payload) = (base64url(PLAIN), base64url(claims()));
    let signature = HS256.rsplit_once('.').unwrap().1;
    for token in [
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.clone(),
        format!("{header}.{payload}"),
        format!("{HS256}."),
        format!(".{HS256}"),
        format!("{HS256}={signature}"),
        format!("{HS256}="),
        format!("{HS256}\n"),
        format!(" {HS256}"),
        format!("Bearer {HS256}"),
        // Tokens with five parts are encrypted.
        format!("{header}.{payload}.{payload}.{payload}.{signature}"),
        HS256.replace('.', ":"),
        format!("{}.{payload}.{signature}", base64url("{")),
        format!("{}.{payload}.{signature}", base64url([0xff, 0xfe])),
        signed(SECRET, r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, &claims()),
        signed(SECRET, r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, &claims()),
        signed(SECRET, r#"{"alg":"HS256","typ":"logout+jwt"}"#, &claims()),
        signed(SECRET, r#"{"alg":"none","alg":"HS256"}"#, &claims()),
    ] {
        assert_eq!(verifier.verify(&token), Err(Rejected::Malformed), "{token}");
    }
    // Signed, but unusable JSON.
    for claims in ["", "{}", "[]", "7", "\"kim\"", r#"{"sub":"kim"}"#, "{\"sub\":"] {
        assert_eq!(verifier.verify(&signed(SECRET, PLAIN, claims)), Err(Rejected::Malformed), "{claims}");
    }
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(3_000), "]".repeat(3_000));
    assert_eq!(verifier.verify(&signed(SECRET, PLAIN, &deep)), Err(Rejected::Malformed));
    assert_eq!(
        verifier.verify(&signed(SECRET, &deep, &claims())),
        Err(Rejected::Algorithm),
        "and none is said"
    );
}

#[test]
fn a_token_has_a_size_limit() {
    let verifier = with_secret();
    let padded = |bytes: usize| {
        let claims = claims().replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(bytes)), 1);
        signed(SECRET, PLAIN, &claims)
    };
    let fits = (5_900..6_100).map(padded).take_while(|token| token.len() <= TOKEN_BYTES_MAX).last();
    let fits = fits.expect("one that fits");
    assert!(TOKEN_BYTES_MAX - fits.len() < 4, "{}", fits.len());
    taken(&verifier, &fits);
    assert_eq!(verifier.verify(&padded(6_100)), Err(Rejected::Malformed));
    for huge in ["a".repeat(10_000_000), ".".repeat(1_000_000), "é.".repeat(100_000)] {
        assert_eq!(verifier.verify(&huge), Err(Rejected::Malformed));
    }
}

#[test]
fn claims_are_read_after_the_signature() {
    let verifier = with_secret();
    let end = ISSUED.as_millis() / 1_000 - 31;
    let expired = claims().replace(&(ISSUED_S + 3_600).to_string(), &end.to_string());
    assert_eq!(verifier.verify(&signed("another", PLAIN, &expired)), Err(Rejected::Signature));
    assert_eq!(verifier.verify(&signed("another", PLAIN, "{")), Err(Rejected::Signature));
    for (claims, expected) in [
        (expired, Rejected::Expired),
        (claims().replace(ISSUER, "https://id.example/"), Rejected::Issuer),
        (claims().replace(AUDIENCE, "gates"), Rejected::Audience),
        (claims().replace("kim", ""), Rejected::Subject),
        (claims().replace("kim", "\\u007f"), Rejected::Subject),
        (claims().replace(r#""sub":"kim""#, r#""sub":"kim","sub":"lee""#), Rejected::Malformed),
        (claims().replace(r#""sub":"kim""#, r#""sub":"kim","\u0073ub":"lee""#), Rejected::Malformed),
        (claims().replace(r#""iat""#, r#""nbf":1750000031,"iat""#), Rejected::NotYetValid),
    ] {
        assert_eq!(verifier.verify(&signed(SECRET, PLAIN, &claims)), Err(expected), "{claims}");
    }
}

#[test]
fn the_clock_decides_when_a_token_is_valid() {
    let verify = |after: Duration| Verifier::new(options(None), clock(after)).0.verify(HS256);
    let end = Duration::from_secs(3_600) + LEEWAY;
    assert!(verify(end - Duration::from_millis(1)).is_ok());
    assert_eq!(verify(end), Err(Rejected::Expired));
    assert_eq!(verify(end * 1_000), Err(Rejected::Expired));
    // A clock before the time of issue.
    let early = |ms: u64| {
        let start = domain::time::Timestamp::from_millis(ISSUED.as_millis() - ms);
        Verifier::new(options(None), Arc::new(testkit::ManualClock::at(start))).0.verify(HS256)
    };
    assert!(early(30_000).is_ok());
    assert_eq!(early(30_001), Err(Rejected::NotYetValid));
    assert_eq!(early(ISSUED.as_millis()), Err(Rejected::NotYetValid));
    // The same verifier as time passes.
    let clock = clock(Duration::ZERO);
    let (verifier, _) = Verifier::new(options(None), clock.clone());
    assert!(verifier.verify(HS256).is_ok());
    clock.advance(end);
    assert_eq!(verifier.verify(HS256), Err(Rejected::Expired), "shown again after its time");
}

#[test]
fn a_minted_token_is_accepted_by_its_audience() {
    let claims = Claims {
        person: PersonId::parse("김 \"민지\"").unwrap(),
        issuer: Some(ISSUER.into()),
        audience: Some(AUDIENCE.into()),
        issued_at: ISSUED.plus(Duration::from_millis(999)),
        expires_at: ISSUED.plus(Duration::from_millis(60_999)),
    };
    let person = with_secret().verify(&mint(&secret(), &claims)).unwrap();
    assert_eq!(person.id, claims.person);
    assert_eq!(person.expires_at, ISSUED.plus(Duration::from_secs(60)), "never longer than was asked for");
    let bare = Claims { issuer: None, audience: None, ..claims };
    assert_eq!(with_secret().verify(&mint(&secret(), &bare)), Err(Rejected::Issuer));
    let any = Options { secret: Some(secret()), ..Options::default() };
    let (any, _) = Verifier::new(any, clock(Duration::ZERO));
    assert!(any.verify(&mint(&secret(), &bare)).is_ok());
    let other = identity::Secret::new("another secret, which is as long as this").unwrap();
    assert_eq!(any.verify(&mint(&other, &bare)), Err(Rejected::Signature));
}

#[test]
fn no_token_and_no_secret_is_printed() {
    let options = options(None);
    let printed = format!("{options:?} {:?}", with_secret());
    assert!(!printed.contains(SECRET) && printed.contains(ISSUER), "{printed}");
}
