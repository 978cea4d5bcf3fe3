//! What this process can do now: set by each concern, read by `/health`, `/ready` and
//! `grpc.health.v1`.
//!
//! Each concern sets its own named check. Alive means "do not restart me", ready means
//! "send me work". A process that drains is alive and not ready. Reading never asks a
//! shared store: a check is set by the code that uses the store, so one slow store cannot
//! make every probe of every process hang (trap T-O1).

use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The health of one process. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    checks: Mutex<Checks>,
    ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Checks {
    alive: BTreeMap<String, Result<(), String>>,
    ready: BTreeMap<String, Result<(), String>>,
    peers: BTreeMap<String, Result<(), String>>,
    draining: bool,
}

/// The answer of a probe: the verdict, every check, and the reasons of those that fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ok`, or what it is instead: `not alive`, `not ready`, `draining`.
    pub status: &'static str,
    /// Every check by name: `ok` or its reason.
    pub checks: BTreeMap<String, String>,
    /// `name: reason` of each check that fails, in the order of the names.
    pub reasons: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Health {
    /// Alive and ready until somebody says otherwise.
    pub fn new() -> Self {
        let shared = Shared { checks: Mutex::default(), ready: watch::Sender::new(true) };
        Self { shared: Arc::new(shared) }
    }

    /// Sets a readiness check: whether this process can do its work as far as `name` goes,
    /// or why not.
    pub fn ready_set(&self, name: &str, state: Result<(), String>) {
        self.change(|checks| set(&mut checks.ready, name, state));
    }

    /// Tells the state of a peer, for people. `/ready` lists it and stays 200: not ready is only
    /// what this process alone can repair (rules R8).
    pub fn peer_set(&self, name: &str, state: Result<(), String>) {
        self.change(|checks| set(&mut checks.peers, name, state));
    }

    /// Sets a liveness check: whether this process works at all as far as `name` goes, or
    /// why it should be restarted.
    pub fn alive_set(&self, name: &str, state: Result<(), String>) {
        self.change(|checks| set(&mut checks.alive, name, state));
    }

    /// From now on not ready, whatever the checks say: the process takes no new work and
    /// ends what it has.
    pub fn draining(&self) {
        self.change(|checks| checks.draining = true);
    }

    /// Whether the process wants work.
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// Follows [`Self::is_ready`].
    pub fn ready_changes(&self) -> watch::Receiver<bool> {
        self.shared.ready.subscribe()
    }

    /// The liveness probe's answer.
    pub fn alive(&self) -> Report {
        self.read(|checks| report(&checks.alive, "not alive"))
    }

    /// The readiness probe's answer. A process that is not alive is not ready either.
    pub fn ready(&self) -> Report {
        self.read(Checks::ready)
    }

    fn read<T>(&self, read: impl FnOnce(&Checks) -> T) -> T {
        // A panic while the lock was held leaves whole entries: the map is changed by single
        // inserts.
        read(&self.shared.checks.lock())
    }

    fn change(&self, change: impl FnOnce(&mut Checks)) {
        let mut checks = self.shared.checks.lock();
        change(&mut checks);
        let ready = checks.ready().is_ok();
        // Sent under the lock, so that two changes cannot arrive in the other order.
        self.shared.ready.send_if_modified(|now| std::mem::replace(now, ready) != ready);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Checks {
    fn ready(&self) -> Report {
        let mut all = report(&self.ready, "not ready");
        all.checks.extend(report(&self.peers, "").checks);
        let dead = report(&self.alive, "not ready");
        if !dead.is_ok() {
            all.status = dead.status;
            all.reasons.extend(dead.reasons);
        }
        if self.draining {
            all.status = "draining";
            all.reasons.push("draining: the process is shutting down".to_owned());
        }
        all
    }
}

fn set(checks: &mut BTreeMap<String, Result<(), String>>, name: &str, state: Result<(), String>) {
    match checks.get_mut(name) {
        Some(known) => *known = state,
        None => {
            checks.insert(name.to_owned(), state);
        }
    }
}

fn report(checks: &BTreeMap<String, Result<(), String>>, failed: &'static str) -> Report {
    let told = |state: &Result<(), String>| state.as_ref().map_or_else(Clone::clone, |()| "ok".to_owned());
    let reasons: Vec<String> = checks
        .iter()
        .filter_map(|(name, state)| state.as_ref().err().map(|why| format!("{name}: {why}")))
        .collect();
    Report {
        status: if reasons.is_empty() { "ok" } else { failed },
        checks: checks.iter().map(|(name, state)| (name.clone(), told(state))).collect(),
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_tells_every_reason_and_recovers_check_by_check() {
        let health = Health::new();
        health.ready_set("store", Err("cannot open the folder".into()));
        health.ready_set("queue", Err("no poll yet".into()));
        health.ready_set("peers", Ok(()));
        let report = health.ready();
        assert_eq!(report.status, "not ready");
        assert_eq!(report.reasons, ["queue: no poll yet", "store: cannot open the folder"]);
        assert_eq!(report.checks["peers"], "ok");
        health.ready_set("store", Ok(()));
        assert!(!health.is_ready());
        health.ready_set("queue", Ok(()));
        assert!(health.is_ready() && health.ready().is_ok());
    }

    #[test]
    fn a_peer_that_is_not_reached_is_listed_and_the_process_stays_ready() {
        let health = Health::new();
        health.peer_set("inventory", Err("not reached".into()));
        let report = health.ready();
        assert!(report.is_ok() && health.is_ready());
        assert_eq!(report.checks["inventory"], "not reached");
    }

    #[test]
    fn a_draining_process_is_alive_and_not_ready() {
        let health = Health::new();
        let changes = health.ready_changes();
        assert!(*changes.borrow());
        health.draining();
        health.ready_set("store", Ok(()));
        assert!(!*changes.borrow());
        assert_eq!(health.ready().status, "draining");
        assert!(health.alive().is_ok());
    }

    #[test]
    fn a_process_that_is_not_alive_is_not_ready() {
        let health = Health::new();
        health.alive_set("polls", Err("none finished for 90 s".into()));
        assert_eq!(health.alive().reasons, ["polls: none finished for 90 s"]);
        assert!(!health.is_ready());
    }
}
