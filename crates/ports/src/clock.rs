//! Time as a port.

use async_trait::async_trait;
use core::time::Duration;
use domain::time::Timestamp;

/// The process's clock. `now` may jump and differs between instances; `elapsed` only grows.
///
/// Rules that cross processes (due times, expiry) use `now`; leases, deadlines and measurements use `elapsed`.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point of this process's life; monotonic.
    fn elapsed(&self) -> Duration;
    /// Returns when `elapsed` has grown by `duration`.
    async fn sleep(&self, duration: Duration);
}

/// `future` did not finish in its time and was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

/// Runs a future for at most `limit` of the clock's time. The future is dropped when the limit passes, so this must not
/// be used around a call that may not be cancelled (a receive).
pub async fn timeout<T>(
    clock: &dyn Clock,
    limit: Duration,
    future: impl Future<Output = T> + Send,
) -> Result<T, TimedOut> {
    tokio::select! {
        biased;
        value = future => Ok(value),
        () = clock.sleep(limit) => Err(TimedOut),
    }
}
