//! `tacos up`: runs the platform on a data folder until a signal stops it.

use crate::cli::token::{room_secret_of, secret_of};
use crate::cli::{Exit, Failure, UpArgs, output, read_show};
use crate::client::Http;
use crate::engines::Engines;
use crate::platform::{Platform, PlatformOptions, Settings};
use adapter_embedded::OpenError;
use ports::Clock;
use runtime::config::Env;
use runtime::telemetry;
use serde_json::json;
use std::sync::Arc;

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
    let engine = crate::census::open(&args.data, clock.clone()).await.map_err(unusable)?;
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

/// The error for a data folder that cannot be used; it says what to change.
pub(crate) fn unusable(error: OpenError) -> Failure {
    let words = match &error {
        OpenError::InUse { .. } => format!("{error}; stop that process, or use another --data"),
        OpenError::NewerFormat { .. } | OpenError::Corrupt { .. } => format!("{error}; nothing was changed"),
        _ => error.to_string(),
    };
    Failure::configuration(words)
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
