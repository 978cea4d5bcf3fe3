//! The settings of reservation-api.
//!
//! `app` chooses the engines and reads what only an engine needs. A component gets its own options,
//! never the whole configuration.

use core::time::Duration;
use domain::limits;
use outbox::RelayOptions;
use runtime::config::{Endpoint, Env};
use secrecy::SecretString;

/// The longest hold; a longer one is a mistake of units.
const HOLD_TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// A shorter secret can be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// The settings of the service itself.
#[derive(Debug, Clone)]
pub struct Config {
    /// The rules' numbers, the limits of calls and the secrets.
    pub service: ServiceOptions,
    /// The outbox's relay: the timer of expiry.
    pub relay: RelayOptions,
    /// The sweeper.
    pub sweeper: SweeperOptions,
    /// Guards `/internal/…` except the webhook. Without it every caller that reaches the port is
    /// served.
    pub internal_token: Option<SecretString>,
}

/// The options of the service: times, limits of calls, secrets.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// How long seats are held for a buyer.
    pub hold_ttl: Duration,
    /// The limit of one call to the inventory.
    pub inventory_timeout: Duration,
    /// The limit of one call to the payment provider.
    pub payment_timeout: Duration,
    /// The limit of one call that asks whether a show requires a pass.
    pub admission_timeout: Duration,
    /// The limit of one call to the store.
    pub store_timeout: Duration,
    /// The secret that payment webhooks are signed with.
    pub webhook_secret: SecretString,
    /// The secrets that may have signed a pass of the waiting room. Without one no pass is valid.
    pub pass_secrets: Vec<SecretString>,
}

impl ServiceOptions {
    /// The defaults, with this secret.
    pub fn new(webhook_secret: SecretString) -> Self {
        Self {
            hold_ttl: limits::HOLD_TTL,
            inventory_timeout: Duration::from_millis(250),
            payment_timeout: Duration::from_millis(250),
            admission_timeout: Duration::from_millis(250),
            store_timeout: Duration::from_secs(5),
            webhook_secret,
            pass_secrets: Vec::new(),
        }
    }
}

/// Options of the sweeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweeperOptions {
    /// How often due reservations are read.
    pub every: Duration,
    /// How long after the hold was due a reservation is left to its event.
    pub grace: Duration,
    /// How often rows that may be forgotten are read.
    pub forget_every: Duration,
    /// Every so many sweeps start from the beginning instead of where the last one ended.
    pub whole_every: u32,
}

impl Default for SweeperOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { every: seconds(5), grace: seconds(30), forget_every: seconds(5), whole_every: 12 }
    }
}

/// The addresses of the peers, for a process of its own.
#[derive(Debug, Clone)]
pub struct PeerAddresses {
    /// `INVENTORY_GRPC_ADDR`.
    pub inventory: Endpoint,
    /// `PAYMENT_GRPC_ADDR`.
    pub payments: Endpoint,
}

impl Config {
    /// The defaults, with this secret for webhooks.
    pub fn new(webhook_secret: SecretString) -> Self {
        Self {
            service: ServiceOptions::new(webhook_secret),
            relay: RelayOptions::default(),
            sweeper: SweeperOptions::default(),
            internal_token: None,
        }
    }

    /// Reads the settings; problems are collected in the environment. `None` if something required
    /// is missing.
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let what = "secret that the payment provider signs its webhooks with";
        let secret = env.secret_required("PAYMENT_WEBHOOK_SECRET", what, SECRET_BYTES_MIN);
        let defaults = Self::new(secret.clone().unwrap_or_else(|| SecretString::from(String::new())));
        let (service, sweeper) = (defaults.service, defaults.sweeper);
        let call_max = Duration::from_secs(60);
        let hour = Duration::from_secs(3_600);
        let mut limit = |name, doc, default, max| limit(env, name, doc, default, max);
        let service = ServiceOptions {
            hold_ttl: limit(
                "HOLD_TTL",
                "how long seats are held for a buyer",
                service.hold_ttl,
                HOLD_TTL_MAX,
            ),
            inventory_timeout: limit(
                "INVENTORY_TIMEOUT",
                "limit of one call to inventory-api",
                service.inventory_timeout,
                call_max,
            ),
            payment_timeout: limit(
                "PAYMENT_TIMEOUT",
                "limit of one call to the payment provider",
                service.payment_timeout,
                call_max,
            ),
            admission_timeout: limit(
                "ADMISSION_TIMEOUT",
                "limit of one call that asks whether a show requires a pass",
                service.admission_timeout,
                call_max,
            ),
            store_timeout: limit(
                "STORE_TIMEOUT",
                "limit of one call to the table",
                service.store_timeout,
                call_max,
            ),
            ..service
        };
        let sweeper = SweeperOptions {
            every: limit("SWEEP_EVERY", "how often due reservations are read", sweeper.every, hour),
            grace: limit("SWEEP_GRACE", "how long a due hold is left to its event", sweeper.grace, hour),
            ..sweeper
        };
        let pass_secrets = env.secrets(
            "WAITING_ROOM_SECRET",
            "secrets of the gateway's passes, separated by commas; the first signs; unset: no pass is valid",
            SECRET_BYTES_MIN,
        );
        let service = ServiceOptions { pass_secrets, ..service };
        let internal_token =
            env.secret("INTERNAL_API_TOKEN", "token that /internal requires in the header X-Internal-Token");
        secret.map(|_| Self { service, sweeper, internal_token, relay: defaults.relay })
    }
}

impl PeerAddresses {
    /// Reads the addresses; problems are collected in the environment.
    pub fn from_env(env: &mut Env) -> Self {
        let default = |text: &str| text.parse::<Endpoint>().expect("a literal that the tests parse");
        Self {
            inventory: env.or(
                "INVENTORY_GRPC_ADDR",
                "gRPC address of inventory-api",
                default("inventory-svc:8021"),
            ),
            payments: env.or(
                "PAYMENT_GRPC_ADDR",
                "gRPC address of the payment provider",
                default("payment-sim-api:8031"),
            ),
        }
    }
}

/// A length of time above zero and up to `max`.
fn limit(env: &mut Env, name: &str, doc: &str, default: Duration, max: Duration) -> Duration {
    let value = env.duration_or(name, doc, default);
    if value.is_zero() || value > max {
        env.problem(name, &format!("is {value:?}; it must be more than 0 and at most {max:?}"));
        return default;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const SECRET: (&str, &str) = ("PAYMENT_WEBHOOK_SECRET", "whsec_0123456789");

    #[test]
    fn a_secret_is_enough() {
        let mut env = Env::from_pairs([SECRET]);
        let config = Config::from_env(&mut env).unwrap();
        let peers = PeerAddresses::from_env(&mut env);
        env.finish().unwrap();
        assert_eq!(config.service.hold_ttl, Duration::from_secs(60));
        assert_eq!(config.service.inventory_timeout, Duration::from_millis(250));
        assert_eq!(peers.inventory.to_string(), "http://inventory-svc:8021");
        assert!(!format!("{config:?}").contains("whsec_"));
    }

    #[test]
    fn a_secret_of_the_waiting_room_can_be_changed() {
        let mut env =
            Env::from_pairs([SECRET, ("WAITING_ROOM_SECRET", "new-0123456789abc, old-0123456789abc")]);
        let config = Config::from_env(&mut env).unwrap();
        env.finish().unwrap();
        let secrets: Vec<_> = config.service.pass_secrets.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(secrets, ["new-0123456789abc", "old-0123456789abc"]);
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let mut env =
            Env::from_pairs([("HOLD_TTL", "60"), ("INVENTORY_GRPC_ADDR", "host"), ("SWEEP_EVERY", "0s")]);
        assert!(Config::from_env(&mut env).is_none());
        PeerAddresses::from_env(&mut env);
        let report = env.finish().unwrap_err().to_string();
        for name in ["PAYMENT_WEBHOOK_SECRET", "HOLD_TTL", "INVENTORY_GRPC_ADDR", "SWEEP_EVERY"] {
            assert!(report.contains(name), "{report}");
        }
    }

    #[test]
    fn a_hold_of_no_or_endless_time_and_a_guessable_secret_are_refused() {
        let short = ("WAITING_ROOM_SECRET", "long enough, this one,short");
        for pair in [("HOLD_TTL", "25h"), ("HOLD_TTL", "0s"), short] {
            let mut env = Env::from_pairs([SECRET, pair]);
            Config::from_env(&mut env);
            assert!(env.finish().is_err(), "{pair:?}");
        }
        let mut env = Env::from_pairs([("PAYMENT_WEBHOOK_SECRET", "short")]);
        assert!(Config::from_env(&mut env).is_none());
        assert!(env.finish().is_err());
    }
}
