//! What a run is: drawn from its seed, or narrowed by hand.

use super::fault::{Trouble, TroubleRates, draw_rates};
use crate::core::stream;
use crate::fault::only;
use core::time::Duration;
use domain::random::Random;
use domain::waiting_room::Rules;

/// A run of the waiting room, before it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePlan {
    /// Everything that is not said here follows from it.
    pub seed: u64,
    /// Shows, each with a line of its own.
    pub shows: u32,
    /// Gateways.
    pub gateways: u32,
    /// People.
    pub people: u32,
    /// In which time they come.
    pub arrivals: Duration,
    /// What the operator has decided at first.
    pub rate: u32,
    /// See `rate`.
    pub burst: u32,
    /// How long somebody is remembered.
    pub memory: Duration,
    /// How long faults go on.
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
        // Slow lines in which people wait as often as fast ones in which they come to the front together.
        let power = below(6);
        let mut rate = 1 + below(1 << power) as u32;
        let burst = 1 + below(u64::from(rate) * 2) as u32;
        let mut rates_dice = stream(seed, 52);
        let mut rates = draw_rates(&mut rates_dice);
        // A slow line that loses what it holds, and nothing else goes wrong: then everybody's order can be demanded.
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

    /// The same with these kinds of faults alone, each as often as it can.
    #[must_use]
    pub fn only(mut self, kinds: &[Trouble]) -> Self {
        self.rates = only(kinds);
        self
    }

    /// The same without a kind of fault.
    #[must_use]
    pub fn without(mut self, kind: Trouble) -> Self {
        self.rates[kind as usize] = 0;
        self
    }

    /// The options of the command line that make this plan of its seed's.
    pub fn arguments(&self) -> String {
        let drawn = Self::draw(self.seed);
        let mut text = format!("--waiting-room --seed {}", self.seed);
        if self.people != drawn.people {
            text.push_str(&format!(" --buyers {}", self.people));
        }
        let kinds = |wanted: &dyn Fn(u32, u32) -> bool| -> Vec<&str> {
            let rates = |kind: &&Trouble| (self.rates[**kind as usize], drawn.rates[**kind as usize]);
            let matching = Trouble::ALL.iter().filter(|kind| wanted(rates(kind).0, rates(kind).1));
            matching.map(|kind| kind.name()).collect()
        };
        let (left, out) = (kinds(&|now, _| now > 0), kinds(&|now, before| now == 0 && before > 0));
        if !kinds(&|now, before| now > 0 && now != before).is_empty() {
            text.push_str(&format!(" --only {}", left.join(",")));
        } else if !out.is_empty() {
            text.push_str(&format!(" --without {}", out.join(",")));
        }
        if drawn.operator && !self.operator {
            text.push_str(" --no-operators");
        }
        text
    }
}
