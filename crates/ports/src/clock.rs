//! Time as a port.

use async_trait::async_trait;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use domain::time::Timestamp;
use pin_project_lite::pin_project;

/// The process's clock. `now` may jump and differs between instances; `elapsed` only grows.
///
/// Rules that cross processes (due times, expiry) use `now`; leases, deadlines and measurements use
/// `elapsed`.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Time since a fixed point in the life of this process; monotonic.
    fn elapsed(&self) -> Duration;
    /// Returns when `elapsed` has grown by `duration`.
    async fn sleep(&self, duration: Duration);
}

/// `future` did not finish in time and was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

/// Runs a future for at most `limit` of the clock's time. The future is dropped when the limit
/// passes, so do not use this around a call that must not be cancelled (a receive).
pub const fn timeout<F: Future>(clock: &dyn Clock, limit: Duration, future: F) -> Timeout<'_, F> {
    Timeout { future, clock, limit, limit_passes: None }
}

pin_project! {
    /// See [`timeout`]. An `async fn` would store the future twice: where it is passed in and where
    /// it is polled.
    #[must_use = "nothing happens before it is awaited"]
    pub struct Timeout<'c, F> {
        #[pin]
        future: F,
        clock: &'c dyn Clock,
        limit: Duration,
        limit_passes: Option<Pin<Box<dyn Future<Output = ()> + Send + 'c>>>,
    }
}

impl<F: Future> Future for Timeout<'_, F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let (clock, limit) = (*this.clock, *this.limit);
        this.limit_passes.get_or_insert_with(|| clock.sleep(limit)).as_mut().poll(cx).map(|()| Err(TimedOut))
    }
}
