//! Properties of any text and any change.

use crate::forge::{base64url, claims, signed, with_keys, with_secret};
use crate::vectors::*;
use identity::Rejected;
use proptest::prelude::*;

#[tokio::test]
async fn no_character_of_a_token_can_be_changed_or_left_out() {
    let verifier = with_keys(&[RSA_A, EC_A]).await;
    for token in [HS256, RS256_A, ES256] {
        for at in 0..token.len() {
            assert!(verifier.verify(&token[..at]).is_err(), "the first {at} of {token}");
            let without = format!("{}{}", &token[..at], &token[at + 1..]);
            assert!(verifier.verify(&without).is_err(), "all but {at} of {token}");
            for bit in 0..7 {
                let mut bytes = token.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(verifier.verify(&changed).is_err(), "bit {bit} of character {at}: {changed}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in any::<String>()) {
        prop_assert!(with_secret().verify(&text).is_err());
    }

    #[test]
    fn any_three_parts_are_refused_without_a_panic(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
        let token = format!("{}.{}.{}", base64url(header), base64url(payload), base64url(signature));
        prop_assert!(with_secret().verify(&token).is_err());
    }

    #[test]
    fn any_signed_text_is_judged_without_a_panic(payload in "[{}\\[\\]\":,a-z0-9eE+.\\\\-]{0,60}") {
        let token = signed(SECRET, r#"{"alg":"HS256"}"#, &payload);
        prop_assert_eq!(with_secret().verify(&token), Err(Rejected::Malformed));
    }

    #[test]
    fn any_claim_value_is_judged_without_a_panic(
        claim in prop::sample::select(vec!["sub", "iss", "aud", "exp", "nbf", "iat"]),
        value in prop_oneof![
            any::<f64>().prop_filter("JSON", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
            any::<i128>().prop_map(|number| number.to_string()),
            "\"[^\"\\\\\\x00-\\x1f]{0,200}\"",
            Just("null".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()), Just("true".to_owned()),
        ],
    ) {
        let claims = claims().replacen('{', &format!(r#"{{"x-{claim}":0,"#), 1);
        let start = claims.find(&format!(r#""{claim}":"#));
        let claims = match start {
            Some(start) => {
                let start = start + claim.len() + 3;
                let end = start + claims[start..].find([',', '}']).unwrap();
                format!("{}{value}{}", &claims[..start], &claims[end..])
            }
            None => claims.replacen('{', &format!(r#"{{"{claim}":{value},"#), 1),
        };
        let verified = with_secret().verify(&signed(SECRET, r#"{"alg":"HS256"}"#, &claims));
        let fine = matches!(verified, Ok(_) | Err(
            Rejected::Malformed | Rejected::Expired | Rejected::NotYetValid | Rejected::Issuer | Rejected::Audience | Rejected::Subject
        ));
        prop_assert!(fine, "{claims}: {verified:?}");
    }

    #[test]
    fn a_token_by_any_other_secret_is_refused(secret in any::<Vec<u8>>(), kid in "[a-z-]{0,9}") {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        prop_assume!(secret != SECRET.as_bytes());
        prop_assert_eq!(with_secret().verify(&signed(secret, &header, &claims())), Err(Rejected::Signature));
    }
}
