//! The configuration of reservation-worker, read once; every problem is reported. The variables are
//! listed in docs/configuration.md.
//!
//! `app` chooses the engines and reads the variables that only an engine needs (`AWS_*`, secrets).
//! A component gets its own options, never the whole configuration.

use crate::options::{InFlight, PipelineOptions};
use core::str::FromStr;
use core::time::Duration;
use domain::concurrency::{IN_FLIGHT_MAX, IN_FLIGHT_MIN};
use runtime::config::{Endpoint, Env};
use secrecy::SecretString;
use std::net::SocketAddr;

/// What the worker itself needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pipeline's settings.
    pub pipeline: PipelineOptions,
    /// The limit of one call to a peer.
    pub downstream_timeout: Duration,
    /// The token that administration expects in the header `X-Internal-Token`; without it the
    /// listener must be on loopback.
    pub admin_token: Option<SecretString>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pipeline: PipelineOptions::default(),
            downstream_timeout: Duration::from_secs(10),
            admin_token: None,
        }
    }
}

/// The configuration of the process: the worker's own, its queue, its peers and its ports.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The worker's own.
    pub config: Config,
    /// `SQS_QUEUE_URL`.
    pub queue_url: String,
    /// `SQS_DLQ_URL`.
    pub dead_letter_queue_url: Option<String>,
    /// `INVENTORY_GRPC_ADDR`.
    pub inventory: Endpoint,
    /// `RESERVATION_API_BASE`.
    pub reservations: Endpoint,
    /// `PAYMENT_GRPC_ADDR`.
    pub payments: Option<Endpoint>,
    /// `INTERNAL_API_TOKEN`, sent to reservation-api.
    pub internal_api_token: Option<SecretString>,
    /// `ADMIN_ADDR`.
    pub admin: SocketAddr,
    /// `SERVER_PORT`.
    pub http_port: u16,
    /// `GRPC_DEBUG_PORT`.
    pub grpc_port: u16,
}

/// `WORKER_CONCURRENCY`: a number or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Concurrency(InFlight);

impl FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self(InFlight::Auto));
        }
        match text.parse::<usize>() {
            Ok(limit) if (1..=IN_FLIGHT_MAX).contains(&limit) => Ok(Self(InFlight::Fixed(limit))),
            _ => Err(format!(
                "1 to {IN_FLIGHT_MAX} handlers in flight, or auto ({IN_FLIGHT_MIN} to {IN_FLIGHT_MAX})"
            )),
        }
    }
}

impl Environment {
    /// Reads every variable that is not an engine's own. Problems are recorded in `env`; `None` if
    /// something required is missing. The caller finishes with [`Env::finish`].
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let queue_url =
            env.required::<String>("SQS_QUEUE_URL", "the URL of the event queue, standard or .fifo");
        let config = Config::from_env(env);
        let admin: SocketAddr = env.or(
            "ADMIN_ADDR",
            "address of administration; beyond loopback it requires ADMIN_TOKEN",
            SocketAddr::from(([127, 0, 0, 1], 8042)),
        );
        if !admin.ip().is_loopback() && config.admin_token.is_none() {
            env.problem("ADMIN_ADDR", "is beyond loopback; set ADMIN_TOKEN, or listen on 127.0.0.1");
        }
        let default = |text: &str| text.parse::<Endpoint>().expect("a literal that the tests parse");
        let this = Self {
            dead_letter_queue_url: env.optional(
                "SQS_DLQ_URL",
                "URL of the dead-letter queue; default: the one in the queue's redrive policy",
            ),
            inventory: env.or(
                "INVENTORY_GRPC_ADDR",
                "gRPC address of inventory-api",
                default("inventory-svc:8021"),
            ),
            reservations: env.or(
                "RESERVATION_API_BASE",
                "base URL of reservation-api",
                default("http://reservation-api:8010"),
            ),
            payments: env.optional(
                "PAYMENT_GRPC_ADDR",
                "gRPC address of the payment provider, which is asked before each commit, and for voids and \
                 refunds; default: none, and payments without a seat are dead-lettered",
            ),
            internal_api_token: env
                .secret("INTERNAL_API_TOKEN", "token sent to reservation-api in X-Internal-Token"),
            http_port: env.or(
                "SERVER_PORT",
                "HTTP port: probes and metrics; 0 takes a free one and logs it",
                8040,
            ),
            grpc_port: env.or(
                "GRPC_DEBUG_PORT",
                "gRPC port: WorkerService; 0 takes a free one and logs it",
                8041,
            ),
            queue_url: queue_url?,
            admin,
            config,
        };
        Some(this)
    }
}

impl Config {
    /// Reads what the worker itself needs; problems are recorded in `env`.
    pub fn from_env(env: &mut Env) -> Self {
        let defaults = PipelineOptions::default();
        let mut pipeline = defaults.clone();
        pipeline.wait = Duration::from_secs(env.in_range(
            "SQS_WAIT_TIME",
            "seconds that a receive waits for its first message",
            20u64,
            0..=20,
        ));
        let default = match defaults.in_flight {
            InFlight::Fixed(limit) => limit.to_string(),
            InFlight::Auto => "auto".to_owned(),
        };
        let in_flight: Option<Concurrency> = checked(
            env,
            "WORKER_CONCURRENCY",
            "handlers in flight, or `auto`: the worker measures the best number",
            default,
        );
        pipeline.in_flight = in_flight.map_or(defaults.in_flight, |found| found.0);
        pipeline.retry.max_retries = env.in_range(
            "MAX_RETRIES",
            "retries after the first run; then the message is dead-lettered",
            defaults.retry.max_retries,
            0..=100,
        );
        let base = env.in_range(
            "BACKOFF_BASE_MS",
            "milliseconds before the first retry; each retry doubles them, up to 16 times",
            defaults.retry.base.as_millis() as u64,
            1..=600_000,
        );
        pipeline.retry.base = Duration::from_millis(base);
        pipeline.write_rps = env
            .optional::<core::num::NonZeroU32>(
                "MAX_WRITE_RPS",
                "most events that this process starts per second; default: no limit",
            )
            .map(core::num::NonZero::get);
        pipeline.shutdown_timeout = env.duration_or(
            "SHUTDOWN_TIMEOUT",
            "limit of the whole shutdown, polls in the air included",
            defaults.shutdown_timeout,
        );
        let downstream = env.in_range(
            "DOWNSTREAM_TIMEOUT_MS",
            "limit of one call to a peer, in milliseconds",
            10_000u64,
            1..=120_000,
        );
        Self {
            pipeline,
            downstream_timeout: Duration::from_millis(downstream),
            admin_token: env.secret("ADMIN_TOKEN", "token that administration requires in X-Internal-Token"),
        }
    }
}

/// A variable whose type says what a valid value is.
fn checked<T: FromStr<Err = String>>(env: &mut Env, name: &str, doc: &str, default: String) -> Option<T> {
    let text = env.or(name, doc, default);
    match text.parse() {
        Ok(value) => Some(value),
        Err(expected) => {
            env.problem(name, &format!("is \"{text}\", which is not {expected}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let mut env = Env::from_pairs([("SQS_QUEUE_URL", "http://localhost/q.fifo")]);
        let read = Environment::from_env(&mut env).expect("the queue is set");
        env.finish().expect("no problem");
        assert_eq!(read.config.pipeline, PipelineOptions::default());
        assert_eq!(read.config.pipeline.in_flight, InFlight::Fixed(20));
        assert_eq!((read.http_port, read.grpc_port), (8040, 8041));
        assert_eq!(read.inventory.to_string(), "http://inventory-svc:8021");
        assert_eq!(read.admin.to_string(), "127.0.0.1:8042");
        assert!(read.payments.is_none());
    }

    #[test]
    fn auto_lets_the_worker_find_its_concurrency() {
        let mut env = Env::from_pairs([
            ("SQS_QUEUE_URL", "q"),
            ("WORKER_CONCURRENCY", "auto"),
            ("MAX_WRITE_RPS", "30"),
        ]);
        let read = Environment::from_env(&mut env).expect("the queue is set");
        env.finish().expect("no problem");
        assert_eq!(read.config.pipeline.in_flight, InFlight::Auto);
        assert_eq!(read.config.pipeline.write_rps, Some(30));
    }

    /// Trap T-O2: all problems are reported at once.
    #[test]
    fn all_problems_are_reported_together() {
        let mut env = Env::from_pairs([
            ("WORKER_CONCURRENCY", "lots"),
            ("MAX_RETRIES", "-1"),
            ("SHUTDOWN_TIMEOUT", "soon"),
            ("MAX_WRITE_RPS", "0"),
            ("ADMIN_ADDR", "0.0.0.0:8042"),
        ]);
        assert!(Environment::from_env(&mut env).is_none());
        let text = env.finish().expect_err("six problems").to_string();
        for name in [
            "SQS_QUEUE_URL",
            "WORKER_CONCURRENCY",
            "MAX_RETRIES",
            "SHUTDOWN_TIMEOUT",
            "MAX_WRITE_RPS",
            "ADMIN_ADDR",
        ] {
            assert!(text.contains(name), "{name} is missing in:\n{text}");
        }
    }
}
