//! A reservation's past, in a few lines that a person can read in the console: `1737626400000
//! HOLD`.

use domain::time::Timestamp;
use std::sync::Arc;

/// Lines that a row keeps. A reservation's whole life has about six.
const LINES_MAX: usize = 16;

/// The lines of one reservation, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History(Vec<Arc<str>>);

/// One parsed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When it happened.
    pub at: Timestamp,
    /// The status, then order, payment and reasons where there are any.
    pub text: Arc<str>,
}

impl History {
    pub(crate) fn begin(at: Timestamp, what: &str) -> Self {
        Self(vec![line(at, what)])
    }

    pub(crate) fn from_lines(lines: &[Arc<str>]) -> Self {
        Self(lines.to_vec())
    }

    pub(crate) fn lines(&self) -> &[Arc<str>] {
        &self.0
    }

    /// Adds a line. The first one is always kept; of the others the oldest is dropped.
    pub(crate) fn add(&mut self, at: Timestamp, what: &str) {
        if self.0.len() >= LINES_MAX {
            self.0.remove(1);
        }
        self.0.push(line(at, what));
    }

    /// The parsed lines; lines that cannot be parsed are left out.
    pub fn entries(&self) -> Vec<HistoryEntry> {
        let read = |line: &Arc<str>| {
            let (at, text) = line.split_once(' ')?;
            Some(HistoryEntry { at: Timestamp::from_millis(at.parse().ok()?), text: text.into() })
        };
        self.0.iter().filter_map(read).collect()
    }
}

fn line(at: Timestamp, what: &str) -> Arc<str> {
    format!("{} {what}", at.as_millis()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_life_keeps_its_beginning_and_its_end() {
        let mut history = History::begin(Timestamp::from_millis(1), "HOLD");
        for n in 2..100 {
            history.add(Timestamp::from_millis(n), "again");
        }
        let entries = history.entries();
        assert_eq!(entries.len(), LINES_MAX);
        assert_eq!((entries[0].at.as_millis(), &*entries[0].text), (1, "HOLD"));
        assert_eq!(entries[LINES_MAX - 1].at.as_millis(), 99);
    }
}
