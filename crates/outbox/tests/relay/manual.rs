//! A clock that a test moves: no virtual time passes while engines work on real threads.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::Clock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

pub(crate) const START_MS: u64 = 1_750_000_000_000;

#[derive(Default)]
pub(crate) struct ManualClock(Mutex<State>);

#[derive(Default)]
struct State {
    elapsed: Duration,
    /// How far the wall clock was set forward on top.
    jumped: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
}

impl ManualClock {
    /// Moves time; due sleepers wake in order.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.0.lock().unwrap();
        state.elapsed += by;
        let now = state.elapsed;
        while state.sleepers.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            let (_, sleeper) = state.sleepers.pop_first().unwrap();
            let _ = sleeper.send(());
        }
    }

    /// Sets the wall clock forward; no sleep gets shorter.
    pub(crate) fn jump(&self, by: Duration) {
        self.0.lock().unwrap().jumped += by;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.0.lock().unwrap();
        Timestamp::from_millis(START_MS).plus(state.elapsed + state.jumped)
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().elapsed
    }

    async fn sleep(&self, duration: Duration) {
        let woken = {
            let mut state = self.0.lock().unwrap();
            let (sender, receiver) = oneshot::channel();
            let at = state.elapsed + duration;
            if at > state.elapsed {
                state.count += 1;
                let key = (at, state.count);
                state.sleepers.insert(key, sender);
            }
            receiver
        };
        // With a zero duration the sender is gone already and this returns at once.
        let _ = woken.await;
    }
}

/// Waits in real time until something holds, moving the clock by `step` at each look.
pub(crate) async fn until<F: Future<Output = bool>>(
    clock: &ManualClock,
    step: Duration,
    what: &str,
    holds: impl Fn() -> F,
) {
    for _ in 0..30_000 {
        if holds().await {
            return;
        }
        if !step.is_zero() {
            clock.advance(step);
        }
        #[allow(clippy::disallowed_methods, reason = "engines work on real threads, which take real time")]
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came true: {what}");
}
