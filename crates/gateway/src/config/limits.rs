//! The limits of callers.

use crate::limits::Rate;
use crate::proxies::Proxies;
use runtime::config::Env;

/// How much one caller may use.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// Requests of one person; `None`: no limit.
    pub per_person: Option<Rate>,
    /// Requests of one address; `None`: no limit.
    pub per_address: Option<Rate>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub proxies: Proxies,
    /// Connections of the public port at a time, at most.
    pub connections: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            per_person: Some(Rate { per_second: 20, burst: 40 }),
            per_address: Some(Rate { per_second: 500, burst: 1_000 }),
            proxies: Proxies::default(),
            connections: 10_000,
        }
    }
}

impl LimitsConfig {
    pub(super) fn from_env(env: &mut Env) -> Self {
        let defaults = Self::default();
        let proxies = "networks whose X-Forwarded-For is trusted, separated by commas, such as 10.0.0.0/8; default: none";
        let connections = "connections of the public port at a time, at most; each uses a file descriptor";
        Self {
            per_person: rate(env, "PERSON", "one person, or with one waiting token", defaults.per_person),
            per_address: rate(
                env,
                "ADDRESS",
                "one address, or one IPv6 network of 64 bits",
                defaults.per_address,
            ),
            proxies: env.optional("TRUSTED_PROXIES", proxies).unwrap_or_default(),
            connections: env.in_range("CONNECTIONS_MAX", connections, defaults.connections, 1..=1_000_000),
        }
    }
}

/// `RATE_LIMIT_<WHOSE>` a second, 0 for no limit, and `RATE_LIMIT_<WHOSE>_BURST` at once.
fn rate(env: &mut Env, whose: &str, of: &str, default: Option<Rate>) -> Option<Rate> {
    let default = default.unwrap_or(Rate { per_second: 1, burst: 1 });
    let name = format!("RATE_LIMIT_{whose}");
    let doc = format!("requests a second from {of}; 0: no limit");
    let per_second = env.in_range(&name, &doc, default.per_second, 0..=1_000_000);
    let name = format!("RATE_LIMIT_{whose}_BURST");
    let burst = env.in_range(&name, &format!("requests at once from {of}"), default.burst, 1..=1_000_000);
    (per_second > 0).then_some(Rate { per_second, burst })
}
