//! The settings of all services, read from one environment, so that all problems are reported at
//! once.

use anyhow::Result;
use ports::Entropy;
use runtime::config::{ConfigProblems, Env};
use secrecy::SecretString;
use std::time::Duration;

/// The settings of every service in this process.
#[derive(Clone)]
pub struct Settings {
    pub(super) gateway: gateway::Config,
    pub(super) inventory: inventory::Config,
    pub(super) reservation: reservation::Config,
    pub(super) payment: payment::Config,
    pub(super) worker: worker::Config,
    pub(super) internal_token: Option<SecretString>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings. `hold` comes from the command line and overrides HOLD_TTL. Unset secrets
    /// are drawn at random: the services of one process share them.
    pub fn read(env: &mut Env, hold: Duration) -> Result<Self, ConfigProblems> {
        let entropy = runtime::SystemEntropy::new();
        let draw = || format!("{:016x}{:016x}", entropy.next_u64(), entropy.next_u64());
        let secret = draw();
        env.preset("PAYMENT_WEBHOOK_SECRET", &secret);
        env.preset("WAITING_ROOM_SECRET", &draw());
        env.preset("JWT_SECRET", &draw());
        // All requests come from this machine, so everybody would share the limit of one address.
        env.preset("RATE_LIMIT_ADDRESS", "0");
        // A poll of the embedded queue is cheap to repeat, and shutdown waits for running polls.
        env.preset("SQS_WAIT_TIME", "1");
        // In one process events arrive within milliseconds, so a hold that is overdue by seconds
        // has lost its event.
        env.preset("INVENTORY_SWEEP_GRACE", "5s");
        env.preset("INVENTORY_SWEEP_EVERY", "1s");
        // The throughput of this machine's database is not known beforehand.
        env.preset("WORKER_CONCURRENCY", "auto");
        let gateway = gateway::Config::from_env(env, false);
        let inventory = inventory::Config::from_env(env);
        let reservation = reservation::Config::from_env(env);
        let payment = payment::Config::from_env(env);
        let worker = worker::Config::from_env(env);
        env.finish()?;
        let mut reservation =
            reservation.unwrap_or_else(|| reservation::Config::new(SecretString::from(secret)));
        reservation.service.hold_ttl = hold;
        let gateway = gateway.unwrap_or_else(|| gateway::Config::new(draw().into(), draw().into()));
        let internal_token = reservation.internal_token.clone();
        let payment = payment.expect("its settings had no problem");
        let mut inventory = inventory.unwrap_or_default();
        inventory.service.hold_ttl = hold;
        // The folder is locked, so there is no other writer.
        inventory.service.sole_writer = true;
        Ok(Self { gateway, inventory, reservation, payment, worker, internal_token })
    }
}
