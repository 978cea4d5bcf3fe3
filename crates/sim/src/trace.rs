//! The trace of a run: one line a step, with its virtual time, the owner of the polled task, and
//! what it did.
//!
//! Most traces have no reader, so their lines are not built. A seed that found something is run
//! again with its trace: the run is the same, byte for byte.

use crate::exec::lock;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;

/// The destination of the lines.
pub struct Trace {
    mode: Mode,
    /// Events of the current step.
    notes: Mutex<Vec<String>>,
    kept: Mutex<VecDeque<String>>,
}

enum Mode {
    Off,
    /// Keeps the last steps in which something happened, up to this number.
    Tail(usize),
    /// Keeps every step.
    All,
    /// Writes every step to standard output at once.
    Print,
}

impl Trace {
    /// Keeps nothing.
    pub fn off() -> Self {
        Self::new(Mode::Off)
    }

    /// Keeps the last `lines` in which something happened.
    pub fn tail(lines: usize) -> Self {
        Self::new(Mode::Tail(lines))
    }

    /// Keeps everything.
    pub fn all() -> Self {
        Self::new(Mode::All)
    }

    /// Writes everything to standard output.
    pub fn print() -> Self {
        Self::new(Mode::Print)
    }

    fn new(mode: Mode) -> Self {
        Self { mode, notes: Mutex::default(), kept: Mutex::default() }
    }

    /// Adds an event to the current step. The text is only built if the trace is kept.
    pub fn record(&self, text: impl FnOnce() -> String) {
        if !matches!(self.mode, Mode::Off) {
            lock(&self.notes).push(text());
        }
    }

    /// Ends a step.
    pub(crate) fn step(&self, step: u64, micros: u64, owner: impl FnOnce() -> String) {
        if matches!(self.mode, Mode::Off) {
            return;
        }
        let notes = std::mem::take(&mut *lock(&self.notes));
        if notes.is_empty() && matches!(self.mode, Mode::Tail(_)) {
            return;
        }
        let line = format!("{step:>8} {:>12.6} {:<14} {}", micros as f64 / 1e6, owner(), notes.join("; "));
        match self.mode {
            Mode::Off => {}
            // A reader that went away (`| head`) ends the printing, not the run.
            Mode::Print => drop(writeln!(std::io::stdout().lock(), "{}", line.trim_end())),
            Mode::All => lock(&self.kept).push_back(line),
            Mode::Tail(most) => {
                let mut kept = lock(&self.kept);
                if kept.len() == most {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        }
    }

    /// The kept lines.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.kept).iter().cloned().collect()
    }
}
