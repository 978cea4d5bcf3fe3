//! Estimated waits against real waits: sales in virtual time, by the rules of the line itself.
//!
//! There is no clock and no socket: [`Line`](domain::waiting_room::Line) runs as the store runs
//! it, a gateway keeps its copy as every gateway does, and a crowd joins, polls, vanishes,
//! returns and leaves turns unused. Each estimate is kept until its person has a turn, and is
//! compared with the time that this took. A sale whose rules change has two rows: estimates
//! from before the change, which could not know it, and estimates from after.

mod crowd;
mod figures;
mod gateway;
mod run;

pub use figures::table;
pub use run::run;

use domain::waiting_room::RuleChange;
use std::time::Duration;

/// One sale.
#[derive(Debug, Clone)]
pub struct Sale {
    /// As it is printed.
    pub name: &'static str,
    /// People a second, as the operator begins.
    pub rate: u32,
    /// People who join within [`OPENING`].
    pub burst: u32,
    /// People a second who join after that, and for how long.
    pub tail: (u32, Duration),
    /// What the operator changes, in order.
    pub changes: Vec<(Duration, RuleChange)>,
    /// Share of people who fall silent while they wait; half of them return.
    pub vanish: f64,
    /// Share of people who do not use their turn; a third of them return.
    pub no_show: f64,
}

/// How long the crowd of the opening takes to join.
pub const OPENING: Duration = Duration::from_secs(10);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn rate(rate: u32) -> RuleChange {
    RuleChange { rate: Some(rate), burst: Some(rate), paused: None, closed: None, capacity: None }
}

const fn paused(paused: bool) -> RuleChange {
    RuleChange { rate: None, burst: None, paused: Some(paused), closed: None, capacity: None }
}

/// The sales, in the order of the table.
pub fn sales() -> Vec<Sale> {
    let sale = Sale {
        name: "steady-1000",
        rate: 1_000,
        burst: 60_000,
        tail: (600, seconds(120)),
        changes: Vec::new(),
        vanish: 0.01,
        no_show: 0.05,
    };
    let medium = |name| Sale { name, rate: 200, burst: 40_000, tail: (80, seconds(120)), ..sale.clone() };
    let long = |name| Sale { name, rate: 20, burst: 20_000, tail: (8, seconds(300)), ..sale.clone() };
    let pause = |from, long| vec![(seconds(from), paused(true)), (seconds(from + long), paused(false))];
    vec![
        sale.clone(),
        Sale { name: "steady-100", rate: 100, burst: 20_000, tail: (60, seconds(180)), ..sale.clone() },
        Sale { name: "small", rate: 5, burst: 300, tail: (3, seconds(300)), ..sale.clone() },
        Sale { changes: vec![(seconds(120), rate(100))], ..medium("halves") },
        Sale { rate: 100, changes: vec![(seconds(120), rate(200))], ..medium("doubles") },
        Sale { changes: pause(120, 60), ..medium("pause-60s") },
        Sale { no_show: 0.3, ..medium("no-shows-30%") },
        Sale { no_show: 0.5, ..medium("no-shows-50%") },
        Sale { vanish: 0.05, ..medium("vanish-5%") },
        Sale { vanish: 0.25, ..medium("vanish-25%") },
        long("long"),
        Sale { changes: vec![(seconds(600), rate(10))], ..long("long-halves") },
        Sale { changes: pause(600, 60), no_show: 0.3, ..long("long-pause") },
    ]
}
