//! The guarantees of a line, under any commands; `cases` has the single cases.

mod cases;
mod crowd;

use super::super::Places;
use super::*;
use crate::random::{Random, SplitMix64};
use proptest::prelude::*;

const START: u64 = 1_700_000_000_000;

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn line(rate: u32, burst: u32) -> Line {
    Line::new(1, Rules { burst, ..Rules::at(rate) }, Patience::default(), ms(0))
}

/// A line, a clock, and every ticket and pass that it gave.
struct World {
    line: Line,
    millis: u64,
    tickets: Vec<Ticket>,
    passes: Vec<(u64, Timestamp)>,
    places: Places,
    known: Option<(u64, u64)>,
}

impl World {
    fn new(rate: u32, burst: u32) -> Self {
        let line = line(rate, burst);
        Self {
            line,
            millis: 0,
            tickets: Vec::new(),
            passes: Vec::new(),
            places: Places::default(),
            known: None,
        }
    }

    fn now(&self) -> Timestamp {
        ms(self.millis)
    }

    fn join(&mut self, key: &str) -> Result<Ticket, Refusal> {
        let ticket = self.line.join(key, self.now())?;
        if !self.tickets.contains(&ticket) {
            self.tickets.push(ticket.clone());
        }
        Ok(ticket)
    }

    fn rule(&mut self, change: RuleChange) {
        self.line.rule(change, self.now());
    }

    fn pause(&mut self, paused: bool) {
        self.rule(RuleChange { paused: Some(paused), ..RuleChange::default() });
    }

    fn enter(&mut self, ticket: &Ticket) -> Standing {
        let standing = self.line.enter(ticket, self.now());
        if let Standing::Entered { at, .. } = standing
            && !self.passes.contains(&(ticket.number, at))
        {
            self.passes.push((ticket.number, at));
        }
        standing
    }

    /// Ticks until no work is left.
    fn tick(&mut self) {
        while self.line.tick(self.now()) {}
    }

    fn wait(&mut self, millis: u64) {
        self.millis += millis;
        self.tick();
    }

    fn state(&self, ticket: &Ticket) -> Option<State> {
        self.line.people.get(&ticket.number).map(|person| person.state)
    }

    fn ready(&self) -> BTreeSet<u64> {
        self.line.held.iter().chain(&self.line.unheld).map(|(_, number)| *number).collect()
    }

    /// Looks as a gateway does, which misses some changes.
    fn look(&mut self) {
        loop {
            let snapshot = self.line.snapshot(self.known, self.now());
            if self.known.is_none_or(|(incarnation, _)| incarnation != snapshot.incarnation) {
                self.places = Places::default();
            }
            self.known = Some((snapshot.incarnation, snapshot.version));
            self.places.update(snapshot.head, snapshot.cleared, snapshot.blocks);
            if !snapshot.more {
                return;
            }
        }
    }

    /// What must hold at any time.
    fn check(&self) {
        let line = &self.line;
        let totals = line.totals;
        let all = [totals.waiting, totals.absent, totals.ready, totals.entered, totals.left, totals.expired];
        assert_eq!(totals.joined, all.iter().sum::<u64>(), "W6: {totals:?}");
        let count = |is: fn(&State) -> bool| line.people.values().filter(|one| is(&one.state)).count();
        let waiting = count(|state| matches!(state, State::Waiting { .. }));
        assert_eq!([waiting as u64; 3], [totals.waiting, line.waiting.len() as u64, line.seen.len() as u64]);
        let ready = count(|state| matches!(state, State::Ready { .. }));
        assert_eq!([ready as u64; 2], [totals.ready, self.ready().len() as u64]);
        assert_eq!(line.people.len(), waiting + ready + line.remembered.len());
        let mut blocks: BTreeMap<u64, u64> = BTreeMap::new();
        line.waiting.iter().for_each(|number| *blocks.entry(block_of(*number)).or_default() += 1);
        let kept = line.blocks.iter().filter(|(_, (count, _))| *count > 0);
        assert!(kept.map(|(block, (count, _))| (*block, *count)).eq(blocks), "the counts match the people");
        assert!(line.blocks.iter().all(|(block, (_, version))| line.changes.get(version) == Some(block)));
        assert_eq!(line.blocks.len(), line.changes.len());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join(u8),
    Beat(usize),
    BeatAll,
    Enter(usize),
    EnterAll,
    Leave(usize),
    Wait(u64),
    Look,
    Pause(bool),
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(Step::Join),
        3 => any::<usize>().prop_map(Step::Beat),
        2 => Just(Step::BeatAll),
        3 => any::<usize>().prop_map(Step::Enter),
        2 => Just(Step::EnterAll),
        2 => any::<usize>().prop_map(Step::Leave),
        4 => (0u64..3_000).prop_map(Step::Wait),
        1 => (0u64..60_000).prop_map(Step::Wait),
        2 => Just(Step::Look),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Lost),
    ]
}

impl World {
    fn apply(&mut self, step: &Step) {
        let pick = |luck: usize| self.tickets.get(luck % self.tickets.len().max(1)).cloned();
        match *step {
            Step::Join(who) => drop(self.join(&who.to_string())),
            Step::Beat(luck) => {
                if let Some(ticket) = pick(luck) {
                    self.line.beat(&ticket, self.now());
                }
            }
            Step::BeatAll => {
                for ticket in self.tickets.clone() {
                    self.line.beat(&ticket, self.now());
                }
            }
            Step::Enter(luck) => {
                if let Some(ticket) = pick(luck) {
                    let ready = self.state(&ticket);
                    let standing = self.enter(&ticket);
                    let is_ready = matches!(ready, Some(State::Ready { .. }));
                    assert!(!is_ready || matches!(standing, Standing::Entered { .. }), "ready is a grant");
                }
            }
            Step::EnterAll => {
                for ticket in self.tickets.clone() {
                    self.enter(&ticket);
                }
            }
            Step::Leave(luck) => {
                if let Some(ticket) = pick(luck) {
                    let standing = self.line.leave(&ticket, self.now());
                    assert!(!matches!(standing, Standing::Waiting | Standing::Ready { .. }));
                }
            }
            Step::Wait(millis) => {
                let before = self.ready();
                self.wait(millis);
                let given = self.ready();
                let last = given.difference(&before).max().copied();
                let first = self.line.waiting.first().copied();
                assert!(first.is_none() || last < first, "W3: {last:?} got a turn before {first:?}");
            }
            Step::Look => self.look(),
            Step::Pause(paused) => {
                self.pause(paused);
            }
            Step::Lost => self.line.lost(self.line.incarnation + 1, self.line.rules, self.now()),
        }
    }
}

/// The most passes that begin within any window of this length.
fn densest(passes: &[(u64, Timestamp)], millis: u64) -> u64 {
    let mut times: Vec<_> = passes.iter().map(|(_, at)| at.as_millis()).collect();
    times.sort_unstable();
    let within = |from: usize| times[from..].iter().take_while(|at| **at < times[from] + millis).count();
    (0..times.len()).map(within).max().unwrap_or(0) as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    /// Invariants W1 to W3 and W6 at every step, whatever happens.
    #[test]
    fn the_line_keeps_its_promises(
        steps in prop::collection::vec(step(), 1..150), rate in 1u32..40, burst in 1u32..10, window in 1u64..5_000,
    ) {
        let mut world = World::new(rate, burst);
        for step in &steps {
            world.apply(step);
            world.check();
        }
        let numbers: BTreeSet<_> = world.tickets.iter().map(|ticket| ticket.number).collect();
        prop_assert_eq!(numbers.len(), world.tickets.len(), "W1");
        let most = u64::from(rate) * window / 1_000 + u64::from(burst);
        prop_assert!(densest(&world.passes, window) <= most, "W2");
        let entered: BTreeSet<_> = world.passes.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(entered.len(), world.passes.len(), "one pass a ticket");
    }

    /// A gateway computes positions from the changes since its last look, however long ago that
    /// was.
    #[test]
    fn a_gateway_computes_positions_from_changes(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new(20, 5);
        for step in &steps {
            world.apply(step);
            if matches!(step, Step::Look) {
                prop_assert_eq!(world.places.total(), world.line.totals.waiting);
                for (ahead, number) in world.line.waiting.iter().enumerate() {
                    let position = world.places.ahead_of(*number);
                    prop_assert!(position >= ahead as u64 && position < ahead as u64 + BLOCK, "{position} for {ahead}");
                }
            }
        }
    }

    /// Everyone who keeps asking gets in, in the order of joining, whoever else vanishes.
    #[test]
    fn everyone_who_stays_gets_in_in_order(seed: u64, people in 1usize..300, rate in 1u32..200) {
        let mut dice = SplitMix64::new(seed);
        let mut world = World::new(rate, rate);
        for who in 0..people {
            world.join(&who.to_string()).unwrap();
        }
        let stays: Vec<_> = world.tickets.clone().into_iter().filter(|_| dice.below(4) > 0).collect();
        let mut rounds = 100 + 10 * people / rate as usize;
        while world.passes.len() < stays.len() && rounds > 0 {
            rounds -= 1;
            world.wait(500);
            for ticket in &stays {
                world.enter(ticket);
            }
        }
        let entered: Vec<_> = world.passes.iter().map(|(number, _)| *number).collect();
        prop_assert!(entered.is_sorted());
        prop_assert_eq!(entered, stays.iter().map(|ticket| ticket.number).collect::<Vec<_>>());
        prop_assert!(world.passes.is_sorted_by_key(|(_, at)| *at));
    }
}
