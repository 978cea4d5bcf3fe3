//! Connects services, adapters and engines: the one place that sees all three.

use super::admin::Admin;
use super::settings::Settings;
use super::sockets::{Addresses, Sockets};
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

pub(super) fn wire(
    engines: &Engines,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
    addresses: &Addresses,
    settings: &Settings,
) -> Result<Wired> {
    let entropy: Arc<dyn Entropy> = Arc::new(runtime::SystemEntropy::new());
    let settings = settings.clone();

    let inventory_deps = inventory::Deps {
        store: engines.inventory.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        tasks: tasks.clone(),
        process: Process::new("inventory-api"),
    };
    let inventory = inventory::assemble(settings.inventory.service.clone(), &inventory_deps);

    let peers =
        Peers { clock, addresses, token: settings.internal_token.as_ref().map(|t| t.expose_secret()) };
    let reservation_deps = reservation::Deps {
        store: engines.reservation.clone(),
        events: Arc::new(engines.events.clone()),
        backstop: None,
        inventory: Arc::new(peers.inventory()?),
        payments: Arc::new(peers.payments()?),
        admissions: Arc::new(inventory.clone()),
        clock: clock.clone(),
        entropy: entropy.clone(),
        tasks: tasks.clone(),
        process: Process::new("reservation-api"),
    };
    let gateway_config = settings.gateway;
    let limit = gateway_config.backend_timeout;
    let gateway_deps = gateway::Deps {
        waiting_room: engines.waiting_room.clone(),
        shows: Arc::new(peers.shows(limit)?),
        sales: Arc::new(peers.sales(limit)?),
        keys: None,
        clock: clock.clone(),
        entropy: entropy.clone(),
        tasks: tasks.clone(),
        process: Process::new("gateway-api"),
    };
    let gateway_process = gateway_deps.process.clone();
    let gateway = gateway::assemble(gateway_config, gateway_deps)?;
    let mut payment_config = settings.payment;
    if payment_config.service.webhooks.default_url.is_none() {
        let receiver = format!("{}/internal/payment/webhook", url(addresses.reservation_http));
        payment_config.service.webhooks.default_url = Some(receiver.into());
    }
    let payment_deps = payment::Deps {
        store: engines.payment.clone(),
        events: Arc::new(engines.events.clone()),
        webhook: Arc::new(HttpPost::new(PeerOptions::rest(), clock.clone())?),
        clock: clock.clone(),
        entropy: entropy.clone(),
        tasks: tasks.clone(),
        process: Process::new("payment-sim-api"),
    };
    let admin_token = settings.worker.admin_token.clone();
    let worker_process = Process::new("reservation-worker");
    let healths = [
        &gateway_process,
        &inventory_deps.process,
        &reservation_deps.process,
        &payment_deps.process,
        &worker_process,
    ]
    .map(|process| process.health.clone())
    .to_vec();
    let worker = worker::assemble(
        settings.worker,
        worker::Deps {
            queue: engines.events.clone(),
            dead_letter_queue: Some(engines.letters.clone()),
            dead_letters: Some(engines.dead_letters.clone()),
            peers: worker::Peers {
                inventory: Arc::new(peers.inventory()?),
                reservations: Arc::new(peers.reservations()?),
                payments: Some(Arc::new(peers.payments()?)),
            },
            clock: clock.clone(),
            entropy,
            tasks: tasks.clone(),
            process: worker_process,
        },
    );
    let admin = Admin::new(engines.clone(), worker.handle(), gateway.admin_routes(), admin_token);
    Ok(Wired {
        gateway,
        inventory,
        worker,
        inventory_config: settings.inventory,
        inventory_deps,
        reservation: (settings.reservation, reservation_deps),
        payment: (payment_config, payment_deps),
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
        let inventory_sockets =
            runtime::Listeners { http: sockets.inventory.http, grpc: sockets.inventory.grpc, admin: None };
        let reservation_sockets = runtime::Listeners {
            http: sockets.reservation.http,
            grpc: sockets.reservation.grpc,
            admin: None,
        };
        let payment_sockets =
            runtime::Listeners { http: sockets.payment.http, grpc: sockets.payment.grpc, admin: None };
        let worker_sockets =
            runtime::Listeners { http: sockets.worker.http, grpc: sockets.worker.grpc, admin: None };

        let (gateway_stop, gateway_sockets) = (
            worker_stop.child_token(),
            runtime::Listeners { http: sockets.gateway.http, grpc: sockets.gateway.grpc, admin: None },
        );
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

/// Clients of our own services over loopback.
struct Peers<'p> {
    clock: &'p Arc<dyn Clock>,
    addresses: &'p Addresses,
    token: Option<&'p str>,
}

impl Peers<'_> {
    fn inventory(&self) -> Result<InventoryClient> {
        let address = url(self.addresses.inventory_grpc);
        Ok(InventoryClient::new(&address, PeerOptions::grpc(), self.clock.clone())?)
    }

    fn payments(&self) -> Result<PaymentsClient> {
        let address = url(self.addresses.payment_grpc);
        Ok(PaymentsClient::new(&address, PeerOptions::grpc(), self.clock.clone())?)
    }

    fn shows(&self, limit: Duration) -> Result<ShowsClient> {
        let options = PeerOptions { timeout: limit, answer_bytes_max: 64 << 20, ..PeerOptions::rest() };
        let address = url(self.addresses.inventory_http);
        Ok(ShowsClient::new(&address, self.token, options, self.clock.clone())?)
    }

    fn sales(&self, limit: Duration) -> Result<SalesClient> {
        let options = PeerOptions { timeout: limit, ..PeerOptions::grpc() };
        let (reservations, payments) =
            (url(self.addresses.reservation_grpc), url(self.addresses.payment_grpc));
        Ok(SalesClient::new(&reservations, &payments, options, self.clock.clone())?)
    }

    fn reservations(&self) -> Result<ReservationsClient> {
        let address = url(self.addresses.reservation_http);
        Ok(ReservationsClient::new(&address, self.token, PeerOptions::rest(), self.clock.clone())?)
    }
}
