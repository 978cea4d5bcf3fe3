//! The queue of alarms: nobody waits for it, and the alarms it cannot set are counted.

use crate::fixture::event;
use async_trait::async_trait;
use core::time::Duration;
use domain::id::EventId;
use domain::time::Timestamp;
use outbox::{AlarmOptions, Alarms, AlarmsHandle};
use ports::{Alarm, Backstop, Fault, Tasks};
use std::sync::{Arc, Mutex};
use testkit::{ManualClock, until};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A backstop that answers as often as it is allowed to.
struct Slow {
    allowed: Semaphore,
    refuses: bool,
    set: Mutex<Vec<Alarm>>,
    begun: Mutex<usize>,
}

#[async_trait]
impl Backstop for Slow {
    async fn set(&self, alarm: &Alarm) -> Result<(), Fault> {
        *self.begun.lock().unwrap() += 1;
        self.allowed.acquire().await.unwrap().forget();
        if self.refuses {
            return Err(Fault::unavailable("the backstop is slow today"));
        }
        self.set.lock().unwrap().push(alarm.clone());
        Ok(())
    }

    async fn cancel(&self, _: &EventId) -> Result<(), Fault> {
        Ok(())
    }
}

struct Line {
    clock: Arc<ManualClock>,
    backstop: Arc<Slow>,
    handle: AlarmsHandle,
    metrics: outbox::AlarmMetrics,
    tasks: Tasks,
    shutdown: CancellationToken,
}

impl Line {
    /// Two calls run at the same time, three more may wait.
    fn new(allowed: usize, refuses: bool) -> Self {
        let clock = Arc::new(ManualClock::default());
        let allowed = Semaphore::new(allowed);
        let backstop = Arc::new(Slow { allowed, refuses, set: Mutex::default(), begun: Mutex::default() });
        let options = AlarmOptions { waiting_max: 3, in_flight_max: 2, ..AlarmOptions::default() };
        let alarms = Alarms::new(backstop.clone(), clock.clone(), options);
        let (handle, metrics) = (alarms.handle(), alarms.metrics());
        let (tasks, shutdown) = (Tasks::new(), CancellationToken::new());
        tasks.spawn(alarms.run(shutdown.clone()));
        Self { clock, backstop, handle, metrics, tasks, shutdown }
    }

    fn set(&self, number: u64) {
        let event = event(&format!("rsv_{number}"), &format!("evt_{number}"));
        self.handle.set(&event, Timestamp::from_millis(number));
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        until(&self.clock, Duration::ZERO, what, || async { holds() }).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.finished().await;
    }
}

#[tokio::test]
async fn an_alarm_carries_the_event_as_the_queue_would() {
    let line = Line::new(1, false);
    line.set(7);
    line.until("it is set", || line.metrics.set.get() == 1).await;
    let alarm = line.backstop.set.lock().unwrap()[0].clone();
    assert_eq!((alarm.event_id.as_str(), alarm.at), ("evt_7", Timestamp::from_millis(7)));
    let (read, _) = contracts::envelope::decode(&alarm.body, "m", &[]).unwrap();
    assert_eq!(read, event("rsv_7", "evt_7"));
    line.stop().await;
}

#[tokio::test]
async fn a_slow_backstop_delays_no_caller_and_its_queue_is_bounded() {
    let line = Line::new(0, false);
    line.set(0);
    line.set(1);
    line.until("two calls are in flight", || *line.backstop.begun.lock().unwrap() == 2).await;
    for number in 2..10 {
        // Returns at once, whatever the backstop does.
        line.set(number);
    }
    assert_eq!(line.metrics.dropped.get(), 5, "the queue has room for three of eight");
    assert_eq!(*line.backstop.begun.lock().unwrap(), 2);
    line.backstop.allowed.add_permits(100);
    line.until("the queue is empty", || line.metrics.set.get() == 5).await;
    assert_eq!(line.metrics.failed.get(), 0);
    line.stop().await;
}

#[tokio::test]
async fn a_failed_alarm_is_counted_and_the_next_is_tried() {
    let line = Line::new(100, true);
    for number in 0..3 {
        line.set(number);
    }
    line.until("all failed", || line.metrics.failed.get() == 3).await;
    assert_eq!((line.metrics.set.get(), line.metrics.dropped.get()), (0, 0));
    line.stop().await;
}

#[tokio::test]
async fn a_call_that_never_ends_is_given_up() {
    let line = Line::new(0, false);
    line.set(1);
    line.until("it is in flight", || *line.backstop.begun.lock().unwrap() == 1).await;
    until(&line.clock, Duration::from_secs(1), "it is given up", || async { line.metrics.failed.get() == 1 })
        .await;
    line.stop().await;
}
