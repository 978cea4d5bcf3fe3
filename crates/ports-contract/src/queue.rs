//! The contract suite of the [`Queue`] port.
//!
//! Each case is a function over a [`QueueHarness`]; [`crate::queue_contract!`] turns all of them
//! into tests, so that an engine's test binary reports each by name. The cases check what the port
//! promises and SQS documents. A known difference of an engine has a name in [`Differences`], and
//! the case then asks for less.
//!
//! Time is the harness's: an engine on a manual clock jumps, a real server takes its time. No case
//! depends on how long a call really takes: it looks for a hidden message before its time, then
//! moves time well past it.

mod fifo;
mod leases;
mod messages;
mod polling;
mod redrive;
mod restart;

pub use fifo::*;
pub use leases::*;
pub use messages::*;
pub use polling::*;
pub use redrive::*;
pub use restart::*;

use async_trait::async_trait;
use core::time::Duration;
use ports::fault::{Fault, FaultClass};
use ports::queue::{Message, Outgoing, Queue, QueueKind, Receipt, Receive, Sent};
use std::sync::Arc;

/// The visibility of every queue of the suite unless a case says otherwise. Short, for engines that
/// run in real time.
pub const VISIBILITY: Duration = Duration::from_secs(4);

/// What an engine's tests give to the suite.
#[async_trait]
pub trait QueueHarness: Send + Sync {
    /// An empty queue with [`VISIBILITY`].
    async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue>;
    /// An empty queue and its empty dead-letter queue.
    async fn queue_with_redrive(
        &self,
        kind: QueueKind,
        max_receive_count: u32,
    ) -> (Arc<dyn Queue>, Arc<dyn Queue>);
    /// Lets that much time pass for the queues.
    async fn advance(&self, duration: Duration);
    /// The same queue after a restart of the engine; `None` if the engine is a service that we
    /// cannot restart.
    async fn reopen(&self, queue: Arc<dyn Queue>) -> Option<Arc<dyn Queue>>;
    /// How long a receive may wait for a message that is there. Zero if an empty answer proves an
    /// empty queue.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
    /// The known differences of the engine.
    fn differences(&self) -> Differences {
        Differences::default()
    }
}

/// Documented differences of an engine from SQS. All `false` for an engine that does what SQS does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Differences {
    /// The harness cannot let minutes pass: the end of the deduplication window is not tested.
    pub minutes_are_real: bool,
    /// A receive that is dropped may take messages along until their lease ends (SQS itself).
    pub dropped_receive_may_orphan: bool,
    /// An old receipt still deletes on a FIFO queue.
    pub stale_fifo_receipt_deletes: bool,
    /// A receipt whose lease has ended may still change the visibility.
    pub stale_receipt_extends: bool,
    /// An old receipt of a message that was received again is refused on a standard queue.
    pub old_standard_receipt_is_refused: bool,
    /// Deleting a message again is refused.
    pub repeated_delete_is_refused: bool,
    /// The twelve hours count from the last change of the visibility, not from the receive.
    pub visibility_is_renewed_for_ever: bool,
    /// A message that is handed back is redelivered while another of its group, received with it,
    /// is still in flight.
    pub handing_back_frees_the_group: bool,
    /// `depth` is approximate (SQS itself).
    pub depth_is_approximate: bool,
    /// `send` does not say whether a message was deduplicated (SQS itself).
    pub silent_deduplication: bool,
}

/// Turns every case into a test. The argument makes a harness; the calling crate needs tokio with
/// `macros`.
#[macro_export]
macro_rules! queue_contract {
    ($harness:expr) => {
        $crate::queue_contract!(@cases $harness;
            a_sent_message_is_received_as_it_was_sent,
            a_batch_of_ten_has_a_result_per_entry,
            batches_of_none_or_more_than_ten_are_refused,
            a_receive_outside_its_limits_is_refused,
            a_message_may_be_any_text,
            a_message_over_the_limit_is_refused_and_the_rest_is_sent,
            a_deleted_message_never_comes_again,
            deleting_a_deleted_message_succeeds,
            a_malformed_receipt_fails_alone,
            a_delayed_message_stays_hidden_for_its_delay,
            depth_counts_visible_in_flight_and_delayed,
            a_leased_message_is_hidden_until_its_lease_ends,
            each_receive_has_its_own_receipt_and_counts,
            a_renewed_lease_hides_longer,
            a_message_handed_back_is_visible_at_once,
            a_receive_may_set_its_own_visibility,
            a_receipt_whose_lease_has_ended_changes_nothing,
            visibility_ends_twelve_hours_after_the_receive,
            an_old_receipt_deletes_on_a_standard_queue,
            an_old_receipt_is_refused_on_a_fifo_queue,
            two_receivers_never_have_the_same_message,
            a_group_comes_in_the_order_it_was_sent,
            a_group_with_a_message_in_flight_gives_nothing_and_others_flow,
            a_group_flows_again_when_its_last_message_in_flight_is_settled,
            one_receive_may_bring_several_of_a_group_in_order,
            a_message_returns_to_its_old_place_in_its_group,
            a_fifo_queue_needs_a_group_and_a_deduplication_id,
            a_fifo_queue_delays_no_single_message,
            a_repetition_within_the_window_is_answered_with_the_first_and_not_stored,
            a_repetition_after_the_window_is_a_new_message,
            repetitions_sent_at_the_same_time_store_one_message,
            a_standard_queue_ignores_deduplication_ids,
            a_long_poll_answers_when_a_message_is_sent,
            a_long_poll_answers_when_a_lease_ends,
            a_long_poll_answers_when_a_delay_ends,
            a_long_poll_answers_when_a_message_is_handed_back,
            a_long_poll_answers_when_its_group_is_free,
            a_long_poll_without_a_message_ends_with_its_wait,
            every_one_of_many_long_polls_gets_its_message,
            a_dropped_long_poll_takes_nothing_along,
            a_message_received_too_often_goes_to_the_dead_letter_queue,
            a_spent_head_does_not_block_its_group,
            the_redrive_policy_can_be_read,
            messages_survive_a_restart_until_they_are_deleted,
            receive_counts_survive_a_restart_and_reach_the_redrive,
            the_deduplication_window_survives_a_restart,
            the_order_of_a_group_survives_a_restart,
        );
    };
    (@cases $harness:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::queue::$case(&$harness).await;
            }
        )*
    };
}

pub(crate) const KINDS: [QueueKind; 2] = [QueueKind::Standard, QueueKind::Fifo];

/// A message that both kinds of queue accept; the body is its deduplication id.
pub(crate) fn message(kind: QueueKind, group: &str, body: &str) -> Outgoing {
    let fifo = kind == QueueKind::Fifo;
    Outgoing {
        body: body.to_owned(),
        group: fifo.then(|| group.to_owned()),
        dedup_id: fifo.then(|| body.to_owned()),
        ..Outgoing::default()
    }
}

/// Sends that must all succeed.
pub(crate) async fn sent(queue: &dyn Queue, entries: Vec<Outgoing>) -> Vec<Sent> {
    let count = entries.len();
    let results = queue.send(entries).await.expect("a send succeeds");
    assert_eq!(results.len(), count, "one result for each entry");
    results.into_iter().map(|result| result.expect("an entry is accepted")).collect()
}

/// Sends one message of a group.
pub(crate) async fn send_one(queue: &dyn Queue, group: &str, body: &str) -> Sent {
    sent(queue, vec![message(queue.kind(), group, body)]).await.pop().expect("one result for one entry")
}

/// One receive of up to `max`, waiting no longer than the harness's patience.
pub(crate) async fn receive(harness: &dyn QueueHarness, queue: &dyn Queue, max: usize) -> Vec<Message> {
    let request = Receive { max, wait: harness.patience(), visibility: None };
    let messages = queue.receive(request).await.expect("a receive succeeds");
    assert!(messages.len() <= max, "{} messages for a receive of {max}", messages.len());
    messages
}

/// Receives until `count` messages arrived, or no more arrive.
pub(crate) async fn receive_all(harness: &dyn QueueHarness, queue: &dyn Queue, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut empty = 0;
    while messages.len() < count && empty < 3 {
        let next = receive(harness, queue, (count - messages.len()).min(10)).await;
        empty = if next.is_empty() { empty + 1 } else { 0 };
        messages.extend(next);
    }
    messages
}

/// The one message that must be there.
pub(crate) async fn receive_one(harness: &dyn QueueHarness, queue: &dyn Queue) -> Message {
    let mut messages = receive_all(harness, queue, 1).await;
    messages.pop().expect("a message is there")
}

pub(crate) async fn is_empty(harness: &dyn QueueHarness, queue: &dyn Queue) {
    let messages = receive(harness, queue, 10).await;
    assert!(messages.is_empty(), "no message should be visible: {:?}", bodies(&messages));
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

pub(crate) fn receipts(messages: &[Message]) -> Vec<Receipt> {
    messages.iter().map(|message| message.receipt.clone()).collect()
}

/// Deletes that must all succeed.
pub(crate) async fn deleted(queue: &dyn Queue, messages: &[Message]) {
    for chunk in messages.chunks(10) {
        for result in queue.delete(receipts(chunk)).await.expect("a delete succeeds") {
            result.expect("an entry is deleted");
        }
    }
}

/// Changes one lease.
pub(crate) async fn visible_in(
    queue: &dyn Queue,
    message: &Message,
    visibility: Duration,
) -> Result<(), Fault> {
    let mut results = queue
        .change_visibility(vec![(message.receipt.clone(), visibility)])
        .await
        .expect("the batch is accepted");
    assert_eq!(results.len(), 1, "one result for one entry");
    results.pop().expect("counted above")
}

/// A failure that a retry cannot fix.
pub(crate) fn is_permanent<T: core::fmt::Debug>(result: Result<T, Fault>) {
    let fault = result.expect_err("refused");
    assert_eq!(fault.class, FaultClass::Permanent, "{fault}");
}

/// Well past the visibility of the suite's queues.
pub(crate) async fn let_leases_end(harness: &dyn QueueHarness) {
    harness.advance(VISIBILITY + Duration::from_secs(1)).await;
}
