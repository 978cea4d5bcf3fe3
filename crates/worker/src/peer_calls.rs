//! How the calls to each downstream ended in the last ten minutes: whether a message whose peer is
//! never reached is the reason itself (rules R8).

use crate::service::{Downstream, Touch, Touched};
use core::time::Duration;
use domain::retry::Others;

const BUCKET: Duration = Duration::from_secs(60);
const BUCKETS: u64 = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Which minute of the monotonic clock.
    minute: u64,
    calls: u64,
    answered: u64,
}

#[derive(Debug, Default)]
struct Peer {
    buckets: [Bucket; BUCKETS as usize],
    answered_at: Option<Duration>,
}

/// The runs that touched each downstream; a run counts as one call.
#[derive(Debug, Default)]
pub(crate) struct PeerCalls(Box<[Peer; 3]>);

impl PeerCalls {
    /// Records what a run learnt.
    pub(crate) fn record(&mut self, touched: Touched, now: Duration) {
        for downstream in Downstream::ALL {
            let answered = match touched.get(downstream) {
                Touch::Not => continue,
                Touch::Answered => true,
                Touch::Silent => false,
            };
            let peer = &mut self.0[downstream.index()];
            let minute = now.as_secs() / BUCKET.as_secs();
            let bucket = &mut peer.buckets[(minute % BUCKETS) as usize];
            if bucket.minute != minute {
                *bucket = Bucket { minute, ..Bucket::default() };
            }
            bucket.calls += 1;
            bucket.answered += u64::from(answered);
            if answered {
                peer.answered_at = Some(now);
            }
        }
    }

    /// The calls of other messages than one that failed `own` times, first at `since`.
    pub(crate) fn others(&self, of: Downstream, own: u32, since: Duration, now: Duration) -> Others {
        let peer = &self.0[of.index()];
        let oldest = (now.as_secs() / BUCKET.as_secs()).saturating_sub(BUCKETS - 1);
        let recent = peer.buckets.iter().filter(|bucket| bucket.minute >= oldest);
        let (calls, answered) =
            recent.fold((0, 0), |(calls, answered), b| (calls + b.calls, answered + b.answered));
        Others {
            // Its own failures are among the unanswered ones.
            calls: calls - u64::from(own).min(calls - answered),
            answered,
            answered_since: peer.answered_at.is_some_and(|at| at >= since),
            is_healthy: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(touch: Touch) -> Touched {
        Touched::only(Downstream::Reservation, touch)
    }

    #[test]
    fn calls_are_forgotten_after_ten_minutes_and_own_failures_are_not_counted() {
        let mut calls = PeerCalls::default();
        let at = Duration::from_secs;
        for second in 0..100 {
            calls.record(touch(Touch::Answered), at(second));
        }
        for second in 100..120 {
            calls.record(touch(Touch::Silent), at(second));
        }
        let others = calls.others(Downstream::Reservation, 20, at(100), at(120));
        assert_eq!((others.calls, others.answered, others.answered_since), (100, 100, false));
        assert!(calls.others(Downstream::Reservation, 20, at(99), at(120)).answered_since);
        assert_eq!(calls.others(Downstream::Inventory, 20, at(0), at(120)).calls, 0);
        assert_eq!(calls.others(Downstream::Reservation, 0, at(0), at(800)).calls, 0);
    }
}
