//! The waiting room's lines.

use super::timeout;
use core::time::Duration;
use runtime::config::Env;
use secrecy::SecretString;

/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// How lines are kept and who can join them.
#[derive(Debug, Clone)]
pub struct LineConfig {
    /// Secrets of tickets and passes: the first signs, signatures of all are accepted.
    pub secrets: Vec<SecretString>,
    /// Time limit of one call to the waiting room's store.
    pub store_timeout: Duration,
    /// Only signed-in users can join a line.
    pub must_sign_in: bool,
}

impl LineConfig {
    pub(super) fn new(secrets: Vec<SecretString>) -> Self {
        Self { secrets, store_timeout: Duration::from_millis(500), must_sign_in: false }
    }

    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        let secrets = env.secrets_required(
            "WAITING_ROOM_SECRET",
            "secret that signs tickets and passes, the same as reservation-api's; several are separated by commas, the first signs",
            SECRET_BYTES_MIN,
        );
        let defaults = Self::new(secrets.clone().unwrap_or_default());
        let config = Self {
            store_timeout: timeout(
                env,
                "WAITING_ROOM_TIMEOUT",
                "time limit of one call to the waiting room's store",
                defaults.store_timeout,
            ),
            must_sign_in: env.flag(
                "JOIN_REQUIRES_SIGN_IN",
                "require sign-in to join a waiting line; each person then holds one place",
                defaults.must_sign_in,
            ),
            ..defaults
        };
        secrets.map(|_| config)
    }
}
