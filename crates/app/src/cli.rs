//! The command line of `tacos`: the commands and their help texts.

use crate::commands::{check, demo, dlq, openapi, seed, token, trace, up};
use crate::exit::{Exit, Failure};
use clap::{Parser, Subcommand};

#[cfg(feature = "aws")]
use crate::commands::aws;

/// The ticket-reservation platform that stays standing when the sale opens.
///
/// One process, embedded engines, no account and nothing to install. Start with `tacos demo`: a
/// crowd buys every seat of a show, and every invariant is checked. Or run the platform with
/// `tacos up` and talk to it with curl and grpcurl.
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
    Up(up::UpArgs),
    /// Let a crowd buy every seat of a show, then check every invariant on the stored rows.
    ///
    /// Runs on a temporary folder and free ports. The buyers pay, fail, walk away, pay late, pay
    /// twice, cancel and repeat requests, over the real APIs. The exit code is 0 only if every
    /// invariant held and no event was lost.
    Demo(demo::DemoArgs),
    /// Check every invariant of a data folder. No process may have the folder open.
    Check(check::CheckArgs),
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
    /// Print the OpenAPI description of a service's HTTP API.
    ///
    /// The same document as the service answers to `GET /openapi.json`; nothing has to run.
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApiArgs),
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
        Command::Up(args) => up::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Seed(args) => seed::run(args).await,
        Command::Trace(args) => trace::run(args).await,
        Command::Dlq(command) => dlq::run(command).await,
        #[cfg(feature = "aws")]
        Command::Aws(command) => aws::run(command).await,
        Command::Token(args) => token::run(args),
        Command::OpenApi(args) => Ok(openapi::run(&args)),
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
}
