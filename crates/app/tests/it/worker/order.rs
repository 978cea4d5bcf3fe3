//! The order of a group whose events may run again: no event begins before each earlier one has had
//! its effect at least once.
//!
//! The ledger of the stand-ins requires more: the last call of one event ends before the next event
//! begins. That does not hold when a worker dies between an effect and the delete: the event is
//! redelivered, and its follower may have begun.

use standin::{Called, Journal, Lane, Outcome, Step, Tag};
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
struct Run {
    message: Option<u64>,
    began: Option<usize>,
    /// When the inventory, and reservation-api if needed, had completed the event's effect.
    complete: Option<usize>,
    seats_done: bool,
    refused: bool,
    is_ended: bool,
}

/// Every event that began before an earlier one of its group was complete.
pub(crate) fn overtaken(journal: &Journal) -> Vec<String> {
    let runs = journal.read(|entries| {
        let mut runs: HashMap<(Lane, Tag), Run> = HashMap::new();
        for (place, entry) in entries.iter().enumerate() {
            runs.entry((entry.lane, entry.tag)).or_default().take(place, entry.step);
        }
        runs
    });
    let mut lanes: BTreeMap<Lane, Vec<(u64, Tag, Run)>> = BTreeMap::new();
    for ((lane, tag), run) in runs {
        if let Some(message) = run.message {
            lanes.entry(lane).or_default().push((message, tag, run));
        }
    }
    let mut overtaken = Vec::new();
    for events in lanes.values_mut() {
        events.sort_unstable_by_key(|(message, ..)| *message);
        for pair in events.windows(2) {
            let [(_, Tag(one), before), (_, Tag(other), after)] = pair else { continue };
            let Some(began) = after.began else { continue };
            if before.complete.is_none_or(|complete| began < complete) {
                overtaken.push(format!("event {other:x} began before {one:x} of its group had its effect"));
            }
        }
    }
    overtaken
}

impl Run {
    fn take(&mut self, place: usize, step: Step) {
        match step {
            Step::Sent { message, .. } => self.message = self.message.or(Some(message)),
            Step::Began(_) => self.began = self.began.or(Some(place)),
            Step::Ended(called, outcome) if !matches!(outcome, Outcome::Failed | Outcome::Lost) => {
                match called {
                    Called::Commit | Called::Release => {
                        self.seats_done = true;
                        self.refused |= outcome == Outcome::Refused;
                    }
                    Called::Patch => self.is_ended = true,
                    Called::Get => {}
                }
                if self.seats_done && (self.is_ended || self.refused) {
                    self.complete = self.complete.or(Some(place));
                }
            }
            Step::Ended(..)
            | Step::Received { .. }
            | Step::Hidden { .. }
            | Step::Deleted { .. }
            | Step::Moved { .. } => {}
        }
    }
}
