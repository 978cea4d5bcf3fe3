//! What a gateway knows about a line: a snapshot of the store, kept as counts.

use core::time::Duration;
use domain::waiting_room::{self, NO_TURNS_FOR, Pace, Places, Snapshot};
use std::sync::Arc;

/// A line as it was a moment ago. Places and waits come from it without a call to the store.
#[derive(Debug, Clone)]
pub struct View {
    /// The newest snapshot.
    pub snapshot: Snapshot,
    /// How many people wait in each block of numbers.
    places: Places,
    /// How fast the line moves.
    pace: Pace,
    /// The operator's message to the people who wait.
    pub notice: Option<Arc<str>>,
    /// Numbers after the last of the snapshot up to this one were never given: the store lost data
    /// and jumped over them.
    jumped_to: u64,
}

/// So many numbers cannot have been given since a snapshot: the store has jumped, and the gateway
/// does not know it yet. Half of the least jump, because the line may have lost as many numbers
/// before it jumped.
const JUMP: u64 = waiting_room::JUMP / 2;

impl View {
    /// People ahead of a number. Ahead of a number newer than the snapshot is also everybody who
    /// got one since.
    pub fn ahead_of(&self, number: u64) -> u64 {
        let last = self.snapshot.last;
        if number <= last {
            return self.places.ahead_of(number);
        }
        let since = number.saturating_sub(last.max(self.jumped_to) + 1);
        self.places.ahead_of(last + 1) + if since < JUMP { since } else { 0 }
    }

    /// The store continues after this number; the numbers in between were never given.
    pub(super) fn record_jump(&mut self, to: u64) {
        self.jumped_to = to;
    }

    /// How long the line takes for so many people; `None` if unknown.
    pub fn wait(&self, ahead: u64) -> Option<Duration> {
        self.pace.wait(ahead)
    }

    /// The reported people a second; `None` if unknown.
    pub fn pace(&self) -> Option<f64> {
        self.pace.people_per_sec()
    }
}

/// Builds views from snapshots.
#[derive(Debug, Default)]
pub(super) struct Viewer {
    known: Option<Known>,
    /// After the store lost the line, the old places are reported until the people in front have
    /// had time to return.
    shown_from: Option<Duration>,
}

#[derive(Debug)]
struct Known {
    snapshot: Snapshot,
    places: Places,
    pace: Pace,
}

impl Viewer {
    /// A viewer that continues from a view.
    pub(super) fn from_view(view: &View) -> Self {
        let View { snapshot, places, pace, .. } = view.clone();
        Self { known: Some(Known { snapshot, places, pace }), shown_from: None }
    }

    /// What to ask the store for.
    pub(super) fn since(&self) -> Option<(u64, u64)> {
        self.known.as_ref().map(|known| (known.snapshot.incarnation, known.snapshot.version))
    }

    /// Takes in a snapshot at `now`, a time that only grows; returns whether the store lost data
    /// since the last one.
    pub(super) fn take(&mut self, snapshot: Snapshot, now: Duration) -> bool {
        let is_lost =
            self.known.as_ref().is_some_and(|known| known.snapshot.incarnation != snapshot.incarnation);
        if is_lost {
            self.shown_from = Some(now + NO_TURNS_FOR);
            self.known = None;
        }
        let (mut places, mut pace) =
            self.known.take().map_or_else(Default::default, |known| (known.places, known.pace));
        places.update(snapshot.head, snapshot.cleared, snapshot.blocks.iter().copied());
        if !snapshot.more {
            pace.record(&snapshot);
        }
        self.known = Some(Known { snapshot, places, pace });
        is_lost
    }

    /// The view; `None` while the snapshot is not complete.
    pub(super) fn view(&self, now: Duration, notice: Option<Arc<str>>) -> Option<View> {
        if self.shown_from.is_some_and(|from| now < from) {
            return None;
        }
        let Known { snapshot, places, pace } = self.known.as_ref().filter(|known| !known.snapshot.more)?;
        Some(View {
            snapshot: snapshot.clone(),
            places: places.clone(),
            pace: pace.clone(),
            notice,
            jumped_to: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;
    use domain::waiting_room::{Rules, Totals};

    /// Nobody waits in it, and 1,000 is the last number given.
    fn view() -> View {
        let snapshot = Snapshot {
            incarnation: 1,
            version: 1,
            at: Timestamp::from_millis(1),
            head: 1_001,
            high: 1_000,
            last: 1_000,
            rules: Rules::at(1),
            totals: Totals::default(),
            blocks: Vec::new(),
            cleared: 0,
            more: false,
        };
        let mut viewer = Viewer::default();
        viewer.take(snapshot, Duration::ZERO);
        viewer.view(Duration::ZERO, None).unwrap()
    }

    #[test]
    fn a_newcomer_has_earlier_newcomers_ahead() {
        assert_eq!(view().ahead_of(1_001), 0);
        assert_eq!(view().ahead_of(1_021), 20);
    }

    /// The store has lost some hundred numbers and continues [`waiting_room::JUMP`] above what it
    /// had; the gateway does not know it yet.
    #[test]
    fn numbers_never_given_put_nobody_ahead() {
        for lost in [0, 700, 30_000] {
            assert_eq!(view().ahead_of(1_000 + waiting_room::JUMP + 1 - lost), 0, "{lost} were lost");
        }
        let mut jumped = view();
        jumped.record_jump(132_160);
        assert_eq!(jumped.ahead_of(132_165), 4);
    }
}
