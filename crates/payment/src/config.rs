//! The settings of payment-sim-api.

use crate::service::{ServiceOptions, WebhookOptions};
use core::time::Duration;
use domain::payment::ScenarioRules;
use runtime::config::Env;
use secrecy::SecretString;

/// The settings of payment-sim-api.
#[derive(Clone)]
pub struct Config {
    /// The options of the service.
    pub service: ServiceOptions,
    /// Guards `/admin/…`; without it anybody who reaches the port may read.
    pub internal_token: Option<SecretString>,
}

impl Config {
    /// Reads the settings; problems are collected in the environment.
    pub fn from_env(env: &mut Env) -> Self {
        let url = env.optional::<String>(
            "PAYMENT_WEBHOOK_URL",
            "where webhooks go when an intent names no URL, http://host:port/path",
        );
        let secret = env.secret("PAYMENT_WEBHOOK_SECRET", "signs webhooks; its receiver needs the same");
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
            "hosts that an intent's webhook_url may name, separated by commas; empty = any",
            String::new(),
        );
        let timeout = env.duration_or(
            "PAYMENT_WEBHOOK_TIMEOUT",
            "limit of one attempt to send a webhook",
            Duration::from_secs(5),
        );
        let delay =
            env.duration_or("PAYMENT_DELAY", "how late the scenario DELAY approves", Duration::from_secs(5));
        let approve_percent = env.in_range(
            "PAYMENT_RANDOM_APPROVE_PERCENT",
            "share of the intents that the scenario RANDOM approves, in percent",
            70,
            0..=100,
        );
        let random_seed = env.or(
            "PAYMENT_RANDOM_SEED",
            "the scenario RANDOM decides the same intent the same way under the same seed",
            0,
        );
        let hosts =
            hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
        let webhooks = WebhookOptions { default_url: url.map(Into::into), secret, hosts, timeout };
        Self {
            service: ServiceOptions {
                scenarios: ScenarioRules { delay, approve_percent },
                random_seed,
                webhooks,
            },
            internal_token: env
                .secret("INTERNAL_API_TOKEN", "token that /admin asks for in X-Internal-Token"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_a_provider_without_webhooks() {
        let mut env = Env::from_pairs::<&str, &str>([]);
        let config = Config::from_env(&mut env);
        assert!(env.finish().is_ok());
        assert_eq!(config.service.webhooks.default_url, None);
        assert_eq!(config.service.scenarios.delay, Duration::from_secs(5));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mut env = Env::from_pairs([
            ("PAYMENT_WEBHOOK_URL", "ftp://x"),
            ("PAYMENT_DELAY", "soon"),
            ("PAYMENT_RANDOM_APPROVE_PERCENT", "101"),
        ]);
        Config::from_env(&mut env);
        let told = env.finish().unwrap_err().to_string();
        for name in [
            "PAYMENT_WEBHOOK_URL",
            "PAYMENT_WEBHOOK_SECRET",
            "PAYMENT_DELAY",
            "PAYMENT_RANDOM_APPROVE_PERCENT",
        ] {
            assert!(told.contains(name), "{name} in {told}");
        }
    }
}
