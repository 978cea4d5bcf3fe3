//! What a gateway knows of a line: a snapshot of the store, kept as counts.

use core::time::Duration;
use domain::waiting_room::{self, HOLD, Pace, Places, Snapshot};
use std::sync::Arc;

/// A line as it was a moment ago. Places and waits are told from it without asking the store.
#[derive(Debug, Clone)]
pub struct View {
    /// The newest snapshot.
    pub snapshot: Snapshot,
    /// How many wait where.
    places: Places,
    /// How fast the line moves.
    pace: Pace,
    /// What the operator says to those who wait.
    pub notice: Option<Arc<str>>,
    /// Numbers after the last of the snapshot and up to this were never given: the store has lost something and jumped over them.
    jumped_to: u64,
}

/// Nobody can have been given so many numbers since a snapshot: the store has jumped, and it is not known yet. Half of what a line
/// jumps at least, which may have lost as many before it jumped.
const JUMP: u64 = waiting_room::JUMP / 2;

impl View {
    /// People ahead of a number. One that was given after the snapshot has everybody ahead of it who was given one since.
    pub fn ahead_of(&self, number: u64) -> u64 {
        let last = self.snapshot.last;
        if number <= last {
            return self.places.ahead_of(number);
        }
        let since = number.saturating_sub(last.max(self.jumped_to) + 1);
        self.places.ahead_of(last + 1) + if since < JUMP { since } else { 0 }
    }

    /// The store goes on after this number: those in between were never given.
    pub(super) fn jumped(&mut self, to: u64) {
        self.jumped_to = to;
    }

    /// How long so many people take; `None` if nobody can say.
    pub fn wait(&self, ahead: u64) -> Option<Duration> {
        self.pace.wait(ahead)
    }

    /// People a second, as it is told.
    pub fn pace(&self) -> Option<f64> {
        self.pace.told()
    }
}

/// Builds views out of snapshots.
#[derive(Debug, Default)]
pub(super) struct Viewer {
    known: Option<Known>,
    /// Who has lost the line keeps telling the old places until those in front have had the time to come back.
    shown_from: Option<Duration>,
}

#[derive(Debug)]
struct Known {
    snapshot: Snapshot,
    places: Places,
    pace: Pace,
}

impl Viewer {
    /// One that goes on from a view.
    pub(super) fn again(view: &View) -> Self {
        let View { snapshot, places, pace, .. } = view.clone();
        Self { known: Some(Known { snapshot, places, pace }), shown_from: None }
    }

    /// What to ask the store for.
    pub(super) fn since(&self) -> Option<(u64, u64)> {
        self.known.as_ref().map(|known| (known.snapshot.incarnation, known.snapshot.version))
    }

    /// Takes a snapshot in at `now`, a time that only grows; whether the store has lost something since the last one.
    pub(super) fn take(&mut self, snapshot: Snapshot, now: Duration) -> bool {
        let is_lost =
            self.known.as_ref().is_some_and(|known| known.snapshot.incarnation != snapshot.incarnation);
        if is_lost {
            self.shown_from = Some(now + HOLD);
            self.known = None;
        }
        let (mut places, mut pace) =
            self.known.take().map_or_else(Default::default, |known| (known.places, known.pace));
        places.update(snapshot.head, snapshot.cleared, snapshot.blocks.iter().copied());
        if !snapshot.more {
            pace.note(&snapshot);
        }
        self.known = Some(Known { snapshot, places, pace });
        is_lost
    }

    /// The line, unless it is not whole yet.
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

    /// Nobody waits in it, and 1,000 is the last number that was given.
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
    fn who_joined_since_has_those_ahead_who_joined_since() {
        assert_eq!(view().ahead_of(1_001), 0);
        assert_eq!(view().ahead_of(1_021), 20);
    }

    /// The store has lost some hundred numbers, has gone on [`waiting_room::JUMP`] above what it had, and is not known to have.
    #[test]
    fn numbers_that_were_never_given_are_nobody_ahead() {
        for lost in [0, 700, 30_000] {
            assert_eq!(view().ahead_of(1_000 + waiting_room::JUMP + 1 - lost), 0, "{lost} were lost");
        }
        let mut jumped = view();
        jumped.jumped(132_160);
        assert_eq!(jumped.ahead_of(132_165), 4);
    }
}
