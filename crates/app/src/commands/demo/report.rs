//! The report of a demo: tables for people, one JSON object for scripts.

use super::Outcome;
use crate::commands::check;
use crate::output::{print, table};
use crowd::{Behaviour, Promise};
use domain::reservation::Status;
use serde_json::json;

/// Broken promises that are listed; the others are only counted.
const SHOWN_MAX: usize = 20;

/// One JSON object (docs/contracts.md#commands). Problems are logged.
pub(super) fn json(outcome: &Outcome) {
    for problem in problems(outcome) {
        tracing::error!(problem, "the demo failed");
    }
    let invariants = check::to_json(&outcome.verdicts);
    let events = &outcome.events;
    print(json!({
        "seats": outcome.seats,
        "buyers": outcome.buyers,
        "reservations": outcome.world.reservations.len(),
        "sold": outcome.sold(),
        "confirmed": outcome.count(Status::Confirmed),
        "expired": outcome.count(Status::Expired),
        "cancelled": outcome.count(Status::Cancelled),
        "refunded": outcome.refunded(),
        "events": {
            "published": events.published, "settled": events.settled, "buried": events.buried, "lost": events.lost,
        },
        "oversold": outcome.oversold(),
        "non_terminal": outcome.non_terminal(),
        "broken_promises": outcome.broken_promises.len(),
        "invariants": invariants,
        "seed": outcome.seed,
        "wall_seconds": (outcome.wall.as_secs_f64() * 1_000.0).round() / 1_000.0,
    }));
}

/// The tables.
pub(super) fn tables(outcome: &Outcome) {
    let sold = outcome.sold();
    print(format!(
        "{} buyers, {} seats, {sold} sold, in {:.1} s (seed {})\n",
        outcome.buyers,
        outcome.seats,
        outcome.wall.as_secs_f64(),
        outcome.seed
    ));
    print(buyers(outcome));
    print(ends(outcome));
    print(check::table(&outcome.verdicts));
    for problem in problems(outcome) {
        print(problem);
    }
    print(if outcome.holds() {
        "Every invariant held. Nothing was lost.".to_owned()
    } else {
        format!(
            "FAILED. Run it again with: tacos demo --seed {} --seats {} --buyers {}",
            outcome.seed, outcome.seats, outcome.buyers
        )
    });
}

fn problems(outcome: &Outcome) -> impl Iterator<Item = String> {
    let examples = outcome
        .verdicts
        .verdicts()
        .flat_map(|(name, verdict)| verdict.examples.iter().map(move |example| format!("{name}: {example}")));
    let broken = outcome.broken_promises.iter().take(SHOWN_MAX);
    examples.chain(broken.map(|problem| format!("broken promise: {problem}")))
}

fn buyers(outcome: &Outcome) -> comfy_table::Table {
    let mut table = table(&["buyers who", "came", "got seats", "confirmed"]);
    for (behaviour, _) in Behaviour::SHARES {
        let crowd: Vec<_> =
            outcome.receipts.iter().filter(|receipt| receipt.behaviour == behaviour).collect();
        let promised = |kind: fn(&Promise) -> bool| {
            crowd.iter().filter(|receipt| receipt.promises.iter().any(kind)).count().to_string()
        };
        table.add_row(vec![
            behaviour.describe().to_owned(),
            crowd.len().to_string(),
            promised(|promise| matches!(promise, Promise::Held { .. })),
            promised(|promise| matches!(promise, Promise::Confirmed { .. })),
        ]);
    }
    table
}

fn ends(outcome: &Outcome) -> comfy_table::Table {
    let mut table = table(&["reservations", "", "events", ""]);
    let events = &outcome.events;
    let rows = [
        ("made", outcome.world.reservations.len(), "published", events.published),
        ("confirmed", outcome.count(Status::Confirmed), "settled", events.settled),
        ("expired", outcome.count(Status::Expired), "in the dead-letter queue", events.buried),
        ("cancelled", outcome.count(Status::Cancelled), "lost", events.lost),
        ("payments given back", outcome.refunded(), "", 0),
    ];
    for (what, count, event, number) in rows {
        let number = if event.is_empty() { String::new() } else { number.to_string() };
        table.add_row(vec![what.to_owned(), count.to_string(), event.to_owned(), number]);
    }
    table
}
