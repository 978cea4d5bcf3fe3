//! Lines in memory: the waiting room of one process.
//!
//! Nothing is on disk. After a restart the tickets that people hold restore their positions.

use async_trait::async_trait;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Line, Patience, Refusal, RuleChange, Rules, Standing, Ticket};
use parking_lot::Mutex;
use ports::waiting_room::{BEATS_MAX, Dated, PERSON_KEY_BYTES_MAX, Ticked};
use ports::{Clock, Entropy, Fault, PortError, WaitingRoomStore};
use std::collections::HashMap;
use std::sync::Arc;

/// The lines of all shows.
pub struct MemoryWaitingRoom {
    lines: Mutex<HashMap<ShowId, Line>>,
    notices: Mutex<HashMap<ShowId, String>>,
    patience: Patience,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl MemoryWaitingRoom {
    /// No lines yet.
    pub fn new(patience: Patience, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { lines: Mutex::default(), notices: Mutex::default(), patience, clock, entropy }
    }

    fn with<T>(&self, show: &ShowId, act: impl FnOnce(&mut Line, Timestamp) -> T) -> Result<T, Fault> {
        let mut lines = self.lines.lock();
        let line = lines.get_mut(show);
        let line = line.ok_or_else(|| Fault::permanent(format!("the line of show {show} was not opened")))?;
        // Read under the lock, so that time does not go back in any line.
        Ok(act(line, self.clock.now()))
    }
}

#[async_trait]
impl WaitingRoomStore for MemoryWaitingRoom {
    async fn open(&self, show: &ShowId, rules: Rules) -> Result<Rules, Fault> {
        let mut lines = self.lines.lock();
        let new = || Line::new(self.entropy.next_u64(), rules, self.patience, self.clock.now());
        Ok(lines.entry(show.clone()).or_insert_with(new).rules())
    }

    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault> {
        let lines = self.lines.lock();
        Ok(lines.get(show).map(Line::rules))
    }

    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>> {
        if key.is_empty() || key.len() > PERSON_KEY_BYTES_MAX {
            return Err(Fault::permanent(format!(
                "a key of {} bytes: it has 1 to {PERSON_KEY_BYTES_MAX}",
                key.len()
            ))
            .into());
        }
        self.with(show, |line, now| line.join(key, now))?.map_err(PortError::Rejected)
    }

    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault> {
        if tickets.is_empty() || tickets.len() > BEATS_MAX {
            return Err(Fault::permanent(format!(
                "{} signs of life: a call has 1 to {BEATS_MAX}",
                tickets.len()
            )));
        }
        self.with(show, |line, now| Dated {
            at: now,
            answer: tickets.iter().map(|ticket| line.beat(ticket, now)).collect(),
        })
    }

    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault> {
        self.with(show, |line, now| Dated { at: now, answer: line.enter(ticket, now) })
    }

    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault> {
        self.with(show, |line, now| line.leave(ticket, now))
    }

    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault> {
        self.with(show, |line, now| {
            let is_busy = line.tick(now);
            Ticked { snapshot: line.snapshot(since, now), is_busy }
        })
    }

    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault> {
        self.with(show, |line, now| line.rule(change, now))
    }

    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault> {
        let mut notices = self.notices.lock();
        match notice {
            Some(notice) => notices.insert(show.clone(), notice.to_owned()),
            None => notices.remove(show),
        };
        Ok(())
    }

    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault> {
        Ok(self.notices.lock().get(show).cloned())
    }
}
