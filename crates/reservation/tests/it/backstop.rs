//! The timer outside this process: each expiry is announced to it too, for later than the relay,
//! and nothing depends on it.

use crate::fixture::{Fixture, HOLD, wish};
use async_trait::async_trait;
use core::time::Duration;
use domain::id::EventId;
use ports::{Alarm, Backstop, Fault, Tasks, Trace};
use reservation::{Service, assemble};
use std::sync::{Arc, Mutex};
use testkit::until;
use tokio_util::sync::CancellationToken;

/// Records its alarms, or never answers.
#[derive(Default)]
struct Told {
    is_silent: bool,
    alarms: Mutex<Vec<Alarm>>,
}

#[async_trait]
impl Backstop for Told {
    async fn set(&self, alarm: &Alarm) -> Result<(), Fault> {
        self.alarms.lock().unwrap().push(alarm.clone());
        if self.is_silent {
            core::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn cancel(&self, _: &EventId) -> Result<(), Fault> {
        Ok(())
    }
}

/// Another service on the same folder, which also sets alarms at the backstop.
fn service(fixture: &Fixture, backstop: &Arc<Told>) -> (Service, Tasks, CancellationToken) {
    let mut deps = fixture.deps();
    deps.backstop = Some(backstop.clone());
    let (service, background) = assemble(&fixture.config, &deps);
    let stop = CancellationToken::new();
    deps.tasks.spawn(background.run(stop.clone()));
    (service, deps.tasks, stop)
}

#[tokio::test]
async fn each_expiry_sets_an_alarm_a_minute_late() {
    let (fixture, backstop) = (Fixture::new(), Arc::new(Told::default()));
    let (service, tasks, stop) = service(&fixture, &backstop);
    let placed = service.create(&wish("k", "kim", &["A-1"]), &Trace::default()).await.unwrap().placed;
    until(&fixture.clock, Duration::ZERO, "the alarm is set", || async {
        !backstop.alarms.lock().unwrap().is_empty()
    })
    .await;
    let alarm = backstop.alarms.lock().unwrap()[0].clone();
    assert_eq!(alarm.event_id, outbox::expired_event_id(&placed.id));
    assert_eq!(alarm.at, placed.hold_expires_at.plus(Duration::from_secs(60)));
    // The relay does not wait for it: the event is published when the hold is due.
    fixture.clock.advance(HOLD);
    let body = contracts::envelope::decode(&alarm.body, "m", &[]).unwrap().0;
    assert_eq!(fixture.taken(1, Duration::from_millis(10)).await[0], body, "the very same event");
    stop.cancel();
    tasks.finished().await;
}

#[tokio::test]
async fn a_backstop_that_never_answers_delays_neither_buyers_nor_the_end() {
    let (fixture, backstop) = (Fixture::new(), Arc::new(Told { is_silent: true, ..Told::default() }));
    let (service, tasks, stop) = service(&fixture, &backstop);
    for (key, seat) in [("k1", "A-1"), ("k2", "A-2"), ("k3", "A-3")] {
        service.create(&wish(key, "kim", &[seat]), &Trace::default()).await.unwrap();
    }
    until(&fixture.clock, Duration::ZERO, "all alarms arrived", || async {
        backstop.alarms.lock().unwrap().len() == 3
    })
    .await;
    stop.cancel();
    tasks.finished().await;
}
