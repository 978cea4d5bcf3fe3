//! Planted bugs: one for each trap that the simulator must find. A check that has never failed proves nothing, so each run
//! of `sim` over the plants shows that every one of them is caught.
//!
//! Without the feature `plants`, [`planted`] is the constant `false` and the compiler drops the wrong branch. With it, one
//! plant at a time is set on the thread that runs the simulated world. The wrong branches stand where the mistake would
//! be made, so they keep compiling, and testing, as the code around them changes.

#[cfg(feature = "plants")]
use std::cell::Cell;

/// A bug of those that `traps.md` and the invariants of the design name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plant {
    /// The worker deletes a message when it starts the handler, not after the effect.
    DeleteBeforeEffect,
    /// The shutdown of the worker does not wait for the polls in the air: they are dropped with the loop.
    PollCancelled,
    /// After a head has failed, its lane goes on with the next message.
    FollowersOvertake,
    /// A message that is no event is deleted without a copy in the dead-letter queue.
    UndecodableDropped,
    /// The queue's count of receives is taken for the count of attempts.
    AttemptsByReceives,
    /// A renewal that failed is taken for one that succeeded: the worker goes on believing in its lease.
    LeaseBelieved,
    /// A message that comes again while it is with us is settled under its first receipt.
    StaleHandle,
    /// The results of the entries of a delete or a hide are not read: if the call was answered, all of them worked.
    BatchResultsIgnored,
    /// A run that a downstream did not answer counts as an attempt even in an outage, and its message is buried.
    OutageCounts,
    /// A dead letter is sent back under the deduplication id of its event.
    RedriveSameDedup,
    /// The answer under an Idempotency-Key is recorded in a commit of its own, before the reservation and its event.
    RecordBeforeEffect,
    /// The relay deletes the row of an event when it sends it, not when the queue has confirmed it.
    DeletedBeforeSend,
    /// A release looks at the reservation alone: a committed hold is released and its sold seats are AVAILABLE again.
    ReleaseSold,
    /// An approved payment confirms the reservation first and commits the seats after.
    ConfirmBeforeCommit,
    /// A hold is released as expired before it is due.
    EarlyRelease,
    /// A commit of the inventory without an answer is taken for done.
    AmbiguousIsDone,
    /// The row of a hold and the rows of its seats are two commits.
    HalfHold,
    /// A payment that came too late, when no seats were left, is kept.
    LateMoneyKept,
    /// Cancelling a payment that was given back gives it back again.
    RefundTwice,
    /// A failure that is reported after the money was taken makes the payment FAILED.
    LateFailureWins,
    /// A payment's outcome is committed first, its event and webhook in a second commit.
    EventApart,
    /// A webhook is believed though its signature is wrong.
    UnsignedWebhook,
    /// A reservation has a random id although its request has an Idempotency-Key.
    KeyIgnored,
    /// The refusal of a late commit is written without looking for a second hold. Was in the code until it was found.
    RefusalAlone,
    /// What is received behind a message that came again does not wait for it. Was in the code until it was found.
    ComesAgainAlone,
    /// A poll may wait longer than its messages are leased. Was in the code until it was found.
    WaitOutlivesLease,
    /// Seats are committed in the name of who pays. Was in the code until it was found.
    PayerHolds,
    /// A reservation that was confirmed between a release and its end is buried as a contradiction. Was in the code.
    ConfirmedMeanwhile,
    /// The late answer of an earlier receive replaces a newer receipt. Was in the code until it was found.
    LateAnswerWins,
    /// The relay is told of no row and rescans nothing: it publishes what it finds at its start.
    NotRescanned,
    /// The waiting room's store goes on from what it has kept as if it had lost nothing.
    LossUnnoticed,
    /// A gateway does not tell a store that has lost something of whom it has heard.
    BeatsForgotten,
    /// A gateway hands a pass out at once, not when its time in the rate has come.
    PassBeforeItsTime,
    /// Whoever enters again books another pass.
    EnterBooksAgain,
    /// A gateway lets in whoever asks for their status when it is their turn.
    StatusEnters,
    /// A gateway believes any ticket.
    TicketUnsigned,
    /// A gateway tells everybody what the counts say, and never asks the store whose turn it is.
    CountsBelieved,
    /// A gateway waits for the store as long as it takes.
    StoreAwaited,
}

impl Plant {
    /// Every plant.
    pub const ALL: [Self; 38] = [
        Self::DeleteBeforeEffect,
        Self::PollCancelled,
        Self::FollowersOvertake,
        Self::UndecodableDropped,
        Self::AttemptsByReceives,
        Self::LeaseBelieved,
        Self::StaleHandle,
        Self::BatchResultsIgnored,
        Self::OutageCounts,
        Self::RedriveSameDedup,
        Self::RecordBeforeEffect,
        Self::DeletedBeforeSend,
        Self::ReleaseSold,
        Self::ConfirmBeforeCommit,
        Self::EarlyRelease,
        Self::AmbiguousIsDone,
        Self::HalfHold,
        Self::LateMoneyKept,
        Self::RefundTwice,
        Self::LateFailureWins,
        Self::EventApart,
        Self::UnsignedWebhook,
        Self::KeyIgnored,
        Self::RefusalAlone,
        Self::ComesAgainAlone,
        Self::WaitOutlivesLease,
        Self::PayerHolds,
        Self::ConfirmedMeanwhile,
        Self::LateAnswerWins,
        Self::NotRescanned,
        Self::LossUnnoticed,
        Self::BeatsForgotten,
        Self::PassBeforeItsTime,
        Self::EnterBooksAgain,
        Self::StatusEnters,
        Self::TicketUnsigned,
        Self::CountsBelieved,
        Self::StoreAwaited,
    ];

    /// The word for command lines and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeleteBeforeEffect => "delete_before_effect",
            Self::PollCancelled => "poll_cancelled",
            Self::FollowersOvertake => "followers_overtake",
            Self::UndecodableDropped => "undecodable_dropped",
            Self::AttemptsByReceives => "attempts_by_receives",
            Self::LeaseBelieved => "lease_believed",
            Self::StaleHandle => "stale_handle",
            Self::BatchResultsIgnored => "batch_results_ignored",
            Self::OutageCounts => "outage_counts",
            Self::RedriveSameDedup => "redrive_same_dedup",
            Self::RecordBeforeEffect => "record_before_effect",
            Self::DeletedBeforeSend => "deleted_before_send",
            Self::ReleaseSold => "release_sold",
            Self::ConfirmBeforeCommit => "confirm_before_commit",
            Self::EarlyRelease => "early_release",
            Self::AmbiguousIsDone => "ambiguous_is_done",
            Self::HalfHold => "half_hold",
            Self::LateMoneyKept => "late_money_kept",
            Self::RefundTwice => "refund_twice",
            Self::LateFailureWins => "late_failure_wins",
            Self::EventApart => "event_apart",
            Self::UnsignedWebhook => "unsigned_webhook",
            Self::KeyIgnored => "key_ignored",
            Self::RefusalAlone => "refusal_alone",
            Self::ComesAgainAlone => "comes_again_alone",
            Self::WaitOutlivesLease => "wait_outlives_lease",
            Self::PayerHolds => "payer_holds",
            Self::ConfirmedMeanwhile => "confirmed_meanwhile",
            Self::LateAnswerWins => "late_answer_wins",
            Self::NotRescanned => "not_rescanned",
            Self::LossUnnoticed => "loss_unnoticed",
            Self::BeatsForgotten => "beats_forgotten",
            Self::PassBeforeItsTime => "pass_before_its_time",
            Self::EnterBooksAgain => "enter_books_again",
            Self::StatusEnters => "status_enters",
            Self::TicketUnsigned => "ticket_unsigned",
            Self::CountsBelieved => "counts_believed",
            Self::StoreAwaited => "store_awaited",
        }
    }

    /// The trap that it is; where none of the traps names it, the invariant that it breaks.
    pub const fn trap(self) -> &'static str {
        match self {
            Self::DeleteBeforeEffect | Self::DeletedBeforeSend => "T1",
            Self::PollCancelled => "T2",
            Self::FollowersOvertake | Self::ComesAgainAlone => "T3",
            Self::UndecodableDropped => "T4",
            Self::AttemptsByReceives => "T5",
            Self::LeaseBelieved | Self::WaitOutlivesLease => "T6",
            Self::StaleHandle | Self::LateAnswerWins => "T7",
            Self::BatchResultsIgnored => "T8",
            Self::OutageCounts => "T10",
            Self::RedriveSameDedup => "T13",
            Self::RecordBeforeEffect => "T14",
            Self::ReleaseSold => "S2",
            Self::ConfirmBeforeCommit => "S3",
            Self::EarlyRelease => "S7",
            Self::AmbiguousIsDone => "S9",
            Self::HalfHold => "I5",
            Self::LateMoneyKept | Self::RefusalAlone | Self::PayerHolds => "M1",
            Self::RefundTwice => "M2",
            Self::LateFailureWins => "M3",
            Self::EventApart => "M4",
            Self::UnsignedWebhook => "M5",
            Self::KeyIgnored => "X2",
            Self::NotRescanned | Self::ConfirmedMeanwhile => "L1",
            Self::TicketUnsigned => "W1",
            Self::StatusEnters | Self::PassBeforeItsTime => "W4",
            Self::CountsBelieved => "W5",
            Self::EnterBooksAgain => "W8",
            Self::LossUnnoticed | Self::BeatsForgotten | Self::StoreAwaited => "W10",
        }
    }

    /// Whether it is of the waiting room, which has a simulated world of its own.
    pub const fn is_of_the_line(self) -> bool {
        self as usize >= Self::LossUnnoticed as usize
    }
}

#[cfg(feature = "plants")]
thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Whether this bug is to be made here. Never.
#[cfg(not(feature = "plants"))]
#[inline(always)]
pub const fn planted(_: Plant) -> bool {
    false
}

/// Whether this bug is to be made here, on this thread.
#[cfg(feature = "plants")]
pub fn planted(plant: Plant) -> bool {
    PLANTED.try_with(Cell::get).is_ok_and(|planted| planted == Some(plant))
}

/// Plants one bug on this thread in place of the one before; `None` = none.
#[cfg(feature = "plants")]
pub fn plant(plant: Option<Plant>) {
    PLANTED.set(plant);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_plant_is_listed_once_under_a_name_of_its_own() {
        let names: BTreeSet<_> = Plant::ALL.into_iter().map(Plant::name).collect();
        assert_eq!(names.len(), Plant::ALL.len());
        assert_eq!(Plant::ALL.last().map(|last| *last as usize + 1), Some(Plant::ALL.len()));
        assert!(Plant::ALL.is_sorted());
    }

    #[test]
    #[cfg(not(feature = "plants"))]
    fn nothing_is_planted_where_nothing_can_be() {
        assert!(!Plant::ALL.into_iter().any(planted));
    }

    #[test]
    #[cfg(feature = "plants")]
    fn one_bug_at_a_time_is_planted() {
        assert!(!Plant::ALL.into_iter().any(planted));
        plant(Some(Plant::HalfHold));
        assert!(Plant::ALL.into_iter().all(|bug| planted(bug) == (bug == Plant::HalfHold)));
        plant(None);
        assert!(!planted(Plant::HalfHold));
    }
}
