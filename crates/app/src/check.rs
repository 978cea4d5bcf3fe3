//! `tacos check`: checks every invariant of a data folder that no process has open.

use crate::census;
use crate::cli::{CheckArgs, Exit, Failure, output};
use crate::engines::Engines;
use crate::platform::Reported;
use domain::invariant::{self, Phase, Report};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    if !args.data.is_dir() {
        return Err(Failure::not_found(format!("data folder {} does not exist", args.data.display())));
    }
    let clock = Arc::new(runtime::SystemClock::new());
    let engine = census::open(&args.data, clock).await.map_err(crate::up::unusable)?;
    let engines = Engines::embedded(&engine).map_err(|error| Failure::service("open the data", error))?;
    let world = census::take(&engines, &Reported::new())
        .await
        .map_err(|error| Failure::service("read the data", error))?;
    let phase = if args.at_rest { Phase::AtRest } else { Phase::Running };
    let report = invariant::check(&world, phase);
    if args.json {
        output::print(json!({"reservations": world.reservations.len(), "invariants": to_json(&report)}));
    } else {
        output::print(table(&report));
        for (name, verdict) in report.verdicts() {
            for example in &verdict.examples {
                output::print(format!("{name}: {example}"));
            }
        }
    }
    Ok(if report.holds() { Exit::Done } else { Exit::Failed })
}

/// The verdicts as JSON: `{"I1": {"checked", "violations"}, …}`.
pub(crate) fn to_json(report: &Report) -> Map<String, Value> {
    let verdicts = report.verdicts();
    verdicts
        .map(|(name, v)| (name.to_string(), json!({"checked": v.checked, "violations": v.violations})))
        .collect()
}

/// The verdicts as a table.
pub(crate) fn table(report: &Report) -> comfy_table::Table {
    let mut table = output::table(&["invariant", "", "checked", "violations"]);
    for (name, v) in report.verdicts() {
        table.add_row(vec![
            comfy_table::Cell::new(name),
            comfy_table::Cell::new(name.meaning()),
            comfy_table::Cell::new(v.checked),
            output::verdict(v.violations == 0, v.violations),
        ]);
    }
    table
}
