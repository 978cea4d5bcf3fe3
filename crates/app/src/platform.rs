//! The whole platform in one process: every service on the same engines, with real gRPC and REST
//! over loopback between them.
//!
//! Each service is assembled as in its own process, with its own metrics and health; only the
//! engines are shared. Shutdown follows the events: first the worker drains while its peers still
//! answer, then the two publishers, then the inventory; then the folder closes. A kill at any point
//! of that loses nothing durable.

use crate::engines::Engines;
use adapter_embedded::Engine;
use anyhow::{Context, Result, ensure};
use census::snapshot::Reported;
use domain::invariant::Name;
use identity::Secret;
use ports::{Clock, Tasks};
use runtime::Health;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

mod admin;
mod settings;
mod sockets;
mod wiring;

pub use settings::Settings;
pub use sockets::Addresses;

/// How to run the platform.
#[derive(Debug, Clone)]
pub struct PlatformOptions {
    /// Free ports instead of the usual ones.
    pub free_ports: bool,
    /// Settings from the environment and the command line.
    pub settings: Settings,
}

impl PlatformOptions {
    /// On free ports, with the defaults and this hold.
    pub fn demo(hold: Duration) -> Result<Self> {
        let settings = Settings::read(&mut runtime::config::Env::from_pairs::<&str, &str>([]), hold)?;
        Ok(Self { free_ports: true, settings })
    }
}

/// Counts of events since the start of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// Different events that the queue accepted.
    pub published: u64,
    /// Events that had their effect.
    pub settled: u64,
    /// Events that went to the dead-letter queue.
    pub buried: u64,
    /// Events that were published and are in no queue, settled or buried.
    pub lost: u64,
}

/// Fails the liveness of these services when the engine stops. Such a process answers reads only;
/// restart it when the cause is removed. Ends at `shutdown`.
pub(crate) fn watch_engine(
    engine: &Engine,
    healths: Vec<Health>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let stopped = engine.stopped();
    async move {
        if let Some(why) = shutdown.run_until_cancelled(stopped).await {
            for health in healths {
                health.alive_set("data", Err(why.clone()));
            }
        }
    }
}

/// The running platform.
pub struct Platform {
    engines: Engines,
    addresses: Addresses,
    inventory: inventory::Service,
    worker: worker::Handle,
    clock: Arc<dyn Clock>,
    jwt_secret: Option<SecretString>,
    tasks: Tasks,
    shutdown: CancellationToken,
    ended: oneshot::Receiver<Result<()>>,
    /// The last field: its tasks have ended when it is dropped.
    _apart: Apart,
}

impl Platform {
    /// Binds the sockets and starts every service on these engines.
    pub async fn start_on(engines: Engines, clock: Arc<dyn Clock>, options: PlatformOptions) -> Result<Self> {
        let sockets = sockets::bind(options.free_ports).await?;
        let addresses = sockets.addresses()?;
        let apart = Apart::start()?;
        let tasks = Tasks::with_apart(apart.handle());
        let shutdown = CancellationToken::new();
        let jwt_secret = options.settings.gateway.jwt.secret.clone();
        let wired = wiring::wire(&engines, &clock, &tasks, &addresses, &options.settings)?;
        let (inventory, worker) = (wired.inventory.clone(), wired.worker.handle());
        if let Some(engine) = engines.folder() {
            tasks.spawn(watch_engine(engine, wired.healths.clone(), shutdown.clone()));
        }
        let (end, ended) = oneshot::channel();
        let running = Box::pin(wired.run(sockets, shutdown.clone()));
        tasks.spawn(async move {
            // If the platform was dropped, nobody receives this.
            let _ = end.send(running.await);
        });
        let platform = Self {
            engines,
            addresses,
            inventory,
            worker,
            clock,
            jwt_secret,
            tasks,
            shutdown,
            ended,
            _apart: apart,
        };
        platform.wait_until_ready().await?;
        Ok(platform)
    }

    /// The addresses of the services.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The secret that signs people's tokens.
    pub fn jwt_secret(&self) -> Result<Secret> {
        Ok(Secret::new(self.jwt_secret.clone().context("the platform has no JWT_SECRET")?)?)
    }

    /// Waits until every service reports ready.
    async fn wait_until_ready(&self) -> Result<()> {
        let http = crate::client::Http::new(self.clock.clone());
        let give_up = self.clock.elapsed() + Duration::from_secs(60);
        for (name, address) in self.addresses.http() {
            let url = format!("http://{address}/ready");
            loop {
                let why = match http.get(&url).await {
                    Ok(answer) if answer.status.is_success() => break,
                    Ok(answer) => answer.body.to_string(),
                    Err(error) => format!("{error:#}"),
                };
                ensure!(self.clock.elapsed() < give_up, "{name} is not ready after a minute: {why}");
                self.clock.sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Waits until no work is pending: no timer, no unpublished event, no webhook, nothing in the
    /// queue.
    pub async fn at_rest(&self, limit: Duration) -> Result<()> {
        let give_up = self.clock.elapsed() + limit;
        while let Some(pending) = self.engines.pending_work().await? {
            ensure!(
                self.clock.elapsed() < give_up,
                "the platform did not come to rest within {limit:?}: {pending}; {:?}",
                self.worker.status()
            );
            self.clock.sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The results of the worker's observer for Q2 to Q6: name, checks, violations.
    pub fn observations(&self) -> Vec<(Name, u64, u64)> {
        self.worker
            .observations()
            .into_iter()
            .map(|(name, seen)| (name, seen.checks, seen.violations))
            .collect()
    }

    /// Counts of events since the start.
    pub async fn event_counts(&self) -> Result<EventCounts> {
        let passed = self.engines.passed();
        let depth = self.engines.events.depth().await?;
        let there = depth.visible + depth.in_flight + depth.delayed;
        let buried = self.worker.status().buried + passed.redriven;
        let gone = passed.deleted + passed.redriven;
        Ok(EventCounts {
            published: passed.sent,
            settled: gone.saturating_sub(buried),
            buried,
            lost: passed.sent.saturating_sub(gone + there),
        })
    }

    /// The stock that inventory-api reports.
    pub async fn reported(&self) -> Result<Reported> {
        let shows = self.inventory.shows().await?;
        let sections = shows.iter().flat_map(|status| {
            let show = status.show.id.to_string();
            let sections = status.show.sections.iter().zip(&status.counts);
            sections.map(move |(section, counts)| ((show.clone(), section.id.to_string()), *counts))
        });
        Ok(sections.collect())
    }

    /// Runs until `stop` is cancelled or a service fails, then drains.
    pub async fn run_until(mut self, stop: CancellationToken) -> Result<()> {
        tokio::select! {
            biased;
            ended = &mut self.ended => {
                // The services have ended; this ends the tasks that watch them.
                self.shutdown.cancel();
                self.tasks.finished().await;
                return ended.unwrap_or_else(|_| Err(anyhow::anyhow!("the platform was dropped")));
            }
            () = stop.cancelled() => {}
        }
        self.stop().await.map(drop)
    }

    /// Drains, and returns the engines.
    pub async fn stop(self) -> Result<Engines> {
        self.shutdown.cancel();
        let ended = self.ended.await.context("the platform was dropped")?;
        self.tasks.finished().await;
        ended?;
        Ok(self.engines)
    }
}

/// One thread for the relays. On the threads that all services share, a due event would wait behind
/// every request in progress: 50 ms and more at full load, instead of 2 (`cargo xtask bench
/// expiry`).
struct Apart(Option<Runtime>);

impl Apart {
    fn start() -> Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("tacos-relay").enable_all();
        // Delay makes due events late, and other work only slower. This needs CAP_SYS_NICE; without
        // it, the thread has the priority of the others.
        builder.on_thread_start(|| {
            let _ = rustix::process::nice(-10);
        });
        let runtime = builder.build();
        Ok(Self(Some(runtime.context("start the relays' thread")?)))
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().expect("only drop takes the runtime").handle().clone()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // Dropping a runtime waits for its thread, which async code must not do.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A socket address as text, for clients.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
