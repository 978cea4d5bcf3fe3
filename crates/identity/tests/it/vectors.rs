//! Keys and tokens that other libraries made: PyJWT 2.15.1 and Python's cryptography.
//!
//! The private keys were discarded. In essence, this was run:
//!
//! ```python
//! claims = {"sub": "kim", "iss": "https://id.example", "aud": "gate", "iat": 1750000000, "exp": 1750003600}
//! a = rsa.generate_private_key(65537, 2048)             # b alike, the weak one with 1024
//! e = ec.generate_private_key(ec.SECP256R1())
//! RS256_A = jwt.encode(claims, a, "RS256", headers={"kid": "rsa-a"})
//! HS256_BY_PEM = signed + "." + b64url(hmac.digest(pem(a.public_key()), signed, "sha256"))
//! ES256_DER = signed + "." + b64url(e.sign(signed, ec.ECDSA(hashes.SHA256())))
//! RS256_ONE = signed + "." + b64url(pkcs1_padded(sha256(signed)))
//! ```

/// When the tokens were issued; each is valid for an hour.
pub(crate) const ISSUED_S: u64 = 1_750_000_000;
/// Their issuer.
pub(crate) const ISSUER: &str = "https://id.example";
/// Their audience.
pub(crate) const AUDIENCE: &str = "gate";

/// The secret of [`HS256`].
pub(crate) const SECRET: &str = r#"an example secret of 40 bytes, not less."#;

/// Key A, RSA with 2,048 bits.
pub(crate) const RSA_A: &str = r#"{"kty":"RSA","kid":"rsa-a","use":"sig","alg":"RS256","n":"0snXfs2ffpmeioxbkR9Mpj_rxOUWl-650Zf2ruxI8WZuY7A7_0tpsylaT4s92YMXvXIdT4zEQElMIXm3am8hCx8gAXzDRAdoRS-ausneXXSGt5XtLC_Sq98HKAnckUeibfrDN32_W36caY821k3dsKSLKiilD542mYrtTJwg-1ohBnwdm_a-7TS94Kq7iroNdFiStfKLVlHt4nDExldjJcwHUSQZynIE0V1ZdAxOBWySimU3hKfaOkHlhapEN0pInDWZmacb0IA0CfGq2Ohvtc8XbzDlciWc2aaGRHmOCs6wG19-TaAeX2qiX7qGPFW9IqQoHOoiwFhbFLlDAV7Idw","e":"AQAB"}"#;

/// Key B, RSA with 2,048 bits.
pub(crate) const RSA_B: &str = r#"{"kty":"RSA","kid":"rsa-b","use":"sig","alg":"RS256","n":"1dc6uuDQ_eb8ZPXGSg-XpC6d9LJMIyJZHN0wbKQwVMWDDPlqX-jW-1TQthla74TMr0cC_19Rfs_wYPa7Hokqvg-EUisOG_TA2rUjSiMVaVaecZhfveehc2It64dI1BU2PIG1FKxyfWFsIQ_3f_mH7olMxgsAYhKu-yEXQI86rvWgtR1pSC6wmhhMrqZcZjk48M-5mJ6gvC0WLwn4ImQWkERjM6fNOQZHP7S4sndTOkCjZdOm2XwPgZYawjHzfICDjyq2bfLGY9PLZVy-xbVok8Vk1BYgqn1W2fvUP7bcoaNAzH1NJgMoFGrG126QOWtgzulfEnOCiC02gQboqSAaBw","e":"AQAB"}"#;

/// RSA with 1,024 bits.
pub(crate) const RSA_WEAK: &str = r#"{"kty":"RSA","kid":"rsa-weak","use":"sig","alg":"RS256","n":"mQAO8lGaOx2gR2Z76U1ZUUgbto87shZFs5H24DQ6BVaIc04dhxXPltK5FuEMOiL4iUeRk4CkF4f0EK6zwWmS7-q91HJYaInHhk8s7eJYT5I8hp0VrfYHAWt1jU-_eFwMfAGBJdt9ChxsGBPvQXbGdQbniO5olp6OVHuWrzTerQ8","e":"AQAB"}"#;

/// A key on P-256.
pub(crate) const EC_A: &str = r#"{"kty":"EC","kid":"ec-a","crv":"P-256","x":"JDiyaqKrx2bagRxBxDIfa9rM_IThMLXzR4cycrNDFYA","y":"uJyxNAvJKOSMIRv7-sehQbC7QUjBQ8jsJvDf7gtgD9I","alg":"ES256"}"#;

/// A key on P-384.
pub(crate) const EC_P384: &str = r#"{"kty":"EC","kid":"ec-p384","crv":"P-384","x":"IP3JVEBqZ7jWizW2_5UbjmtcYh1-A0KH7bDlYFc9t1Nxq-vDa20RwG8rLuZ7DInr","y":"FUTr2voXF30mF26rBmzfOscGiaxyKo3qxbdGAX52gY1SEAKj0Ud_nMydf7KWEIS2"}"#;

/// Signed with the secret.
pub(crate) const HS256: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.M5zV7IY4Qeli8ByLAow_Ui9FW25ea9-OcDC5O84EBxs"#;

/// Signed with key A and names it.
pub(crate) const RS256_A: &str = r#"eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS1hIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.n7r-Sh64gWssyrRJNsGsYgivQFQVaN88ngkwIYQZ0AVgPZYzmQJEAhsS3jCb1cdZexJRYgIbppy7DR0kvhqM_g70T5F5pQ8YLUlxEBDbX15FU56dwrv_-KnTr4uOnRFNESWLfo3wOVsXDXAhAKjgrPUU-Bh2qGa9Lth8CsTtcpJYVYRHK_4bhJK181P2JO85KODRNF0h-P7KwJ9iAjjWG5qylA8utFl0cQ6l5TpedjAWsjrCADjtu0Zf1EPb9oACeDsFdIS9A8ySqeA_XFDHp9Hu6yU_hmoUvBXpMTfZeu0VkjQWj-tBSUQYM9nAZPvoF9KBvG6-8dh7utxkWIkk6A"#;

/// Signed with key B and names it.
pub(crate) const RS256_B: &str = r#"eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS1iIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.L7GYfZdmB6hlyhL9wVkVvYwlVFftPUgLlUm7nBwMzF0LtQWPwNmGKBv4yJME7tH8-CYKmQcPtjn6eGiN27UCi6Oof0hNLSUBoeaBj8aP9WG7glUTlGPgxWv_Q7EY_emW6sA1FHq6C1GBLybbu0Z-hGSow9tm1HvNdJ9XQ9qbD2WHNoW69-KLDG23N7sTFh18B56i6IR877WTYXh9-V2x6Erv-aJu9jDkr36qVeZuROToh-59RWThJIfIatdfliKgr1L_vFPmDRKdn72ctiQpwJ8OkhODFIjDM8FobD0f-vx4DlBrf2RytyQHFAM7W_6sd4nEoLaX1evwV0fx5JA5SA"#;

/// Signed with key B, names key A.
pub(crate) const RS256_B_AS_A: &str = r#"eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS1hIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.JL8jHsFwqNKFg7cn0leL-ecZwTdc3rEvDCuvbAzTVQfPAPPqI1ojFbeDaO83Gjw3HoUALEdMceXdNDE5OUIT9qWT3z1Bs6jP_O1kp3vrBDL8KgyIL2nvcjMNwxd8k8H9Y26AjOkg_o0cqSVlVYLRWALoB2HuVjTAYTUG5yr_g1vcU4AW4ru0ecnzE5xs0gKmPj-xPWxur9NKyIST8cTuw81B3XDfeBNCZwowadV0s3BDAdi-cjlqPoZuaqVmqpiS8IbSC_dCWf-yOObqSaTAVSAT5yOE_ygX9Si9J3M8zixHsGPQ7oTANzlZ2O74N32L7z9PSXLQr0wKV1hT_e0wnQ"#;

/// Signed with key A, names none.
pub(crate) const RS256_A_UNNAMED: &str = r#"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.W2Rne_HaMVMl62LAQbnNzMbmvBmn3CqBz1XSaeQW38We5RLsjFWd-7Z5kGtgAZS-sEIJTbFKc5Q4kwqttR6YQ6u5dnC0GEjPoQTlI1gZ_898oN9CESTy1l_tchHWAOCIllRGlBHbqTAqk6xLoe9_VYH4s2lvXBiCc0e2IWQ_N6R_ss1gAHi9wfpqMiM8pXzEWUhGeAJEwNQ98x1PZU0mPaIWivwmRYs3hHZgMM0Ltt-Rl8WW8XsCBABbHSr-LE5aCNA8lZRjZx0MzYQ5e1yTJ0GGbYO0utxg5KVEcgQwA6Za_qr1NTx8bxCQU-mCoKsD2HUFUlXYhyFPGKcvh8l-LQ"#;

/// Signed with the weak key.
pub(crate) const RS256_WEAK: &str = r#"eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS13ZWFrIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.YXJwapFK-IKcjQthaZqTmLbDa5yauPG7W3v6UbO1bsWbXzX7pH0uHG2V8kzeEsacwdyz_kzqlAA49LchEfKDI83oZUGrhHqCO8jFEs9MT9J-f14Up_EPpz9PgEkWSYFvsFqBvsAYcRnzQuOyE8ycpYfiy9zn_6Gd4Pdl2FAQbMQ"#;

/// Signed with the key on P-256 and names it.
pub(crate) const ES256: &str = r#"eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLWEiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.NKzIhZ_8lQQkyA4rNLGG_ns2dgZOvbKx7IIXGUjlqCtE5-Icsn1bPrq_irMwRmGu9c0d6SoeO7WZEabdrsLJvQ"#;

/// Signed with the key on P-256, names none.
pub(crate) const ES256_UNNAMED: &str = r#"eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.tY3jY70HsJ9J0RHytEMlWR1ixaCKRxnrtxrVrTHg1lnEoTjICHW1_AZ_XO3lRDLV3KPBh_Gvh0hJFsyg47s23Q"#;

/// Signed with the key on P-384.
pub(crate) const ES384: &str = r#"eyJhbGciOiJFUzM4NCIsImtpZCI6ImVjLXAzODQiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.mEhG_e0ItLMdFhioHO3tzqxCSPSnLNFPOuKH3rZbEYD3JmMhW6KDk8LHu19JEKhDaYjvoltLpmBq44KK61m4ag6IQUUuoCmvxVjMpiL22EBOiHTYjMWu3q3LjY5ad9wR"#;

/// Signed with a secret by another hash.
pub(crate) const HS512: &str = r#"eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.ocwtObmA99OsArAr3Oeb9NBCSAWIMv4u50xoAPGm8la3rlQnOVp1Nfg7snKVBtCfLFelXrLCWodVLTnSflY8Kg"#;

/// Key A and another hash.
pub(crate) const RS512_A: &str = r#"eyJhbGciOiJSUzUxMiIsImtpZCI6InJzYS1hIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.u0aWKG8arymVzzT7YPQWJ_csmoP5wHHPABBhNksAiiUGmckSMosgdsxdjVEAC3IaSfOXsT-LqYLzqc09k-NrPdurpCyQaKUhXDkgK2WJwdBWEwwhWOMLanmCUew8fmPHVCR32mcHu1ALnGFgzKd92EVKohPo4MYKxPMAdbzE0ASE79mUPxxMvLP6jpk0sDKrKfH0lSffCrZ29DVOBbR3cQE-ZvoBRfZuESnZ1xQ0CdkTpOvlzCW3wbJtLcJx6m7obrS-uLKvZKl8VOZXWne0SbOA6LTQa9-CEiBKgq3lEiQF6lo-D-S8eWZyTRLNszOBsB7ckVIapPTskXfFDV1C9w"#;

/// Key A and another padding.
pub(crate) const PS256_A: &str = r#"eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYS1hIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.IdmvqVH3CfHmL-jLv323SzJmbIZ0CfRPTlcKItKtbGBlKVVokSQSIXAM3D1_OjwUXJD55bU6t1_I1rikp4AeVY7wd4SDHEc8qik80Cc0hHcaTwBNfVxVcGtAMbEAB5EMYFhOLIkLVaXtvznNy2LgslrngrBfkCe0_9zdYvhJryyJA3tMR2iymVkXo558ZY1Rg1cobGDUJxMgjuKvjvZ9SRZvT9vDFtq70C1yNLdsl_cUQo_BDOy-uVoPmAsZK7z-Vl_f4QVv3RsNas3goFdms8InFvuV2F66aU-WnY9znl399aXpAduY3dsGBkwOzYgiNjHdvBn4ey-WhO7Ekv6QaQ"#;

/// Ed25519.
pub(crate) const EDDSA: &str = r#"eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.NYS7HIsFhHhVha32djdcXNYiZLB1Ddw35jC88IviI2fRfFEU7qK1k_L97KsagrA5blQCeeuS_pjqJ-UdN4O3CA"#;

/// HS256 with the PEM of key A's public key as the secret.
pub(crate) const HS256_BY_PEM: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS1hIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.7Zjc56vmvdbsesLRu2PQKggK_T-Ak2fxisXBtctkUHw"#;

/// HS256 with the same without the last line break as the secret.
pub(crate) const HS256_BY_PEM_TRIMMED: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS1hIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.Nn1X_OQrwciItHjCNe_WCih2Kdv22eWQT0YHu8MPS6Y"#;

/// HS256 with its DER as the secret.
pub(crate) const HS256_BY_DER: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS1hIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.L2oTpJgBEA7a2p0_Wgi0XlHejzi339-drZxxo5HDIVA"#;

/// HS256 with its modulus as the secret.
pub(crate) const HS256_BY_MODULUS: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS1hIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.hsuKPn22P8VgTz6Y1jFOczKX42EFx28FhUY3JEJL6vo"#;

/// HS256 with its modulus as base64url as the secret.
pub(crate) const HS256_BY_MODULUS_TEXT: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS1hIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.svp1QlIOGVhgI4lRh2OOhrWq7Co7T0b7v-pqyeqdHTg"#;

/// HS256 with an empty secret.
pub(crate) const HS256_BY_EMPTY: &str = r#"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS1hIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.5nYGNWFZQWX1Rp5qfKLrckokQ2FS7vTUOvTqZC6QKGc"#;

/// The signature in the form of X.509, DER, instead of two numbers.
pub(crate) const ES256_DER: &str = r#"eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLWEifQ.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.MEYCIQD9z5FCtzBdu5zKF3OkrvfYIvYuG1PJgvrFWzJ8ygOF6AIhAP0TPWG7Lln6WfdT3FPm37iLM4J1IPO4zRa2Wa6LMTj3"#;

/// Carries the key that signed it.
pub(crate) const ES256_OWN_KEY: &str = r#"eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLWEiLCJqd2siOnsia3R5IjoiRUMiLCJraWQiOiJlYy1hIiwiY3J2IjoiUC0yNTYiLCJ4IjoiTHFDeld5V2dXV3drclJXWUFsMHBUdWJhOFZaV0NDZEk3aDZsUjlwTU84WSIsInkiOiJDWFIwM0lzRFVIZHo1bzA3QjZ6MTh2WU05VVJoai10eHpSZURpNWRPWS1nIn0sImprdSI6Imh0dHA6Ly8xMjcuMC4wLjE6OS9rZXlzIn0.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.QtOOMH4FHsFXx1vtsj0hYwvhDyurhGFU3ulj8etki_3S5AUyxqN2jalzU79WDwJaKkZCOgR_BN3fUnBmuIA0Ig"#;

/// A key whose exponent is 1.
pub(crate) const RSA_ONE: &str = r#"{"kty":"RSA","kid":"one","n":"0snXfs2ffpmeioxbkR9Mpj_rxOUWl-650Zf2ruxI8WZuY7A7_0tpsylaT4s92YMXvXIdT4zEQElMIXm3am8hCx8gAXzDRAdoRS-ausneXXSGt5XtLC_Sq98HKAnckUeibfrDN32_W36caY821k3dsKSLKiilD542mYrtTJwg-1ohBnwdm_a-7TS94Kq7iroNdFiStfKLVlHt4nDExldjJcwHUSQZynIE0V1ZdAxOBWySimU3hKfaOkHlhapEN0pInDWZmacb0IA0CfGq2Ohvtc8XbzDlciWc2aaGRHmOCs6wG19-TaAeX2qiX7qGPFW9IqQoHOoiwFhbFLlDAV7Idw","e":"AQ"}"#;

/// The padded hash itself, which is the signature of an exponent of 1.
pub(crate) const RS256_ONE: &str = r#"eyJhbGciOiJSUzI1NiIsImtpZCI6Im9uZSJ9.eyJzdWIiOiJraW0iLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJnYXRlIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDM2MDB9.AAH_____________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________ADAxMA0GCWCGSAFlAwQCAQUABCCS7_j1wao4KSy9PiDtTkmxinkbFpMiT8bAiLCFOMRlWg"#;
