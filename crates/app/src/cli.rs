//! The command line of `tacos`: the commands and their help texts.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "aws")]
mod aws;
mod dlq;
mod exit;
pub mod output;
mod seed;
pub(crate) mod token;
mod trace;

pub use exit::{Exit, Failure};
pub use seed::read_show;

/// The default administration address of `tacos up`.
const ADMIN_ADDR: &str = "127.0.0.1:8042";
/// The default data folder of `tacos up`.
const DATA: &str = "tacos-data";

/// The ticket-reservation platform that stays standing when the sale opens.
///
/// One process, embedded engines, no account and nothing to install. Start with `tacos demo`: a
/// crowd buys out a hall, and every invariant is checked. Or run the platform with `tacos up` and
/// talk to it with curl and grpcurl.
#[derive(Debug, Parser)]
#[command(name = "tacos", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done · 1 failed or not found · 2 usage · 64 configuration · 69 a required service did not answer"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole platform in this process, on data in a folder.
    ///
    /// Binds 127.0.0.1 only. When every port answers, it prints one line of JSON with the addresses
    /// on stdout; logs go to stderr. SIGTERM or Ctrl-C drains it and ends it with exit code 0. A
    /// kill -9 loses nothing that was acknowledged: start it again on the same folder.
    Up(UpArgs),
    /// Let a crowd buy out a hall, then check every invariant on the stored rows.
    ///
    /// Runs on a temporary folder and free ports. The buyers pay, fail, walk away, pay late, pay
    /// twice, cancel and repeat requests, over the real APIs. The exit code is 0 only if every
    /// invariant held and no event was lost.
    Demo(DemoArgs),
    /// Check every invariant of a data folder. No process may have the folder open.
    Check(CheckArgs),
    /// Put a show on sale.
    ///
    /// FILE is the JSON body of `POST /admin/shows`; `-` reads standard input.
    Seed(seed::SeedArgs),
    /// Print the timeline of one reservation across every service, queue and store.
    Trace(trace::TraceArgs),
    /// List, show, redrive or purge dead letters: the messages that the worker gave up on.
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Create the tables and queues of the platform on AWS.
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Aws(aws::AwsCommand),
    /// Make a signed token for a person, for local use.
    ///
    /// Signs with HS256 and the secret in JWT_SECRET. Without it, signs with the secret of the data
    /// folder, which is created at the first use.
    Token(token::TokenArgs),
}

/// `tacos up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Data folder; created if missing.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// Bind free ports instead of 8000 to 8042.
    #[arg(long)]
    pub free_ports: bool,
    /// How long seats are held for a buyer, for example 60s, 1m30s or 500ms.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub hold: Duration,
    /// Show to put on sale at the start: the JSON body of `POST /admin/shows`.
    #[arg(long, value_name = "FILE")]
    pub seed_show: Option<PathBuf>,
}

/// `tacos demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Number of seats.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub seats: u64,
    /// Number of buyers.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub buyers: u64,
    /// How long seats are held, in seconds or as `1500ms`.
    #[arg(long, value_name = "S", default_value = "5", value_parser = duration)]
    pub hold: Duration,
    /// Seed of every choice that the crowd makes; default: a random one, which is printed.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Engines: a temporary folder, or tables and queues on AWS, which are created under a unique
    /// prefix and removed at the end. The SDK's variables say where AWS is: AWS_ENDPOINT_URL_SQS, …
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "ENGINES", default_value = "embedded")]
    pub engines: EngineKind,
    /// Print one JSON object instead of the tables.
    #[arg(long)]
    pub json: bool,
    /// Damage the data before the check, so that the test suite sees the named invariant fail.
    #[arg(long, hide = true, value_name = "NAME")]
    pub break_invariant: Option<String>,
}

/// The engines of a demo.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineKind {
    /// A temporary folder.
    Embedded,
    /// SQS and DynamoDB.
    Aws,
}

/// `tacos check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Data folder.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// Also require that nothing is pending: no open hold, no queued message.
    #[arg(long)]
    pub at_rest: bool,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// Address or folder of the platform that a command works on.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Administration address of a running platform.
    #[arg(long, value_name = "HOST:PORT", default_value = ADMIN_ADDR, conflicts_with = "data")]
    addr: String,
    /// Data folder of a platform that is not running; used instead of --addr.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Administration token, if the platform has one.
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

/// Reads `90`, `90s`, `1500ms`, `2m` or `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 =
        digits.parse().map_err(|_| format!("{text:?} is not a time; write 60s, 1500ms, 2m or 1h"))?;
    let duration = match &text[digits.len()..] {
        "" | "s" => Duration::from_secs(number),
        "ms" => Duration::from_millis(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3_600)),
        unit => return Err(format!("unknown unit {unit:?}; write ms, s, m or h")),
    };
    if duration.is_zero() { Err("must be longer than 0".to_owned()) } else { Ok(duration) }
}

/// Parses the command line, runs the command and returns the exit code.
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::service("start the runtime", error).report(),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Up(args) => crate::up::run(args).await,
        Command::Demo(args) => crate::demo::run(args).await,
        Command::Check(args) => crate::check::run(args).await,
        Command::Seed(args) => seed::run(args).await,
        Command::Trace(args) => trace::run(args).await,
        Command::Dlq(command) => dlq::run(command).await,
        #[cfg(feature = "aws")]
        Command::Aws(command) => aws::run(command).await,
        Command::Token(args) => token::run(args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_is_read_with_and_without_its_unit() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3_600)));
        for bad in ["", "0", "-1", "1y", "s", "1.5s", "9999999999999999999999"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
