//! A clock that moves only when a test moves it.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::Clock;
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) struct ManualClock {
    elapsed: watch::Sender<Duration>,
}

/// Wall-clock time when a clock begins.
const START_MS: u64 = 1_750_000_000_000;

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { elapsed: watch::Sender::new(Duration::ZERO) })
    }

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
        let end = self.elapsed() + duration;
        let mut time = self.elapsed.subscribe();
        time.wait_for(|elapsed| *elapsed >= end).await.expect("the clock outlives its sleepers");
    }
}
