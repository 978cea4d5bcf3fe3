//! How writers announce a row to the relay: a push under a short lock, and a wake-up only if the
//! relay would sleep too long.
//!
//! Holds of a minute are announced a minute ahead, so most announcements need not wake the relay.
//! The relay states until when it sleeps. It is woken only by an earlier row, or by so many
//! announcements that their memory should become keys.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Announcements that pile up before the relay is woken to take them.
const ARRIVED_MAX: usize = 4_096;

/// Keys with their due times, on their way to the owner of the [`super::Agenda`].
#[derive(Debug)]
pub struct Inbox<K> {
    state: Mutex<State<K>>,
    wake_up: Notify,
}

#[derive(Debug)]
struct State<K> {
    arrived: Vec<(u64, K)>,
    /// The relay sleeps until this time (milliseconds); 0 before its first sleep, when it looks
    /// anyway.
    asleep_until: u64,
}

impl<K> Default for Inbox<K> {
    fn default() -> Self {
        Self { state: Mutex::new(State { arrived: Vec::new(), asleep_until: 0 }), wake_up: Notify::new() }
    }
}

impl<K> Inbox<K> {
    /// Announces a row. Waits at most for another push.
    pub fn push(&self, due_ms: u64, id: K) {
        let wake = {
            let mut state = self.state.lock();
            state.arrived.push((due_ms, id));
            due_ms < state.asleep_until || state.arrived.len() >= ARRIVED_MAX
        };
        if wake {
            self.wake_up.notify_one();
        }
    }

    /// Takes the announcements. Until the next [`Self::sleep_until`] every announcement wakes the
    /// relay, so none is missed while the relay plans its sleep.
    pub fn take(&self) -> Vec<(u64, K)> {
        let mut state = self.state.lock();
        state.asleep_until = u64::MAX;
        std::mem::take(&mut state.arrived)
    }

    /// From now on only rows that are due before this time wake the relay.
    pub fn sleep_until(&self, at_ms: u64) {
        self.state.lock().asleep_until = at_ms;
    }

    /// Returns when the relay was woken since the last return.
    pub async fn woken(&self) {
        self.wake_up.notified().await;
    }

    /// Announcements that were not taken yet.
    pub fn waiting(&self) -> usize {
        self.state.lock().arrived.len()
    }
}
