//! `payment-sim-api` on DynamoDB, with its events on SQS or EventBridge.

use super::{Base, Ports, Service, address};
use crate::aws::AwsSettings;
use crate::aws::events::EventsSetting;
use crate::aws::tables::{self, TableSetting};
use crate::exit::Failure;
use adapter_peers::{HttpPost, PeerOptions};
use runtime::config::Env;
use runtime::{Listeners, Process};
use std::sync::Arc;

pub(super) struct PaymentSimApi;

pub(super) struct Settings {
    aws: AwsSettings,
    config: payment::Config,
    table: TableSetting,
    events: EventsSetting,
    ports: Ports,
}

impl Service for PaymentSimApi {
    type Settings = Settings;
    const NAME: &'static str = "payment-sim-api";
    const ABOUT: &'static str =
        "A simulated payment provider: intents, outcomes on demand, events and signed webhooks";

    fn read(env: &mut Env) -> Option<Settings> {
        let config = payment::Config::from_env(env);
        let table = tables::PAYMENT.read(env);
        let aws = AwsSettings::read(env);
        let events = EventsSetting::read(&aws, env);
        let ports = Ports::read(env, 8030, 8031);
        Some(Settings { aws, config: config?, table, events: events?, ports })
    }

    async fn run(settings: Settings, base: Base) -> Result<(), Failure> {
        let Settings { aws, config, table, events, ports } = settings;
        let Base { clock, entropy, tasks, stop } = base;
        let aws = aws.connect().await;
        let store = table.open(&aws, &clock, &entropy).await?;
        let publisher = events.open(&aws, &*clock).await?;
        let post = HttpPost::new(PeerOptions::rest(), clock.clone());
        let post = post.map_err(|error| Failure::configuration(error.to_string()))?;
        let process = Process::new(PaymentSimApi::NAME);
        let webhook = Arc::new(post);
        let deps = payment::Deps { store, events: publisher, webhook, clock, entropy, tasks, process };
        let (http, grpc) = ports.bind().await?;
        tracing::info!(
            http = address(&http),
            grpc = address(&grpc),
            table = %table,
            events = %events,
            "payment-sim-api listens"
        );
        let ran = payment::run(config, deps, Listeners { http, grpc, admin: None }, stop).await;
        ran.map_err(Failure::stopped)
    }
}
