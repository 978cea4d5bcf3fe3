//! The passes of one line: how close together they are, and whether each ticket has only one.

use domain::time::Timestamp;
use domain::waiting_room::{Rules, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// All passes of one line.
pub(in super::super) struct Passes {
    /// Sorted by the time from which on they may be handed out.
    booked: Vec<Booking>,
    /// The highest rate and burst so far.
    rate: u64,
    burst: u64,
    /// Numbers whose pass the store lost, so they may get another.
    forgotten: BTreeSet<u64>,
    /// Numbers that have asked to enter.
    wished: BTreeSet<u64>,
    last: BTreeMap<u64, Answered>,
    /// When the store last answered a request to enter with anything else.
    refused: BTreeMap<u64, u64>,
    texts: BTreeMap<(u64, String), BTreeSet<String>>,
    /// Up to when the restored line kept the booked passes.
    kept_until: u64,
}

#[derive(Debug, Clone, Copy)]
struct Booking {
    at: Timestamp,
    number: u64,
    made: u64,
    /// Whether it was lost; passes after the loss do not count with it.
    is_excused: bool,
}

/// The store's last answer to a request to enter.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Answered {
    pub(in super::super) standing: Standing,
    pub(in super::super) now: Timestamp,
    pub(in super::super) micros: u64,
}

impl Passes {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            booked: Vec::new(),
            rate: rules.rate.into(),
            burst: rules.burst.into(),
            forgotten: BTreeSet::new(),
            wished: BTreeSet::new(),
            last: BTreeMap::new(),
            refused: BTreeMap::new(),
            texts: BTreeMap::new(),
            kept_until: u64::MAX,
        }
    }

    pub(super) fn ruled(&mut self, rules: Rules) {
        (self.rate, self.burst) = (self.rate.max(rules.rate.into()), self.burst.max(rules.burst.into()));
    }

    /// A person asks to enter.
    pub(in super::super) fn wish(&mut self, number: u64) {
        self.wished.insert(number);
    }

    pub(super) fn is_wished(&self, number: u64) -> bool {
        self.wished.contains(&number)
    }

    pub(super) fn answered(&mut self, number: u64, standing: Standing, now: Timestamp, micros: u64) {
        self.last.insert(number, Answered { standing, now, micros });
        if !matches!(standing, Standing::Entered { .. }) {
            self.refused.insert(number, micros);
        }
    }

    /// The store's answer to requests to enter, if it was a pass ever since then.
    pub(in super::super) fn let_in_since(&self, number: u64, micros: u64) -> Option<Answered> {
        let last = self.last.get(&number).copied().filter(|last| last.micros >= micros)?;
        self.refused.get(&number).is_none_or(|at| *at < micros).then_some(last)
    }

    /// From when on the newest pass of a number may be handed out, including one that the store has
    /// lost.
    pub(in super::super) fn newest(&self, number: u64) -> Option<Timestamp> {
        self.booked.iter().filter(|booking| booking.number == number).map(|booking| booking.at).max()
    }

    /// W2: returns a text if a window with this pass in it has too many.
    pub(super) fn book(&mut self, number: u64, at: Timestamp, made: u64) -> Option<String> {
        let place = self.booked.partition_point(|booking| booking.at <= at);
        self.booked.insert(place, Booking { at, number, made, is_excused: false });
        let counted: Vec<&Booking> = self.booked.iter().filter(|booking| !booking.is_excused).collect();
        let mine = counted.iter().position(|booking| booking.at == at && booking.number == number)?;
        for from in 0..=mine {
            for to in mine..counted.len() {
                let millis = counted[to].at.since(counted[from].at).as_millis() as u64 + 1;
                let (count, most) = ((to - from + 1) as u64, self.rate * millis / 1_000 + self.burst);
                if count > most {
                    let first = counted[from].at;
                    return Some(format!(
                        "{count} passes within {millis} ms from {first:?} on, and {most} may be ({} a second, {})",
                        self.rate, self.burst
                    ));
                }
            }
        }
        None
    }

    /// The line was restored to its state then.
    pub(super) fn restored(&mut self, micros: u64) {
        self.kept_until = self.kept_until.min(micros);
    }

    /// Passes booked after `kept_until` are lost. Those in the future add to the later bookings.
    pub(super) fn lost(&mut self, kept_until: u64, now: Timestamp) {
        let kept_until = self.kept_until.min(kept_until);
        for booking in self.booked.iter_mut().filter(|booking| booking.made >= kept_until) {
            self.forgotten.insert(booking.number);
            booking.is_excused |= booking.at >= now;
        }
        self.kept_until = u64::MAX;
    }

    /// A pass was handed out. Returns a text if it differs from the one before and the store has
    /// lost none of this number. A gateway that knows an earlier pass may hand that one out again.
    pub(in super::super) fn handed_out(&mut self, number: u64, person: &str, text: &str) -> Option<String> {
        let given = self.texts.entry((number, person.to_owned())).or_default();
        let is_new = given.insert(text.to_owned());
        (is_new && given.len() > 1 && !self.forgotten.contains(&number))
            .then(|| format!("{number} has two passes: {given:?}"))
    }
}
