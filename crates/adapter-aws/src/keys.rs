//! The credentials of this process, fetched once and kept until shortly before they expire.

use crate::fault::chain;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use parking_lot::{Mutex, MutexGuard};
use std::time::SystemTime;

/// Credentials are fetched again this long before they expire.
const MARGIN: Duration = Duration::from_secs(60);
/// Credentials without an expiry are fetched again after this, as the SDK does.
const KEEP_WITHOUT_EXPIRY: Duration = Duration::from_secs(15 * 60);
/// The limit of one fetch, and the rest after each try.
const FETCH_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Keys {
    provider: Option<SharedCredentialsProvider>,
    held: Mutex<Option<Held>>,
    /// Held during a fetch: how the last fetch failed.
    fetching: tokio::sync::Mutex<String>,
    /// How often a fetch failed.
    failures: AtomicU64,
}

#[derive(Debug, Clone)]
struct Held {
    keys: Credentials,
    renew_at: SystemTime,
}

impl Keys {
    /// The credentials of `provider`. Fetches nothing until they are needed.
    pub(crate) fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self {
            provider,
            held: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            failures: AtomicU64::new(0),
        }
    }

    /// The credentials, or why there are none. A caller that waited for a failed attempt fails with
    /// it.
    pub(crate) async fn get(&self) -> Result<Credentials, String> {
        if let Some(held) = self.fresh() {
            return Ok(held);
        }
        let before = self.failures.load(Ordering::Relaxed);
        let mut failure = self.fetching.lock().await;
        if let Some(held) = self.fresh() {
            return Ok(held);
        }
        if self.failures.load(Ordering::Relaxed) > before {
            return Err(failure.clone());
        }
        let provider = self.provider.as_ref().ok_or("there is no provider of credentials")?;
        #[allow(clippy::disallowed_methods, reason = "the provider answers in real time")]
        let fetched = tokio::time::timeout(FETCH_MAX, provider.provide_credentials()).await;
        let why = match fetched {
            Ok(Ok(keys)) => return Ok(self.hold(keys)),
            Ok(Err(why)) => chain(&why),
            Err(_) => format!("no credentials within {FETCH_MAX:?}"),
        };
        // The provider may be away for a moment; the credentials that we or it hold may still be
        // valid for a while.
        let held = self.held().as_ref().map(|held| held.keys.clone()).filter(is_good);
        match held.or_else(|| provider.as_ref().fallback_on_interrupt()) {
            Some(keys) => Ok(self.hold(keys)),
            None => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                failure.clone_from(&why);
                Err(why)
            }
        }
    }

    fn hold(&self, keys: Credentials) -> Credentials {
        let (now, end) = (real_now(), keys.expiry().map(|end| end - MARGIN));
        let renew_at = end.unwrap_or(now + KEEP_WITHOUT_EXPIRY).max(now + FETCH_MAX);
        *self.held() = Some(Held { keys: keys.clone(), renew_at });
        keys
    }

    /// Makes the next use fetch again: AWS refused these.
    pub(crate) fn forget(&self, refused: &Credentials) {
        self.held().take_if(|held| held.keys.access_key_id() == refused.access_key_id());
    }

    fn fresh(&self) -> Option<Credentials> {
        let held =
            self.held().as_ref().filter(|held| held.renew_at > real_now()).map(|held| held.keys.clone());
        held.filter(is_good)
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock()
    }
}

fn is_good(keys: &Credentials) -> bool {
    keys.expiry().is_none_or(|end| end > real_now())
}

#[allow(clippy::disallowed_methods, reason = "credentials and signatures use real time")]
pub(crate) fn real_now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future::ProvideCredentials as Provided;
    use core::sync::atomic::AtomicU32;
    use std::sync::Arc;

    /// Gives credentials that expire after the given time, until it has no more.
    #[derive(Debug, Clone)]
    struct Provider {
        given: Arc<AtomicU32>,
        end_after: Option<Duration>,
        has: u32,
    }

    impl ProvideCredentials for Provider {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            let number = self.given.fetch_add(1, Ordering::Relaxed);
            let end = self.end_after.map(|after| real_now() + after);
            Provided::ready(if number < self.has {
                Ok(Credentials::new(format!("key-{number}"), "secret", None, end, "test"))
            } else {
                Err(CredentialsError::not_loaded("no more"))
            })
        }
    }

    fn keys(end_after: Option<Duration>, has: u32) -> Keys {
        Keys::new(Some(SharedCredentialsProvider::new(Provider { given: Arc::default(), end_after, has })))
    }

    async fn id(keys: &Keys) -> Result<String, String> {
        keys.get().await.map(|keys| keys.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn they_are_fetched_once_and_again_when_aws_refuses_them() {
        for end_after in [None, Some(MARGIN * 2)] {
            let keys = keys(end_after, 9);
            for _ in 0..3 {
                assert_eq!(id(&keys).await.unwrap(), "key-0");
            }
            let refused = keys.get().await.unwrap();
            keys.forget(&refused);
            assert_eq!(id(&keys).await.unwrap(), "key-1");
            keys.forget(&refused);
            assert_eq!(id(&keys).await.unwrap(), "key-1", "a late refusal of the old ones");
        }
    }

    #[tokio::test]
    async fn they_are_renewed_before_they_expire_and_used_until_then() {
        let keys = keys(Some(MARGIN / 2), 2);
        assert_eq!(id(&keys).await.unwrap(), "key-0");
        assert_eq!(id(&keys).await.unwrap(), "key-0", "just tried");
        keys.renew_now();
        assert_eq!(id(&keys).await.unwrap(), "key-1");
        keys.renew_now();
        assert_eq!(id(&keys).await.unwrap(), "key-1", "the provider has no more, and these are still good");
        keys.forget(&keys.get().await.unwrap());
        assert!(id(&keys).await.unwrap_err().contains("no more"));
    }

    #[tokio::test]
    async fn expired_credentials_are_not_used() {
        let keys = keys(Some(Duration::ZERO), 1);
        assert_eq!(id(&keys).await.unwrap(), "key-0", "AWS will say so");
        assert!(id(&keys).await.unwrap_err().contains("no more"));
    }

    /// A provider that never answers.
    #[derive(Debug)]
    struct Hangs;

    impl ProvideCredentials for Hangs {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            Provided::new(core::future::pending())
        }

        fn fallback_on_interrupt(&self) -> Option<Credentials> {
            Some(Credentials::new("key-before", "secret", None, None, "test"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_hangs_is_replaced_by_its_earlier_credentials() {
        let keys = Keys::new(Some(SharedCredentialsProvider::new(Hangs)));
        assert_eq!(id(&keys).await.unwrap(), "key-before");
    }

    /// A provider that never answers, and has no earlier credentials.
    #[derive(Debug)]
    struct Away(Arc<AtomicU32>);

    impl ProvideCredentials for Away {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, Ordering::Relaxed);
            Provided::new(core::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_waits_for_a_fetch_fails_with_it() {
        let asked = Arc::new(AtomicU32::new(0));
        let keys = Keys::new(Some(SharedCredentialsProvider::new(Away(asked.clone()))));
        let (one, two, three) = tokio::join!(id(&keys), id(&keys), id(&keys));
        assert!(
            [one, two, three].iter().all(|none| none.as_ref().is_err_and(|why| why.contains("within 5s")))
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        id(&keys).await.expect_err("asked again");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    impl Keys {
        fn renew_now(&self) {
            self.held().as_mut().unwrap().renew_at = SystemTime::UNIX_EPOCH;
        }
    }
}
