//! How often each message was run by this process (trap T-T5).
//!
//! Receives are not attempts: a message that was handed back unstarted, or whose lease was lost,
//! has not been tried. So this process counts the attempts itself, by message id, from one delivery
//! to the next. The table is bounded: beyond [`REMEMBERED_MAX`] messages it forgets the one that
//! failed longest ago, which then starts at 0 again, as it would in another process.

use crate::service::Downstream;
use core::time::Duration;
use domain::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Messages whose attempts are remembered. At the longest wait of 19 s this is 5,000 failures a
/// second.
pub(crate) const REMEMBERED_MAX: usize = 100_000;

/// What is known of a message that was run and is not settled for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Runs that count.
    pub(crate) count: u32,
    /// Runs in which a peer was not reached.
    pub(crate) not_reached: u32,
    /// When that happened first, on the monotonic clock.
    pub(crate) not_reached_since: Option<Duration>,
    /// When it was first received.
    pub(crate) first_seen: Timestamp,
    /// The downstream that did not answer its last run.
    pub(crate) blocked_on: Option<Downstream>,
}

#[derive(Debug, Default)]
pub(crate) struct Attempts {
    by_message: BTreeMap<Arc<str>, (u64, Tried)>,
    by_age: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl Attempts {
    pub(crate) fn get(&self, message: &str) -> Option<&Tried> {
        self.by_message.get(message).map(|(_, tried)| tried)
    }

    /// Remembers a message that will be redelivered.
    pub(crate) fn remember(&mut self, message: &Arc<str>, tried: Tried) {
        self.forget(message);
        self.by_message.insert(message.clone(), (self.next, tried));
        self.by_age.insert(self.next, message.clone());
        self.next += 1;
        if self.by_age.len() > REMEMBERED_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_message.remove(&oldest);
        }
    }

    /// Forgets a message that is settled for good.
    pub(crate) fn forget(&mut self, message: &str) {
        if let Some((age, _)) = self.by_message.remove(message) {
            self.by_age.remove(&age);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(count: u32) -> Tried {
        Tried {
            count,
            not_reached: 0,
            not_reached_since: None,
            first_seen: Timestamp::EPOCH,
            blocked_on: None,
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let mut attempts = Attempts::default();
        for n in 0..REMEMBERED_MAX + 10 {
            attempts.remember(&format!("m{n}").into(), tried(1));
        }
        attempts.remember(&"m10".into(), tried(2));
        assert_eq!(attempts.by_message.len(), REMEMBERED_MAX);
        assert_eq!(attempts.get("m9"), None);
        assert_eq!(attempts.get("m10"), Some(&tried(2)));
        attempts.forget("m10");
        assert_eq!(attempts.get("m10"), None);
        assert_eq!(attempts.by_age.len(), REMEMBERED_MAX - 1);
    }
}
