//! What the simulator's worlds have in common: a plan that is drawn from a seed, the run of that
//! plan, and its outcome.
//!
//! The worlds are [`Plan`](crate::plan::Plan), the services behind the gateway, and
//! [`LinePlan`](crate::line_world::LinePlan), the waiting room. Sweeping, shrinking, narrowing by
//! options and reporting are written once, over [`World`].

use crate::checker::Violation;
use crate::fault::{FaultKind, rate_alone};
use crate::trace::Trace;
use core::fmt;
use std::collections::BTreeMap;

/// A world: the plan of one run of it.
pub trait World: Clone + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// What can go wrong in it.
    type Kind: FaultKind;
    /// The name of a check. Its order is that of the report.
    type Check: Copy + Ord + fmt::Debug + fmt::Display + Send + Sync;
    /// What the report prints behind the range of seeds.
    const TITLE: &'static str;
    /// The option that chooses this world, with a blank behind it; empty for the default world.
    const OPTION: &'static str;

    /// The plan of a seed.
    fn plan(seed: u64) -> Self;

    /// Runs the plan.
    fn run(self, trace: Trace) -> Outcome<Self>;

    /// The seed of the plan.
    fn seed(&self) -> u64;

    /// What options and the shrinker may change.
    fn knobs(&self) -> Knobs;

    /// The same plan with these knobs.
    #[must_use]
    fn with(self, knobs: Knobs) -> Self;

    /// The same in a world where messages meet most often. Worlds without such a form stay as they
    /// are.
    #[must_use]
    fn narrow(self) -> Self {
        self
    }

    /// Whether it is narrow and its seed's plan, `drawn`, is not.
    fn is_narrowed(&self, _drawn: &Self) -> bool {
        false
    }

    /// The same without a kind of fault.
    #[must_use]
    fn without(self, kind: Self::Kind) -> Self {
        let mut knobs = self.knobs();
        knobs.rates[kind.index()] = 0;
        self.with(knobs)
    }

    /// The same with these kinds of faults alone, each as often as it can.
    #[must_use]
    fn only(self, kinds: &[Self::Kind]) -> Self {
        let mut knobs = self.knobs();
        knobs.rates.fill(0);
        for kind in kinds {
            knobs.rates[kind.index()] = rate_alone(*kind);
        }
        self.with(knobs)
    }

    /// The options of the command line that turn its seed's plan into this one.
    fn arguments(&self) -> String {
        let original = Self::plan(self.seed());
        let (this, drawn) = (self.knobs(), original.knobs());
        let mut text = format!("{}--seed {}", Self::OPTION, self.seed());
        if this.people != drawn.people {
            text.push_str(&format!(" --buyers {}", this.people));
        }
        if self.is_narrowed(&original) {
            text.push_str(" --narrow");
        }
        let kinds = |wanted: &dyn Fn(u32, u32) -> bool| -> Vec<&str> {
            let rates = |kind: &&Self::Kind| (this.rates[kind.index()], drawn.rates[kind.index()]);
            let matching = Self::Kind::ALL.iter().filter(|kind| wanted(rates(kind).0, rates(kind).1));
            matching.map(|kind| kind.name()).collect()
        };
        let (left, out) = (kinds(&|now, _| now > 0), kinds(&|now, before| now == 0 && before > 0));
        if !kinds(&|now, before| now > 0 && now != before).is_empty() {
            text.push_str(&format!(" --only {}", left.join(",")));
        } else if !out.is_empty() {
            text.push_str(&format!(" --without {}", out.join(",")));
        }
        if drawn.operators && !this.operators {
            text.push_str(" --no-operators");
        }
        text
    }
}

/// The parts of a plan that can be changed without changing what else the seed decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// The rate of each kind of fault, by its index.
    pub rates: Vec<u32>,
    /// Buyers, or people in line.
    pub people: u32,
    /// Whether operators work while the world is in use.
    pub operators: bool,
}

/// The outcome of a run.
#[derive(Debug, Clone)]
pub struct Outcome<W: World> {
    /// The plan that was run.
    pub plan: W,
    /// The first violation, if there was one.
    pub violation: Option<Violation>,
    /// Polls of tasks.
    pub steps: u64,
    /// Virtual microseconds.
    pub micros: u64,
    /// How often each kind of fault happened, by its index.
    pub faults: Vec<u64>,
    /// How often each code probe was hit.
    pub variants: BTreeMap<String, u64>,
    /// How often each check was made.
    pub checks: BTreeMap<W::Check, u64>,
    /// The kept lines of the trace.
    pub lines: Vec<String>,
}

impl<W: World> Outcome<W> {
    /// Virtual time in hours.
    pub fn virtual_hours(&self) -> f64 {
        self.micros as f64 / 3.6e9
    }
}
