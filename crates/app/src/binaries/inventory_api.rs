//! `inventory-api`: the only writer of seats, on DynamoDB or on a data folder.

use super::{Base, Ports, Service, address};
use crate::exit::Failure;
use crate::{engines, platform};
use ports::Store;
use runtime::config::Env;
use runtime::{Listeners, Process};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct InventoryApi;

pub(super) struct Settings {
    config: inventory::Config,
    place: Place,
    ports: Ports,
}

/// Where the rows are stored.
enum Place {
    Folder(PathBuf),
    #[cfg(feature = "aws")]
    Table(crate::aws::AwsSettings, crate::aws::tables::TableSetting),
}

impl Service for InventoryApi {
    type Settings = Settings;
    const NAME: &'static str = "inventory-api";
    const ABOUT: &'static str =
        "The only writer of stock: holds, commits and releases seats, and never sells one twice";

    fn read(env: &mut Env) -> Option<Settings> {
        let config = inventory::Config::from_env(env);
        let place = place(env);
        let ports = Ports::read(env, 8020, 8021);
        Some(Settings { config: config?, place, ports })
    }

    async fn run(settings: Settings, base: Base) -> Result<(), Failure> {
        let Settings { mut config, place, ports } = settings;
        let process = Process::new(InventoryApi::NAME);
        let (store, sole_writer, data): (Arc<dyn Store>, bool, String) = match place {
            Place::Folder(folder) => {
                let engine = engines::open(&folder, base.clock.clone()).await?;
                let healths = vec![process.health.clone()];
                base.tasks.spawn(platform::watch_engine(&engine, healths, base.stop.clone()));
                let store = engine.store(engines::INVENTORY)?;
                // The folder is locked, so there is no other writer.
                (store, true, engine.folder().display().to_string())
            }
            #[cfg(feature = "aws")]
            Place::Table(aws, table) => {
                let store = table.open(&aws.connect().await, &base.clock, &base.entropy).await?;
                (store, config.service.sole_writer, table.to_string())
            }
        };
        let (http, grpc) = ports.bind().await?;
        tracing::info!(http = address(&http), grpc = address(&grpc), data, "inventory-api listens");
        let listeners = Listeners { http, grpc, admin: None };
        let Base { clock, entropy, tasks, stop } = base;
        let deps = inventory::Deps { store, clock, entropy, tasks, process };
        config.service.sole_writer = sole_writer;
        let served = inventory::run(config, deps, listeners, stop).await;
        served.map_err(Failure::stopped)
    }
}

fn place(env: &mut Env) -> Place {
    let folder: PathBuf = env.or(
        "DATA_DIR",
        "data folder, used without INVENTORY_TABLE; created if missing",
        PathBuf::from("./inventory-data"),
    );
    #[cfg(feature = "aws")]
    {
        let table = crate::aws::tables::INVENTORY.read_optional(env);
        let aws = crate::aws::AwsSettings::read(env);
        if let Some(table) = table {
            return Place::Table(aws, table);
        }
    }
    Place::Folder(folder)
}
