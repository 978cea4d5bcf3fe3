//! Collects settlements into batches. A batch is sent at ten entries, 5 ms after its first, or at
//! once when nothing is in flight that could fill it.

use super::deliveries::DeliveryId;
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use std::collections::VecDeque;

/// How long the first entry of a batch waits for others.
const LINGER: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Batch {
    entries: VecDeque<(DeliveryId, Duration)>,
}

impl Batch {
    pub(super) fn push(&mut self, id: DeliveryId, now: Duration) {
        self.entries.push_back((id, now));
    }

    /// When the oldest entry has waited long enough.
    pub(super) fn due_at(&self) -> Option<Duration> {
        self.entries.front().map(|(_, since)| *since + LINGER)
    }

    /// The next batch that is due.
    pub(super) fn take(&mut self, now: Duration, idle: bool) -> Option<Vec<DeliveryId>> {
        let due = self.due_at()? <= now;
        if !due && !idle && self.entries.len() < QUEUE_BATCH_MAX {
            return None;
        }
        let count = self.entries.len().min(QUEUE_BATCH_MAX);
        Some(self.entries.drain(..count).map(|(id, _)| id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_batch_goes_at_ten_or_after_five_milliseconds_or_when_idle() {
        let mut batch = Batch::default();
        assert_eq!(batch.take(ms(0), true), None);
        (0..9).for_each(|n| batch.push(DeliveryId(n), ms(n)));
        assert_eq!(batch.take(ms(4), false), None);
        batch.push(DeliveryId(9), ms(4));
        batch.push(DeliveryId(10), ms(4));
        assert_eq!(batch.take(ms(4), false).map(|taken| taken.len()), Some(10));
        assert_eq!(batch.take(ms(4), false), None);
        assert_eq!(batch.due_at(), Some(ms(9)));
        assert_eq!(batch.take(ms(9), false), Some(vec![DeliveryId(10)]));
        batch.push(DeliveryId(11), ms(10));
        assert_eq!(batch.take(ms(10), true), Some(vec![DeliveryId(11)]));
    }
}
