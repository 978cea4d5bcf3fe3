//! The settings of gateway-api. Engines and peers are chosen in `app`.

use crate::limits::Rate;
use crate::proxies::Proxies;
use core::time::Duration;
use http::HeaderValue;
use runtime::config::Env;
use secrecy::{ExposeSecret, SecretString};

/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 16;
const JWT_SECRET_BYTES_MIN: usize = 32;
/// Issuer and audience of the tokens that `tacos token` makes, and the default of the settings that
/// require them.
pub const ISSUER: &str = "traffic-tacos";

/// The settings of the service itself.
#[derive(Debug, Clone)]
pub struct Config {
    /// Secrets of tickets and passes: the first signs, signatures of all are accepted.
    pub secrets: Vec<SecretString>,
    /// Secret of HS256 tokens.
    pub jwt_secret: Option<SecretString>,
    /// Required `iss` of tokens.
    pub jwt_issuer: String,
    /// Required `aud` of tokens.
    pub jwt_audience: String,
    /// Time limit of one call to a service behind the gateway.
    pub backend_timeout: Duration,
    /// Time limit of one call to the waiting room's store.
    pub store_timeout: Duration,
    /// Requests of one person; `None`: no limit.
    pub per_person: Option<Rate>,
    /// Requests of one address; `None`: no limit.
    pub per_address: Option<Rate>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub proxies: Proxies,
    /// Origins of other sites whose pages may call the API.
    pub origins: Vec<HeaderValue>,
    /// Connections of the public port at a time, at most.
    pub connections: u32,
    /// Only signed-in users can join a line.
    pub must_sign_in: bool,
    /// Token that the administration requires; without it the administration is served on loopback
    /// only.
    pub admin_token: Option<SecretString>,
}

impl Config {
    /// The defaults (docs/contracts.md#configuration), with `secret` for tickets and passes and
    /// `jwt_secret` for tokens of people.
    pub fn new(secret: SecretString, jwt_secret: SecretString) -> Self {
        Self {
            secrets: vec![secret],
            jwt_secret: Some(jwt_secret),
            jwt_issuer: ISSUER.to_owned(),
            jwt_audience: ISSUER.to_owned(),
            backend_timeout: Duration::from_millis(600),
            store_timeout: Duration::from_millis(500),
            per_person: Some(Rate { per_second: 20, burst: 40 }),
            per_address: Some(Rate { per_second: 500, burst: 1_000 }),
            proxies: Proxies::default(),
            origins: Vec::new(),
            connections: 10_000,
            must_sign_in: false,
            admin_token: None,
        }
    }

    /// Reads the settings; `env` collects the problems. `None` if a required setting is missing.
    /// `has_keys`: the keys of an identity provider are configured, so tokens need no secret of
    /// ours.
    pub fn from_env(env: &mut Env, has_keys: bool) -> Option<Self> {
        let secrets = waiting_room_secrets(env);
        let jwt_secret = jwt_secret(env, has_keys);
        let defaults = Self::new(SecretString::from(String::new()), SecretString::from(String::new()));
        let jwt_issuer = env.or("JWT_ISSUER", "required value of a token's claim `iss`", defaults.jwt_issuer);
        let jwt_audience = env.or(
            "JWT_AUDIENCE",
            "required value, or one of the values, of a token's claim `aud`",
            defaults.jwt_audience,
        );
        let timeout = |env: &mut Env, name: &str, doc: &str, default: Duration| {
            let value = env.duration_or(name, doc, default);
            if value.is_zero() || value > Duration::from_secs(30) {
                env.problem(name, &format!("is {value:?}; it must be more than 0 and at most 30s"));
            }
            value
        };
        let config = Self {
            secrets: secrets.clone().unwrap_or_default(),
            jwt_secret,
            jwt_issuer,
            jwt_audience,
            backend_timeout: timeout(
                env,
                "BACKEND_TIMEOUT",
                "time limit of one call to a service behind the gateway",
                defaults.backend_timeout,
            ),
            store_timeout: timeout(
                env,
                "WAITING_ROOM_TIMEOUT",
                "time limit of one call to the waiting room's store",
                defaults.store_timeout,
            ),
            per_person: rate(env, "PERSON", "one person, or with one waiting token", defaults.per_person),
            per_address: rate(
                env,
                "ADDRESS",
                "one address, or one IPv6 network of 64 bits",
                defaults.per_address,
            ),
            proxies: {
                let doc = "networks whose X-Forwarded-For is trusted, separated by commas, such as 10.0.0.0/8; default: none";
                let given = env.optional("TRUSTED_PROXIES", doc);
                given.unwrap_or_default()
            },
            origins: origins(env),
            connections: env.in_range(
                "CONNECTIONS_MAX",
                "connections of the public port at a time, at most; each uses a file descriptor",
                defaults.connections,
                1..=1_000_000,
            ),
            must_sign_in: env.flag(
                "JOIN_REQUIRES_SIGN_IN",
                "require sign-in to join a waiting line; each person then holds one place",
                defaults.must_sign_in,
            ),
            admin_token: env.secret(
                "ADMIN_TOKEN",
                "token that the administration requires in the header X-Internal-Token",
            ),
        };
        secrets.map(|_| config)
    }
}

fn waiting_room_secrets(env: &mut Env) -> Option<Vec<SecretString>> {
    let name = "WAITING_ROOM_SECRET";
    let what = "secret that signs tickets and passes, the same as reservation-api's; several are separated by commas, the first signs";
    let given = env.secret_required(name, what, SECRET_BYTES_MIN)?;
    let secrets: Vec<_> = given.expose_secret().split(',').map(str::trim).collect();
    if secrets.iter().any(|secret| secret.len() < SECRET_BYTES_MIN) {
        let what = format!("has a secret that is too short; each needs at least {SECRET_BYTES_MIN} bytes");
        env.problem(name, &what);
        return None;
    }
    Some(secrets.into_iter().map(SecretString::from).collect())
}

fn jwt_secret(env: &mut Env, has_keys: bool) -> Option<SecretString> {
    let name = "JWT_SECRET";
    let given = env.secret(
        name,
        "secret of HS256 tokens, at least 32 bytes; default: none, only keys of JWT_JWKS_URL verify tokens",
    );
    match &given {
        None if !has_keys => {
            env.problem(name, "is not set, and neither is JWT_JWKS_URL: nobody could sign in")
        }
        Some(secret) if secret.expose_secret().len() < JWT_SECRET_BYTES_MIN => {
            env.problem(name, &format!("is too short; it needs at least {JWT_SECRET_BYTES_MIN} bytes"));
        }
        _ => {}
    }
    given
}

/// `RATE_LIMIT_<WHOSE>` a second, 0 for no limit, and `RATE_LIMIT_<WHOSE>_BURST` at once.
fn rate(env: &mut Env, whose: &str, of: &str, default: Option<Rate>) -> Option<Rate> {
    let default = default.unwrap_or(Rate { per_second: 1, burst: 1 });
    let name = format!("RATE_LIMIT_{whose}");
    let per_second = env.in_range(
        &name,
        &format!("requests a second from {of}; 0: no limit"),
        default.per_second,
        0..=1_000_000,
    );
    let name = format!("RATE_LIMIT_{whose}_BURST");
    let burst = env.in_range(&name, &format!("requests at once from {of}"), default.burst, 1..=1_000_000);
    (per_second > 0).then_some(Rate { per_second, burst })
}

fn origins(env: &mut Env) -> Vec<HeaderValue> {
    let name = "CORS_ORIGINS";
    let given: Option<String> = env.optional(name, "other sites whose pages may call the API, separated by commas, such as https://tickets.example; default: none");
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
        assert!(Config::from_env(&mut env, true).is_some_and(|config| config.jwt_secret.is_none()));
        env.finish().unwrap();
    }

    #[test]
    fn a_limit_of_zero_means_no_limit() {
        let mut env = Env::from_pairs(
            SECRETS.into_iter().chain([("RATE_LIMIT_ADDRESS", "0"), ("RATE_LIMIT_PERSON_BURST", "5")]),
        );
        let config = Config::from_env(&mut env, false).unwrap();
        assert_eq!(config.per_address, None);
        assert_eq!(config.per_person, Some(Rate { per_second: 20, burst: 5 }));
    }
}
