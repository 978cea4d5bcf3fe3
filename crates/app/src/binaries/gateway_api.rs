//! `gateway-api`: the public edge, with its waiting room on Redis or in memory.

use super::{Base, Ports, Service, address, bind};
use crate::exit::Failure;
use crate::keys::{HttpKeys, KeysUrl};
use adapter_embedded::MemoryWaitingRoom;
use adapter_peers::{InvalidPeer, PeerOptions, SalesClient, ShowsClient};
use domain::waiting_room::Patience;
use identity::KeySource;
use ports::WaitingRoomStore;
use runtime::Process;
use runtime::config::{Endpoint, Env};
use secrecy::{ExposeSecret, SecretString};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct GatewayApi;

pub(super) struct Settings {
    config: gateway::Config,
    lines: LineStore,
    keys: Option<KeysUrl>,
    reservations: Endpoint,
    payments: Endpoint,
    shows: Endpoint,
    internal_token: Option<SecretString>,
    admin: SocketAddr,
    ports: Ports,
}

/// The store of the waiting room.
enum LineStore {
    Memory,
    #[cfg(feature = "redis")]
    Redis(Box<adapter_redis::RedisOptions>),
}

impl Service for GatewayApi {
    type Settings = Settings;
    const NAME: &'static str = "gateway-api";
    const ABOUT: &'static str =
        "The public edge: the waiting room, what is on sale, reservations and payments, and the pages";

    fn read(env: &mut Env) -> Option<Settings> {
        let keys: Option<KeysUrl> = env.optional(
            "JWT_JWKS_URL",
            "URL of the identity provider's key set (JWKS), for tokens signed with RS256 or ES256",
        );
        let config = gateway::Config::from_env(env, keys.is_some());
        let limit = config.as_ref().map_or(Duration::from_millis(500), |config| config.line.store_timeout);
        let lines = lines(env, limit);
        let peer = |env: &mut Env, name: &str, default: &str, doc: &str| {
            env.or(name, doc, default.parse::<Endpoint>().expect("a literal that the tests parse"))
        };
        let reservations =
            peer(env, "RESERVATION_GRPC_ADDR", "reservation-api:8011", "gRPC address of reservation-api");
        let payments =
            peer(env, "PAYMENT_GRPC_ADDR", "payment-sim-api:8031", "gRPC address of payment-sim-api");
        let shows = peer(
            env,
            "INVENTORY_API_BASE",
            "http://inventory-svc:8020",
            "HTTP address of inventory-api, which lists the shows on sale",
        );
        let internal_token =
            env.secret("INTERNAL_API_TOKEN", "token sent to inventory-api as X-Internal-Token");
        let admin =
            env.or("ADMIN_ADDR", "address of the administration", SocketAddr::from(([127, 0, 0, 1], 8002)));
        if !admin.ip().is_loopback() && config.as_ref().is_some_and(|config| config.admin_token.is_none()) {
            env.problem("ADMIN_ADDR", "is not a loopback address; set ADMIN_TOKEN, or listen on 127.0.0.1");
        }
        let ports = Ports::read(env, 8000, 8001);
        let (config, lines) = (config?, lines?);
        Some(Settings { config, lines, keys, reservations, payments, shows, internal_token, admin, ports })
    }

    async fn run(settings: Settings, base: Base) -> Result<(), Failure> {
        let Settings { config, lines, keys, reservations, payments, shows, internal_token, admin, ports } =
            settings;
        let Base { clock, entropy, tasks, stop } = base;
        let bad = |error: InvalidPeer| Failure::configuration(error.to_string());
        let options = PeerOptions { timeout: config.backend_timeout, ..PeerOptions::grpc() };
        let sales =
            SalesClient::new(&reservations.to_string(), &payments.to_string(), options, clock.clone());
        let options = PeerOptions {
            timeout: config.backend_timeout,
            answer_bytes_max: 64 << 20,
            ..PeerOptions::rest()
        };
        let token = internal_token.as_ref().map(|token| token.expose_secret());
        let shows = ShowsClient::new(&shows.to_string(), token, options, clock.clone());
        let keys = match keys {
            Some(url) => {
                let source = HttpKeys::new(url, clock.clone());
                let source = source.map_err(|error| Failure::service("set up TLS", error))?;
                Some(Arc::new(source) as Arc<dyn KeySource>)
            }
            None => None,
        };
        let waiting_room: Arc<dyn WaitingRoomStore> = match &lines {
            LineStore::Memory => {
                Arc::new(MemoryWaitingRoom::new(Patience::default(), clock.clone(), entropy.clone()))
            }
            #[cfg(feature = "redis")]
            LineStore::Redis(options) => {
                let room =
                    adapter_redis::RedisWaitingRoom::connect(options, Patience::default(), entropy.clone());
                Arc::new(room.await.map_err(|error| Failure::service("reach Redis", error))?)
            }
        };
        let deps = gateway::Deps {
            waiting_room,
            shows: Arc::new(shows.map_err(bad)?),
            sales: Arc::new(sales.map_err(bad)?),
            keys,
            clock,
            entropy,
            tasks,
            process: Process::new(GatewayApi::NAME),
        };
        let (http, grpc) = ports.bind().await?;
        let admin = bind(admin.ip(), admin.port()).await?;
        tracing::info!(
            http = address(&http),
            grpc = address(&grpc),
            admin = address(&admin),
            lines = lines.describe(),
            "gateway-api listens"
        );
        let gateway = gateway::assemble(config, deps)
            .map_err(|error| Failure::configuration(format!("JWT_SECRET {error}")))?;
        let listeners = runtime::Listeners { http, grpc, admin: Some(admin) };
        gateway.run(listeners, stop).await.map_err(Failure::stopped)
    }
}

impl LineStore {
    const fn describe(&self) -> &'static str {
        match self {
            Self::Memory => "in memory",
            #[cfg(feature = "redis")]
            Self::Redis(options) if options.is_cluster => "on a Redis cluster",
            #[cfg(feature = "redis")]
            Self::Redis(_) => "on Redis",
        }
    }
}

/// Reads `WAITING_ROOM_STORE` and the settings of that store. There is no fallback to memory: two
/// gateways would keep two lines.
fn lines(env: &mut Env, limit: Duration) -> Option<LineStore> {
    let name = "WAITING_ROOM_STORE";
    #[cfg(feature = "redis")]
    let in_memory = env.one_of(
        name,
        "waiting-room store: redis, or memory for a single gateway",
        &[("redis", false), ("memory", true)],
        "redis",
    );
    #[cfg(not(feature = "redis"))]
    let in_memory = env.one_of(
        name,
        "waiting-room store: `memory`, for a single gateway (this build has no Redis)",
        &[("memory", true)],
        "memory",
    );
    if in_memory {
        return Some(LineStore::Memory);
    }
    #[cfg(feature = "redis")]
    {
        redis(env, limit).map(|options| LineStore::Redis(Box::new(options)))
    }
    #[cfg(not(feature = "redis"))]
    None
}

#[cfg(feature = "redis")]
fn redis(env: &mut Env, limit: Duration) -> Option<adapter_redis::RedisOptions> {
    use adapter_redis::RedisOptions;
    // A secret, because a URL may have a password.
    let what = "redis://[user:password@]host:port, or rediss://… for TLS; for a cluster some of its nodes, separated by commas";
    let urls = env.secret_required("REDIS_URL", what, 1);
    let is_cluster = env.flag("REDIS_CLUSTER", "true if the server is a cluster", false);
    let prefix = env.or("REDIS_PREFIX", "prefix of every Redis key", "wr".to_owned());
    let authorities: Option<String> =
        env.optional("REDIS_CA_FILE", "PEM file of trusted CAs; default: the system's");
    let authorities = authorities.and_then(|file| match std::fs::read(&file) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            env.problem("REDIS_CA_FILE", &format!("is {file:?}, which cannot be read: {error}"));
            None
        }
    });
    let urls: Vec<String> = urls?.expose_secret().split(',').map(|url| url.trim().to_owned()).collect();
    if urls.iter().any(|url| !url.starts_with("redis://") && !url.starts_with("rediss://")) {
        env.problem("REDIS_URL", "has an address that does not begin with redis:// or rediss://");
        return None;
    }
    if !is_cluster && urls.len() > 1 {
        env.problem("REDIS_URL", "has more than one address; set REDIS_CLUSTER=true for a cluster");
        return None;
    }
    let options = RedisOptions {
        urls,
        is_cluster,
        prefix,
        authorities,
        connect_timeout: limit,
        response_timeout: limit,
    };
    Some(options)
}
