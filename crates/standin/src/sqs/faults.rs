//! The faults of the queue.

use super::Action;
use super::refusal::Refusal;
use core::time::Duration;

/// The faults, and the calls that they hit; they may change while the queue runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SqsFaults {
    /// Added to every call, before anything happens.
    pub latency: Duration,
    /// This many calls of those in `only` fail, beginning now.
    pub failing_next: u32,
    /// The share of the other calls that fails.
    pub failing: f64,
    /// How they fail.
    pub failure: Failure,
    /// The calls that may fail; empty = all.
    pub only: Vec<Action>,
    /// The share of batch entries that fail alone and change nothing.
    pub failing_entries: f64,
    /// No queue exists.
    pub vanished: bool,
    /// Only these are allowed, as by an IAM policy: a batch needs the permission of its single
    /// action. `None` = everything.
    pub allowed: Option<Vec<Action>>,
    /// The credentials have expired.
    pub credentials_expired: bool,
    /// The server's clock is this many seconds ahead of the machine's. A request signed more than 5
    /// minutes from it, either way, is refused; a client that follows the answer's Date gets
    /// through.
    pub clock_ahead_secs: i64,
    /// Calls are accepted and not answered until this ends.
    pub hanging: bool,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failure {
    /// 500 InternalFailure.
    #[default]
    Internal,
    /// 503 ServiceUnavailable.
    Unavailable,
    /// RequestThrottled, of SQS itself.
    Throttled,
    /// ThrottlingException, from in front of it.
    Throttling,
    /// The connection is closed and nothing is done.
    Reset,
    /// The call is done, and then the connection is closed.
    AnswerLost,
}

/// The fate of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Answer,
    Refuse(Refusal),
    Reset,
    AnswerLost,
}

const SKEW_MAX_SECS: u64 = 5 * 60;

impl SqsFaults {
    /// The refusal that applies to all calls, in the order of AWS's checks.
    pub(super) fn refusal(&self, action: Action, queue: &str, signed_at: &str) -> Option<Refusal> {
        if self.clock_ahead_secs != 0 {
            let signed = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", signed_at)
                .and_then(|signed| signed.to_datetime()?.to_zoned(jiff::tz::TimeZone::UTC));
            let near = |at: jiff::Zoned| {
                at.timestamp().as_second().abs_diff(self.now().as_second()) <= SKEW_MAX_SECS
            };
            if !signed.is_ok_and(near) {
                return Some(Refusal::signature_expired());
            }
        }
        if self.credentials_expired {
            return Some(Refusal::expired_credentials());
        }
        if let Some(allowed) = &self.allowed
            && !allowed.contains(&action.permission())
        {
            return Some(Refusal::denied(action.permission().name(), queue));
        }
        self.vanished.then(Refusal::no_such_queue)
    }

    /// The server's clock.
    pub(super) fn now(&self) -> jiff::Timestamp {
        let now = jiff::Timestamp::now();
        now.checked_add(jiff::SignedDuration::from_secs(self.clock_ahead_secs)).unwrap_or(now)
    }

    /// Whether this call may fail by chance.
    pub(super) fn concerns(&self, action: Action) -> bool {
        self.only.is_empty() || self.only.contains(&action)
    }

    pub(super) fn fate(&self) -> Fate {
        match self.failure {
            Failure::Internal => Fate::Refuse(Refusal::internal()),
            Failure::Unavailable => Fate::Refuse(Refusal::unavailable()),
            Failure::Throttled => Fate::Refuse(Refusal::throttled()),
            Failure::Throttling => Fate::Refuse(Refusal::throttling()),
            Failure::Reset => Fate::Reset,
            Failure::AnswerLost => Fate::AnswerLost,
        }
    }
}
