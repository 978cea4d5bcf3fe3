//! Keys and signatures. The source of a key fixes its one algorithm, and it verifies no other.

use core::fmt;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretString};

/// Shortest secret in bytes: the size of the hash (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// The accepted algorithms, each with one spelling (RFC 7518, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
}

impl Algorithm {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    const fn to_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
        }
    }
}

/// A key that verifies tokens.
pub(crate) struct VerifyingKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// An RSA key for RS256, from its modulus and exponent.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Self { algorithm: Algorithm::Rs256, key }
    }

    /// A point on P-256 for ES256. One that is not on the curve verifies nothing.
    pub(crate) fn p256(x: &[u8; 32], y: &[u8; 32]) -> Self {
        // Uncompressed (SEC 1, 2.3.3), which the library calls DER.
        let point = [&[4_u8][..], x, y].concat();
        Self { algorithm: Algorithm::Es256, key: DecodingKey::from_ec_der(&point) }
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this key made the signature. This names the library's backend, because the
    /// process-wide default would panic if another crate turned on a second backend.
    pub(crate) fn verifies(&self, signature: &Vec<u8>, signed: &[u8]) -> bool {
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.to_library(), &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(signed, signature).is_ok())
    }
}

/// The secret of HS256. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

/// A secret that is short enough to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is {0} bytes long, HS256 needs at least {SECRET_BYTES_MIN}")]
pub struct WeakSecret(
    /// Its length in bytes.
    pub usize,
);

impl Secret {
    /// Uses the bytes of a text as the secret.
    ///
    /// # Errors
    /// If it has fewer than [`SECRET_BYTES_MIN`] bytes: anybody with one token could try every such
    /// secret.
    pub fn new(text: impl Into<SecretString>) -> Result<Self, WeakSecret> {
        let text = text.into();
        match text.expose_secret().len() {
            bytes if bytes < SECRET_BYTES_MIN => Err(WeakSecret(bytes)),
            _ => Ok(Self(text)),
        }
    }

    pub(crate) fn verifying(&self) -> VerifyingKey {
        let key = DecodingKey::from_secret(self.0.expose_secret().as_bytes());
        VerifyingKey { algorithm: Algorithm::Hs256, key }
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        hs256(self.0.expose_secret().as_bytes(), text)
    }
}

fn hs256(secret: &[u8], text: &str) -> Vec<u8> {
    let key = EncodingKey::from_secret(secret);
    let signer = (DEFAULT_PROVIDER.signer_factory)(&jsonwebtoken::Algorithm::HS256, &key);
    signer.and_then(|signer| Ok(signer.try_sign(text.as_bytes())?)).expect("HMAC takes a key of any length")
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// The example on the first page of jwt.io.
    #[test]
    fn a_token_is_signed_as_other_libraries_sign_it() {
        let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ";
        let signature = hs256(b"your-256-bit-secret", signed);
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c");
    }

    #[test]
    fn a_weak_secret_is_refused_and_no_secret_is_printed() {
        assert_eq!(Secret::new("x".repeat(31)).unwrap_err(), WeakSecret(31));
        let secret = Secret::new("0123456789abcdef0123456789abcdef").unwrap();
        assert!(!format!("{secret:?} {:?}", secret.verifying()).contains("0123"));
    }

    #[test]
    fn an_algorithm_is_spelled_in_one_way() {
        for text in ["", "none", "None", "hs256", "HS256 ", "HS384", "HS512", "RS384", "PS256", "ES256K"] {
            assert_eq!(Algorithm::parse(text), None, "{text}");
        }
    }
}
