//! `tacos check`: checks every invariant of a data folder that no process has open.

use super::DATA;
use crate::engines::{self, Engines};
use crate::exit::{Exit, Failure};
use crate::output;
use census::snapshot::Reported;
use clap::Args;
use domain::invariant::{self, Phase, Report};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// `tacos check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Data folder.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub(crate) data: PathBuf,
    /// Also require that nothing is pending: no open hold, no queued message.
    #[arg(long)]
    pub(crate) at_rest: bool,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    if !args.data.is_dir() {
        return Err(Failure::not_found(format!("data folder {} does not exist", args.data.display())));
    }
    let clock = Arc::new(runtime::SystemClock::new());
    let engine = engines::open(&args.data, clock).await?;
    let engines = Engines::embedded(&engine).map_err(|error| Failure::service("open the data", error))?;
    let world =
        engines.snapshot(&Reported::new()).await.map_err(|error| Failure::service("read the data", error))?;
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
