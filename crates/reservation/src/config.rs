//! The settings of reservation-api.
//!
//! `app` chooses the engines and reads what only an engine needs. A component gets its own options,
//! never the whole configuration.

use crate::service::ServiceOptions;
use crate::sweeper::SweeperOptions;
use core::time::Duration;
use outbox::RelayOptions;
use runtime::config::{Endpoint, Env};
use secrecy::{ExposeSecret, SecretString};

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

/// The configuration of the process: the service's, and the addresses of its peers.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The service's configuration.
    pub config: Config,
    /// `INVENTORY_GRPC_ADDR`.
    pub inventory: Endpoint,
    /// `PAYMENT_GRPC_ADDR`.
    pub payments: Endpoint,
}

impl Config {
    /// The defaults, with this secret for webhooks.
    pub fn new(webhook_secret: SecretString) -> Self {
        let relay = RelayOptions::default();
        let service = ServiceOptions { outbox_shards: relay.shards, ..ServiceOptions::new(webhook_secret) };
        Self { service, relay, sweeper: SweeperOptions::default(), internal_token: None }
    }

    /// Reads the settings; problems are collected in the environment. `None` if something required
    /// is missing.
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let what = "the secret that the payment provider signs its webhooks with";
        let secret = env.secret_required("PAYMENT_WEBHOOK_SECRET", what, SECRET_BYTES_MIN);
        let defaults = Self::new(secret.clone().unwrap_or_else(|| SecretString::from(String::new())));
        let (service, sweeper) = (defaults.service, defaults.sweeper);
        let service = ServiceOptions {
            hold_ttl: limit(
                env,
                "HOLD_TTL",
                "how long seats are held for a buyer",
                service.hold_ttl,
                HOLD_TTL_MAX,
            ),
            inventory_timeout: deadline(env, "INVENTORY_TIMEOUT", service.inventory_timeout),
            payment_timeout: deadline(env, "PAYMENT_TIMEOUT", service.payment_timeout),
            admission_timeout: deadline(env, "ADMISSION_TIMEOUT", service.admission_timeout),
            store_timeout: deadline(env, "STORE_TIMEOUT", service.store_timeout),
            pass_secrets: pass_secrets(env),
            ..service
        };
        let hour = Duration::from_secs(3_600);
        let sweeper = SweeperOptions {
            every: limit(
                env,
                "SWEEP_EVERY",
                "how often due reservations are looked through",
                sweeper.every,
                hour,
            ),
            grace: limit(env, "SWEEP_GRACE", "how long a due hold is left to its event", sweeper.grace, hour),
            ..sweeper
        };
        let internal_token =
            env.secret("INTERNAL_API_TOKEN", "what /internal asks for in the header X-Internal-Token");
        secret.map(|_| Self { service, sweeper, internal_token, relay: defaults.relay })
    }
}

impl Environment {
    /// Reads the settings of the process. The caller finishes with [`Env::finish`].
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let config = Config::from_env(env);
        let default = |text: &str| text.parse::<Endpoint>().expect("a literal that the tests parse");
        let inventory =
            env.or("INVENTORY_GRPC_ADDR", "gRPC address of inventory-api", default("inventory-svc:8021"));
        let payments = env.or(
            "PAYMENT_GRPC_ADDR",
            "gRPC address of the payment provider",
            default("payment-sim-api:8031"),
        );
        Some(Self { config: config?, inventory, payments })
    }
}

/// The secrets of the waiting room's passes, separated by commas. The gateway signs with the first,
/// and all are accepted, so that a new one can be put in front of the current one.
fn pass_secrets(env: &mut Env) -> Vec<SecretString> {
    let name = "WAITING_ROOM_SECRET";
    let given = env.secret(
        name,
        "what the gateway signs passes with; several with commas, the first signs; unset: no pass is valid",
    );
    let Some(given) = given else { return Vec::new() };
    let secrets: Vec<_> = given.expose_secret().split(',').map(str::trim).collect();
    if secrets.iter().any(|secret| secret.len() < SECRET_BYTES_MIN) {
        let what = format!("has a secret that is too short; each has at least {SECRET_BYTES_MIN} bytes");
        env.problem(name, &what);
        return Vec::new();
    }
    secrets.into_iter().map(SecretString::from).collect()
}

fn deadline(env: &mut Env, name: &str, default: Duration) -> Duration {
    limit(env, name, "the limit of one call", default, Duration::from_secs(60))
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

    const SECRET: (&str, &str) = ("PAYMENT_WEBHOOK_SECRET", "whsec_0123456789");

    #[test]
    fn a_secret_is_enough() {
        let mut env = Env::from_pairs([SECRET]);
        let environment = Environment::from_env(&mut env).unwrap();
        env.finish().unwrap();
        assert_eq!(environment.config.service.hold_ttl, Duration::from_secs(60));
        assert_eq!(environment.config.service.inventory_timeout, Duration::from_millis(250));
        assert_eq!(environment.config.service.outbox_shards, environment.config.relay.shards);
        assert!(!format!("{environment:?}").contains("whsec_"));
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
        assert!(Environment::from_env(&mut env).is_none());
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
