//! `reservation-api` on DynamoDB, with its events on SQS or EventBridge.

use super::{Base, Ports, Service, address};
use crate::aws::AwsSettings;
use crate::aws::events::{BackstopSetting, EventsSetting};
use crate::aws::tables::{self, TableSetting};
use crate::exit::Failure;
use adapter_peers::{
    AdmissionsClient, InvalidPeer, InventoryClient, PaymentsClient, PeerOptions, ShowsClient,
};
use runtime::config::{Endpoint, Env};
use runtime::{Listeners, Process};
use secrecy::ExposeSecret;
use std::sync::Arc;

pub(super) struct ReservationApi;

pub(super) struct Settings {
    aws: AwsSettings,
    table: TableSetting,
    events: EventsSetting,
    backstop: Option<BackstopSetting>,
    shows: Endpoint,
    ports: Ports,
    config: reservation::Config,
    peers: reservation::PeerAddresses,
}

impl Service for ReservationApi {
    type Settings = Settings;
    const NAME: &'static str = "reservation-api";
    const ABOUT: &'static str =
        "The lifecycle of reservations: holds seats for a buyer, publishes their expiry, records their end";

    fn read(env: &mut Env) -> Option<Settings> {
        let mut config = reservation::Config::from_env(env);
        let peers = reservation::PeerAddresses::from_env(env);
        let table = tables::RESERVATION.read(env);
        let aws = AwsSettings::read(env);
        let events = EventsSetting::read(&aws, env);
        let lead = EventsSetting::lead(events.as_ref(), env);
        if let Some(config) = &mut config {
            config.relay.lead = lead;
        }
        let backstop = BackstopSetting::read(env);
        let default = "http://inventory-svc:8020".parse().expect("a literal that the tests parse");
        let shows = env.or(
            "INVENTORY_API_BASE",
            "HTTP address of inventory-api, which knows whether a show requires a pass",
            default,
        );
        let ports = Ports::read(env, 8010, 8011);
        Some(Settings { aws, table, events: events?, backstop, shows, ports, config: config?, peers })
    }

    async fn run(settings: Settings, base: Base) -> Result<(), Failure> {
        let Settings { aws, table, events, backstop, shows, ports, config, peers } = settings;
        let Base { clock, entropy, tasks, stop } = base;
        let aws = aws.connect().await;
        let store = table.open(&aws, &clock, &entropy).await?;
        let publisher = events.open(&aws, &*clock).await?;
        let backstop = backstop.map(|backstop| backstop.open(&aws));
        let bad = |error: InvalidPeer| Failure::configuration(error.to_string());
        let token = config.internal_token.as_ref().map(|token| token.expose_secret());
        let inventory = peers.inventory.to_string();
        let payments = peers.payments.to_string();
        let shows = ShowsClient::new(&shows.to_string(), token, PeerOptions::rest(), clock.clone());
        let deps = reservation::Deps {
            store,
            events: publisher,
            backstop,
            inventory: Arc::new(
                InventoryClient::new(&inventory, PeerOptions::grpc(), clock.clone()).map_err(bad)?,
            ),
            payments: Arc::new(
                PaymentsClient::new(&payments, PeerOptions::grpc(), clock.clone()).map_err(bad)?,
            ),
            admissions: Arc::new(AdmissionsClient::new(shows.map_err(bad)?)),
            clock,
            entropy,
            tasks,
            process: Process::new(ReservationApi::NAME),
        };
        let (http, grpc) = ports.bind().await?;
        tracing::info!(
            http = address(&http),
            grpc = address(&grpc),
            table = %table,
            events = %events,
            "reservation-api listens"
        );
        let listeners = Listeners { http, grpc, admin: None };
        let ran = reservation::run(config, deps, listeners, stop).await;
        ran.map_err(Failure::stopped)
    }
}
