//! The store: one line for each show, on its own clock. It loses what it holds, and what goes to it and comes from it is late
//! or lost.
//!
//! A line is `domain::waiting_room::Line`. A loss is noticed by the next command, as the script on Redis notices it: the line
//! begins anew, or goes on from what was kept, with the rules that whoever calls was told last.

use super::fault::Trouble;
use super::judge::{Judge, Known};
use super::watch::Told;
use super::world::World;
use async_trait::async_trait;
use core::sync::atomic::Ordering;
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{Line, Patience, Refusal, RuleChange, Rules, Standing, Ticket};
use ports::plant::{Plant, planted};
use ports::waiting_room::{BEATS_MAX, Dated, KEY_BYTES_MAX, Ticked};
use ports::{Fault, PortError, WaitingRoomStore};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// How much of the past is kept, to go back to.
const PAST: Duration = Duration::from_secs(1);
/// How far apart what is kept is, at least.
const PAST_EVERY: Duration = Duration::from_millis(80);
/// The longest that the store is late.
pub const LATE_MAX: Duration = Duration::from_secs(20);

/// One line and what is known of it.
pub struct Shelf {
    line: Line,
    patience: Patience,
    pub(super) judge: Judge,
    notice: Option<String>,
    past: VecDeque<(u64, Line, Known)>,
    pub(super) lost: Option<Loss>,
    incarnations: u64,
    /// The ticks whose answers arrived, by gateway.
    pub(super) ticks: BTreeMap<u32, Ticks>,
    /// What people were told, by number and gateway.
    pub(super) told: BTreeMap<(u64, u32), Told>,
}

/// What was lost and nobody noticed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    All,
    Last,
}

/// What a gateway knows, by when it was so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ticks {
    /// When the last tick was carried out whose answer arrived, and the one before.
    pub(super) last: u64,
    pub(super) before: u64,
    incarnation: u64,
    /// When the first was of this incarnation.
    pub(super) news_at: u64,
}

impl Shelf {
    fn new(world: &World, show: &ShowId, rules: Rules, now: Timestamp) -> Self {
        let line = Line::new(1, rules, world.patience, now);
        let judge = Judge::new(show.clone(), world.patience, line.rules());
        Self {
            line,
            patience: world.patience,
            judge,
            notice: None,
            past: VecDeque::new(),
            lost: None,
            incarnations: 1,
            ticks: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    fn keep(&mut self, micros: u64) {
        let from = micros.saturating_sub(PAST.as_micros() as u64);
        while self.past.front().is_some_and(|(at, ..)| *at < from) {
            self.past.pop_front();
        }
        let every = PAST_EVERY.as_micros() as u64;
        if self.past.back().is_none_or(|(at, ..)| micros - at >= every) {
            self.past.push_back((micros, self.line.clone(), self.judge.known.clone()));
        }
    }

    fn notice_loss(&mut self, rules: Rules, now: Timestamp, micros: u64) {
        let Some(loss) = self.lost.take() else { return };
        self.incarnations += 1;
        self.notice = None;
        match loss {
            Loss::All => {
                self.line = Line::new(self.incarnations, rules, self.patience, now);
                self.judge.begun_anew(now, micros);
            }
            Loss::Last if planted(Plant::LossUnnoticed) => {}
            Loss::Last => {
                self.line.lost(self.incarnations, rules, now);
                self.judge.went_back(now, micros);
            }
        }
        self.judge.ruled(self.line.rules(), micros);
        self.past.clear();
    }
}

/// Everything is lost.
pub fn lose_all(world: &World) {
    for shelf in world.shelves().values_mut() {
        shelf.lost = Some(Loss::All);
    }
    other_clock(world);
}

/// What came last is lost: the lines are as they were up to a second ago.
pub fn lose_last(world: &World) {
    let luck = world.faults.below(1_000_000);
    for shelf in world.shelves().values_mut().filter(|shelf| shelf.lost.is_none()) {
        let from = world.micros().saturating_sub(PAST.as_micros() as u64);
        shelf.past.retain(|(at, ..)| *at >= from);
        if !shelf.past.is_empty() {
            let choice = luck as usize % shelf.past.len();
            let (at, line, known) = shelf.past[choice].clone();
            world.tell(|| format!("back to {at} µs"));
            shelf.line = line;
            shelf.judge.restored(known, at);
        }
        shelf.lost = Some(Loss::Last);
    }
    other_clock(world);
}

/// Who takes over has another clock.
fn other_clock(world: &World) {
    if world.faults.strikes(Trouble::OtherClock) {
        let before = world.clock_now();
        world.clock.set_skew(world.skew());
        let back = before.since(world.clock_now());
        if !back.is_zero() {
            let until = world.micros() + back.as_micros() as u64;
            world.shelves().values_mut().for_each(|shelf| shelf.judge.clock_went_back(until));
        }
    }
}

/// The store as one gateway has it.
pub struct Port {
    pub(super) world: Arc<World>,
    /// Whose it is.
    pub(super) holder: u32,
    /// What the rules of each line were last told to be.
    pub(super) rules: Arc<Mutex<BTreeMap<ShowId, Rules>>>,
}

impl World {
    fn clock_now(&self) -> Timestamp {
        use ports::Clock;
        self.clock.now()
    }

    /// Carries out a command, whoever still waits for it.
    fn carry_out<T>(
        &self,
        show: &ShowId,
        wanted: Option<Rules>,
        act: impl FnOnce(&mut Shelf, Timestamp) -> T,
    ) -> Result<T, Fault> {
        let (now, micros) = (self.clock_now(), self.micros());
        let mut shelves = self.shelves();
        if let Some(rules) = wanted
            && !shelves.contains_key(show)
        {
            shelves.insert(show.clone(), Shelf::new(self, show, rules, now));
        }
        let Some(shelf) = shelves.get_mut(show) else {
            return Err(Fault::permanent(format!("the line of show {show} was not opened")));
        };
        shelf.notice_loss(wanted.unwrap_or_else(|| shelf.line.rules()), now, micros);
        if self.plan.rates[Trouble::LoseLast as usize] > 0 {
            shelf.keep(micros);
        }
        let answer = act(shelf, now);
        let found = shelf.judge.found();
        drop(shelves);
        for (invariant, words) in found {
            self.violated(invariant, format!("{show}: {words}"));
        }
        Ok(answer)
    }
}

impl Port {
    /// One call: on its way, carried out, and answered, if all goes well.
    async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        show: &ShowId,
        wanted: Option<Rules>,
        act: impl FnOnce(&mut Shelf, Timestamp) -> T + Send + 'static,
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
            // The store does it even if nobody waits any more.
            let (tell, told) = oneshot::channel();
            let (store, show, holder) = (Arc::clone(world), show.clone(), self.holder);
            world.exec.spawn(world.base, async move {
                store.exec.sleep(late.unwrap_or_default()).await;
                store.exec.sleep_until(store.frozen_until.load(Ordering::Relaxed)).await;
                store.tell(|| format!("{name} of gateway {holder} is carried out late"));
                let answer = store.carry_out(&show, wanted, act);
                store.exec.sleep(answer_late.unwrap_or_default()).await;
                // A gateway that gave up is not told.
                drop(tell.send(answer));
            });
            told.await.unwrap_or_else(|_| Err(Fault::unavailable("the end")))
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
        let held = self.call("open", show, Some(rules), |shelf, _| shelf.line.rules()).await?;
        self.remember(show, held);
        Ok(held)
    }

    /// Nobody asks: the inventory of this world is always there.
    async fn find(&self, _: &ShowId) -> Result<Option<Rules>, Fault> {
        Err(Fault::permanent("a line is looked for"))
    }

    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Fault::permanent("a key that is none").into());
        }
        let (world, key) = (Arc::clone(&self.world), key.to_owned());
        let joined = self.call("join", show, None, move |shelf, now| {
            let before = shelf.judge.before_join(&shelf.line, &key, now);
            let joined = shelf.line.join(&key, now);
            world.tell(|| format!("store: {key} joins: {:?}", joined.as_ref().map(|ticket| ticket.number)));
            shelf.judge.joined(&shelf.line, before, &key, &joined, now, world.micros());
            joined
        });
        joined.await?.map_err(PortError::Rejected)
    }

    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault> {
        if tickets.is_empty() || tickets.len() > BEATS_MAX {
            return Err(Fault::permanent(format!("{} signs of life", tickets.len())));
        }
        let (world, tickets) = (Arc::clone(&self.world), tickets.to_vec());
        let act = move |shelf: &mut Shelf, now| {
            let mut answer = Vec::new();
            for ticket in &tickets {
                let before = shelf.judge.before(&shelf.line, ticket, now);
                let standing = shelf.line.beat(ticket, now);
                world.tell(|| format!("store: {} is heard of: {standing:?}", ticket.number));
                shelf.judge.beaten(&shelf.line, before, ticket, standing, now, world.micros());
                answer.push(standing);
            }
            Dated { at: now, answer }
        };
        self.call("beat", show, None, act).await
    }

    async fn enter(&self, show: &ShowId, ticket: &Ticket) -> Result<Dated<Standing>, Fault> {
        let (world, ticket) = (Arc::clone(&self.world), ticket.clone());
        let act = move |shelf: &mut Shelf, now: Timestamp| {
            let before = shelf.judge.before(&shelf.line, &ticket, now);
            let mut standing = shelf.line.enter(&ticket, now);
            if planted(Plant::EnterBooksAgain)
                && let Standing::Entered { at, until } = standing
                && at < now
            {
                standing = Standing::Entered { at: now, until: until.plus(now.since(at)) };
            }
            world.tell(|| format!("store: {} enters: {standing:?}", ticket.number));
            shelf.judge.entered(&shelf.line, before, &ticket, standing, now, world.micros());
            Dated { at: now, answer: standing }
        };
        self.call("enter", show, None, act).await
    }

    async fn leave(&self, show: &ShowId, ticket: &Ticket) -> Result<Standing, Fault> {
        let (world, ticket) = (Arc::clone(&self.world), ticket.clone());
        let act = move |shelf: &mut Shelf, now| {
            let before = shelf.judge.before(&shelf.line, &ticket, now);
            let standing = shelf.line.leave(&ticket, now);
            world.tell(|| format!("store: {} leaves: {standing:?}", ticket.number));
            shelf.judge.left(&shelf.line, before, &ticket, standing, now, world.micros());
            standing
        };
        self.call("leave", show, None, act).await
    }

    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault> {
        let world = Arc::clone(&self.world);
        let act = move |shelf: &mut Shelf, now| {
            let is_busy = shelf.line.tick(now);
            let snapshot = shelf.line.snapshot(since, now);
            let told = shelf.judge.ticked(&shelf.line, &snapshot, now, &world);
            if !told.is_empty() {
                world.tell(|| format!("store: turns of {told:?}"));
            }
            (Ticked { snapshot, is_busy }, world.micros())
        };
        let (ticked, at) = self.call("tick", show, None, act).await?;
        self.remember(show, ticked.snapshot.rules);
        let mut shelves = self.world.shelves();
        if let Some(shelf) = shelves.get_mut(show) {
            let ticks = shelf.ticks.entry(self.holder).or_default();
            (ticks.before, ticks.last) = (ticks.last, at);
            if ticks.incarnation != ticked.snapshot.incarnation {
                (ticks.incarnation, ticks.news_at) = (ticked.snapshot.incarnation, self.world.micros());
            }
        }
        drop(shelves);
        Ok(ticked)
    }

    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault> {
        let world = Arc::clone(&self.world);
        let act = move |shelf: &mut Shelf, now| {
            let rules = shelf.line.rule(change, now);
            world.tell(|| format!("store: the rules are {rules:?}"));
            shelf.judge.ruled(rules, world.micros());
            rules
        };
        let rules = self.call("rule", show, None, act).await?;
        self.remember(show, rules);
        Ok(rules)
    }

    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault> {
        let notice = notice.map(str::to_owned);
        self.call("announce", show, None, move |shelf, _| shelf.notice = notice).await
    }

    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault> {
        self.call("notice", show, None, |shelf, _| shelf.notice.clone()).await
    }
}
