//! The buyers: they want seats, pay or do not, change their minds, and repeat what nobody answered.
//!
//! They do what the buyers of `tacos demo` do, and what people do besides: pay with a card that is slow, or that never
//! answers, ask for seats that do not exist. A buyer knows what it was told and nothing else; the [`Ledger`] keeps it.

use crate::checker::OUTSIDE;
use crate::core::stream;
use crate::exec::Group;
use crate::house::House;
use crate::ledger::Ledger;
use crate::network::Caller;
use buyer::{BEHAVIOURS, Buyer};
use core::time::Duration;
use domain::id::PersonId;
use domain::random::Random;
use std::sync::{Arc, Mutex};

mod buyer;
mod paying;
mod wishes;

/// The show that everybody wants.
pub const SHOW: &str = "show";
/// The section of named seats.
pub const NAMED: &str = "A";
/// The section of general admission.
pub const PLACES: &str = "F";
/// The crowd of one run.
pub struct Crowd {
    /// Where they buy.
    pub house: Arc<House>,
    /// What they were told.
    pub ledger: Mutex<Ledger>,
    group: Group,
}

impl Crowd {
    /// A crowd in front of a house.
    pub fn new(house: Arc<House>) -> Arc<Self> {
        let group = house.core.exec.group();
        Arc::new(Self { house, ledger: Mutex::default(), group })
    }

    /// Lets everybody come in their time.
    pub fn come(self: &Arc<Self>) {
        let plan = &self.house.plan;
        for number in 0..plan.buyers {
            let mut dice = stream(plan.seed, 100_000 + u64::from(number));
            let at = Duration::from_micros(dice.below(plan.arrivals.as_micros() as u64 + 1));
            let person = PersonId::parse(&format!("buyer-{number}")).expect("letters and a number");
            let caller = Caller { network: Arc::clone(&self.house.network), id: OUTSIDE };
            let mut buyer = Buyer { crowd: Arc::clone(self), caller, person, dice };
            let exec = self.house.core.exec.clone();
            self.house.core.exec.spawn(self.group, async move {
                exec.sleep(at).await;
                let behaviour = BEHAVIOURS[buyer.dice.below(BEHAVIOURS.len() as u64) as usize];
                buyer.core().tell(|| format!("{} comes: {behaviour:?}", buyer.person));
                // `None`: nobody answered for a long time, and the buyer went home.
                let _ = buyer.live(behaviour).await;
                buyer.core().tell(|| format!("{} goes", buyer.person));
            });
        }
    }

    /// Whose tasks they are.
    pub fn group(&self) -> Group {
        self.group
    }

    /// How many are still there.
    pub fn there(&self) -> usize {
        self.house.core.exec.running(self.group)
    }
}
