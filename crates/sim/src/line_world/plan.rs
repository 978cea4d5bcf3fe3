//! The plan of a run: drawn from its seed, or narrowed by hand.

use super::fault::{Trouble, TroubleRates, draw_rates};
use super::run::run;
use crate::core::stream;
use crate::fault::only;
use crate::trace::Trace;
use crate::world::{Knobs, Outcome, World};
use core::time::Duration;
use domain::random::Random;
use domain::waiting_room::Rules;

/// The plan of a run of the waiting room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePlan {
    /// Everything that has no field here follows from it.
    pub seed: u64,
    /// Shows, each with a line of its own.
    pub shows: u32,
    /// Gateways.
    pub gateways: u32,
    /// People.
    pub people: u32,
    /// The time within which they come.
    pub arrivals: Duration,
    /// The rate of every line at first.
    pub rate: u32,
    /// The burst of every line at first.
    pub burst: u32,
    /// How long the line remembers a silent person.
    pub memory: Duration,
    /// How long there are faults.
    pub storm: Duration,
    /// How often each fault happens.
    pub rates: TroubleRates,
    /// Calls in a thousand that take no time.
    pub instant: u64,
    /// The mean of the others, in microseconds.
    pub latency: u64,
    /// Whether the operator changes anything while people wait.
    pub operator: bool,
}

impl LinePlan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = stream(seed, 51);
        let mut below = |bound: u64| dice.below(bound);
        let crowd = if below(3) == 0 { 40 } else { 12 };
        let people = 2 + below(crowd) as u32;
        // Slow lines in which people wait as often as fast ones in which they come to the front
        // together.
        let power = below(6);
        let mut rate = 1 + below(1 << power) as u32;
        let burst = 1 + below(u64::from(rate) * 2) as u32;
        let mut rates_dice = stream(seed, 52);
        let mut rates = draw_rates(&mut rates_dice);
        // A slow line that loses its data, and nothing else goes wrong: then the oracle can demand
        // everybody's order.
        if rates_dice.below(6) == 0 {
            rate = rate.min(3);
            let losses = [Trouble::LoseAll, Trouble::LoseLast];
            rates = only(&losses[..1 + rates_dice.below(2) as usize]);
            rates[Trouble::OtherClock as usize] = if rates_dice.below(3) == 0 { 500_000 } else { 0 };
        }
        // Clocks are apart in most worlds, whatever else goes wrong.
        if rates_dice.below(4) != 0 {
            rates[Trouble::ClockSkew as usize] = 700_000;
        }
        Self {
            seed,
            shows: if below(4) == 0 { 2 } else { 1 },
            gateways: 2 + below(2) as u32,
            people,
            arrivals: Duration::from_millis(below(30_000)),
            rate,
            burst,
            memory: Duration::from_secs(if below(3) == 0 { 90 } else { 1_800 }),
            storm: Duration::from_millis(10_000 + below(80_000)),
            instant: 200 + below(750),
            latency: 200 + below(15_000),
            operator: below(3) == 0,
            rates,
        }
    }

    /// The rules of every line at first.
    pub fn rules(&self) -> Rules {
        Rules { burst: self.burst, ..Rules::at(self.rate) }
    }
}

impl World for LinePlan {
    type Kind = Trouble;
    type Check = &'static str;
    const TITLE: &'static str = " of the waiting room";
    const OPTION: &'static str = "--waiting-room ";

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
        Knobs { rates: self.rates.to_vec(), people: self.people, operators: self.operator }
    }

    fn with(mut self, knobs: Knobs) -> Self {
        self.rates = knobs.rates.try_into().expect("as many rates as this plan has");
        (self.people, self.operator) = (knobs.people, knobs.operators);
        self
    }
}
