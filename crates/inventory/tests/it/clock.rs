//! A clock that only moves when a test says so. The short waits of rivals that step aside pass at
//! once.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::Clock;
use tokio::sync::watch;

pub(crate) struct ManualClock {
    elapsed: watch::Sender<Duration>,
}

const START_MS: u64 = 1_750_000_000_000;
const MOMENT: Duration = Duration::from_millis(100);

impl Default for ManualClock {
    fn default() -> Self {
        Self { elapsed: watch::Sender::new(Duration::ZERO) }
    }
}

impl ManualClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += duration);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START_MS).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        if duration < MOMENT {
            return tokio::task::yield_now().await;
        }
        let end = self.elapsed() + duration;
        let mut time = self.elapsed.subscribe();
        time.wait_for(|elapsed| *elapsed >= end).await.expect("the clock outlives its sleepers");
    }
}
