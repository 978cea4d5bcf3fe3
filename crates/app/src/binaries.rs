//! The services as separate processes.
//!
//! Each reads its environment, reports every problem at once (exit code 64, before it binds a
//! port), and runs until SIGTERM. `--check-config` stops after the reading; `--help` lists every
//! variable with its default.

use crate::exit::{Exit, Failure};
use clap::{Arg, ArgAction, Command};
use ports::{Clock, Entropy, Tasks};
use runtime::config::Env;
use runtime::telemetry;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

mod gateway_api;
mod inventory_api;
mod payment_sim_api;
mod reservation_api;
mod reservation_worker;

/// One service as a separate process.
trait Service {
    /// The settings from its environment.
    type Settings: Send;
    /// Name of the process.
    const NAME: &'static str;
    /// For `--help`.
    const ABOUT: &'static str;

    /// Adds settings from other sources to the environment before it is read.
    fn prepare(_env: &mut Env) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }

    /// Reads every variable, whatever the values: `--help` lists the variables that were read.
    /// `None` if a required one is missing.
    fn read(env: &mut Env) -> Option<Self::Settings>;

    /// Runs until `stop`.
    fn run(settings: Self::Settings, base: Base) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The parts that every process has.
struct Base {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
    stop: CancellationToken,
}

/// `gateway-api`.
pub fn gateway_api() -> ExitCode {
    process::<gateway_api::GatewayApi>()
}

/// `inventory-api`.
pub fn inventory_api() -> ExitCode {
    process::<inventory_api::InventoryApi>()
}

/// `reservation-api`.
pub fn reservation_api() -> ExitCode {
    process::<reservation_api::ReservationApi>()
}

/// `payment-sim-api`.
pub fn payment_sim_api() -> ExitCode {
    process::<payment_sim_api::PaymentSimApi>()
}

/// `reservation-worker`.
pub fn reservation_worker() -> ExitCode {
    process::<reservation_worker::ReservationWorker>()
}

fn process<S: Service + 'static>() -> ExitCode {
    let arguments = Command::new(S::NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(S::ABOUT)
        .after_help(variables::<S>())
        .arg(
            Arg::new("check-config")
                .long("check-config")
                .action(ArgAction::SetTrue)
                .help("Read the settings, report every problem, and exit without starting anything"),
        )
        .get_matches();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::service("start the runtime", error).report(),
    };
    // As a task: a future that this thread polls would be woken from another thread for every
    // message.
    let running = runtime.spawn(start::<S>(arguments.get_flag("check-config")));
    match runtime.block_on(running) {
        Ok(Ok(())) => Exit::Done.into(),
        Ok(Err(failure)) => failure.report(),
        Err(gone) => match gone.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(gone) => Failure::stopped(gone).report(),
        },
    }
}

async fn start<S: Service + 'static>(only_check: bool) -> Result<(), Failure> {
    let mut env = Env::process();
    let logs = telemetry::Options::from_env(&mut env);
    S::prepare(&mut env).await?;
    let settings = S::read(&mut env);
    env.finish().map_err(|problems| Failure::configuration(problems.to_string()))?;
    let settings = settings.ok_or_else(|| Failure::configuration("a required setting is missing"))?;
    if only_check {
        crate::output::print("the settings are valid");
        return Ok(());
    }
    let _flush = telemetry::init(logs).map_err(|error| Failure::service("set up logging", error))?;
    let stop =
        runtime::shutdown::on_signals().map_err(|error| Failure::service("listen to signals", error))?;
    let base = Base {
        clock: Arc::new(runtime::SystemClock::new()),
        entropy: Arc::new(runtime::SystemEntropy::new()),
        tasks: Tasks::new(),
        stop: stop.clone(),
    };
    let tasks = base.tasks.clone();
    let ran = S::run(settings, base).await;
    // After a failure `stop` is not cancelled yet, and the other tasks would run forever.
    stop.cancel();
    tasks.finished().await;
    ran
}

/// Every variable that the service reads, with its default.
fn variables<S: Service>() -> String {
    let mut env = Env::from_pairs::<&str, &str>([]);
    telemetry::Options::from_env(&mut env);
    S::read(&mut env);
    let mut text = "Environment:\n".to_owned();
    for variable in env.described() {
        let default = match (&variable.default, variable.required) {
            (_, true) => " (required)".to_owned(),
            (Some(default), false) if !default.is_empty() => format!(" [default: {default}]"),
            _ => String::new(),
        };
        let _ = writeln!(text, "  {}{default}", variable.name);
        if !variable.doc.is_empty() {
            let _ = writeln!(text, "      {}", variable.doc);
        }
    }
    text.push_str(
        "\nExit codes: 0 drained · 2 usage · 64 configuration · 69 a required service did not answer",
    );
    text
}

/// `LISTEN_IP` and the two ports of a service.
struct Ports {
    ip: IpAddr,
    http: u16,
    grpc: u16,
}

impl Ports {
    fn read(env: &mut Env, http: u16, grpc: u16) -> Self {
        Self {
            ip: listen_ip(env),
            http: env.or("SERVER_PORT", "HTTP port; 0: a free one, which is logged", http),
            grpc: env.or("GRPC_PORT", "gRPC port; 0: a free one, which is logged", grpc),
        }
    }

    async fn bind(&self) -> Result<(TcpListener, TcpListener), Failure> {
        Ok((bind(self.ip, self.http).await?, bind(self.ip, self.grpc).await?))
    }
}

fn listen_ip(env: &mut Env) -> IpAddr {
    env.or("LISTEN_IP", "address to listen on; 0.0.0.0 in a container", IpAddr::from(Ipv4Addr::LOCALHOST))
}

async fn bind(ip: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((ip, port)).await.map_err(|error| {
        Failure::configuration(format!(
            "cannot listen on {ip}:{port}: {error}; set another port, or stop the process that uses it"
        ))
    })
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
}
