//! `tacos seed`: puts a show on sale on a running platform.

use crate::client::Http;
use crate::exit::{Exit, Failure};
use crate::output;
use clap::Args;
use http::StatusCode;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `tacos seed`.
#[derive(Debug, Args)]
pub(crate) struct SeedArgs {
    /// The show: the JSON body of `POST /admin/shows`; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    show: PathBuf,
    /// Address of inventory-api.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8020")]
    inventory: String,
    /// Internal token, sent as X-Internal-Token.
    #[arg(long, env = "INTERNAL_API_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

pub(crate) async fn run(args: SeedArgs) -> Result<Exit, Failure> {
    let body = read_show(&args.show)?;
    let http = Http::new(Arc::new(runtime::SystemClock::new()));
    let url = format!("http://{}/admin/shows", args.inventory);
    let token: Vec<(&str, &str)> =
        args.token.iter().map(|token| ("x-internal-token", token.as_str())).collect();
    let answer = http
        .post(&url, &token, &body)
        .await
        .map_err(|error| Failure::service("reach inventory-api", error))?;
    match answer.status {
        StatusCode::CREATED | StatusCode::OK => {
            output::print(&answer.body);
            Ok(Exit::Done)
        }
        status if status.is_server_error() => {
            Err(Failure::service("put the show on sale", anyhow::anyhow!(answer.message())))
        }
        _ => Err(Failure::usage(format!("{}: {}", args.show.display(), answer.message()))),
    }
}

/// Reads the JSON of a show from a file, or from standard input for `-`.
pub(super) fn read_show(path: &Path) -> Result<serde_json::Value, Failure> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{} is not JSON: {error}", path.display())))
}
