//! The services as processes of their own. Each reads its environment, tells every problem at once (exit code 64), and
//! runs until SIGTERM.
//!
//! inventory-api needs nothing but its rows, and keeps them in a folder of its own. The other three meet in a queue, and
//! the embedded queue lives within one process: those binaries check their settings and then say that `tacos up` runs
//! them.

use crate::cli::{Exit, Failure};
use crate::{census, platform, up};
use ports::{Clock, Tasks};
use runtime::config::Env;
use runtime::{Process, telemetry};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

/// `inventory-api`.
pub fn inventory_api() -> ExitCode {
    run(async {
        let mut env = Env::process();
        let logs = telemetry::Options::from_env(&mut env);
        let config = inventory::Config::from_env(&mut env);
        let data: PathBuf = env.or("DATA_DIR", PathBuf::from("./inventory-data"));
        env.document("DATA_DIR", "folder of the rows; made if it is not there");
        let ip: IpAddr = env.or("LISTEN_IP", Ipv4Addr::LOCALHOST.into());
        let (http_port, grpc_port) = (env.or("SERVER_PORT", 8020), env.or("GRPC_PORT", 8021));
        checked(&mut env)?;
        let _flush = telemetry::init(logs).map_err(|error| Failure::service("set up logging", error))?;
        let stop =
            runtime::shutdown::on_signals().map_err(|error| Failure::service("listen to signals", error))?;

        let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
        let engine = census::open(&data, clock.clone()).await.map_err(up::unusable)?;
        let (http, grpc) = (bind(ip, http_port).await?, bind(ip, grpc_port).await?);
        tracing::info!(
            http = address(&http),
            grpc = address(&grpc),
            data = %engine.folder().display(),
            "inventory-api listens"
        );
        let listeners = inventory::Listeners { http, grpc };
        let tasks = Tasks::new();
        let deps = inventory::Deps {
            store: engine.store(census::INVENTORY).map_err(up::unusable)?,
            clock,
            entropy: Arc::new(runtime::SystemEntropy::new()),
            tasks: tasks.clone(),
            process: Process::new("inventory-api"),
        };
        // The folder is locked, so there is no other writer.
        let options = inventory::Options { sole_writer: true, ..config.service.clone() };
        tasks.spawn(platform::watch_engine(&engine, vec![deps.process.health.clone()], stop.clone()));
        let service = inventory::assemble(options, &deps);
        let served = inventory::run(service, config, deps, listeners, stop.clone()).await;
        // After a failure nobody has said so, and the sweeper would go on for ever.
        stop.cancel();
        tasks.finished().await;
        served.map_err(|error| Failure::service("go on", error))
    })
}

/// `reservation-api`.
pub fn reservation_api() -> ExitCode {
    run(async {
        let mut env = Env::process();
        reservation::Environment::from_env(&mut env);
        only_in_tacos("reservation-api", &mut env)
    })
}

/// `payment-sim-api`.
pub fn payment_sim_api() -> ExitCode {
    run(async {
        let mut env = Env::process();
        payment::Config::from_env(&mut env);
        only_in_tacos("payment-sim-api", &mut env)
    })
}

/// `reservation-worker`.
pub fn reservation_worker() -> ExitCode {
    run(async {
        let mut env = Env::process();
        worker::Environment::read(&mut env);
        only_in_tacos("reservation-worker", &mut env)
    })
}

fn run(service: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::service("start the runtime", error).report(),
    };
    match runtime.block_on(service) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.report(),
    }
}

fn checked(env: &mut Env) -> Result<(), Failure> {
    env.finish().map_err(|problems| Failure::configuration(problems.to_string()))
}

fn only_in_tacos(service: &str, env: &mut Env) -> Result<(), Failure> {
    checked(env)?;
    Err(Failure::configuration(format!(
        "the settings are good, but {service} needs a queue that other processes reach, and this build has only the \
         embedded one: run `tacos up`, which runs {service} with the others in one process"
    )))
}

async fn bind(ip: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((ip, port))
        .await
        .map_err(|error| Failure::configuration(format!("cannot listen on {ip}:{port}: {error}")))
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
}
