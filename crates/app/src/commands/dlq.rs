//! `tacos dlq`: works on the dead letters of a running platform or of a data folder.

use super::Place;
use crate::exit::{Exit, Failure};
use crate::output;
use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use ports::{Clock, Fault};
use serde_json::{Value, json};
use std::sync::Arc;
use worker::dead_letter::DeadLetter;
use worker::redrive;
use worker::redrive::{RedriveOptions, Report, Selection};

/// The largest number of dead letters in one listing.
const LISTED_MAX: usize = 1_000;
/// The default rate of a redrive, in messages a second.
const RATE: u32 = 50;

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List the dead letters, oldest first.
    List(ListArgs),
    /// Show one dead letter with its body and the error that buried it.
    Show(ShowArgs),
    /// Send dead letters back to the event queue, in order within each group, with new
    /// deduplication ids.
    Redrive(RedriveArgs),
    /// Remove dead letters for good.
    Purge(PurgeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Id of the dead letter, as `list` prints it.
    id: String,
    #[command(flatten)]
    place: Place,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// Ids of the dead letters to redrive; default: all.
    ids: Vec<String>,
    #[command(flatten)]
    place: Place,
    /// Print what would be sent back, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Highest number of messages a second.
    #[arg(long, value_name = "N", default_value_t = RATE, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PurgeArgs {
    /// Ids of the dead letters to remove.
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// Remove all dead letters.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    place: Place,
    /// Print what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: DlqCommand) -> Result<Exit, Failure> {
    match command {
        DlqCommand::List(args) => list(args).await,
        DlqCommand::Show(args) => show(args).await,
        DlqCommand::Redrive(args) => redrive_some(args).await,
        DlqCommand::Purge(args) => purge(args).await,
    }
}

fn broken(fault: Fault) -> Failure {
    Failure::service("read the dead letters", fault)
}

async fn list(args: ListArgs) -> Result<Exit, Failure> {
    let entries: Value = match &args.place.data {
        Some(folder) => {
            let letters = args.place.open(folder).await?.dead_letters;
            let found = letters.browse(None, LISTED_MAX).await.map_err(broken)?;
            json!(found.iter().map(DeadLetter::read).collect::<Vec<_>>())
        }
        None => {
            let path = format!("/admin/dlq?limit={LISTED_MAX}");
            args.place.call(Method::GET, &path, None).await?.body["entries"].take()
        }
    };
    print_entries(&entries, args.json);
    Ok(Exit::Done)
}

async fn show(args: ShowArgs) -> Result<Exit, Failure> {
    let missing = || Failure::not_found(format!("dead letter {} does not exist", args.id));
    let found: Value = match &args.place.data {
        Some(folder) => {
            let letters = args.place.open(folder).await?.dead_letters;
            let message = letters.find(&args.id).await.map_err(broken)?.ok_or_else(missing)?;
            let mut entry = json!(DeadLetter::read(&message));
            entry["body"] = json!(message.body);
            entry
        }
        None => {
            let answer = args.place.call(Method::GET, &format!("/admin/dlq/{}", args.id), None).await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Err(missing());
            }
            answer.body
        }
    };
    if args.json {
        output::print(&found);
    } else {
        for (name, value) in found.as_object().into_iter().flatten() {
            output::print(format!(
                "{name:<16} {}",
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            ));
        }
    }
    Ok(Exit::Done)
}

async fn redrive_some(args: RedriveArgs) -> Result<Exit, Failure> {
    let report: Value = match &args.place.data {
        Some(folder) => {
            let engines = args.place.open(folder).await?;
            let selection =
                if args.ids.is_empty() { Selection::All } else { Selection::Ids(args.ids.clone()) };
            let options =
                RedriveOptions { selection, limit: usize::MAX, rate: args.rate, dry_run: args.dry_run };
            let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
            let report = redrive::redrive(&*engines.dead_letters, &*engines.events, &*clock, &options).await;
            json!(report.map_err(broken)?)
        }
        None => {
            let mut body = json!({"rate": args.rate, "dry_run": args.dry_run});
            if !args.ids.is_empty() {
                body["ids"] = json!(args.ids);
            }
            args.place.call(Method::POST, "/admin/dlq/redrive", Some(&body)).await?.body
        }
    };
    Ok(done(&report, args.json, &args.ids, if args.dry_run { "would be sent back" } else { "sent back" }))
}

async fn purge(args: PurgeArgs) -> Result<Exit, Failure> {
    let report: Value = match &args.place.data {
        Some(folder) => {
            let letters = args.place.open(folder).await?.dead_letters;
            let selection = if args.all { Selection::All } else { Selection::Ids(args.ids.clone()) };
            let report: Report = redrive::purge(&*letters, &selection, args.dry_run).await.map_err(broken)?;
            json!(report)
        }
        None => {
            let mut body = json!({"dry_run": args.dry_run});
            if args.all {
                body["all"] = json!(true);
            } else {
                body["ids"] = json!(args.ids);
            }
            args.place.call(Method::POST, "/admin/dlq/purge", Some(&body)).await?.body
        }
    };
    Ok(done(&report, args.json, &args.ids, if args.dry_run { "would be removed" } else { "removed" }))
}

/// Prints the report. Exit code 1 if the command stopped early, or if none of the given ids exists.
fn done(report: &Value, as_json: bool, ids: &[String], verb: &str) -> Exit {
    if as_json {
        output::print(report);
    } else {
        print_entries(&report["entries"], false);
        output::print(format!("{} {verb}.", report["entries"].as_array().map_or(0, Vec::len)));
        if let Some(why) = report["stopped"].as_str() {
            output::print(format!("Stopped early: {why}"));
        }
    }
    let found = report["entries"].as_array().map_or(0, Vec::len);
    if report["stopped"].is_string() || (found == 0 && !ids.is_empty()) { Exit::Failed } else { Exit::Done }
}

fn print_entries(entries: &Value, as_json: bool) {
    if as_json {
        output::print(entries);
        return;
    }
    let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        output::print("No dead letters.");
        return;
    }
    let columns = ["id", "type", "reservation_id", "reason", "attempts", "last_seen", "error"];
    let mut table = output::table(&columns);
    for entry in entries {
        let cell =
            |name: &&str| entry[*name].as_str().map_or_else(|| entry[*name].to_string(), str::to_owned);
        table.add_row(columns.iter().map(cell));
    }
    output::print(table);
}
