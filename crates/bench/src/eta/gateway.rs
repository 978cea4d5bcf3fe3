//! A gateway's view of a line, and the estimates that it reports.

use domain::time::Timestamp;
use domain::waiting_room::{Line, Pace, Places, Snapshot};
use std::time::Duration;

/// How often it asks the line.
pub(super) const EVERY_MS: u64 = 250;
/// Polls are so far apart at least and at most, and otherwise a tenth of the wait.
const POLL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A gateway's copy of the line.
#[derive(Default)]
pub(super) struct Gateway {
    snapshot: Option<Snapshot>,
    places: Places,
    pace: Pace,
}

impl Gateway {
    /// Lets time pass in the line, and reads the changes.
    pub(super) fn look(&mut self, line: &mut Line, now: Timestamp) {
        while line.tick(now) {}
        loop {
            let since = self.snapshot.as_ref().map(|known| (known.incarnation, known.version));
            let mut snapshot = line.snapshot(since, now);
            let blocks = std::mem::take(&mut snapshot.blocks);
            self.places.update(snapshot.head, snapshot.cleared, blocks);
            let more = snapshot.more;
            self.pace.record(&snapshot);
            self.snapshot = Some(snapshot);
            if !more {
                return;
            }
        }
    }

    /// Whole seconds until the turn of this number; `None` while nobody can say.
    pub(super) fn eta(&self, number: u64) -> Option<u32> {
        let wait = self.pace.wait(self.ahead_of(number))?;
        Some(wait.as_secs_f64().ceil() as u32)
    }

    /// People ahead of a number. Those who joined since the last look are not in the counts,
    /// but have had their numbers.
    fn ahead_of(&self, number: u64) -> u64 {
        let next = self.snapshot.as_ref().map_or(number, |known| known.last + 1);
        self.places.ahead_of(number.min(next)) + number.saturating_sub(next)
    }

    /// When to poll again after this answer.
    pub(super) fn poll_after(eta: Option<u32>) -> Duration {
        let (least, most) = POLL;
        eta.map_or(most, |eta| (Duration::from_secs(eta.into()) / 10).clamp(least, most))
    }
}
