//! The signals to the event loop: answers of polls, of handlers and of the queue. Tasks send, the
//! loop alone acts.

use super::deliveries::DeliveryId;
use crate::metrics::Operation;
use crate::service::{Handled, Stop};
use crate::work::Content;
use core::time::Duration;
use ports::Fault;
use ports::queue::{Depth, Message, Receipt, RedrivePolicy, Sent};
use tokio::sync::mpsc::UnboundedSender;

/// A message of a poll, already decoded.
pub(super) struct Arrival {
    pub(super) message: Message,
    pub(super) content: Content,
    /// When the receive started: the lease may be as old as that.
    pub(super) requested_at: Duration,
}

pub(super) enum Signal {
    Polled { poll: u64, result: Result<Vec<Arrival>, Fault> },
    Ended { id: DeliveryId, handled: Handled },
    Settled { operation: Operation, entries: Vec<(DeliveryId, Receipt)>, results: Answers<()> },
    Renewed { sent_at: Duration, entries: Vec<(DeliveryId, Receipt)>, results: Answers<()> },
    Copied { ids: Vec<DeliveryId>, results: Answers<Sent> },
    Depth(Result<Depth, Fault>),
    Redrive(Result<Option<RedrivePolicy>, Fault>),
}

/// A result per entry, or one failure for all.
pub(super) type Answers<T> = Result<Vec<Result<T, Fault>>, Fault>;

/// Returns each entry's own result, in order. A failure of the whole call is each entry's failure,
/// and so is an answer without the entry.
pub(super) fn per_entry<T>(answers: Answers<T>, entries: usize) -> Vec<Result<T, Fault>> {
    let repeat = |fault: &Fault| Fault::new(fault.class, fault.chain());
    match answers {
        Ok(mut results) => {
            results.truncate(entries);
            let missing = entries - results.len();
            results
                .extend((0..missing).map(|_| Err(Fault::transient("the queue's answer lacks this entry"))));
            results
        }
        Err(fault) => (0..entries).map(|_| Err(repeat(&fault))).collect(),
    }
}

/// Reports the end of a run to the loop, however it ends: returned, cancelled, or unwound by a
/// panic.
pub(super) struct RunGuard {
    signals: UnboundedSender<Signal>,
    id: DeliveryId,
    reported: bool,
}

impl RunGuard {
    pub(super) fn new(signals: UnboundedSender<Signal>, id: DeliveryId) -> Self {
        Self { signals, id, reported: false }
    }

    pub(super) fn report(mut self, handled: Handled) {
        self.reported = true;
        // Without a loop nothing settles the message: its lease runs out and it is redelivered.
        let _ = self.signals.send(Signal::Ended { id: self.id, handled });
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if !self.reported {
            let stop = if std::thread::panicking() {
                Stop::Transient { error: "the handler panicked".into() }
            } else {
                Stop::Interrupted
            };
            let _ = self.signals.send(Signal::Ended { id: self.id, handled: Handled::stopped(stop) });
        }
    }
}
