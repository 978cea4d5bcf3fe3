//! The machine's clock as a port.
//!
//! `elapsed` and `sleep` use the async runtime's monotonic clock, so a test that pauses it
//! moves both.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::Clock;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Wall time of the operating system and monotonic time since this value was made.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose `elapsed` starts now.
    #[allow(clippy::disallowed_methods, reason = "this is the port's real clock")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the port's real clock")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as the epoch: every due time is then still in the future.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the port's real clock")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn elapsed_has_grown_by_what_was_slept() {
        let clock = SystemClock::new();
        let before = clock.elapsed();
        clock.sleep(Duration::from_secs(3)).await;
        assert!(clock.elapsed() - before >= Duration::from_secs(3));
    }

    #[test]
    fn wall_time_is_after_this_code_was_written() {
        assert!(SystemClock::new().now() > Timestamp::from_millis(1_700_000_000_000));
    }
}
