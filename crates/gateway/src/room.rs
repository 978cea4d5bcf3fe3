//! The line of one show as this gateway sees it.
//!
//! Two tasks maintain it: one advances time in the store and fetches the snapshot, the other sends
//! signs of life. A place is computed from the snapshot (trap T-W6). Where the snapshot does not
//! say, because the person may have had a turn, the answer comes with the signs of life. Only join,
//! enter and leave are calls of their own.

mod beats;
mod people;
mod view;

pub use view::View;

use crate::metrics::{LineMetrics, StoreMetrics};
use beats::{Beats, Haste, Heard};
use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Refusal, RuleChange, Rules, Snapshot, Standing, Ticket};
use futures_util::FutureExt;
use ports::clock::timeout;
use ports::plant::{Plant, planted};
use ports::waiting_room::{Dated, Ticked};
use ports::{Clock, Fault, FaultClass, PortError, Tasks, WaitingRoomStore};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use view::Viewer;

/// The longest time between two snapshots of a line with people, and of an empty line.
const TICK_EVERY: Duration = Duration::from_millis(250);
const IDLE_TICK_EVERY: Duration = Duration::from_secs(2);
/// The shortest time between two snapshots: shorter than the smallest burst needs to fill.
const TICK_EVERY_MIN: Duration = Duration::from_millis(20);
/// How long signs of life are gathered when nobody waits for an answer, and when somebody does. A
/// full batch is sent at once.
const LINGER: Duration = Duration::from_millis(100);
const LINGER_URGENT: Duration = Duration::from_millis(5);
/// How long a status request waits for the store before it is answered with the last known
/// standing.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// The pause after a failed call.
const REST: Duration = Duration::from_millis(200);
/// How often the operator's message is fetched.
const NOTICE_EVERY: Duration = Duration::from_secs(1);
/// A slower answer is too imprecise to set our idea of the store's clock.
const CLOCK_WITHIN: Duration = Duration::from_millis(100);

/// The store of the lines, with the limit and the metrics of its calls.
#[derive(Clone)]
pub(crate) struct LineStore {
    pub(crate) port: Arc<dyn WaitingRoomStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: StoreMetrics,
    pub(crate) line_metrics: LineMetrics,
    /// Time limit of one call to the store.
    pub(crate) limit: Duration,
}

impl LineStore {
    /// Makes one call to the store, with the time limit, and counts it.
    async fn call<T, E: CallError>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let start = self.clock.elapsed();
        let answer = timeout(&*self.clock, self.limit, call).await.unwrap_or_else(|_| {
            let limit = self.limit;
            Err(Fault::unavailable(format!("waiting room {operation}: no answer within {limit:?}")).into())
        });
        let is_answered = !answer.as_ref().is_err_and(E::is_fault);
        self.metrics.called(operation, is_answered, self.clock.elapsed() - start);
        answer
    }
}

/// The error of a call to the store: a fault, or a refusal of the line.
trait CallError: From<Fault> {
    fn is_fault(&self) -> bool;
}

impl CallError for Fault {
    fn is_fault(&self) -> bool {
        true
    }
}

impl<R> CallError for PortError<R> {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// A line.
pub struct Room {
    show: ShowId,
    store: LineStore,
    beats: Beats,
    view: watch::Sender<Arc<View>>,
    /// How many milliseconds the store's clock is ahead of this process's running time. Running
    /// time, because our own clock may jump.
    ahead_ms: AtomicI64,
}

impl Room {
    /// Opens the line and maintains it until `shutdown`. Without `wanted` the line must exist:
    /// another gateway opened it, or this one before a restart.
    pub(crate) async fn open(
        show: ShowId,
        wanted: Option<Rules>,
        store: LineStore,
        tasks: &Tasks,
        shutdown: &CancellationToken,
    ) -> Result<Arc<Self>, Fault> {
        let rules = match wanted {
            Some(rules) => rules,
            None => {
                let found = store.call("find", store.port.find(&show)).await?;
                found.ok_or_else(|| Fault::unavailable(format!("there is no line of show {show} yet")))?
            }
        };
        store.call("open", store.port.open(&show, rules)).await?;
        let notice = store.call("notice", store.port.notice(&show)).await?;
        let mut viewer = Viewer::default();
        let view = loop {
            let ticked = store.call("tick", store.port.tick(&show, viewer.since())).await?;
            viewer.take(ticked.snapshot, store.clock.elapsed());
            if let Some(view) = viewer.view(store.clock.elapsed(), notice.as_deref().map(Into::into)) {
                break view;
            }
            // The snapshot has more parts, or the store lost the line meanwhile.
            store.clock.sleep(TICK_EVERY_MIN).await;
        };
        let ahead_ms = AtomicI64::new(ahead(view.snapshot.at, store.clock.elapsed()));
        let view = watch::Sender::new(Arc::new(view));
        let room = Arc::new(Self { show, store, beats: Beats::default(), view, ahead_ms });
        let mut viewer = Some(viewer);
        room.supervise("tick", tasks, shutdown, move |room| {
            let viewer = viewer.take().unwrap_or_else(|| Viewer::from_view(&room.view()));
            async move { room.tick(viewer).await }
        });
        room.supervise("beat", tasks, shutdown, |room| async move { room.beat().await });
        Ok(room)
    }

    /// Starts a task that runs until `shutdown`. A repeated panic is better than a line that stands
    /// still: after a panic the task starts again from the last view of the line.
    fn supervise<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        task: &'static str,
        tasks: &Tasks,
        shutdown: &CancellationToken,
        mut begin: impl FnMut(Arc<Self>) -> F + Send + 'static,
    ) {
        let (room, shutdown) = (Arc::clone(self), shutdown.clone());
        tasks.spawn(async move {
            while let Some(ended) = {
                let run = AssertUnwindSafe(begin(Arc::clone(&room))).catch_unwind();
                shutdown.run_until_cancelled(run).await
            } {
                let (show_id, panicked) = (&room.show, ended.is_err());
                tracing::error!(%show_id, task, panicked, "line task ended; restarting it");
                room.store.clock.sleep(REST).await;
            }
        });
    }

    /// The line as it was a moment ago.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// How many people this gateway heard from lately.
    pub fn heard_of(&self) -> usize {
        self.beats.people()
    }

    /// How many signs of life wait to be sent to the store.
    pub fn due(&self) -> usize {
        self.beats.due()
    }

    /// Now, by the store's clock, which times turns and passes.
    pub(crate) fn store_now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        let elapsed = self.store.clock.elapsed().as_millis() as u64;
        Timestamp::from_millis(elapsed.saturating_add_signed(ahead))
    }

    /// Takes the next number, or finds the place that the person already has.
    pub(crate) async fn join(&self, key: &str) -> Result<Ticket, PortError<Refusal>> {
        let ticket = self.store.call("join", self.store.port.join(&self.show, key)).await?;
        self.beats.joined(&ticket, self.store.clock.elapsed());
        Ok(ticket)
    }

    /// Where a person stands; the question is also a sign of life. It costs the store no call of
    /// its own: what the gateway does not know comes with the next signs of life. While the store
    /// does not answer, the answer is the last known standing.
    pub(crate) async fn standing(&self, ticket: &Ticket) -> Standing {
        let asks = self.had_turn(ticket) && !planted(Plant::CountsTrusted);
        match self.beats.record(ticket, asks, self.store.clock.elapsed()) {
            Heard::InLine => Standing::Waiting,
            Heard::Ended(standing) => standing,
            Heard::Asked(answer) => match timeout(&*self.store.clock, ANSWER_WITHIN, answer).await {
                Ok(Ok(standing)) => standing,
                Ok(Err(_)) | Err(_) => self.known(ticket).unwrap_or(Standing::Waiting),
            },
        }
    }

    /// Whether this ticket may have had a turn: then the counts do not say where its owner stands.
    fn had_turn(&self, ticket: &Ticket) -> bool {
        ticket.number <= self.view.borrow().snapshot.high
    }

    /// A known turn or pass that has not expired (trap T-W5: a ready person stays ready, however
    /// slow the store is).
    fn known(&self, ticket: &Ticket) -> Option<Standing> {
        let now = self.store_now();
        self.beats.last(ticket).filter(|standing| match standing {
            Standing::Ready { until } | Standing::Entered { until, .. } => now < *until,
            _ => false,
        })
    }

    /// Exchanges a turn for a pass; the flag is false if this gateway already knew the pass.
    pub(crate) async fn enter(&self, ticket: &Ticket) -> Result<(Dated<Standing>, bool), Fault> {
        // The same pass again, even if the store has lost it.
        if let Some(standing @ Standing::Entered { .. }) = self.known(ticket)
            && !planted(Plant::EnterBooksAgain)
        {
            return Ok((Dated { at: self.store_now(), answer: standing }, false));
        }
        let entered = self.store.call("enter", self.store.port.enter(&self.show, ticket)).await?;
        self.beats.record_standing(ticket, entered.answer, self.store.clock.elapsed());
        Ok((entered, true))
    }

    /// Leaves the line for good.
    pub(crate) async fn leave(&self, ticket: &Ticket) -> Result<Standing, Fault> {
        let left = self.store.call("leave", self.store.port.leave(&self.show, ticket)).await?;
        self.beats.record_standing(ticket, left, self.store.clock.elapsed());
        Ok(left)
    }

    /// Changes the rules and returns the new ones.
    pub(crate) async fn rule(&self, change: RuleChange) -> Result<Rules, Fault> {
        self.store.call("rule", self.store.port.rule(&self.show, change)).await
    }

    /// Sets the message to the people who wait, or removes it.
    pub(crate) async fn announce(&self, notice: Option<&str>) -> Result<(), Fault> {
        self.store.call("announce", self.store.port.announce(&self.show, notice)).await
    }

    /// Advances time in the line and fetches the snapshot, for ever.
    async fn tick(&self, mut viewer: Viewer) {
        let LineStore { port, clock, .. } = &self.store;
        let mut failed = false;
        let (mut notice, mut notice_at) = (self.view().notice.clone(), clock.elapsed());
        loop {
            let asked_at = clock.elapsed();
            let ticked = self.store.call("tick", port.tick(&self.show, viewer.since())).await;
            let now = clock.elapsed();
            self.beats.forget(now);
            let rest = match ticked {
                Ok(ticked) => {
                    if std::mem::take(&mut failed) {
                        tracing::info!(show_id = %self.show, "waiting-room store answers again");
                    }
                    if now.saturating_sub(asked_at) < CLOCK_WITHIN {
                        self.ahead_ms.store(ahead(ticked.snapshot.at, now), Ordering::Relaxed);
                    }
                    if now.saturating_sub(notice_at) >= NOTICE_EVERY {
                        notice_at = now;
                        // Without an answer the old message stays.
                        let asked = self.store.call("notice", port.notice(&self.show)).await;
                        notice = asked.map_or(notice, |new| new.map(Into::into));
                    }
                    self.take(&mut viewer, ticked, notice.clone())
                }
                Err(fault) => {
                    if !std::mem::replace(&mut failed, true) {
                        let error = fault.chain();
                        tracing::error!(show_id = %self.show, error, "waiting-room store does not answer; positions stand still until it does");
                    }
                    REST
                }
            };
            tokio::select! {
                biased;
                () = clock.sleep(rest) => {}
                () = self.beats.anybody(), if rest == IDLE_TICK_EVERY => {}
            }
        }
    }

    /// Takes in a snapshot and returns the time until the next.
    fn take(&self, viewer: &mut Viewer, ticked: Ticked, notice: Option<Arc<str>>) -> Duration {
        let now = self.store.clock.elapsed();
        let more = ticked.is_busy || ticked.snapshot.more;
        let Snapshot { at, rules, totals, last, .. } = ticked.snapshot;
        self.store.line_metrics.record(&self.show, at, totals);
        if viewer.take(ticked.snapshot, now) {
            tracing::warn!(show_id = %self.show, "waiting-room store lost data; sending it the waiting people again");
            if !planted(Plant::BeatsForgotten) {
                self.beats.again(self.view().snapshot.high, now);
            }
            self.view.send_modify(|view| Arc::make_mut(view).record_jump(last));
        }
        if let Some(view) = viewer.view(now, notice) {
            self.view.send_replace(Arc::new(view));
        }
        let is_idle = totals.waiting + totals.ready + totals.absent == 0 && self.beats.people() == 0;
        match () {
            () if more => Duration::ZERO,
            () if is_idle => IDLE_TICK_EVERY,
            () => tick_every(rules),
        }
    }

    /// Sends signs of life, for ever.
    async fn beat(&self) {
        let LineStore { port, clock, .. } = &self.store;
        loop {
            let mut haste = self.beats.work().await;
            if haste == Haste::None {
                tokio::select! {
                    biased;
                    now = self.beats.haste() => haste = now,
                    () = clock.sleep(LINGER) => {}
                }
            }
            if haste == Haste::Some {
                clock.sleep(LINGER_URGENT).await;
            }
            let tickets = self.beats.take(clock.elapsed());
            if tickets.is_empty() {
                continue;
            }
            match self.store.call("beat", port.beat(&self.show, &tickets)).await {
                Ok(standings) => self.beats.answered(&tickets, &standings.answer),
                Err(fault) => {
                    // A permanent fault is not retried; all others are logged by the other task.
                    let again = fault.class != FaultClass::Permanent;
                    if !again {
                        let error = fault.chain();
                        tracing::error!(show_id = %self.show, error, "waiting-room store refused signs of life");
                    }
                    self.beats.unanswered(tickets, again);
                    clock.sleep(REST).await;
                }
            }
        }
    }
}

/// How many milliseconds the store's clock is ahead of `elapsed`. Rounded down: one millisecond too
/// many would hand out a pass before its time.
fn ahead(theirs: Timestamp, elapsed: Duration) -> i64 {
    theirs.as_millis() as i64 - elapsed.as_nanos().div_ceil(1_000_000) as i64
}

/// Often enough that the bucket never overflows.
fn tick_every(rules: Rules) -> Duration {
    let fills = Duration::from_secs_f64(f64::from(rules.burst) / f64::from(rules.rate.max(1)));
    (fills / 2).clamp(TICK_EVERY_MIN, TICK_EVERY)
}
