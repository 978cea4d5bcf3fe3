//! The store: one line for each show, on its own clock. It loses data, and its calls and answers
//! are late or lost.
//!
//! A line is `domain::waiting_room::Line`. The next command notices a loss, as the script on Redis
//! does: the line begins anew, or continues from a kept state, with the rules that the caller got
//! last.

use super::fault::Trouble;
use super::oracle::{Known, Oracle};
use super::room::Room;
use super::watch::Answered;
use async_trait::async_trait;
use core::sync::atomic::Ordering;
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Line, Patience, Refusal, RuleChange, Rules, Standing, Ticket};
use ports::plant::{Plant, planted};
use ports::waiting_room::{BEATS_MAX, Dated, PERSON_KEY_BYTES_MAX, Ticked};
use ports::{Fault, PortError, WaitingRoomStore};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// How much of the past is kept, to restore.
const PAST: Duration = Duration::from_secs(1);
/// The least time between two kept states.
const PAST_EVERY: Duration = Duration::from_millis(80);
/// The longest that the store is late.
pub const LATE_MAX: Duration = Duration::from_secs(20);

/// One line and its checks.
pub struct StoredLine {
    line: Line,
    patience: Patience,
    pub(super) oracle: Oracle,
    notice: Option<String>,
    past: VecDeque<(u64, Line, Known)>,
    pub(super) lost: Option<Loss>,
    incarnations: u64,
    /// The ticks whose answers arrived, by gateway.
    pub(super) ticks: BTreeMap<u32, Ticks>,
    /// The last answers to people, by number and gateway.
    pub(super) answers: BTreeMap<(u64, u32), Answered>,
}

/// A loss that nothing has noticed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    All,
    Last,
}

/// The age of a gateway's knowledge, in virtual microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ticks {
    /// When the last answered tick was carried out, and the one before.
    pub(super) last: u64,
    pub(super) before: u64,
    incarnation: u64,
    /// When the first tick of this incarnation was answered.
    pub(super) news_at: u64,
}

impl StoredLine {
    fn new(world: &Room, show: &ShowId, rules: Rules, now: Timestamp) -> Self {
        let line = Line::new(1, rules, world.patience, now);
        let oracle = Oracle::new(show.clone(), world.patience, line.rules());
        Self {
            line,
            patience: world.patience,
            oracle,
            notice: None,
            past: VecDeque::new(),
            lost: None,
            incarnations: 1,
            ticks: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    fn keep(&mut self, micros: u64) {
        let from = micros.saturating_sub(PAST.as_micros() as u64);
        while self.past.front().is_some_and(|(at, ..)| *at < from) {
            self.past.pop_front();
        }
        let every = PAST_EVERY.as_micros() as u64;
        if self.past.back().is_none_or(|(at, ..)| micros - at >= every) {
            self.past.push_back((micros, self.line.clone(), self.oracle.known.clone()));
        }
    }

    fn notice_loss(&mut self, rules: Rules, now: Timestamp, micros: u64) {
        let Some(loss) = self.lost.take() else { return };
        self.incarnations += 1;
        self.notice = None;
        match loss {
            Loss::All => {
                self.line = Line::new(self.incarnations, rules, self.patience, now);
                self.oracle.begun_anew(now, micros);
            }
            Loss::Last if planted(Plant::LossUnnoticed) => {}
            Loss::Last => {
                self.line.lost(self.incarnations, rules, now);
                self.oracle.went_back(now, micros);
            }
        }
        self.oracle.ruled(self.line.rules(), micros);
        self.past.clear();
    }
}

/// The store loses everything.
pub fn lose_all(world: &Room) {
    for stored in world.stored_lines().values_mut() {
        stored.lost = Some(Loss::All);
    }
    other_clock(world);
}

/// The store loses its last commands: the lines are as they were up to a second ago.
pub fn lose_last(world: &Room) {
    let luck = world.faults.below(1_000_000);
    for stored in world.stored_lines().values_mut().filter(|stored| stored.lost.is_none()) {
        let from = world.micros().saturating_sub(PAST.as_micros() as u64);
        stored.past.retain(|(at, ..)| *at >= from);
        if !stored.past.is_empty() {
            let choice = luck as usize % stored.past.len();
            let (at, line, known) = stored.past[choice].clone();
            world.record(|| format!("back to {at} µs"));
            stored.line = line;
            stored.oracle.restored(known, at);
        }
        stored.lost = Some(Loss::Last);
    }
    other_clock(world);
}

/// The server that takes over has another clock.
fn other_clock(world: &Room) {
    if world.faults.strikes(Trouble::OtherClock) {
        let before = world.clock_now();
        world.clock.set_skew(world.skew());
        let back = before.since(world.clock_now());
        if !back.is_zero() {
            let until = world.micros() + back.as_micros() as u64;
            world.stored_lines().values_mut().for_each(|stored| stored.oracle.clock_went_back(until));
        }
    }
}

/// One gateway's access to the store.
pub struct Port {
    world: Arc<Room>,
    /// The gateway.
    holder: u32,
    /// The rules of each line in the last answer.
    rules: Arc<Mutex<BTreeMap<ShowId, Rules>>>,
}

impl Room {
    fn clock_now(&self) -> Timestamp {
        use ports::Clock;
        self.clock.now()
    }

    /// Carries out a command, whether or not somebody still waits for it.
    fn carry_out<T>(
        &self,
        show: &ShowId,
        wanted: Option<Rules>,
        act: impl FnOnce(&mut StoredLine, Timestamp) -> T,
    ) -> Result<T, Fault> {
        let (now, micros) = (self.clock_now(), self.micros());
        let mut stored_lines = self.stored_lines();
        if let Some(rules) = wanted
            && !stored_lines.contains_key(show)
        {
            stored_lines.insert(show.clone(), StoredLine::new(self, show, rules, now));
        }
        let Some(stored) = stored_lines.get_mut(show) else {
            return Err(Fault::permanent(format!("the line of show {show} was not opened")));
        };
        stored.notice_loss(wanted.unwrap_or_else(|| stored.line.rules()), now, micros);
        if self.plan.rates[Trouble::LoseLast as usize] > 0 {
            stored.keep(micros);
        }
        let answer = act(stored, now);
        let found = stored.oracle.found();
        drop(stored_lines);
        for (invariant, text) in found {
            self.violated(invariant, format!("{show}: {text}"));
        }
        Ok(answer)
    }
}

impl Port {
    /// A gateway's access, without any rules from earlier answers.
    pub fn new(world: Arc<Room>, holder: u32) -> Self {
        Self { world, holder, rules: Arc::default() }
    }

    /// One call: sent, carried out, and answered, if nothing goes wrong.
    async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        show: &ShowId,
        wanted: Option<Rules>,
        act: impl FnOnce(&mut StoredLine, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let world = &self.world;
        if world.strikes(Trouble::StoreRefused) {
            return Err(Fault::unavailable("refused"));
        }
        world.way().await;
        if world.strikes(Trouble::StoreCallLost) {
            return Err(self.nobody().await);
        }
        let late = world.strikes(Trouble::StoreLate).then(|| self.late());
        let answer_late = world.strikes(Trouble::StoreAnswerLate).then(|| self.late());
        let is_frozen = world.frozen_until.load(Ordering::Relaxed) > world.micros();
        let known = crate::exec::lock(&self.rules).get(show).copied();
        let wanted = wanted.or(known);
        let answer = if late.is_none() && answer_late.is_none() && !is_frozen {
            world.carry_out(show, wanted, act)
        } else {
            // The store carries it out even if nobody waits any more.
            let (answer_to, answered) = oneshot::channel();
            let (store, show, holder) = (Arc::clone(world), show.clone(), self.holder);
            world.exec.spawn(world.base, async move {
                store.exec.sleep(late.unwrap_or_default()).await;
                store.exec.sleep_until(store.frozen_until.load(Ordering::Relaxed)).await;
                store.record(|| format!("{name} of gateway {holder} is carried out late"));
                let answer = store.carry_out(&show, wanted, act);
                store.exec.sleep(answer_late.unwrap_or_default()).await;
                // A gateway that gave up gets no answer.
                drop(answer_to.send(answer));
            });
            answered.await.unwrap_or_else(|_| Err(Fault::unavailable("the end")))
        };
        if world.strikes(Trouble::StoreAnswerLost) {
            return Err(self.nobody().await);
        }
        world.way().await;
        answer
    }

    fn late(&self) -> Duration {
        let late = self.world.faults.between(Duration::from_millis(50), LATE_MAX);
        self.world.trouble_until(self.world.micros() + late.as_micros() as u64);
        late
    }

    /// An answer that never comes: the connection breaks, or nothing happens at all.
    async fn nobody(&self) -> Fault {
        if self.world.faults.below(2) == 0 {
            core::future::pending::<()>().await;
        }
        Fault::unavailable("the connection broke")
    }

    fn remember(&self, show: &ShowId, rules: Rules) {
        crate::exec::lock(&self.rules).insert(show.clone(), rules);
    }
}

#[async_trait]
impl WaitingRoomStore for Port {
    async fn open(&self, show: &ShowId, rules: Rules) -> Result<Rules, Fault> {
        let held = self.call("open", show, Some(rules), |stored, _| stored.line.rules()).await?;
        self.remember(show, held);
        Ok(held)
    }

    /// No gateway of this world calls it: the inventory is always there.
    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault> {
        let stored_lines = self.world.stored_lines();
        let line = stored_lines.get(show).filter(|stored| stored.lost != Some(Loss::All));
        Ok(line.map(|stored| stored.line.rules()))
    }

    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>> {
        if key.is_empty() || key.len() > PERSON_KEY_BYTES_MAX {
            return Err(Fault::permanent("a key that is none").into());
        }
        let (world, key) = (Arc::clone(&self.world), key.to_owned());
        let joined = self.call("join", show, None, move |stored, now| {
            let before = stored.oracle.before_join(&stored.line, &key, now);
            let joined = stored.line.join(&key, now);
            world.record(|| format!("store: {key} joins: {:?}", joined.as_ref().map(|ticket| ticket.number)));
            stored.oracle.joined(&stored.line, before, &key, &joined, now, world.micros());
            joined
        });
        joined.await?.map_err(PortError::Rejected)
    }

    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault> {
        if tickets.is_empty() || tickets.len() > BEATS_MAX {
            return Err(Fault::permanent(format!("{} signs of life", tickets.len())));
        }
        let (world, tickets) = (Arc::clone(&self.world), tickets.to_vec());
        let act = move |stored: &mut StoredLine, now| {
            let mut answer = Vec::new();
            for ticket in &tickets {
                let before = stored.oracle.before(&stored.line, ticket, now);
                let standing = stored.line.beat(ticket, now);
                world.record(|| format!("store: {} is heard of: {standing:?}", ticket.number));
                stored.oracle.beaten(&stored.line, before, ticket, standing, now, world.micros());
                answer.push(standing);
            }
            Dated { at: now, answer }
        };
        self.call("beat", show, None, act).await
    }

    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault> {
        let (world, ticket) = (Arc::clone(&self.world), ticket.clone());
        let act = move |stored: &mut StoredLine, now: Timestamp| {
            let before = stored.oracle.before(&stored.line, &ticket, now);
            let mut standing = stored.line.enter(&ticket, now);
            if planted(Plant::EnterBooksAgain)
                && let Standing::Entered { at, until } = standing
                && at < now
            {
                standing = Standing::Entered { at: now, until: until.plus(now.since(at)) };
            }
            world.record(|| format!("store: {} enters: {standing:?}", ticket.number));
            stored.oracle.entered(&stored.line, before, &ticket, standing, now, world.micros());
            Dated { at: now, answer: standing }
        };
        self.call("enter", show, None, act).await
    }

    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault> {
        let (world, ticket) = (Arc::clone(&self.world), ticket.clone());
        let act = move |stored: &mut StoredLine, now| {
            let before = stored.oracle.before(&stored.line, &ticket, now);
            let standing = stored.line.leave(&ticket, now);
            world.record(|| format!("store: {} leaves: {standing:?}", ticket.number));
            stored.oracle.left(&stored.line, before, &ticket, standing, now, world.micros());
            standing
        };
        self.call("leave", show, None, act).await
    }

    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault> {
        let world = Arc::clone(&self.world);
        let act = move |stored: &mut StoredLine, now| {
            let is_busy = stored.line.tick(now);
            let snapshot = stored.line.snapshot(since, now);
            let turns = stored.oracle.ticked(&stored.line, &snapshot, now, &world);
            if !turns.is_empty() {
                world.record(|| format!("store: turns of {turns:?}"));
            }
            (Ticked { snapshot, is_busy }, world.micros())
        };
        let (ticked, at) = self.call("tick", show, None, act).await?;
        self.remember(show, ticked.snapshot.rules);
        let mut stored_lines = self.world.stored_lines();
        if let Some(stored) = stored_lines.get_mut(show) {
            let ticks = stored.ticks.entry(self.holder).or_default();
            (ticks.before, ticks.last) = (ticks.last, at);
            if ticks.incarnation != ticked.snapshot.incarnation {
                (ticks.incarnation, ticks.news_at) = (ticked.snapshot.incarnation, self.world.micros());
            }
        }
        drop(stored_lines);
        Ok(ticked)
    }

    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault> {
        let world = Arc::clone(&self.world);
        let act = move |stored: &mut StoredLine, now| {
            let rules = stored.line.rule(change, now);
            world.record(|| format!("store: the rules are {rules:?}"));
            stored.oracle.ruled(rules, world.micros());
            rules
        };
        let rules = self.call("rule", show, None, act).await?;
        self.remember(show, rules);
        Ok(rules)
    }

    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault> {
        let notice = notice.map(str::to_owned);
        self.call("announce", show, None, move |stored, _| stored.notice = notice).await
    }

    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault> {
        self.call("notice", show, None, |stored, _| stored.notice.clone()).await
    }
}
