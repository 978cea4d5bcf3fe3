//! The provider's keys, fetched regularly.
//!
//! One task fetches ([`Refresher::run`]), so two fetches never overlap; verification uses the keys
//! of the last fetch. The task fetches every [`FETCH_EVERY`], and sooner when a token names an
//! unknown key, because providers sign with a new key as soon as they have published it. Anybody
//! can name an unknown key, so such a request triggers at most one fetch per [`FETCH_GAP`]. The
//! request waits for the fetch but does not run it: otherwise a caller that hangs up would
//! cancel every fetch halfway, and a new key would never become known.
//!
//! A successful fetch replaces all keys, so a withdrawn key is refused from then on. A failed fetch
//! changes nothing: the keys of the last successful fetch stay trusted, and [`KeyState`] and the
//! log report the failure.

use crate::key_set::KeySet;
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use ports::clock::timeout;
use ports::{Clock, Fault};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// The time between two regular fetches.
pub const FETCH_EVERY: Duration = Duration::from_secs(5 * 60);
/// The shortest time between two fetches. A token with a new key may be refused for this long, if a
/// forged one came first.
pub const FETCH_GAP: Duration = Duration::from_secs(10);
/// A fetch that takes longer counts as failed, and no request waits longer for one.
pub const FETCH_LIMIT: Duration = Duration::from_secs(6);
/// The most requests that wait for a fetch at once; further ones are refused.
pub const WAITING_MAX: usize = 1_024;

/// The source of the provider's keys.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The current JSON Web Key Set. The future may be dropped at any await.
    ///
    /// # Errors
    /// If there is no usable answer.
    async fn fetch(&self) -> Result<Bytes, Fault>;
}

/// The state of the provider's keys, for health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// How many keys can verify tokens.
    pub keys: usize,
    /// The failure of the last fetch; the keys are then from an earlier fetch.
    pub trouble: Option<String>,
}

impl KeyState {
    /// Whether tokens can be verified. While keys are known, a failing provider is no reason to
    /// send requests to another instance.
    ///
    /// # Errors
    /// The reason, if tokens cannot be verified.
    pub fn ready(&self) -> Result<(), String> {
        if self.keys > 0 { Ok(()) } else { Err(self.to_string()) }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.keys, &self.trouble) {
            (0, None) => f.write_str("the provider has no key that can verify tokens"),
            (0, Some(trouble)) => write!(f, "no key is known: {trouble}"),
            (keys, None) => write!(f, "{keys} known"),
            (keys, Some(trouble)) => write!(f, "{keys} known from an earlier fetch: {trouble}"),
        }
    }
}

/// The result of the last fetch.
struct Round {
    set: Arc<KeySet>,
    /// How many fetches have ended, successful or not.
    ended: u64,
    running: bool,
    /// The earliest time for the next fetch, in the clock's `elapsed`.
    not_before: Duration,
    trouble: Option<String>,
}

/// The verifier's view of the known keys.
pub(crate) struct Keys {
    rounds: watch::Receiver<Round>,
    wanted: Arc<Notify>,
    waiting: Semaphore,
    clock: Arc<dyn Clock>,
}

/// Fetches the provider's keys. No key is known before it runs, and no new key after it ends.
#[must_use = "no key is known before it runs"]
pub struct Refresher {
    source: Arc<dyn KeySource>,
    rounds: watch::Sender<Round>,
    wanted: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

/// The keys of a source that was not asked yet.
pub(crate) fn keys_from(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> (Keys, Refresher) {
    let trouble = Some("the provider was not asked yet".to_owned());
    let round = Round { set: Arc::default(), ended: 0, running: false, not_before: Duration::ZERO, trouble };
    let (sender, rounds) = watch::channel(round);
    let wanted = Arc::new(Notify::new());
    let refresher = Refresher { source, rounds: sender, wanted: wanted.clone(), clock: clock.clone() };
    (Keys { rounds, wanted, waiting: Semaphore::new(WAITING_MAX), clock }, refresher)
}

impl Keys {
    /// The keys of the last successful fetch.
    pub(crate) fn known(&self) -> Arc<KeySet> {
        self.rounds.borrow().set.clone()
    }

    /// Asks for a fetch and waits until it ends, or waits for the running fetch. Returns at once if
    /// no fetch is allowed now.
    pub(crate) async fn refresh(&self) {
        let Ok(_place) = self.waiting.try_acquire() else { return };
        let mut rounds = self.rounds.clone();
        let (ended, running, not_before) = {
            let round = rounds.borrow_and_update();
            (round.ended, round.running, round.not_before)
        };
        if !running {
            if self.clock.elapsed() < not_before {
                return;
            }
            self.wanted.notify_one();
        }
        let end = rounds.wait_for(|round| round.ended > ended);
        // After success or failure alike, the caller looks at the keys known then.
        let _ = timeout(&*self.clock, FETCH_LIMIT, end).await;
    }
}

impl Refresher {
    /// The present state.
    pub fn state(&self) -> KeyState {
        let round = self.rounds.borrow();
        KeyState { keys: round.set.len(), trouble: round.trouble.clone() }
    }

    /// Fetches until `shutdown`, and reports the state at the start and after each fetch.
    pub async fn run(self, shutdown: CancellationToken, report: impl Fn(KeyState) + Send + Sync) {
        let work = async {
            report(self.state());
            loop {
                self.fetch().await;
                report(self.state());
                self.pause().await;
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    async fn fetch(&self) {
        let not_before = self.clock.elapsed().saturating_add(FETCH_GAP);
        self.rounds.send_modify(|round| {
            round.running = true;
            round.not_before = not_before;
        });
        let fetched = match timeout(&*self.clock, FETCH_LIMIT, self.source.fetch()).await {
            Ok(fetched) => fetched.and_then(|bytes| KeySet::parse(&bytes)),
            Err(_) => Err(Fault::unavailable(format!("the provider did not answer within {FETCH_LIMIT:?}"))),
        };
        let before = self.rounds.borrow().trouble.clone();
        let known = self.rounds.borrow().set.clone();
        let (set, trouble) = match fetched {
            Ok(set) => {
                if before.is_some() || !set.is(&known) {
                    let (keys, left_out) = (set.len(), set.left_out());
                    tracing::info!(keys, left_out, "fetched the provider's keys");
                }
                (Arc::new(set), None)
            }
            Err(fault) => {
                let trouble = fault.chain();
                // Once for each kind of failure, because the fetch is retried every few seconds.
                if before.as_ref() != Some(&trouble) {
                    tracing::warn!(
                        error = trouble,
                        keys = known.len(),
                        "failed to fetch the provider's keys"
                    );
                }
                (known, Some(trouble))
            }
        };
        self.rounds.send_modify(|round| {
            *round = Round { set, ended: round.ended + 1, running: false, not_before, trouble };
        });
    }

    /// Waits until the next regular fetch, or until a request asks for an allowed one. A failed
    /// fetch is repeated after the shortest gap.
    async fn pause(&self) {
        let (not_before, failed) = {
            let round = self.rounds.borrow();
            (round.not_before, round.trouble.is_some())
        };
        let due = if failed { not_before } else { not_before.saturating_add(FETCH_EVERY - FETCH_GAP) };
        let asked = async {
            loop {
                self.wanted.notified().await;
                // A request from before the last fetch may still be pending.
                if self.clock.elapsed() >= not_before {
                    return;
                }
            }
        };
        tokio::select! {
            () = self.clock.sleep(due.saturating_sub(self.clock.elapsed())) => {}
            () = asked => {}
        }
    }
}
