//! A small SQS: the JSON protocol, standard and FIFO, on loopback, without signatures.
//!
//! It implements the documented behaviour that the worker uses: leases and their ends, receive
//! counts, group blocking and order, deduplication, long polls, a result for each entry, redrive to
//! a dead-letter queue. It leaves out `MD5OfBody`, which the SDKs for Rust and Python do not check,
//! content-based deduplication, and the limits on messages in flight.

mod action;
mod answer;
mod faults;
mod message;
mod queue;
mod queues;
mod refusal;
mod request;
mod service;

pub use action::Action;
pub use faults::{Failure, SqsFaults};

use crate::http1;
use crate::journal::Journal;
use crate::listener::Listener;
use service::Service;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The specification of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name; FIFO if it ends in `.fifo`.
    pub name: String,
    /// The lease of a receive that names none.
    pub visibility: Duration,
    /// The name of the dead-letter queue, and the number of receives after which a message is moved
    /// there.
    pub redrive: Option<(String, u32)>,
}

/// A message to send without HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Push {
    /// The text.
    pub body: String,
    /// The message group; required on FIFO.
    pub group: Option<String>,
    /// The deduplication id; required on FIFO.
    pub dedup_id: Option<String>,
    /// Hidden for this long at first.
    pub delay: Duration,
    /// Named texts beside the body.
    pub attributes: Vec<(String, String)>,
    /// The system attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
}

/// The numbers of messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Ready, or behind a leased message of their group.
    pub visible: usize,
    /// Under a lease.
    pub in_flight: usize,
    /// Not yet due.
    pub delayed: usize,
    /// The most messages under a lease at once so far.
    pub in_flight_max: usize,
}

/// The queue server; ends when it is dropped.
pub struct Sqs {
    listener: Listener,
    service: Arc<Service>,
}

impl Sqs {
    /// Starts it without queues on the current tokio runtime.
    pub async fn start(journal: Arc<Journal>) -> io::Result<Self> {
        let service = Arc::new(Service::new(journal));
        let served = service.clone();
        let listener = Listener::open(move |stream| http1::serve(stream, served.clone())).await?;
        service.set_base(format!("http://{}", listener.address()));
        Ok(Self { listener, service })
    }

    /// The value for `AWS_ENDPOINT_URL_SQS`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Creates a queue; returns its URL. A dead-letter queue must exist before the queue that names
    /// it.
    pub fn create(&self, spec: QueueSpec) -> String {
        let url = self.service.url(&spec.name);
        self.service.queues().create(spec);
        url
    }

    /// Sends a message; returns its id, or `None` if no such queue exists or it refuses the message
    /// (a FIFO queue requires a group and a deduplication id).
    pub fn push(&self, queue: &str, push: Push) -> Option<String> {
        let now = self.service.now();
        let sent = {
            let mut queues = self.service.queues();
            let index = queues.find(queue)?;
            queues.send(index, push, Vec::new(), now)
        };
        self.service.sent(sent.ok()?)
    }

    /// The numbers of the queue's messages; all zero if no queue has this name.
    pub fn depth(&self, queue: &str) -> Depth {
        let now = self.service.now();
        let mut queues = self.service.queues();
        queues.find(queue).map(|index| queues.get(index, now).depth()).unwrap_or_default()
    }

    /// The messages of a queue in any state, oldest first: bodies and text attributes.
    pub fn messages(&self, queue: &str) -> Vec<Push> {
        let now = self.service.now();
        let mut queues = self.service.queues();
        let Some(index) = queues.find(queue) else { return Vec::new() };
        let mut messages: Vec<_> = queues.get(index, now).messages().collect();
        messages.sort_by_key(|message| message.place);
        messages.into_iter().map(message::Message::to_push).collect()
    }

    /// Calls so far, refused ones included.
    pub fn calls(&self, action: Action) -> u64 {
        self.service.calls(action)
    }

    /// Messages that were deleted so far.
    pub fn deleted(&self) -> u64 {
        self.service.deleted()
    }

    /// Changes how it misbehaves.
    pub fn misbehave(&self, change: impl FnOnce(&mut SqsFaults)) {
        self.service.change(change);
    }

    /// Closes all connections and refuses new ones (`false`), or accepts them again on the same
    /// port (`true`).
    pub fn set_open(&self, open: bool) {
        self.listener.set_open(open);
    }

    /// Moves its clock forward: leases, delays and long polls end, the deduplication window passes.
    pub fn advance(&self, by: Duration) {
        self.service.advance(by);
    }
}
