//! A clock that a test moves by hand.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::Clock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

pub(crate) struct ManualClock(Mutex<State>);

struct State {
    start: Timestamp,
    elapsed: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
}

impl ManualClock {
    pub(crate) fn at(start: Timestamp) -> Self {
        let (elapsed, sleepers, count) = (Duration::ZERO, BTreeMap::new(), 0);
        Self(Mutex::new(State { start, elapsed, sleepers, count }))
    }

    /// Moves time; sleepers whose time has come wake in order.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.0.lock().unwrap();
        state.elapsed += by;
        let now = state.elapsed;
        while state.sleepers.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            let (_, sleeper) = state.sleepers.pop_first().unwrap();
            // Whoever slept may have been dropped.
            let _ = sleeper.send(());
        }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.0.lock().unwrap();
        state.start.plus(state.elapsed)
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
        // For no time at all the sender is gone already and this returns at once.
        let _ = woken.await;
    }
}
