//! What both benchmarks need of the machine: a clock, the time spent on the processor, the arguments.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;
use ports::Clock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) struct WallClock(Instant);

impl WallClock {
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(since.as_millis() as u64)
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Processor time of this process so far, user and system; zero where the system does not say.
pub(crate) fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    // The kernel reports in hundredths of a second on every common configuration.
    Duration::from_millis(ticks * 10)
}

/// `name=value` among the arguments.
pub(crate) fn argument(name: &str, default: u64) -> u64 {
    std::env::args()
        .filter_map(|argument| {
            argument.strip_prefix(&format!("{name}=")).and_then(|value| value.parse().ok())
        })
        .next_back()
        .unwrap_or(default)
}

/// The value below which `share` of the sorted values lie.
pub(crate) fn quantile(sorted: &[u64], share: f64) -> u64 {
    let place = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(0)
}
