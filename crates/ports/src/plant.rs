//! Planted bugs: one for each trap that the simulator must find. A check that has never failed
//! proves nothing, so each run of `sim` over the plants shows that every one of them is caught.
//!
//! Without the feature `plants`, [`planted`] is the constant `false` and the compiler drops the
//! wrong branch. With it, one plant at a time is set on the thread that runs the simulated world. A
//! wrong branch stands where the mistake would be made, so it keeps compiling, and testing, as the
//! code around it changes.

#[cfg(feature = "plants")]
use std::cell::Cell;

/// The one list of plants: what is wrong, its name for command lines and reports, and the trap that
/// it is (docs/traps.md), or the invariant that it breaks where no trap names it. The groups are
/// the simulated worlds that look for it.
macro_rules! plants {
    ($($world:ident { $($(#[$doc:meta])* $plant:ident = $name:literal, $trap:literal;)* })*) => {
        /// A bug that the simulator must find.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Plant { $($($(#[$doc])* $plant,)*)* }

        impl Plant {
            /// Every plant.
            pub const ALL: &'static [Self] = &[$($(Self::$plant,)*)*];

            /// The word for command lines and reports.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$plant => $name,)*)* }
            }

            /// The trap that it is, such as `T-M5`; where no trap names it, the invariant that it
            /// breaks.
            pub const fn trap(self) -> &'static str {
                match self { $($(Self::$plant => $trap,)*)* }
            }

            /// The simulated world that looks for it.
            pub const fn world(self) -> World {
                match self { $($(Self::$plant => World::$world,)*)* }
            }
        }
    };
}

/// The simulated worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// The services behind the gateway.
    Services,
    /// The gateways and the store of their lines.
    WaitingRoom,
}

plants! {
    Services {
        /// The worker deletes a message when it starts the handler, not after the effect.
        DeleteBeforeEffect = "delete_before_effect", "T-T1";
        /// The shutdown of the worker does not wait for the polls in the air: they are dropped with
        /// the loop.
        PollCancelled = "poll_cancelled", "T-T2";
        /// After a head has failed, its lane continues with the next message.
        FollowersOvertake = "followers_overtake", "T-T3";
        /// A message that is no event is deleted without a copy in the dead-letter queue.
        UndecodableDropped = "undecodable_dropped", "T-T4";
        /// The queue's count of receives is used as the count of attempts.
        AttemptsByReceives = "attempts_by_receives", "T-T5";
        /// A failed renewal counts as a success: the worker keeps working without a lease.
        LeaseAssumed = "lease_assumed", "T-T6";
        /// A message that is received again while the worker has it is settled under its first
        /// receipt.
        StaleHandle = "stale_handle", "T-T7";
        /// The results of the entries of a delete or a hide are not read: an answered call counts
        /// as a success.
        BatchResultsIgnored = "batch_results_ignored", "T-T8";
        /// A run without an answer from a downstream counts as an attempt even in an outage, and
        /// its message is buried.
        OutageCounts = "outage_counts", "T-T10";
        /// A dead letter is sent back under the deduplication id of its event.
        RedriveSameDedup = "redrive_same_dedup", "T-T13";
        /// The answer under an Idempotency-Key is recorded in a commit of its own, before the
        /// reservation and its event.
        RecordBeforeEffect = "record_before_effect", "T-T14";
        /// The relay deletes the row of an event when it sends it, not when the queue has confirmed
        /// it.
        DeletedBeforeSend = "deleted_before_send", "T-T1";
        /// A release looks at the reservation alone: a committed hold is released and its sold
        /// seats are AVAILABLE again.
        ReleaseSold = "release_sold", "T-S2";
        /// An approved payment confirms the reservation first and commits the seats after.
        ConfirmBeforeCommit = "confirm_before_commit", "T-S3";
        /// A hold is released as expired before it is due.
        EarlyRelease = "early_release", "T-S7";
        /// A commit of the inventory without an answer counts as done.
        AmbiguousIsDone = "ambiguous_is_done", "T-S9";
        /// The row of a hold and the rows of its seats are two commits.
        HalfHold = "half_hold", "I5";
        /// A payment that came too late, when no seats were left, is kept.
        LateMoneyKept = "late_money_kept", "T-M1";
        /// Cancelling a refunded payment refunds it again.
        RefundTwice = "refund_twice", "T-M2";
        /// A failure that is reported after the money was taken makes the payment FAILED.
        LateFailureWins = "late_failure_wins", "T-M3";
        /// A payment's outcome is committed first, its event and webhook in a second commit.
        EventApart = "event_apart", "T-M4";
        /// A webhook with a wrong signature is accepted.
        UnsignedWebhook = "unsigned_webhook", "T-M5";
        /// Whatever the provider reports, an approved payment buys the seats (rules R1).
        AnyPayment = "any_payment", "T-M6";
        /// A payment of which a part was refunded counts as refunded (rules R3).
        PartIsAll = "part_is_all", "T-M2";
        /// Something that is not the reservation's service answers a GET, and it is read as "no
        /// such reservation" (rules R8).
        UntypedIsNo = "untyped_is_no", "T-M8";
        /// A reservation has a random id although its request has an Idempotency-Key.
        KeyIgnored = "key_ignored", "X2";
        /// The refusal of a late commit is written without looking for a second hold. A real bug
        /// until the simulator found it.
        RefusalAlone = "refusal_alone", "T-M1";
        /// Messages that are received behind a redelivered one do not wait for it. A real bug until
        /// the simulator found it.
        ComesAgainAlone = "comes_again_alone", "T-T3";
        /// A poll may wait longer than the lease of its messages. A real bug until the simulator
        /// found it.
        WaitOutlivesLease = "wait_outlives_lease", "T-T6";
        /// Seats are committed in the name of the payer. A real bug until the simulator found it.
        PayerHolds = "payer_holds", "T-M1";
        /// A reservation that was confirmed between a release and its end is buried as a
        /// contradiction. Was a real bug.
        ConfirmedMeanwhile = "confirmed_meanwhile", "L1";
        /// The late answer of an earlier receive replaces a newer receipt. A real bug until the
        /// simulator found it.
        LateAnswerWins = "late_answer_wins", "T-T7";
        /// The relay gets no hint of new rows and never rescans: it publishes only the rows that it
        /// finds at its start.
        NotRescanned = "not_rescanned", "L1";
    }
    WaitingRoom {
        /// The waiting room's store restores what it has kept and treats that as no loss.
        LossUnnoticed = "loss_unnoticed", "T-W10";
        /// A gateway does not repeat its signs of life to a store that has lost data.
        BeatsForgotten = "beats_forgotten", "T-W10";
        /// A gateway hands a pass out at once, not when its time in the rate has come.
        PassBeforeItsTime = "pass_before_its_time", "T-W4";
        /// A person who enters again books another pass.
        EnterBooksAgain = "enter_books_again", "T-W8";
        /// A gateway lets people in when they only ask for their status during their turn.
        StatusEnters = "status_enters", "T-W4";
        /// A gateway accepts any ticket.
        TicketUnsigned = "ticket_unsigned", "T-W1";
        /// A gateway answers from the counts alone and never asks the store whose turn it is.
        CountsTrusted = "counts_trusted", "T-W5";
        /// A gateway waits for the store without a limit.
        StoreAwaited = "store_awaited", "T-W10";
    }
}

#[cfg(feature = "plants")]
thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Whether to make this mistake here. Never in this build.
#[cfg(not(feature = "plants"))]
#[inline(always)]
pub const fn planted(_: Plant) -> bool {
    false
}

/// Whether to make this mistake here, on this thread.
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
    fn every_plant_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Plant::ALL.iter().map(|plant| plant.name()).collect();
        assert_eq!(names.len(), Plant::ALL.len());
    }

    #[test]
    #[cfg(not(feature = "plants"))]
    fn nothing_is_planted_where_nothing_can_be() {
        assert!(!Plant::ALL.iter().copied().any(planted));
    }

    #[test]
    #[cfg(feature = "plants")]
    fn one_bug_at_a_time_is_planted() {
        assert!(!Plant::ALL.iter().copied().any(planted));
        plant(Some(Plant::HalfHold));
        assert!(Plant::ALL.iter().all(|bug| planted(*bug) == (*bug == Plant::HalfHold)));
        plant(None);
        assert!(!planted(Plant::HalfHold));
    }
}
