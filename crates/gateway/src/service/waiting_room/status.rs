//! The status of a place: position, wait, and when to poll again.

use super::{HeldTicket, WaitingRoomService};
use crate::room::{Room, View};
use contracts::rest::gateway::{QueueStatus, Status};
use core::time::Duration;
use domain::waiting_room::{Standing, Ticket};
use ports::plant::{Plant, planted};
use std::sync::Arc;

/// How often people near the front poll, and people far back; in between it is a tenth of their
/// wait.
pub(super) const POLL_MIN: Duration = Duration::from_millis(500);
const POLL_MAX: Duration = Duration::from_secs(5);

impl WaitingRoomService {
    /// Where a person stands. The only effect is a sign of life (trap T-W4).
    pub(crate) async fn status(&self, held: &HeldTicket) -> Status {
        let standing = held.room.standing(&held.ticket).await;
        if planted(Plant::StatusEnters) && matches!(standing, Standing::Ready { .. }) {
            drop(held.room.enter(&held.ticket).await);
        }
        let status = self.describe(&held.room, &held.ticket, standing);
        self.inner.metrics.operation("status", status.status.as_str());
        status
    }

    pub(super) fn describe(&self, room: &Room, ticket: &Ticket, standing: Standing) -> Status {
        // All these times are by the store's clock.
        let (view, now): (Arc<View>, _) = (room.view(), room.store_now());
        let (status, ready_for) = match standing {
            Standing::Waiting => (QueueStatus::Waiting, None),
            Standing::Ready { until } => (QueueStatus::Ready, Some(until.since(now))),
            Standing::Entered { until, .. } if now < until => (QueueStatus::Ready, Some(until.since(now))),
            Standing::Entered { .. } | Standing::Expired => (QueueStatus::Expired, None),
            Standing::Left => (QueueStatus::Left, None),
        };
        let waits = status == QueueStatus::Waiting;
        let ahead = if waits { view.ahead_of(ticket.number) } else { 0 };
        let wait = if waits { view.wait(ahead) } else { Some(Duration::ZERO) };
        Status {
            status,
            position: if waits { ahead + 1 } else { 0 },
            eta_sec: wait.map(whole),
            waiting_time: now.since(ticket.joined_at).as_secs(),
            ready_for_entry: status == QueueStatus::Ready,
            poll_after_ms: poll_after(ticket, wait),
            paused: view.snapshot.rules.paused,
            message: view.notice.as_deref().filter(|_| waits).map(str::to_owned),
            ready_for_sec: ready_for.map(|time| time.as_secs()),
        }
    }
}

/// Whole seconds, rounded up, so that a wait is never reported too short.
const fn whole(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000) as u64
}

/// A tenth of the wait in milliseconds, spread by the number, so that people who joined together do
/// not poll together.
pub(super) fn poll_after(ticket: &Ticket, wait: Option<Duration>) -> u64 {
    let base = wait.map_or(POLL_MAX, |wait| wait / 10).clamp(POLL_MIN, POLL_MAX);
    let spread = ticket.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    base.as_millis() as u64 * (1_024 + spread) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;

    fn ticket(number: u64, key: &str) -> Ticket {
        Ticket { number, key: key.into(), joined_at: Timestamp::from_millis(0) }
    }

    #[test]
    fn people_near_the_front_poll_more_often_and_not_together() {
        let after = |seconds| poll_after(&ticket(7, "u:kim"), Some(Duration::from_secs(seconds)));
        assert!((500..=625).contains(&after(0)), "{}", after(0));
        assert!((2_000..=2_500).contains(&after(20)), "{}", after(20));
        assert!((5_000..=6_250).contains(&after(3_600)));
        assert!((5_000..=6_250).contains(&poll_after(&ticket(7, "u:kim"), None)));
        let different: std::collections::BTreeSet<_> = (0..100)
            .map(|number| poll_after(&ticket(number, "u:kim"), Some(Duration::from_secs(20))))
            .collect();
        assert!(different.len() > 50);
    }
}
