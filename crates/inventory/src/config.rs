//! The settings of inventory-api.

use core::time::Duration;
use runtime::config::Env;
use secrecy::SecretString;

/// The settings of inventory-api.
#[derive(Clone, Default)]
pub struct Config {
    /// The settings of the handlers.
    pub service: Options,
    /// Protects `/admin/…`; `None` = open to everybody who reaches the port.
    pub internal_token: Option<SecretString>,
}

/// The settings of the handlers.
#[derive(Debug, Clone)]
pub struct Options {
    /// No other process writes this store, so refusals and counts may come from memory.
    pub sole_writer: bool,
    /// How long a command may take before it is answered with UNAVAILABLE.
    pub deadline: Duration,
    /// How long a hold lasts if its caller gives no end.
    pub hold_ttl: Duration,
    /// The time between two sweeps for due holds.
    pub sweep_every: Duration,
    /// How long after its end a hold is left to its event before the sweep releases it.
    pub sweep_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sole_writer: false,
            deadline: Duration::from_millis(250),
            hold_ttl: domain::limits::HOLD_TTL,
            sweep_every: Duration::from_secs(5),
            sweep_grace: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Reads the settings; the environment collects the problems.
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let default = Options::default();
        let sole_writer = env.flag(
            "INVENTORY_SOLE_WRITER",
            "true only if no other process writes the same store",
            default.sole_writer,
        );
        let deadline = env.duration_or(
            "INVENTORY_DEADLINE",
            "how long a command may take before it is answered with UNAVAILABLE",
            default.deadline,
        );
        let sweep_every = env.duration_or(
            "INVENTORY_SWEEP_EVERY",
            "time between two sweeps for overdue holds",
            default.sweep_every,
        );
        let sweep_grace = env.duration_or(
            "INVENTORY_SWEEP_GRACE",
            "how long a due hold waits for its event before the sweep releases it",
            default.sweep_grace,
        );
        let hold_ttl =
            env.duration_or("HOLD_TTL", "length of a hold whose caller names no end", default.hold_ttl);
        Some(Self {
            service: Options { sole_writer, deadline, hold_ttl, sweep_every, sweep_grace },
            internal_token: env
                .secret("INTERNAL_API_TOKEN", "token that /admin requires in X-Internal-Token"),
        })
    }
}
