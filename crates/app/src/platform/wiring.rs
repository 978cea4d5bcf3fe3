//! Connects services, adapters and engines: the one place that sees all three.

use super::admin::Admin;
use super::settings::Settings;
use super::sockets::{Addresses, Pair, Sockets};
use super::url;
use crate::engines::Engines;
use adapter_peers::{
    HttpPost, InventoryClient, PaymentsClient, PeerOptions, ReservationsClient, SalesClient, ShowsClient,
};
use anyhow::{Context, Result};
use ports::{Clock, Entropy, Tasks};
use runtime::{Health, Process};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Every service, assembled and not yet running.
pub(super) struct Wired {
    gateway: gateway::Gateway,
    pub(super) inventory: inventory::Service,
    pub(super) worker: worker::Worker,
    inventory_config: inventory::Config,
    inventory_deps: inventory::Deps,
    reservation: (reservation::Config, reservation::Deps),
    payment: (payment::Config, payment::Deps),
    admin: Admin,
    tasks: Tasks,
    /// The health of each service.
    pub(super) healths: Vec<Health>,
}

/// Assembles every service.
pub(super) fn wire(
    engines: &Engines,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
    addresses: &Addresses,
    settings: &Settings,
) -> Result<Wired> {
    let mut settings = settings.clone();
    let token = settings.internal_token.clone();
    let entropy: Arc<dyn Entropy> = Arc::new(runtime::SystemEntropy::new());
    let wiring = Wiring {
        engines,
        clock,
        entropy,
        tasks,
        addresses,
        token: token.as_ref().map(|t| t.expose_secret()),
    };

    let inventory_deps = wiring.inventory();
    let inventory = inventory::assemble(settings.inventory.service.clone(), &inventory_deps);
    let reservation_deps = wiring.reservation(&inventory)?;
    wiring.deliver_webhooks_here(&mut settings.payment);
    let payment_deps = wiring.payment()?;
    let gateway_deps = wiring.gateway(settings.gateway.backend_timeout)?;
    let worker_deps = wiring.worker()?;
    let healths = [
        &gateway_deps.process,
        &inventory_deps.process,
        &reservation_deps.process,
        &payment_deps.process,
        &worker_deps.process,
    ]
    .map(|process| process.health.clone())
    .to_vec();

    let gateway = gateway::assemble(settings.gateway, gateway_deps)?;
    let admin_token = settings.worker.admin_token.clone();
    let worker = worker::assemble(settings.worker, worker_deps);
    let admin = Admin::new(engines.clone(), worker.handle(), gateway.admin_routes(), admin_token);
    Ok(Wired {
        gateway,
        inventory,
        worker,
        inventory_config: settings.inventory,
        inventory_deps,
        reservation: (settings.reservation, reservation_deps),
        payment: (settings.payment, payment_deps),
        admin,
        tasks: tasks.clone(),
        healths,
    })
}

impl Wired {
    /// Runs every service until `shutdown` or until one of them fails; then drains in the order of
    /// the events.
    pub(super) async fn run(self, sockets: Sockets, shutdown: CancellationToken) -> Result<()> {
        let worker_stop = shutdown.child_token();
        let (publishers_stop, inventory_stop) = (CancellationToken::new(), CancellationToken::new());
        let (gateway_stop, gateway_sockets) = (worker_stop.child_token(), listeners(sockets.gateway));
        let (inventory_sockets, reservation_sockets) =
            (listeners(sockets.inventory), listeners(sockets.reservation));
        let (payment_sockets, worker_sockets) = (listeners(sockets.payment), listeners(sockets.worker));

        let gateway = async {
            let ended = self.gateway.run(gateway_sockets, gateway_stop).await;
            worker_stop.cancel();
            ended.context("gateway-api")
        };
        let worker = async {
            let ended = self.worker.run(worker_sockets, worker_stop.clone()).await;
            publishers_stop.cancel();
            ended.context("reservation-worker")
        };
        let publishers = async {
            let (config, deps) = self.reservation;
            let reservation = async {
                let ended =
                    reservation::run(config, deps, reservation_sockets, publishers_stop.clone()).await;
                worker_stop.cancel();
                ended.context("reservation-api")
            };
            let (config, deps) = self.payment;
            let payment = async {
                let ended = payment::run(config, deps, payment_sockets, publishers_stop.clone()).await;
                worker_stop.cancel();
                ended.context("payment-sim-api")
            };
            let ended = tokio::join!(reservation, payment);
            inventory_stop.cancel();
            ended.0.and(ended.1)
        };
        let inventory = async {
            let run = inventory::serve(
                self.inventory,
                self.inventory_config,
                self.inventory_deps,
                inventory_sockets,
                inventory_stop.clone(),
            );
            let ended = run.await;
            worker_stop.cancel();
            ended.context("inventory-api")
        };
        let admin = self.admin.serve(sockets.admin, inventory_stop.clone(), &self.tasks);
        let (gateway, worker, publishers, inventory, admin) =
            tokio::join!(gateway, worker, publishers, inventory, admin);
        gateway.and(worker).and(publishers).and(inventory).and(admin)
    }
}

/// The parts that all services share; each method gives a service its ports.
struct Wiring<'w> {
    engines: &'w Engines,
    clock: &'w Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tasks: &'w Tasks,
    addresses: &'w Addresses,
    /// Sent to the internal HTTP APIs.
    token: Option<&'w str>,
}

impl Wiring<'_> {
    fn inventory(&self) -> inventory::Deps {
        inventory::Deps {
            store: self.engines.inventory.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
            process: Process::new("inventory-api"),
        }
    }

    fn reservation(&self, inventory: &inventory::Service) -> Result<reservation::Deps> {
        Ok(reservation::Deps {
            store: self.engines.reservation.clone(),
            events: Arc::new(self.engines.events.clone()),
            backstop: None,
            inventory: Arc::new(self.inventory_client()?),
            payments: Arc::new(self.payments_client()?),
            admissions: Arc::new(inventory.clone()),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
            process: Process::new("reservation-api"),
        })
    }

    fn payment(&self) -> Result<payment::Deps> {
        Ok(payment::Deps {
            store: self.engines.payment.clone(),
            events: Arc::new(self.engines.events.clone()),
            webhook: Arc::new(HttpPost::new(PeerOptions::rest(), self.clock.clone())?),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
            process: Process::new("payment-sim-api"),
        })
    }

    /// `backend_timeout` limits each call of a backend.
    fn gateway(&self, backend_timeout: Duration) -> Result<gateway::Deps> {
        Ok(gateway::Deps {
            waiting_room: self.engines.waiting_room.clone(),
            shows: Arc::new(self.shows_client(backend_timeout)?),
            sales: Arc::new(self.sales_client(backend_timeout)?),
            keys: None,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
            process: Process::new("gateway-api"),
        })
    }

    fn worker(&self) -> Result<worker::Deps> {
        Ok(worker::Deps {
            queue: self.engines.events.clone(),
            dead_letter_queue: Some(self.engines.letters.clone()),
            dead_letters: Some(self.engines.dead_letters.clone()),
            peers: worker::Peers {
                inventory: Arc::new(self.inventory_client()?),
                reservations: Arc::new(self.reservations_client()?),
                payments: Some(Arc::new(self.payments_client()?)),
            },
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
            process: Process::new("reservation-worker"),
        })
    }

    /// Unless the settings name another receiver, webhooks go to the reservation-api of this
    /// process.
    fn deliver_webhooks_here(&self, config: &mut payment::Config) {
        let receiver = &mut config.service.webhooks.default_url;
        if receiver.is_none() {
            let address = url(self.addresses.reservation_http);
            *receiver = Some(format!("{address}/internal/payment/webhook").into());
        }
    }

    fn inventory_client(&self) -> Result<InventoryClient> {
        let address = url(self.addresses.inventory_grpc);
        Ok(InventoryClient::new(&address, PeerOptions::grpc(), self.clock.clone())?)
    }

    fn payments_client(&self) -> Result<PaymentsClient> {
        let address = url(self.addresses.payment_grpc);
        Ok(PaymentsClient::new(&address, PeerOptions::grpc(), self.clock.clone())?)
    }

    fn shows_client(&self, limit: Duration) -> Result<ShowsClient> {
        let options = PeerOptions { timeout: limit, answer_bytes_max: 64 << 20, ..PeerOptions::rest() };
        let address = url(self.addresses.inventory_http);
        Ok(ShowsClient::new(&address, self.token, options, self.clock.clone())?)
    }

    fn sales_client(&self, limit: Duration) -> Result<SalesClient> {
        let options = PeerOptions { timeout: limit, ..PeerOptions::grpc() };
        let (reservations, payments) =
            (url(self.addresses.reservation_grpc), url(self.addresses.payment_grpc));
        Ok(SalesClient::new(&reservations, &payments, options, self.clock.clone())?)
    }

    fn reservations_client(&self) -> Result<ReservationsClient> {
        let address = url(self.addresses.reservation_http);
        Ok(ReservationsClient::new(&address, self.token, PeerOptions::rest(), self.clock.clone())?)
    }
}

fn listeners(pair: Pair) -> runtime::Listeners {
    runtime::Listeners { http: pair.http, grpc: pair.grpc, admin: None }
}
