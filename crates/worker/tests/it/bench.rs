//! A worker on a queue and peers in virtual time, and events to feed it.

use crate::peers::ScriptedPeers;
use crate::queue::MemoryQueue;
use contracts::envelope;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, PaymentIntentId, ReservationId, SeatId, ShowId};
use domain::time::Timestamp;
use ports::queue::{Outgoing, QueueKind};
use ports::{Clock, Tasks};
use runtime::{Process, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::SeededEntropy;
use tokio_util::sync::CancellationToken;
use worker::{Config, Deps, Handle, PipelineOptions, Worker, assemble};

pub(crate) struct Bench {
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) letters: Arc<MemoryQueue>,
    pub(crate) peers: Arc<ScriptedPeers>,
    pub(crate) tasks: Tasks,
    pub(crate) process: Process,
    pub(crate) config: Config,
    pub(crate) with_letters: bool,
    shutdown: CancellationToken,
    ended: Arc<AtomicBool>,
}

impl Bench {
    pub(crate) fn new(kind: QueueKind) -> Self {
        let clock = Arc::new(SystemClock::new());
        Self {
            queue: MemoryQueue::new(kind, clock.clone()),
            letters: MemoryQueue::new(QueueKind::Fifo, clock.clone()),
            peers: ScriptedPeers::new(clock.clone()),
            clock,
            tasks: Tasks::new(),
            process: Process::new("reservation-worker"),
            config: Config::default(),
            with_letters: true,
            shutdown: CancellationToken::new(),
            ended: Arc::default(),
        }
    }

    pub(crate) fn fifo() -> Self {
        Self::new(QueueKind::Fifo)
    }

    pub(crate) fn standard() -> Self {
        Self::new(QueueKind::Standard)
    }

    /// Another process on the same queues and peers.
    pub(crate) fn next(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            queue: self.queue.clone(),
            letters: self.letters.clone(),
            peers: self.peers.clone(),
            config: self.config.clone(),
            ..Self::fifo()
        }
    }

    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut PipelineOptions)) -> Self {
        change(&mut self.config.pipeline);
        self
    }

    pub(crate) fn worker(&self) -> Worker {
        let deps = Deps {
            queue: self.queue.clone(),
            dead_letter_queue: self.with_letters.then(|| self.letters.clone() as _),
            dead_letters: Some(self.letters.clone()),
            peers: self.peers.as_ports(),
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::default()),
            tasks: self.tasks.clone(),
            process: self.process.clone(),
        };
        assemble(self.config.clone(), deps)
    }

    /// Starts consuming.
    pub(crate) fn start(&self) -> Handle {
        let worker = self.worker();
        let handle = worker.handle();
        let (shutdown, ended) = (self.shutdown.clone(), self.ended.clone());
        self.tasks.spawn(async move {
            worker.consume(shutdown).await;
            ended.store(true, Ordering::SeqCst);
        });
        handle
    }

    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits for a condition in virtual time; an hour without it is a failure.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let begun = self.clock.elapsed();
        while !condition() {
            let waited = self.clock.elapsed() - begun;
            assert!(waited < Duration::from_secs(3_600), "never came true: {what}");
            // Looks often at first and then less and less often.
            let step = (waited / 100).clamp(Duration::from_millis(1), Duration::from_millis(250));
            self.clock.sleep(step).await;
        }
    }

    /// Lets this much time pass, in which something could go wrong.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    pub(crate) async fn shut_down(&self) {
        self.begin_shutdown();
        self.until("the worker ends", || self.has_ended()).await;
    }

    pub(crate) fn put(&self, event: &Event) {
        self.peers.pay(event);
        self.queue.put(outgoing(event));
    }

    pub(crate) fn metric(&self, line: &str) -> u64 {
        let text = self.process.metrics.render();
        let found =
            text.lines().find_map(|l| l.strip_prefix(line)).unwrap_or_else(|| panic!("no {line} in\n{text}"));
        found.trim().parse::<f64>().expect("a number") as u64
    }
}

/// No watched invariant was violated.
pub(crate) fn assert_invariants(handle: &Handle) {
    for (name, seen) in handle.observations() {
        assert_eq!(seen.violations, 0, "{name}: {}", name.meaning());
    }
}

pub(crate) fn rsv(n: usize) -> String {
    format!("rsv_{n}")
}

fn event(reservation: &str, id: &str, fact: Fact) -> Event {
    Event {
        id: EventId::parse(id).expect("valid"),
        source: "test".into(),
        at: Timestamp::from_millis(1_700_000_000_000),
        trace_id: Some("5b8aa5a2d2c872e8321cf37308d69df2".into()),
        reservation: ReservationId::parse(reservation).expect("valid"),
        seats: SeatsHint {
            show: ShowId::parse("show").ok(),
            seats: vec![SeatId::parse("A-1-1").expect("valid")],
            quantity: Some(1),
        },
        person: None,
        fact,
    }
}

pub(crate) fn expired(reservation: &str) -> Event {
    event(reservation, &format!("evt_exp_{reservation}"), Fact::ReservationExpired { expired_at: None })
}

pub(crate) fn approved(reservation: &str, intent: &str) -> Event {
    let intent = PaymentIntentId::parse(intent).expect("valid");
    event(reservation, &format!("evt_ok_{intent}"), Fact::PaymentApproved { intent, amount: None })
}

pub(crate) fn failed(reservation: &str, intent: &str) -> Event {
    let intent = PaymentIntentId::parse(intent).expect("valid");
    let fact = Fact::PaymentFailed {
        intent: intent.clone(),
        amount: None,
        error_code: Some("DECLINED".into()),
        error_message: None,
    };
    event(reservation, &format!("evt_no_{intent}"), fact)
}

pub(crate) fn without_seats(mut event: Event) -> Event {
    event.seats = SeatsHint::default();
    event
}

pub(crate) fn outgoing(event: &Event) -> Outgoing {
    raw(envelope::encode(event), event.reservation.as_str(), event.id.as_str())
}

pub(crate) fn raw(body: impl Into<String>, group: &str, dedup_id: &str) -> Outgoing {
    Outgoing {
        body: body.into(),
        group: Some(group.to_owned()),
        dedup_id: Some(dedup_id.to_owned()),
        ..Outgoing::default()
    }
}
