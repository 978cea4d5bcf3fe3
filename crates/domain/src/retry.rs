//! The verdict on a run: (outcome, attempt, policy, chance) → settlement.
//!
//! Wait `k` is `base · 2^min(k−1, 4)`, times a jitter of 0.8 to 1.2: 1, 2, 4, 8, 16 s with the
//! default base. The message is buried after `max_retries` retries, or at once if no retry can
//! help.
//!
//! An attempt is counted when a handler starts. It is given back if the run says nothing about the
//! message: a peer that was not reached ([`peer_failed`] decides about those), silence while the
//! downstream's breaker is open, an event before its time, an interrupted run (traps T-T5 and
//! T-T10). A retry is delayed visibility; no task sleeps (trap T-T9).

use crate::random::Random;
use core::time::Duration;

/// After this many doublings of the base the wait grows no more.
const DOUBLINGS_MAX: u32 = 4;

/// How often, and after which waits, a message is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Retries after the first run (`MAX_RETRIES`).
    pub max_retries: u32,
    /// The first wait (`BACKOFF_BASE_MS`).
    pub base: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_retries: 5, base: Duration::from_secs(1) }
    }
}

/// How a run ended, as far as the verdict depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The effect is durable.
    Done,
    /// The event came before its time; it can have its effect after this long.
    NotYet(Duration),
    /// A downstream did not answer in time.
    Infrastructure,
    /// A downstream was not reached: something else answered, or nothing listens (rules R8).
    NotReached,
    /// A downstream answered with an error that may pass.
    Transient,
    /// No retry can help.
    Hopeless(Reason),
    /// The run was ended from outside (shutdown, a lost lease): its effect is unknown.
    Interrupted,
}

/// Why a message is buried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The message is no event.
    Undecodable,
    /// Every retry failed.
    RetriesExhausted,
    /// A downstream answered that it will never work.
    PermanentFault,
    /// The states of inventory, reservation and payment contradict each other.
    Contradiction,
    /// Money was taken, there are no seats, and the refund failed.
    PaidWithoutSeat,
    /// The event's amount is not the price (rules R1).
    AmountMismatch,
    /// Its peer was never reached for this message, and answers all others (rules R8).
    PeerFailed,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Undecodable,
        Self::RetriesExhausted,
        Self::PermanentFault,
        Self::Contradiction,
        Self::PaidWithoutSeat,
        Self::AmountMismatch,
        Self::PeerFailed,
    ];

    /// The value of the attribute `reason` of a dead letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::RetriesExhausted => "retries_exhausted",
            Self::PermanentFault => "permanent_fault",
            Self::Contradiction => "contradiction",
            Self::PaidWithoutSeat => "paid_without_seat",
            Self::AmountMismatch => "amount_mismatch",
            Self::PeerFailed => "peer_failed",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The last word on one delivery of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Delete it: the effect is durable.
    Ack,
    /// Hide it for this long, then try again.
    RetryAfter(Duration),
    /// Copy it to the dead-letter queue, then delete it.
    Bury(Reason),
    /// Make it visible at once, as if it had never been received.
    HandBack,
}

/// A settlement, and whether the run counts as an attempt of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The settlement of the delivery.
    pub settlement: Settlement,
    /// `false`: the attempt is given back.
    pub counted: bool,
}

/// After so many runs in which its peer was not reached, a message may be buried (rules R8).
pub const NOT_REACHED_MAX: u32 = 20;
/// The wait of such a message. It is longer than a breaker waits for its next probe, so that
/// another message probes: one that breaks its peer must not keep the breaker open for all.
const NOT_REACHED_WAIT: Duration = Duration::from_secs(5 * 60);
/// A message whose peer is not reached stays queued for at most this long (rules R8).
pub const NOT_REACHED_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// So many other calls judge a peer, and so many thousandths of them must have been answered.
const OTHERS_MIN: u64 = 100;
const ANSWERED_THOUSANDTHS: u64 = 950;

/// What is known of a peer that was not reached for one message, from the calls of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Others {
    /// Calls for other messages in the last ten minutes.
    pub calls: u64,
    /// Those of them that were answered.
    pub answered: u64,
    /// Whether one was answered since the message's first failure.
    pub answered_since: bool,
    /// Whether the peer answered its health check.
    pub is_healthy: bool,
}

/// Whether a message whose peer was not reached `times` times, since `waited` ago, is the reason
/// itself: its peer answers all others. Then it is buried as [`Reason::PeerFailed`]. In an outage,
/// or when a part of all calls fails, it stays queued (rules R8).
pub fn peer_failed(times: u32, waited: Duration, others: Others) -> bool {
    if waited >= NOT_REACHED_TIME_MAX {
        return true;
    }
    if times < NOT_REACHED_MAX {
        return false;
    }
    if others.calls >= OTHERS_MIN {
        others.answered * 1000 >= others.calls * ANSWERED_THOUSANDTHS
    } else {
        others.is_healthy && others.answered_since
    }
}

/// Decides. `attempt` counts the runs of this message so far, including this one, so it is at least
/// 1 (for [`Outcome::NotReached`] it counts those); `outage` is true if the breaker of a downstream
/// that failed this run is open.
pub fn verdict(
    outcome: Outcome,
    attempt: u32,
    outage: bool,
    policy: &Policy,
    random: &mut impl Random,
) -> Verdict {
    let counted = |settlement| Verdict { settlement, counted: true };
    let free = |settlement| Verdict { settlement, counted: false };
    match outcome {
        Outcome::Done => counted(Settlement::Ack),
        Outcome::Hopeless(reason) => counted(Settlement::Bury(reason)),
        Outcome::NotYet(left) => free(Settlement::RetryAfter(left)),
        Outcome::Interrupted => free(Settlement::HandBack),
        Outcome::NotReached if attempt >= NOT_REACHED_MAX => free(Settlement::RetryAfter(NOT_REACHED_WAIT)),
        Outcome::NotReached => free(Settlement::RetryAfter(wait(attempt, policy, random))),
        Outcome::Infrastructure if outage => free(Settlement::RetryAfter(wait(attempt, policy, random))),
        Outcome::Infrastructure | Outcome::Transient if attempt > policy.max_retries => {
            counted(Settlement::Bury(Reason::RetriesExhausted))
        }
        Outcome::Infrastructure | Outcome::Transient => {
            counted(Settlement::RetryAfter(wait(attempt, policy, random)))
        }
    }
}

/// The wait before retry `k` (from 1): `base · 2^min(k−1, 4)`, times 0.8 to 1.2.
pub fn wait(k: u32, policy: &Policy, random: &mut impl Random) -> Duration {
    let doubled = policy.base.saturating_mul(1 << k.saturating_sub(1).min(DOUBLINGS_MAX));
    let millis = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX / 16);
    // 800 to 1200 thousandths, both ends included.
    let thousandths = 800 + random.below(401);
    Duration::from_millis(millis.saturating_mul(thousandths) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use proptest::prelude::*;

    fn settle(outcome: Outcome, attempt: u32, outage: bool) -> Verdict {
        verdict(outcome, attempt, outage, &Policy::default(), &mut SplitMix64::new(1))
    }

    #[test]
    fn waits_double_from_the_base_and_stop_at_sixteen_times_it() {
        let mut random = SplitMix64::new(3);
        for (k, seconds) in [(1u32, 1u64), (2, 2), (3, 4), (4, 8), (5, 16), (6, 16), (40, 16)] {
            for _ in 0..200 {
                let wait = wait(k, &Policy::default(), &mut random).as_millis() as u64;
                assert!((seconds * 800..=seconds * 1200).contains(&wait), "wait {k} is {wait} ms");
            }
        }
    }

    #[test]
    fn the_first_run_and_five_retries_then_the_dead_letter_queue() {
        for attempt in 1..=5 {
            assert!(matches!(
                settle(Outcome::Transient, attempt, false).settlement,
                Settlement::RetryAfter(_)
            ));
        }
        assert_eq!(
            settle(Outcome::Transient, 6, false).settlement,
            Settlement::Bury(Reason::RetriesExhausted)
        );
        assert_eq!(
            settle(Outcome::Infrastructure, 6, false).settlement,
            Settlement::Bury(Reason::RetriesExhausted)
        );
    }

    /// Rules R8.
    #[test]
    fn a_message_whose_peer_is_never_reached_is_buried_only_if_its_peer_answers_others() {
        let minute = Duration::from_secs(60);
        let others = |calls, answered| Others { calls, answered, answered_since: true, is_healthy: true };
        assert!(peer_failed(20, minute, others(100, 95)));
        assert!(!peer_failed(19, minute, others(100, 100)), "twenty runs");
        assert!(!peer_failed(200, minute, others(1000, 949)), "a part of all calls fails");
        assert!(!peer_failed(200, minute, others(1000, 0)), "an outage");
        assert!(peer_failed(20, minute, others(99, 1)), "few calls: the peer says that it is well");
        assert!(!peer_failed(20, minute, Others { is_healthy: false, ..others(99, 99) }));
        assert!(!peer_failed(20, minute, Others { answered_since: false, ..others(99, 99) }));
        assert!(peer_failed(1, NOT_REACHED_TIME_MAX, Others::default()), "a day is enough");
        assert!(!settle(Outcome::NotReached, 100, false).counted);
    }

    #[test]
    fn a_hopeless_message_is_buried_at_once() {
        for reason in Reason::ALL {
            assert_eq!(settle(Outcome::Hopeless(reason), 1, false).settlement, Settlement::Bury(reason));
        }
    }

    #[test]
    fn every_reason_is_read_back_from_its_word() {
        assert!(Reason::ALL.into_iter().all(|reason| Reason::parse(reason.as_str()) == Some(reason)));
    }

    proptest! {
        /// Trap T-T10: an outage, however long, buries no message and uses up no attempt.
        #[test]
        fn an_outage_buries_nobody(attempt in 1u32..1_000, seed in any::<u64>()) {
            let verdict = verdict(Outcome::Infrastructure, attempt, true, &Policy::default(), &mut SplitMix64::new(seed));
            prop_assert!(!verdict.counted);
            prop_assert!(matches!(verdict.settlement, Settlement::RetryAfter(_)));
        }

        /// Trap T-T5: an interrupted run and one before its time use up no attempt and never bury.
        #[test]
        fn an_interruption_burns_no_attempt(attempt in 1u32..1_000, left in 0u64..100_000, outage in any::<bool>()) {
            let left = Duration::from_millis(left);
            prop_assert_eq!(settle(Outcome::Interrupted, attempt, outage), Verdict { settlement: Settlement::HandBack, counted: false });
            prop_assert_eq!(settle(Outcome::NotYet(left), attempt, outage), Verdict { settlement: Settlement::RetryAfter(left), counted: false });
        }

        #[test]
        fn a_message_that_keeps_failing_gets_exactly_its_runs(max_retries in 0u32..20, seed in any::<u64>()) {
            let policy = Policy { max_retries, base: Duration::from_millis(7) };
            let mut random = SplitMix64::new(seed);
            let mut runs = 0;
            loop {
                runs += 1;
                match verdict(Outcome::Transient, runs, false, &policy, &mut random).settlement {
                    Settlement::RetryAfter(wait) => prop_assert!(wait <= policy.base * 20),
                    settlement => {
                        prop_assert_eq!(settlement, Settlement::Bury(Reason::RetriesExhausted));
                        break;
                    }
                }
            }
            prop_assert_eq!(runs, max_retries + 1);
        }
    }
}
