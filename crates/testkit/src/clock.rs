//! A clock that a test moves by hand. No virtual time passes while engines work on real threads.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use parking_lot::Mutex;
use ports::Clock;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Wall-clock time of a [`ManualClock::default`] when it starts, in milliseconds since the Unix
/// epoch.
pub const START_MS: u64 = 1_750_000_000_000;

/// See the module. Sleepers wake in the order of their due times, those of equal times in the order
/// in which they began to sleep. A sleep of zero returns at once.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    pauses: Pauses,
    state: Mutex<State>,
}

/// What a sleep does that the test does not wait for.
#[derive(Debug, Clone, Copy)]
enum Pauses {
    /// Every sleep waits for the test.
    Wait,
    /// Sleeps shorter than this yield once and are over.
    SkipBelow(Duration),
    /// Every sleep moves the clock itself, yields once and is over.
    Advance,
}

#[derive(Debug, Default)]
struct State {
    elapsed: Duration,
    /// How far the wall clock was set forward on top.
    jumped: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
}

impl Default for ManualClock {
    /// Starts at [`START_MS`].
    fn default() -> Self {
        Self::at(Timestamp::from_millis(START_MS))
    }
}

impl ManualClock {
    /// Starts at this wall-clock time, with nothing elapsed.
    pub fn at(start: Timestamp) -> Self {
        Self { start, pauses: Pauses::Wait, state: Mutex::default() }
    }

    /// Sleeps shorter than `limit` end at once, so that a test need not wait out backoffs between
    /// rivals.
    #[must_use]
    pub const fn skipping_sleeps_below(mut self, limit: Duration) -> Self {
        self.pauses = Pauses::SkipBelow(limit);
        self
    }

    /// Every sleep moves the clock by its duration and ends at once.
    #[must_use]
    pub const fn advancing_by_itself(mut self) -> Self {
        self.pauses = Pauses::Advance;
        self
    }

    /// Moves time and wakes the sleepers that are due.
    pub fn advance(&self, by: Duration) {
        let now = self.state.lock().elapsed + by;
        self.advance_to(now);
    }

    /// Moves time so that so much has elapsed, and wakes the sleepers that are due. Time never
    /// moves back.
    pub fn advance_to(&self, elapsed: Duration) {
        let mut state = self.state.lock();
        assert!(elapsed >= state.elapsed, "{elapsed:?} is before {:?}", state.elapsed);
        state.elapsed = elapsed;
        while let Some(first) = state.sleepers.first_entry()
            && first.key().0 <= elapsed
        {
            // The sleeper may have been dropped.
            let _ = first.remove().send(());
        }
    }

    /// Sets the wall clock forward. `elapsed` and every sleep stay as they are.
    pub fn jump(&self, by: Duration) {
        self.state.lock().jumped += by;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.state.lock();
        self.start.plus(state.elapsed + state.jumped)
    }

    fn elapsed(&self) -> Duration {
        self.state.lock().elapsed
    }

    async fn sleep(&self, duration: Duration) {
        match self.pauses {
            Pauses::SkipBelow(limit) if duration < limit => return tokio::task::yield_now().await,
            Pauses::Advance => {
                self.advance(duration);
                return tokio::task::yield_now().await;
            }
            Pauses::SkipBelow(_) | Pauses::Wait => {}
        }
        let woken = {
            let mut state = self.state.lock();
            let (sender, receiver) = oneshot::channel();
            let due = state.elapsed + duration;
            if due > state.elapsed {
                state.count += 1;
                let key = (due, state.count);
                state.sleepers.insert(key, sender);
            }
            receiver
        };
        // After a sleep of zero the sender is already dropped and this returns at once.
        let _ = woken.await;
    }
}

/// Waits in real time until a condition holds, at most about a minute. Each look moves the clock by
/// `step`; zero leaves it alone. Panics with `condition` when it never holds.
pub async fn until<F: Future<Output = bool>>(
    clock: &ManualClock,
    step: Duration,
    condition: &str,
    holds: impl Fn() -> F,
) {
    for _ in 0..30_000 {
        if holds().await {
            return;
        }
        clock.advance(step);
        #[allow(clippy::disallowed_methods, reason = "engines work on real threads, which take real time")]
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came true: {condition}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SECOND: Duration = Duration::from_secs(1);

    fn ready<F: Future>(future: F) -> Option<F::Output> {
        let mut future = core::pin::pin!(future);
        match future.as_mut().poll(&mut core::task::Context::from_waker(core::task::Waker::noop())) {
            core::task::Poll::Ready(output) => Some(output),
            core::task::Poll::Pending => None,
        }
    }

    #[test]
    fn time_moves_only_by_hand_and_a_jump_moves_only_the_wall_clock() {
        let clock = ManualClock::default();
        clock.advance(SECOND);
        clock.jump(SECOND);
        assert_eq!(clock.now().as_millis(), START_MS + 2_000);
        assert_eq!(clock.elapsed(), SECOND);
    }

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_due_times() {
        let clock = Arc::new(ManualClock::default());
        let woken = Mutex::new(Vec::new());
        let sleep = async |seconds: u32| {
            clock.sleep(SECOND * seconds).await;
            woken.lock().push(seconds);
        };
        let move_time = async {
            for _ in 0..3 {
                clock.advance(SECOND);
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(sleep(3), sleep(1), sleep(2), sleep(0), move_time);
        assert_eq!(*woken.lock(), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn skipped_and_self_advancing_sleeps_end_without_the_test() {
        let skipping = ManualClock::default().skipping_sleeps_below(SECOND);
        skipping.sleep(SECOND / 2).await;
        assert_eq!(skipping.elapsed(), Duration::ZERO);
        assert!(ready(skipping.sleep(SECOND)).is_none());
        let advancing = ManualClock::default().advancing_by_itself();
        advancing.sleep(SECOND).await;
        assert_eq!(advancing.elapsed(), SECOND);
    }
}
