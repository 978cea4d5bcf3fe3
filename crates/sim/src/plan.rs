//! The plan of a run: the world, the workload and the rates of the faults, all drawn from the seed.
//!
//! Worlds are small, because few buyers and few seats collide more often than many. A plan can be
//! narrowed (fewer buyers, some faults left out) without changing what else the seed decides; that
//! is what the shrinker does.

use crate::core::stream;
use crate::fault::{Kind, Rates, draw_rates};
use crate::run::run;
use crate::trace::Trace;
use crate::world::{Knobs, Outcome, World};
use core::time::Duration;
use domain::invariant::Name;
use domain::random::Random;
use ports::queue::QueueKind;

/// The plan of a run of the services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything that has no field here follows from it.
    pub seed: u64,
    /// Standard or FIFO events.
    pub queue: QueueKind,
    /// Seats with names.
    pub named: u32,
    /// Places without names.
    pub places: u32,
    /// Buyers.
    pub buyers: u32,
    /// The time within which they come.
    pub arrivals: Duration,
    /// How long seats are held.
    pub hold: Duration,
    /// Instances of inventory, reservation, payments and worker at the start.
    pub instances: [u32; 4],
    /// The only instance of the inventory knows that it is the only one.
    pub sole_writer: bool,
    /// Handlers in flight in a worker; 0 lets the worker find the number.
    pub concurrency: usize,
    /// How long a message is leased.
    pub visibility: Duration,
    /// How long a worker may take to end.
    pub end_within: Duration,
    /// The limit of one call of the worker.
    pub call_max: Duration,
    /// How long there are faults.
    pub storm: Duration,
    /// How often each fault happens.
    pub rates: Rates,
    /// Calls in a thousand that take no time.
    pub instant: u64,
    /// The mean of the others, in microseconds.
    pub latency: u64,
    /// Whether operators work while the platform sells.
    pub operators: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = stream(seed, 1);
        let dice = &mut dice;
        let millis = |dice: &mut dyn FnMut(u64) -> u64, from: u64, to: u64| {
            Duration::from_millis(from + dice(to - from + 1))
        };
        let mut below = |bound: u64| dice.below(bound);
        let seats = 2 + below(39) as u32;
        let named = below(u64::from(seats) + 1) as u32;
        // Small crowds most of the time: they are quick, and a few buyers are enough to collide.
        let crowd = if below(3) == 0 { 30 } else { 10 };
        let queue = if below(2) == 0 { QueueKind::Fifo } else { QueueKind::Standard };
        let buyers = 1 + below(crowd) as u32;
        let arrivals = millis(&mut below, 0, 20_000);
        let hold = millis(&mut below, 1_000, 30_000);
        let sole_writer = below(3) == 0;
        let inventory = if sole_writer { 1 } else { 1 + below(2) as u32 };
        let instances = [inventory, 1 + below(2) as u32, 1 + below(2) as u32, 1 + below(3) as u32];
        let concurrency = if below(4) == 0 { 0 } else { 1 + below(20) as usize };
        // Short leases as likely as long ones: 3 s to 60 s.
        let visibility = Duration::from_millis(3_000 << below(5)).mul_f64(0.75 + below(500) as f64 / 1_000.0);
        let call_max = millis(&mut below, 500, 10_000);
        let end_within = millis(&mut below, 2_000, 30_000);
        let storm = millis(&mut below, 5_000, 120_000);
        let (instant, latency) = (300 + below(650), 200 + below(20_000));
        let operators = below(4) != 0;
        let mut rates = draw_rates(&mut stream(seed, 2));
        if sole_writer {
            // Such a process has its engine inside: its unanswered commits are over when it starts
            // again.
            rates[Kind::WriteLate as usize] = 0;
        }
        Self {
            seed,
            queue,
            named,
            places: seats - named,
            buyers,
            arrivals,
            hold,
            instances,
            sole_writer,
            concurrency,
            visibility,
            end_within,
            call_max,
            storm,
            rates,
            instant,
            latency,
            operators,
        }
    }
}

impl World for Plan {
    type Kind = Kind;
    type Check = Name;
    const TITLE: &'static str = "";
    const OPTION: &'static str = "";

    fn plan(seed: u64) -> Self {
        Self::draw(seed)
    }

    fn run(self, trace: Trace) -> Outcome<Self> {
        run(self, trace)
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn knobs(&self) -> Knobs {
        Knobs { rates: self.rates.to_vec(), people: self.buyers, operators: self.operators }
    }

    fn with(mut self, knobs: Knobs) -> Self {
        self.rates = knobs.rates.try_into().expect("as many rates as this plan has");
        (self.buyers, self.operators) = (knobs.people, knobs.operators);
        self
    }

    /// The same with a FIFO queue and one instance of each service.
    fn narrow(mut self) -> Self {
        (self.queue, self.instances) = (QueueKind::Fifo, [1; 4]);
        self
    }

    fn is_narrowed(&self, drawn: &Self) -> bool {
        (self.queue, self.instances) != (drawn.queue, drawn.instances)
    }
}
