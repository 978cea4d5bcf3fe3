//! Forged tokens, made with another library than the verifier's.

use crate::vectors::{AUDIENCE, ISSUED_S, ISSUER, SECRET};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use core::time::Duration;
use domain::time::Timestamp;
use hmac::{Hmac, Mac};
use identity::{KeySource, Options, Secret, Verifier};
use ports::{Fault, Tasks};
use sha2::Sha256;
use std::sync::Arc;
use testkit::ManualClock;
use tokio_util::sync::CancellationToken;

pub(crate) const ISSUED: Timestamp = Timestamp::from_millis(ISSUED_S * 1_000);

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of the vectors.
pub(crate) fn claims() -> String {
    let end = ISSUED_S + 3_600;
    format!(r#"{{"sub":"kim","iss":"{ISSUER}","aud":"{AUDIENCE}","iat":{ISSUED_S},"exp":{end}}}"#)
}

/// Signs with a secret, whatever the header says.
pub(crate) fn signed(secret: impl AsRef<[u8]>, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", base64url(header), base64url(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_ref()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", base64url(mac.finalize().into_bytes()))
}

pub(crate) fn key_set(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

/// A provider whose keys never change.
pub(crate) struct Fixed(pub(crate) String);

#[async_trait]
impl KeySource for Fixed {
    async fn fetch(&self) -> Result<Bytes, Fault> {
        Ok(self.0.clone().into())
    }
}

/// Options that accept the vectors: with the secret, and with keys if given.
pub(crate) fn options(keys: Option<Arc<dyn KeySource>>) -> Options {
    Options { secret: Some(secret()), keys, issuer: Some(ISSUER.into()), audience: Some(AUDIENCE.into()) }
}

pub(crate) fn clock(after: Duration) -> Arc<ManualClock> {
    Arc::new(ManualClock::at(ISSUED.plus(after)))
}

/// A verifier with these keys, at the time when the vectors were issued.
pub(crate) async fn knowing(options: Options) -> Verifier {
    let (verifier, refresher) = Verifier::new(options, clock(Duration::ZERO));
    let refresher = refresher.expect("a source was given");
    let tasks = Tasks::new();
    let (sender, mut states) = tokio::sync::mpsc::unbounded_channel();
    tasks.spawn(refresher.run(CancellationToken::new(), move |state| sender.send(state).unwrap_or_default()));
    states.recv().await.expect("the state at the start");
    let state = states.recv().await.expect("the state after the first fetch");
    assert_eq!(state.trouble, None);
    tasks.abort_all();
    verifier
}

/// A verifier with these keys and the secret.
pub(crate) async fn with_keys(keys: &[&str]) -> Verifier {
    knowing(options(Some(Arc::new(Fixed(key_set(keys)))))).await
}

/// A verifier with the secret only.
pub(crate) fn with_secret() -> Verifier {
    Verifier::new(options(None), clock(Duration::ZERO)).0
}
