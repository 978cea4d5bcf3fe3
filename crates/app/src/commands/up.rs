//! `tacos up`: runs the platform on a data folder until a signal stops it.

use super::seed::read_show;
use super::token::{room_secret_of, secret_of};
use super::{DATA, duration};
use crate::client::Http;
use crate::engines::{self, Engines};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::platform::{Platform, PlatformOptions, Settings};
use clap::Args;
use ports::Clock;
use runtime::config::Env;
use runtime::telemetry;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `tacos up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpArgs {
    /// Data folder; created if missing.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub(crate) data: PathBuf,
    /// Bind free ports instead of 8000 to 8042.
    #[arg(long)]
    pub(crate) free_ports: bool,
    /// How long seats are held for a buyer, for example 60s, 1m30s or 500ms.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) hold: Duration,
    /// Show to put on sale at the start: the JSON body of `POST /admin/shows`.
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_show: Option<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(args: UpArgs) -> Result<Exit, Failure> {
    let mut env = Env::process();
    // The secrets are stored with the data, so tokens and tickets stay valid after a restart.
    for (name, secret) in
        [("JWT_SECRET", secret_of(&args.data)), ("WAITING_ROOM_SECRET", room_secret_of(&args.data))]
    {
        env.preset(name, &secret.map_err(|error| Failure::configuration(format!("--data: {error:#}")))?);
    }
    let logs = telemetry::Options::command(&mut env, "info");
    let settings = Settings::read(&mut env, args.hold)
        .map_err(|problems| Failure::configuration(problems.to_string()))?;
    let show = args.seed_show.as_deref().map(read_show).transpose()?;
    let _flush = telemetry::init(logs).map_err(|error| Failure::service("set up logging", error))?;
    let stop =
        runtime::shutdown::on_signals().map_err(|error| Failure::service("listen to signals", error))?;

    let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
    let engine = engines::open(&args.data, clock.clone()).await?;
    let options = PlatformOptions { free_ports: args.free_ports, settings };
    let engines = Engines::embedded(&engine).map_err(|error| Failure::service("open the data", error))?;
    let platform = Platform::start_on(engines, clock.clone(), options)
        .await
        .map_err(|error| Failure::service("start the platform", error))?;
    if let Some(show) = show {
        open_the_sale(&platform, clock, &show).await?;
    }
    output::print(json!({
        "ready": true,
        "pid": std::process::id(),
        "data": engine.folder().display().to_string(),
        "addresses": platform.addresses().to_json(),
    }));
    platform.run_until(stop).await.map_err(Failure::stopped)?;
    Ok(Exit::Done)
}

async fn open_the_sale(
    platform: &Platform,
    clock: Arc<dyn Clock>,
    show: &serde_json::Value,
) -> Result<(), Failure> {
    let url = format!("http://{}/admin/shows", platform.addresses().inventory_http);
    let answer = Http::new(clock)
        .post(&url, &[], show)
        .await
        .map_err(|error| Failure::service("put the show on sale", error))?;
    if answer.status.is_success() {
        Ok(())
    } else {
        Err(Failure::usage(format!("--seed-show: {}", answer.message())))
    }
}
