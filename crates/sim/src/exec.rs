//! The executor: one thread, virtual time, and an order of tasks that follows from the seed.
//!
//! A **step** is one poll of one task that is ready, drawn among all that are. When none is ready,
//! time jumps to the next timer. Nothing else makes progress, so the same seed gives the same run.
//! Every task belongs to a **group** (an instance of a service, the buyers, the engines); killing a
//! group drops its tasks at the awaits where they stand, which is what a crash does to a process.
//!
//! Production code runs on it unchanged: time comes through `ports::Clock`, spawning through
//! `ports::Tasks`, and what it uses of tokio (channels, tokens, `select!` in its `biased` form)
//! needs no runtime.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use domain::random::{Random, SplitMix64};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::task::Wake;

/// Polls without any progress of time after which the executor reports an endless loop.
const POLLS_PER_INSTANT_MAX: u32 = 200_000;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that live and die together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub u32);

/// The result of one turn of the executor.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// A task of this group was polled.
    Polled(Group),
    /// Time advanced; tasks may be ready now.
    Waited,
    /// No task is ready and no timer runs: nothing will ever happen again.
    Still,
    /// A task panicked, even if it caught the panic itself.
    Panicked(Group, String),
    /// Tasks wake each other and time stands still.
    Loops,
}

/// The executor. Cloning gives another handle.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    ready: Arc<Ready>,
    time: Mutex<Time>,
    tasks: Mutex<Tasks>,
}

/// Indexes of tasks that may be polled, in the order of their wake-ups.
struct Ready(Mutex<Vec<u32>>);

struct Time {
    micros: u64,
    timers: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

struct Tasks {
    slots: Vec<Slot>,
    free: Vec<u32>,
    dice: SplitMix64,
    groups: u32,
    dead: Vec<bool>,
    polls_now: u32,
    steps: u64,
}

struct Slot {
    /// `None` while it is being polled, and when the slot is free.
    task: Option<Task>,
    waker: Arc<Flag>,
    group: Group,
    /// Whether the task has neither ended nor been killed.
    alive: bool,
}

/// Wakes one task, once until it is polled.
struct Flag {
    index: u32,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            lock(&self.ready.0).push(self.index);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Executor {
    /// An executor whose choices follow from a seed. Time begins at 0.
    pub fn new(seed: u64) -> Self {
        let tasks = Tasks {
            slots: Vec::new(),
            free: Vec::new(),
            dice: SplitMix64::new(seed),
            groups: 0,
            dead: Vec::new(),
            polls_now: 0,
            steps: 0,
        };
        let time = Time { micros: 0, timers: BTreeMap::new(), next: 0 };
        let shared = Shared {
            ready: Arc::new(Ready(Mutex::default())),
            time: Mutex::new(time),
            tasks: Mutex::new(tasks),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A group without tasks.
    pub fn group(&self) -> Group {
        let mut tasks = lock(&self.shared.tasks);
        let group = Group(tasks.groups);
        tasks.groups += 1;
        tasks.dead.push(false);
        group
    }

    /// Starts a task. A group that was killed starts none.
    pub fn spawn(&self, group: Group, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_boxed(group, Box::pin(future));
    }

    /// Starts a task that is boxed already.
    pub fn spawn_boxed(&self, group: Group, task: Task) {
        let mut tasks = lock(&self.shared.tasks);
        if tasks.dead[group.0 as usize] {
            drop(tasks);
            // Dropped outside the lock: what it owns may spawn or wake.
            return drop(task);
        }
        let index = tasks.free.pop().unwrap_or(tasks.slots.len() as u32);
        let waker =
            Arc::new(Flag { index, queued: AtomicBool::new(true), ready: Arc::clone(&self.shared.ready) });
        let slot = Slot { task: Some(task), waker, group, alive: true };
        match tasks.slots.get_mut(index as usize) {
            Some(free) => *free = slot,
            None => tasks.slots.push(slot),
        }
        lock(&self.shared.ready.0).push(index);
    }

    /// Drops every task of a group where it stands, and every later one at once.
    pub fn kill(&self, group: Group) {
        let mut tasks = lock(&self.shared.tasks);
        let Tasks { slots, free, dead, .. } = &mut *tasks;
        dead[group.0 as usize] = true;
        let mut dropped = Vec::new();
        for (index, slot) in slots.iter_mut().enumerate() {
            // The task that is being polled right now has left its slot, and is dropped when its
            // poll returns.
            if slot.alive
                && slot.group == group
                && let Some(task) = slot.task.take()
            {
                dropped.push(task);
                slot.alive = false;
                free.push(index as u32);
            }
        }
        drop(tasks);
        drop(dropped);
    }

    /// How many tasks of a group have not ended.
    pub fn running(&self, group: Group) -> usize {
        let tasks = lock(&self.shared.tasks);
        tasks.slots.iter().filter(|slot| slot.alive && slot.group == group && slot.task.is_some()).count()
    }

    /// Virtual time since the beginning, in microseconds.
    pub fn micros(&self) -> u64 {
        lock(&self.shared.time).micros
    }

    /// Polls so far.
    pub fn steps(&self) -> u64 {
        lock(&self.shared.tasks).steps
    }

    /// Returns when this much virtual time has passed.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let micros = u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX / 2);
        self.sleep_until(self.micros().saturating_add(micros))
    }

    /// Returns when virtual time reaches `micros`.
    pub fn sleep_until(&self, micros: u64) -> Sleep {
        Sleep { executor: self.clone(), at: micros, timer: None }
    }

    /// Moves time to the earliest timer, but not beyond `limit`, and wakes its task. `false` if no
    /// timer is that early.
    pub fn advance(&self, limit: u64) -> bool {
        let mut time = lock(&self.shared.time);
        let Some((&(at, _), _)) = time.timers.first_key_value() else { return false };
        if at > limit {
            return false;
        }
        time.micros = time.micros.max(at);
        let mut woken = Vec::new();
        while let Some(entry) = time.timers.first_entry() {
            if entry.key().0 > at {
                break;
            }
            woken.push(entry.remove());
        }
        drop(time);
        lock(&self.shared.tasks).polls_now = 0;
        woken.into_iter().for_each(Waker::wake);
        true
    }

    /// Sets the time, for tests that drive it by hand. It never goes back.
    pub fn set_micros(&self, micros: u64) {
        let mut time = lock(&self.shared.time);
        time.micros = time.micros.max(micros);
    }

    /// Polls one task, or lets time pass.
    pub fn turn(&self) -> Turn {
        let Some((index, task, waker, group)) = self.next() else {
            return if self.advance(u64::MAX) { Turn::Waited } else { Turn::Still };
        };
        let mut task = task;
        caught();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            task.as_mut().poll(&mut Context::from_waker(&Waker::from(waker)))
        }));
        let caught = caught();
        let mut tasks = lock(&self.shared.tasks);
        let (turn, over) = match polled {
            Ok(poll) => {
                let turn = caught.map_or(Turn::Polled(group), |text| Turn::Panicked(group, text));
                (turn, poll.is_ready())
            }
            Err(panic) => (Turn::Panicked(group, text(&*panic)), true),
        };
        let dead = tasks.dead[group.0 as usize];
        let slot = &mut tasks.slots[index as usize];
        if over || dead {
            slot.alive = false;
            tasks.free.push(index);
            drop(tasks);
            drop(task);
        } else {
            slot.task = Some(task);
            tasks.polls_now += 1;
            if tasks.polls_now > POLLS_PER_INSTANT_MAX {
                return Turn::Loops;
            }
        }
        turn
    }

    /// A ready task, drawn among all of them.
    fn next(&self) -> Option<(u32, Task, Arc<Flag>, Group)> {
        let mut tasks = lock(&self.shared.tasks);
        loop {
            let index = {
                let mut ready = lock(&self.shared.ready.0);
                if ready.is_empty() {
                    return None;
                }
                let choice = tasks.dice.below(ready.len() as u64) as usize;
                ready.swap_remove(choice)
            };
            let slot = &mut tasks.slots[index as usize];
            slot.waker.queued.store(false, Ordering::Relaxed);
            if !slot.alive {
                continue;
            }
            let Some(task) = slot.task.take() else { continue };
            let found = (index, task, Arc::clone(&slot.waker), slot.group);
            tasks.steps += 1;
            return Some(found);
        }
    }
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The panics of this thread since the last call. Services catch panics and continue; the
/// simulation must not miss them.
fn caught() -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            PANIC.with_borrow_mut(|panic| *panic = Some(text(info.payload())));
            before(info);
        }));
    });
    PANIC.take()
}

fn text(panic: &(dyn core::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

/// A timer. Dropping it cancels it.
pub struct Sleep {
    executor: Executor,
    at: u64,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (at, timer) = (self.at, self.timer);
        let executor = self.executor.clone();
        let mut time = lock(&executor.shared.time);
        if time.micros >= at {
            if let Some(number) = timer {
                time.timers.remove(&(at, number));
            }
            drop(time);
            self.timer = None;
            return Poll::Ready(());
        }
        let number = timer.unwrap_or(time.next);
        if timer.is_none() {
            time.next += 1;
        }
        time.timers.insert((at, number), context.waker().clone());
        drop(time);
        self.timer = Some(number);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.timer {
            lock(&self.executor.shared.time).timers.remove(&(self.at, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64) -> (Vec<u32>, u64) {
        let executor = Executor::new(seed);
        let group = executor.group();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..8_u32 {
            let (executor, seen) = (executor.clone(), Arc::clone(&seen));
            let sleeps = executor.clone();
            executor.spawn(group, async move {
                sleeps.sleep(Duration::from_millis(u64::from(number % 3))).await;
                lock(&seen).push(number);
            });
        }
        while executor.turn() != Turn::Still {}
        let seen = lock(&seen).clone();
        (seen, executor.micros())
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_seed_another() {
        assert_eq!(order(7), order(7));
        assert!((0..20).any(|seed| order(seed) != order(7)));
        assert_eq!(order(7).1, 2_000);
    }

    #[test]
    fn a_killed_group_ends_at_its_awaits_and_starts_nothing_more() {
        let executor = Executor::new(1);
        let (victim, other) = (executor.group(), executor.group());
        let count = Arc::new(Mutex::new((0, 0)));
        for group in [victim, other] {
            let (sleeps, count) = (executor.clone(), Arc::clone(&count));
            executor.spawn(group, async move {
                for _ in 0..5 {
                    sleeps.sleep(Duration::from_secs(1)).await;
                    let mut count = lock(&count);
                    if group == victim { count.0 += 1 } else { count.1 += 1 }
                }
            });
        }
        while executor.micros() < 2_500_000 {
            executor.turn();
        }
        executor.kill(victim);
        executor.spawn(victim, async { unreachable!("its group is dead") });
        while executor.turn() != Turn::Still {}
        assert_eq!(*lock(&count), (2, 5));
        assert_eq!(executor.running(victim), 0);
    }

    #[test]
    fn a_panic_is_reported_and_ends_only_its_task() {
        let executor = Executor::new(1);
        let group = executor.group();
        executor.spawn(group, async { panic!("oh") });
        assert_eq!(executor.turn(), Turn::Panicked(group, "oh".to_owned()));
        assert_eq!(executor.turn(), Turn::Still);
    }

    #[test]
    fn a_caught_panic_is_reported_and_the_task_continues() {
        let executor = Executor::new(1);
        let group = executor.group();
        let sleeper = executor.clone();
        executor.spawn(group, async move {
            assert!(catch_unwind(|| panic!("oh")).is_err());
            sleeper.sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(executor.turn(), Turn::Panicked(group, "oh".to_owned()));
        assert_eq!(executor.turn(), Turn::Waited);
        assert_eq!(executor.turn(), Turn::Polled(group));
        assert_eq!(executor.turn(), Turn::Still);
    }
}
