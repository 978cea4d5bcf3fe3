//! One sale, from the opening until nobody is left.

use super::Sale;
use super::crowd::{Person, away, crowd};
use super::figures::Estimates;
use super::gateway::{EVERY_MS, Gateway};
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;
use domain::waiting_room::{Line, Patience, RuleChange, Rules, Standing};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Time goes in steps of so many milliseconds.
const STEP_MS: u64 = 50;
/// However it goes, a sale is over then.
const OVER_MS: u64 = 2 * 3_600_000;
/// The line is open for so long before the sale begins.
const OPEN_MS: u64 = 60_000;
/// One estimate of a person counts in this time, so that frequent and rare pollers count alike.
const COUNTED_MS: u64 = 5_000;
/// Within so long after the line became slower, a longer wait is news and no mistake.
const NEWS_MS: u64 = 10_000;
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Runs a sale; one row of figures, or two if its rules change.
pub fn run(sale: &Sale, seed: u64) -> Vec<Value> {
    let mut world = World::new(sale, seed);
    while world.at <= OVER_MS && !(world.polls.is_empty() && world.arrived == world.arrivals.len()) {
        world.step();
    }
    let changed = !sale.changes.is_empty();
    let names: &[&str] = if changed { &["before", "after"] } else { &[""] };
    let row = |(estimates, name): (&Estimates, &&str)| {
        estimates.figures(format!("{} {name}", sale.name).trim_end(), seed)
    };
    world.estimates.iter().zip(names).map(row).collect()
}

struct World {
    line: Line,
    gateway: Gateway,
    people: Vec<Person>,
    arrivals: Vec<u64>,
    /// How many have come.
    arrived: usize,
    /// Those to come, last first.
    changes: Vec<(u64, RuleChange)>,
    changed_at: u64,
    /// The people by the time of their next poll.
    polls: BTreeMap<u64, Vec<u32>>,
    at: u64,
    /// When the line last became slower.
    slower_at: Option<u64>,
    estimates: [Estimates; 2],
    dice: SplitMix64,
}

impl World {
    fn new(sale: &Sale, seed: u64) -> Self {
        let mut dice = SplitMix64::new(seed);
        let (people, arrivals) = crowd(sale, OPEN_MS, &mut dice);
        let mut changes: Vec<_> =
            sale.changes.iter().map(|(at, change)| (OPEN_MS + at.as_millis() as u64, *change)).collect();
        changes.reverse();
        Self {
            line: Line::new(1, Rules::at(sale.rate), Patience::default(), START),
            gateway: Gateway::default(),
            people,
            arrivals,
            arrived: 0,
            changed_at: changes.last().map_or(u64::MAX, |(at, _)| *at),
            changes,
            polls: BTreeMap::new(),
            at: 0,
            slower_at: None,
            estimates: [Estimates::default(), Estimates::default()],
            dice,
        }
    }

    fn now(&self) -> Timestamp {
        START.plus(Duration::from_millis(self.at))
    }

    fn step(&mut self) {
        while let Some((_, change)) = self.changes.pop_if(|(at, _)| *at <= self.at) {
            let before = self.line.rules();
            let after = self.line.rule(change, self.now());
            if after.rate < before.rate || after.paused || before.paused {
                self.slower_at = Some(self.at);
            }
        }
        if self.at.is_multiple_of(EVERY_MS) {
            let now = self.now();
            self.gateway.look(&mut self.line, now);
        }
        while self.arrivals.get(self.arrived).is_some_and(|at| *at <= self.at) {
            let who = self.arrived;
            self.arrived += 1;
            let ticket = self.line.join(&who.to_string(), self.now()).expect("the line is open and endless");
            self.people[who].ticket = Some(ticket);
            self.tell(who);
        }
        for who in self.polls.remove(&(self.at / STEP_MS)).unwrap_or_default() {
            self.poll(who as usize);
        }
        self.at += STEP_MS;
    }

    fn poll(&mut self, who: usize) {
        let person = &mut self.people[who];
        if let Some((_, back)) = person.silent_at.take_if(|(at, _)| *at <= self.at) {
            self.go_away(who, back);
            return;
        }
        let Some(ticket) = person.ticket.clone() else { return };
        match self.line.beat(&ticket, self.now()) {
            Standing::Waiting => self.tell(who),
            Standing::Ready { .. } => self.take_turn(who),
            Standing::Entered { .. } | Standing::Left | Standing::Expired => {}
        }
    }

    /// Gives a waiting person an estimate.
    fn tell(&mut self, who: usize) {
        let person = &mut self.people[who];
        let Some(ticket) = &person.ticket else { return };
        let eta = self.gateway.eta(ticket.number);
        let estimates = &mut self.estimates[usize::from(self.at >= self.changed_at)];
        match eta {
            Some(eta) => {
                let is_news = self.slower_at.is_some_and(|at| self.at <= at + NEWS_MS);
                if !is_news && person.last.is_some_and(|last| eta > last) {
                    estimates.rises += 1;
                }
                if person.estimates.last().is_none_or(|(at, _)| self.at >= u64::from(*at) + COUNTED_MS) {
                    person.estimates.push((self.at as u32, eta));
                }
            }
            None => estimates.unknown += 1,
        }
        person.last = eta;
        let wait = Gateway::poll_after(eta).as_millis() as u64;
        // Browsers keep no exact time.
        let jitter = wait / 10;
        let wait = wait - jitter + self.dice.below(2 * jitter + 1);
        self.poll_at(who, self.at + wait);
    }

    /// It is their turn, and they know it.
    fn take_turn(&mut self, who: usize) {
        let (at, changed_at) = (self.at, self.changed_at);
        let person = &mut self.people[who];
        let mut counted = [false; 2];
        for (index, (made_at, eta)) in std::mem::take(&mut person.estimates).into_iter().enumerate() {
            let phase = usize::from(u64::from(made_at) >= changed_at);
            let real = (at - u64::from(made_at)) as f32 / 1e3;
            self.estimates[phase].add(eta as f32, real, person.is_fresh && index == 0);
            counted[phase] = true;
        }
        for (estimates, counted) in self.estimates.iter_mut().zip(counted) {
            estimates.people += u64::from(counted);
        }
        match person.unused.take() {
            Some(back) => self.go_away(who, back),
            None => {
                let ticket = person.ticket.clone().expect("a person with a turn has a ticket");
                self.line.enter(&ticket, self.now());
            }
        }
    }

    /// Estimates from before the change do not count for the wait after it.
    fn go_away(&mut self, who: usize, back: bool) {
        let person = &mut self.people[who];
        person.estimates = Vec::new();
        person.last = None;
        person.is_fresh = false;
        if back {
            let away = away(&mut self.dice);
            self.poll_at(who, self.at + away);
        }
    }

    fn poll_at(&mut self, who: usize, at: u64) {
        let step = (at / STEP_MS).max(self.at / STEP_MS + 1);
        self.polls.entry(step).or_default().push(who as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eta::sales;

    #[test]
    fn estimates_of_a_small_sale_are_right_and_the_same_seed_gives_the_same_figures() {
        let sale = sales().into_iter().find(|sale| sale.name == "small").unwrap();
        let rows = run(&sale, 7);
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert!(row["people"].as_u64() > Some(1_000), "{row}");
        assert!(row["error_p50_s"].as_f64() < Some(1.0), "{row}");
        assert!(row["too_little_percent"].as_f64() < Some(1.0), "{row}");
        assert_eq!(rows, run(&sale, 7));
        assert_ne!(rows, run(&sale, 8));
    }
}
