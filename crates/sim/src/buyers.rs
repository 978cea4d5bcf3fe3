//! The buyers: they want seats, pay or do not, change their minds, and repeat every call that gets
//! no answer.
//!
//! They are the buyers of the crate `crowd`, which `tacos demo` has too, with every behaviour as
//! likely as the others. Here they call the services' request handlers through the simulated
//! network. A buyer knows only what it was answered; the [`Ledger`] keeps it.

use crate::checker::OUTSIDE;
use crate::cluster::Cluster;
use crate::core::stream;
use crate::exec::Group;
use crate::ledger::Ledger;
use crate::network::Caller;
use core::time::Duration;
use crowd::{Behaviour, Buyer};
use domain::id::PersonId;
use domain::random::Random;
use shop::Services;
use std::sync::{Arc, Mutex};

mod shop;

/// The show that everybody wants.
pub const SHOW: &str = "show";
/// The section of named seats.
pub const NAMED: &str = "A";
/// The section of general admission.
pub const PLACES: &str = "F";

/// The crowd of one run.
pub struct Crowd {
    /// The platform where they buy.
    pub cluster: Arc<Cluster>,
    /// The answers that they got.
    pub ledger: Mutex<Ledger>,
    group: Group,
}

impl Crowd {
    /// A crowd in front of a platform.
    pub fn new(cluster: Arc<Cluster>) -> Arc<Self> {
        let group = cluster.core.exec.group();
        Arc::new(Self { cluster, ledger: Mutex::default(), group })
    }

    /// Lets every buyer come in their time.
    pub fn come(self: &Arc<Self>) {
        let plan = &self.cluster.plan;
        for number in 0..plan.buyers {
            let mut dice = stream(plan.seed, 100_000 + u64::from(number));
            let at = Duration::from_micros(dice.below(plan.arrivals.as_micros() as u64 + 1));
            let person = PersonId::parse(&format!("buyer-{number}")).expect("letters and a number");
            let caller = Caller { network: Arc::clone(&self.cluster.network), id: OUTSIDE };
            let shop = Services::new(Arc::clone(self), caller, person.clone());
            let mut buyer = Buyer { shop, person, dice };
            let core = Arc::clone(&self.cluster.core);
            self.cluster.core.exec.spawn(self.group, async move {
                core.exec.sleep(at).await;
                let behaviour = Behaviour::draw_any(&mut buyer.dice);
                core.record(|| format!("{} comes: {behaviour:?}", buyer.person));
                // A buyer whom nobody answered for a long time goes home.
                let _ = buyer.live(behaviour).await;
                core.record(|| format!("{} goes", buyer.person));
            });
        }
    }

    /// The group of the buyers' tasks.
    pub fn group(&self) -> Group {
        self.group
    }

    /// How many have not gone home.
    pub fn there(&self) -> usize {
        self.cluster.core.exec.running(self.group)
    }
}
