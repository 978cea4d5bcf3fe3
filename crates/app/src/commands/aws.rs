//! `tacos aws create`: creates tables, queues and the rule, and writes the roles' policies;
//! idempotent.

use crate::aws::platform::{Blueprint, Built};
use crate::aws::{AwsSettings, failure};
use crate::exit::{Exit, Failure};
use crate::output;
use adapter_aws::setup::{Done, ExistingQueue, Mode, Role, RuleDefinition, policy};
use clap::{Args, Subcommand};
use domain::event::Kind;
use ports::queue::QueueKind;
use runtime::config::Env;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum AwsCommand {
    /// Create missing tables, queues and rules; compare existing ones and never change them.
    ///
    /// Region, credentials and endpoints come from the SDK's own variables (AWS_REGION,
    /// AWS_PROFILE, AWS_ENDPOINT_URL, …). The command may be interrupted at any time and run again.
    Create(CreateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Prefix of every name.
    #[arg(long, value_name = "NAME", default_value = "traffic-tacos", value_parser = prefix)]
    prefix: String,
    /// Create a standard event queue instead of a FIFO one.
    #[arg(long)]
    standard: bool,
    /// Also create a rule on this EventBridge bus that sends to the queue, which must be a standard
    /// one.
    #[arg(long, value_name = "BUS", requires = "standard")]
    event_bus: Option<String>,
    /// Folder to write the policy document of each service's role to.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Print what exists and what would be created, and create nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
}

/// SQS and DynamoDB both allow letters, digits, `-` and `_`; names have at most 80 characters.
fn prefix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match text.len() {
        1..=40 if text.chars().all(plain) => Ok(text.to_owned()),
        _ => Err("must be 1 to 40 letters, digits, - or _".to_owned()),
    }
}

pub(crate) async fn run(command: AwsCommand) -> Result<Exit, Failure> {
    let AwsCommand::Create(args) = command;
    let mut env = Env::process();
    let settings = AwsSettings::read(&mut env);
    env.finish().map_err(|problems| Failure::configuration(problems.to_string()))?;
    let aws = settings.connect().await;
    let (clock, entropy) = (runtime::SystemClock::new(), runtime::SystemEntropy::new());
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Make };
    let kind = if args.standard { QueueKind::Standard } else { QueueKind::Fifo };
    let blueprint = Blueprint { prefix: args.prefix.clone(), kind };
    let mut built = blueprint.build(&aws, mode, &clock, &entropy).await.map_err(failure)?;
    if let Some(bus) = &args.event_bus {
        let types = Kind::ALL.iter().map(|kind| kind.wire().to_owned());
        let types = types.chain([contracts::envelope::EXPIRED_ALIAS.to_owned()]).collect();
        let rule = RuleDefinition { bus: bus.clone(), name: format!("{}-events", args.prefix), types };
        let done = rule.ensure(&aws, built.events.as_ref(), mode).await.map_err(failure)?;
        built.resources.push(("rule", format!("{bus}/{}", rule.name), done));
    }
    let policies = match (&built.events, &built.letters) {
        (Some(events), Some(letters)) => policies(&args, &blueprint, events, letters)?,
        _ => Vec::new(),
    };
    print_report(&args, &blueprint, &built, &policies);
    Ok(Exit::Done)
}

/// The policy documents of the roles, each with the name of its file.
fn policies(
    args: &CreateArgs,
    blueprint: &Blueprint,
    events: &ExistingQueue,
    letters: &ExistingQueue,
) -> Result<Vec<(String, Value)>, Failure> {
    // arn:aws:sqs:REGION:ACCOUNT:NAME
    let parts: Vec<&str> = events.arn.split(':').collect();
    let (partition, region, account) = match parts.as_slice() {
        [_, partition, _, region, account, ..] => (*partition, *region, *account),
        _ => ("aws", "*", "*"),
    };
    let bus = args
        .event_bus
        .as_ref()
        .map(|bus| format!("arn:{partition}:events:{region}:{account}:event-bus/{bus}"));
    let document = |role, table: &str| {
        let table = format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}");
        policy(role, &events.arn, &letters.arn, &table, bus.as_deref())
    };
    let [(_, inventory), (_, reservation), (_, payment)] = blueprint.tables();
    let policies = vec![
        ("reservation-worker.json".to_owned(), document(Role::Worker, "")),
        ("reservation-api.json".to_owned(), document(Role::Producer, &reservation)),
        ("payment-sim-api.json".to_owned(), document(Role::Producer, &payment)),
        ("inventory-api.json".to_owned(), document(Role::Inventory, &inventory)),
    ];
    if let Some(folder) = args.policies.as_ref().filter(|_| !args.dry_run) {
        let failed = |error| Failure::usage(format!("--policies {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        for (name, document) in &policies {
            std::fs::write(folder.join(name), format!("{document:#}\n")).map_err(failed)?;
        }
    }
    Ok(policies)
}

/// The variables that tell the services the names of the tables and queues.
fn variables(blueprint: &Blueprint, built: &Built) -> Vec<(&'static str, String)> {
    let tables = blueprint.tables().map(|(table, name)| (table.variable, name));
    let queues = [("SQS_QUEUE_URL", &built.events), ("SQS_DLQ_URL", &built.letters)];
    let queues = queues.into_iter().filter_map(|(name, queue)| Some((name, queue.as_ref()?.url.to_string())));
    tables.into_iter().chain(queues).collect()
}

fn print_report(args: &CreateArgs, blueprint: &Blueprint, built: &Built, policies: &[(String, Value)]) {
    let variables = variables(blueprint, built);
    if args.json {
        let resources = built.resources.iter().map(|(what, name, done)| {
            json!({"what": what, "name": name, "made": *done == Done::Made, "missing": *done == Done::Missing})
        });
        output::print(json!({
            "dry_run": args.dry_run,
            "resources": resources.collect::<Vec<_>>(),
            "environment": variables.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "policies": policies.iter().cloned().collect::<serde_json::Map<_, _>>(),
        }));
        return;
    }
    let mut table = output::table(&["what", "name", ""]);
    for (what, name, done) in &built.resources {
        table.add_row([(*what).to_owned(), name.clone(), done.to_string()]);
    }
    output::print(table);
    output::print("\nEnvironment of the services:");
    for (name, value) in variables {
        output::print(format!("  {name}={value}"));
    }
    if let Some(bus) = &args.event_bus {
        output::print(format!(
            "For reservation-api and payment-sim-api, instead of SQS_QUEUE_URL:\n  EVENT_BUS_NAME={bus}"
        ));
    }
    match &args.policies {
        Some(folder) if !args.dry_run => {
            output::print(format!("\nThe policy documents of the roles are in {}.", folder.display()));
        }
        _ => output::print("\n--policies DIR writes the policy document of each service's role."),
    }
}
