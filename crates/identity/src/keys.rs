//! The provider's keys, fetched again and again.
//!
//! One task fetches ([`Refresher::run`]), so no two fetches are ever in the air; verifying reads what it got last. It fetches
//! every [`FETCH_EVERY`], and sooner when a token names a key that is not known, because providers sign with a new key as soon
//! as they have published it. Anybody can name an unknown key, so such a wish is heard at most once in [`FETCH_GAP`], and the
//! request that has it waits but does not fetch: if it did, somebody who asks and hangs up would stop every fetch halfway and
//! keep a new key from being known.
//!
//! An answer replaces all that was known, so a key that is withdrawn is refused from then on. No answer changes nothing: the
//! keys known last go on to be believed, and [`KeyState`] and the log say that the provider fails.

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

/// The time between two fetches that nobody asks for.
pub const FETCH_EVERY: Duration = Duration::from_secs(5 * 60);
/// The time between two fetches, at least. So a token of a new key may be refused for that long, if a forged one came first.
pub const FETCH_GAP: Duration = Duration::from_secs(10);
/// A fetch that takes longer has failed, and no request waits longer for one.
pub const FETCH_LIMIT: Duration = Duration::from_secs(6);
/// How many requests wait for a fetch at once, at most; who comes after them is refused.
pub const WAITING_MAX: usize = 1_024;

/// Where the provider's keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The JSON Web Key Set as it is now. The future may be dropped at any await.
    ///
    /// # Errors
    /// When there is no usable answer.
    async fn fetch(&self) -> Result<Bytes, Fault>;
}

/// What is known of the provider's keys, for health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// How many keys tokens are verified with.
    pub keys: usize,
    /// What went wrong the last time; the keys are then from an earlier time.
    pub trouble: Option<String>,
}

impl KeyState {
    /// Whether tokens can be verified. A provider that fails is no reason to send requests elsewhere while its keys are known.
    ///
    /// # Errors
    /// The words on why not.
    pub fn ready(&self) -> Result<(), String> {
        if self.keys > 0 { Ok(()) } else { Err(self.to_string()) }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.keys, &self.trouble) {
            (0, None) => f.write_str("the provider has no key that tokens are verified with"),
            (0, Some(trouble)) => write!(f, "no key is known: {trouble}"),
            (keys, None) => write!(f, "{keys} known"),
            (keys, Some(trouble)) => write!(f, "{keys} known from before: {trouble}"),
        }
    }
}

/// What the task has got so far.
struct Round {
    set: Arc<KeySet>,
    /// How many fetches have ended, well or not.
    ended: u64,
    running: bool,
    /// When the next fetch may be asked for, in the clock's `elapsed`.
    not_before: Duration,
    trouble: Option<String>,
}

/// The known keys as those see them who verify.
pub(crate) struct Keys {
    rounds: watch::Receiver<Round>,
    wanted: Arc<Notify>,
    waiting: Semaphore,
    clock: Arc<dyn Clock>,
}

/// Fetches the provider's keys. Until it runs no key is known, and when it ends nothing new will be.
#[must_use = "no key is known before it runs"]
pub struct Refresher {
    source: Arc<dyn KeySource>,
    rounds: watch::Sender<Round>,
    wanted: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

/// The keys of a source, of which none is known yet.
pub(crate) fn keys_of(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> (Keys, Refresher) {
    let trouble = Some("the provider was not asked yet".to_owned());
    let round = Round { set: Arc::default(), ended: 0, running: false, not_before: Duration::ZERO, trouble };
    let (sender, rounds) = watch::channel(round);
    let wanted = Arc::new(Notify::new());
    let refresher = Refresher { source, rounds: sender, wanted: wanted.clone(), clock: clock.clone() };
    (Keys { rounds, wanted, waiting: Semaphore::new(WAITING_MAX), clock }, refresher)
}

impl Keys {
    /// The keys known last.
    pub(crate) fn known(&self) -> Arc<KeySet> {
        self.rounds.borrow().set.clone()
    }

    /// Asks for a fetch and waits for its end, or for the end of the one that is in the air. Returns at once where none may be
    /// made now.
    pub(crate) async fn newer(&self) {
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
        // Whatever comes of it, the caller looks at the keys that are known then.
        let _ = timeout(&*self.clock, FETCH_LIMIT, end).await;
    }
}

impl Refresher {
    /// What is known now.
    pub fn state(&self) -> KeyState {
        let round = self.rounds.borrow();
        KeyState { keys: round.set.len(), trouble: round.trouble.clone() }
    }

    /// Fetches until `shutdown`, and tells the state at the start and after each fetch.
    pub async fn run(self, shutdown: CancellationToken, tell: impl Fn(KeyState) + Send + Sync) {
        let work = async {
            tell(self.state());
            loop {
                self.fetch().await;
                tell(self.state());
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
                    tracing::info!(keys, left_out, "the provider's keys are known");
                }
                (Arc::new(set), None)
            }
            Err(fault) => {
                let trouble = fault.chain();
                // Once for each kind of failure: it is tried again every few seconds.
                if before.as_ref() != Some(&trouble) {
                    tracing::warn!(
                        error = trouble,
                        keys = known.len(),
                        "the provider's keys were not fetched"
                    );
                }
                (known, Some(trouble))
            }
        };
        self.rounds.send_modify(|round| {
            *round = Round { set, ended: round.ended + 1, running: false, not_before, trouble };
        });
    }

    /// Until it is time, or somebody asks and it may be: a provider that failed is asked again after the shortest time.
    async fn pause(&self) {
        let (not_before, failed) = {
            let round = self.rounds.borrow();
            (round.not_before, round.trouble.is_some())
        };
        let due = if failed { not_before } else { not_before.saturating_add(FETCH_EVERY - FETCH_GAP) };
        let asked = async {
            loop {
                self.wanted.notified().await;
                // A wish from before the last fetch may still be noted.
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
