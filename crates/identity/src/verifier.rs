//! The verifier of a process: its configuration and the known keys.

use crate::claims::{Expected, judge};
use crate::compact::Compact;
use crate::keys::{Keys, keys_from};
use crate::signature::{Algorithm, Secret, VerifyingKey};
use crate::{KeySource, Person, Refresher, Rejected};
use core::fmt;
use ports::Clock;
use std::sync::Arc;

/// Which tokens are trusted. Without a secret and without keys, none.
#[derive(Clone, Default)]
pub struct Options {
    /// The secret of HS256 tokens; `None` refuses them all.
    pub secret: Option<Secret>,
    /// The provider's keys for RS256 and ES256 tokens; `None` refuses them all.
    pub keys: Option<Arc<dyn KeySource>>,
    /// The required `iss`; `None` accepts any.
    pub issuer: Option<String>,
    /// The required `aud`, or member of `aud`; `None` accepts any.
    pub audience: Option<String>,
}

/// Verifies tokens. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Verifier(Arc<Shared>);

struct Shared {
    secret: Option<VerifyingKey>,
    keys: Option<Keys>,
    expected: Expected,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// A verifier, and the task that fetches keys if there is a source of them. The caller must
    /// [run](Refresher::run) it.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> (Self, Option<Refresher>) {
        let Options { secret, keys, issuer, audience } = options;
        let (keys, refresher) = keys.map(|source| keys_from(source, clock.clone())).unzip();
        let secret = secret.map(|secret| secret.verifying());
        let expected = Expected { issuer, audience };
        (Self(Arc::new(Shared { secret, keys, expected, clock })), refresher)
    }

    /// Identifies the bearer of a token with the keys known now.
    ///
    /// # Errors
    /// If the token is rejected.
    pub fn verify(&self, token: &str) -> Result<Person, Rejected> {
        let compact = Compact::parse(token)?;
        let header = compact.header()?;
        let known = self.0.keys.as_ref().map(Keys::known);
        let key = match header.algorithm {
            Algorithm::Hs256 => self.0.secret.as_ref().ok_or(Rejected::Algorithm)?,
            Algorithm::Rs256 | Algorithm::Es256 => {
                let known = known.as_ref().ok_or(Rejected::Algorithm)?;
                known.find(header.algorithm, header.kid.as_deref()).ok_or(Rejected::UnknownKey)?
            }
        };
        if !key.verifies(&compact.signature, compact.signed) {
            return Err(Rejected::Signature);
        }
        judge(&compact.payload()?, &self.0.expected, self.0.clock.now())
    }

    /// Like [`verify`](Self::verify), but if the key is unknown it tries again with the provider's
    /// current keys. Waits for at most one fetch, up to [`FETCH_LIMIT`](crate::FETCH_LIMIT), and
    /// for none if the last fetch was less than [`FETCH_GAP`](crate::FETCH_GAP) ago.
    ///
    /// # Errors
    /// If the token is rejected.
    pub async fn authenticate(&self, token: &str) -> Result<Person, Rejected> {
        match (self.verify(token), &self.0.keys) {
            (Err(Rejected::UnknownKey), Some(keys)) => {
                keys.refresh().await;
                self.verify(token)
            }
            (verified, _) => verified,
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("secret", &self.0.secret.is_some())
            .field("keys", &self.0.keys.is_some())
            .field("expected", &self.0.expected)
            .finish()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("secret", &self.secret)
            .field("keys", &self.keys.is_some())
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish()
    }
}
