//! The settings of payment-sim-api.

use core::time::Duration;
use domain::payment::ScenarioRules;
use runtime::config::Env;
use secrecy::SecretString;
use std::sync::Arc;

/// The settings of payment-sim-api.
#[derive(Clone)]
pub struct Config {
    /// The options of the service.
    pub service: ServiceOptions,
    /// Guards `/admin/…`; without it anybody who reaches the port may read.
    pub internal_token: Option<SecretString>,
}

/// The options of the service.
#[derive(Clone)]
pub struct ServiceOptions {
    /// The parameters of the scenarios.
    pub scenarios: ScenarioRules,
    /// Seeds the scenario RANDOM, together with the intent.
    pub random_seed: u64,
    /// Where webhooks go and how they are signed.
    pub webhooks: WebhookOptions,
}

/// Where webhooks go and how they are signed.
#[derive(Clone)]
pub struct WebhookOptions {
    /// Used when an intent names no URL.
    pub default_url: Option<Arc<str>>,
    /// Signs every webhook; without it there are none.
    pub secret: Option<SecretString>,
    /// Hosts that an intent may name; empty = any.
    pub hosts: Vec<String>,
    /// The longest one attempt may take.
    pub timeout: Duration,
}

impl Config {
    /// Reads the settings; problems are collected in the environment. `None` only if there are
    /// some.
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let url = env
            .optional::<String>("PAYMENT_WEBHOOK_URL", "default target of webhooks, http://host:port/path");
        let secret =
            env.secret("PAYMENT_WEBHOOK_SECRET", "secret that signs webhooks; the receiver needs the same");
        if url.is_some() && secret.is_none() {
            env.problem(
                "PAYMENT_WEBHOOK_SECRET",
                "is not set; PAYMENT_WEBHOOK_URL needs it, because webhooks are signed",
            );
        }
        if let Some(url) = &url
            && !url.starts_with("http://")
        {
            env.problem("PAYMENT_WEBHOOK_URL", "must begin with http://");
        }
        let hosts = env.or(
            "PAYMENT_WEBHOOK_HOSTS",
            "hosts allowed in an intent's webhook_url, separated by commas; empty = any",
            String::new(),
        );
        let timeout = env.duration_or(
            "PAYMENT_WEBHOOK_TIMEOUT",
            "time limit of one webhook attempt",
            Duration::from_secs(5),
        );
        let delay = env.duration_or("PAYMENT_DELAY", "delay of the scenario DELAY", Duration::from_secs(5));
        let approve_percent = env.in_range(
            "PAYMENT_RANDOM_APPROVE_PERCENT",
            "share of the intents that the scenario RANDOM approves, in percent",
            70,
            0..=100,
        );
        let random_seed = env.or(
            "PAYMENT_RANDOM_SEED",
            "seed of the scenario RANDOM; the same seed decides an intent the same way",
            0,
        );
        let hosts =
            hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
        let webhooks = WebhookOptions { default_url: url.map(Into::into), secret, hosts, timeout };
        Some(Self {
            service: ServiceOptions {
                scenarios: ScenarioRules { delay, approve_percent },
                random_seed,
                webhooks,
            },
            internal_token: env.secret("INTERNAL_API_TOKEN", "token required in X-Internal-Token for /admin"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_a_provider_without_webhooks() {
        let mut env = Env::from_pairs::<&str, &str>([]);
        let config = Config::from_env(&mut env).unwrap();
        assert!(env.finish().is_ok());
        assert_eq!(config.service.webhooks.default_url, None);
        assert_eq!(config.service.scenarios.delay, Duration::from_secs(5));
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let mut env = Env::from_pairs([
            ("PAYMENT_WEBHOOK_URL", "ftp://x"),
            ("PAYMENT_DELAY", "soon"),
            ("PAYMENT_RANDOM_APPROVE_PERCENT", "101"),
        ]);
        Config::from_env(&mut env);
        let report = env.finish().unwrap_err().to_string();
        for name in [
            "PAYMENT_WEBHOOK_URL",
            "PAYMENT_WEBHOOK_SECRET",
            "PAYMENT_DELAY",
            "PAYMENT_RANDOM_APPROVE_PERCENT",
        ] {
            assert!(report.contains(name), "{name} in {report}");
        }
    }
}
