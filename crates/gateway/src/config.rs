//! The settings of gateway-api, one file for each concern. Engines and peers are chosen in `app`.

mod jwt;
mod limits;
mod line;

pub use jwt::{ISSUER, JwtConfig};
pub use limits::LimitsConfig;
pub use line::LineConfig;

use core::time::Duration;
use http::HeaderValue;
use runtime::config::Env;
use secrecy::SecretString;

/// The settings of the service itself.
#[derive(Debug, Clone)]
pub struct Config {
    /// The tokens of people.
    pub jwt: JwtConfig,
    /// The waiting room's lines.
    pub line: LineConfig,
    /// The limits of callers.
    pub limits: LimitsConfig,
    /// Time limit of one call to a service behind the gateway.
    pub backend_timeout: Duration,
    /// Origins of other sites whose pages may call the API.
    pub origins: Vec<HeaderValue>,
    /// Token that the administration requires; without it the administration is served on loopback
    /// only.
    pub admin_token: Option<SecretString>,
}

impl Config {
    /// The defaults (docs/configuration.md), with `secret` for tickets and passes and
    /// `jwt_secret` for tokens of people.
    pub fn new(secret: SecretString, jwt_secret: SecretString) -> Self {
        Self {
            jwt: JwtConfig::new(Some(jwt_secret)),
            line: LineConfig::new(vec![secret]),
            limits: LimitsConfig::default(),
            backend_timeout: Duration::from_millis(600),
            origins: Vec::new(),
            admin_token: None,
        }
    }

    /// Reads the settings; `env` collects the problems. `None` if a required setting is missing.
    /// `has_keys`: the keys of an identity provider are configured, so tokens need no secret of
    /// ours.
    pub fn from_env(env: &mut Env, has_keys: bool) -> Option<Self> {
        let line = LineConfig::from_env(env);
        let config = Self {
            jwt: JwtConfig::from_env(env, has_keys),
            backend_timeout: timeout(
                env,
                "BACKEND_TIMEOUT",
                "time limit of one call to a service behind the gateway",
                Duration::from_millis(600),
            ),
            limits: LimitsConfig::from_env(env),
            origins: origins(env),
            admin_token: env.secret(
                "ADMIN_TOKEN",
                "token that the administration requires in the header X-Internal-Token",
            ),
            line: line?,
        };
        Some(config)
    }
}

/// The time limit of a call: more than 0 and at most 30 s.
fn timeout(env: &mut Env, name: &str, doc: &str, default: Duration) -> Duration {
    let value = env.duration_or(name, doc, default);
    if value.is_zero() || value > Duration::from_secs(30) {
        env.problem(name, &format!("is {value:?}; it must be more than 0 and at most 30s"));
    }
    value
}

fn origins(env: &mut Env) -> Vec<HeaderValue> {
    let name = "CORS_ORIGINS";
    let given: Option<String> = env.optional(
        name,
        "other sites whose pages may call the API, separated by commas, such as https://tickets.example; default: none",
    );
    let mut origins = Vec::new();
    for origin in given.iter().flat_map(|given| given.split(',')).map(str::trim) {
        let is_origin = origin.parse::<http::Uri>().is_ok_and(|uri| {
            uri.scheme().is_some() && matches!(uri.path(), "" | "/") && !origin.ends_with('/')
        });
        match HeaderValue::from_str(origin) {
            Ok(value) if is_origin => origins.push(value),
            _ => env.problem(
                name,
                &format!("has {origin:?}, which is not a scheme and a host such as https://tickets.example"),
            ),
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Rate;

    const SECRETS: [(&str, &str); 2] =
        [("WAITING_ROOM_SECRET", "0123456789abcdef"), ("JWT_SECRET", "0123456789abcdef0123456789abcdef")];

    #[test]
    fn two_secrets_are_enough() {
        let mut env = Env::from_pairs(SECRETS);
        let config = Config::from_env(&mut env, false).unwrap();
        env.finish().unwrap();
        assert_eq!(config.backend_timeout, Duration::from_millis(600));
        assert!(!format!("{config:?}").contains("0123456789"));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let wrong = [
            ("JWT_SECRET", "short"),
            ("CORS_ORIGINS", "https://a.example/path"),
            ("TRUSTED_PROXIES", "10.0.0.0/99"),
            ("RATE_LIMIT_PERSON", "-1"),
            ("BACKEND_TIMEOUT", "0s"),
        ];
        let mut env = Env::from_pairs(wrong);
        assert!(Config::from_env(&mut env, false).is_none());
        let problems = env.finish().unwrap_err().to_string();
        for name in wrong.iter().map(|(name, _)| *name).chain(["WAITING_ROOM_SECRET"]) {
            assert!(problems.contains(name), "{name}: {problems}");
        }
    }

    #[test]
    fn users_must_be_able_to_sign_in() {
        let mut env = Env::from_pairs([SECRETS[0]]);
        Config::from_env(&mut env, false);
        assert!(env.finish().unwrap_err().to_string().contains("JWT_JWKS_URL"));
        let mut env = Env::from_pairs([SECRETS[0]]);
        assert!(Config::from_env(&mut env, true).is_some_and(|config| config.jwt.secret.is_none()));
        env.finish().unwrap();
    }

    #[test]
    fn a_limit_of_zero_means_no_limit() {
        let mut env = Env::from_pairs(
            SECRETS.into_iter().chain([("RATE_LIMIT_ADDRESS", "0"), ("RATE_LIMIT_PERSON_BURST", "5")]),
        );
        let config = Config::from_env(&mut env, false).unwrap();
        assert_eq!(config.limits.per_address, None);
        assert_eq!(config.limits.per_person, Some(Rate { per_second: 20, burst: 5 }));
    }
}
