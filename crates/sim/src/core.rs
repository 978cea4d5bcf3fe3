//! The shared parts of the simulated world: the executor, the faults, the trace, the checker. Also
//! the two ports that each instance has for itself: its clock, which may be wrong, and its entropy,
//! which follows from the seed.

use crate::checker::{Checker, Violation};
use crate::exec::{Executor, Group, lock};
use crate::fault::Faults;
use crate::trace::Trace;
use async_trait::async_trait;
use core::pin::Pin;
use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use domain::invariant::Name;
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;
use ports::tasks::Spawn;
use ports::{Clock, Entropy};
use std::sync::{Arc, Mutex};

/// The wall clock at the beginning of every run: 2026-01-01T00:00:00Z, in milliseconds.
pub const EPOCH_MS: u64 = 1_767_225_600_000;

/// The shared parts of one run.
pub struct Core {
    /// Time and tasks.
    pub exec: Executor,
    /// The faults.
    pub faults: Faults,
    /// The trace of the run.
    pub trace: Arc<Trace>,
    /// The checker.
    pub checker: Mutex<Checker>,
    violation: Mutex<Option<Violation>>,
    /// The group of engines, chaos and all else that cannot crash.
    pub world: Group,
}

impl Core {
    /// A world in which nothing has happened yet.
    pub fn new(exec: Executor, faults: Faults, trace: Arc<Trace>, checker: Checker) -> Arc<Self> {
        let world = exec.group();
        Arc::new(Self {
            exec,
            faults,
            trace,
            checker: Mutex::new(checker),
            violation: Mutex::default(),
            world,
        })
    }

    /// The true time, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        EPOCH_MS + self.exec.micros() / 1_000
    }

    /// The true time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms())
    }

    /// Adds an event to the trace of this step. The text is only built if the trace is kept.
    pub fn record(&self, text: impl FnOnce() -> String) {
        self.trace.record(text);
    }

    /// Records that an invariant does not hold. The first violation ends the run.
    pub fn violated(&self, invariant: impl Into<String>, text: impl Into<String>) {
        let mut violation = lock(&self.violation);
        if violation.is_none() {
            let found = Violation { invariant: invariant.into(), text: text.into(), step: self.exec.steps() };
            self.record(|| format!("VIOLATION {}: {}", found.invariant, found.text));
            *violation = Some(found);
        }
    }

    /// As [`Self::violated`], for a named invariant.
    pub fn broken(&self, name: Name, text: impl Into<String>) {
        self.violated(name.to_string(), text);
    }

    /// The first violation.
    pub fn violation(&self) -> Option<Violation> {
        lock(&self.violation).clone()
    }

    /// Waits for as long as one way of a call takes.
    pub async fn way(&self) {
        let way = self.faults.way();
        if !way.is_zero() {
            self.exec.sleep(way).await;
        }
    }
}

/// The clock of one instance.
pub struct SimClock {
    exec: Executor,
    started: u64,
    skew_ms: AtomicI64,
}

impl SimClock {
    /// A clock that is off by `skew_ms`.
    pub fn new(exec: Executor, skew_ms: i64) -> Arc<Self> {
        let started = exec.micros();
        Arc::new(Self { exec, started, skew_ms: AtomicI64::new(skew_ms) })
    }

    /// Sets how far the clock is off.
    pub fn set_skew(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let real = EPOCH_MS + self.exec.micros() / 1_000;
        Timestamp::from_millis(real.saturating_add_signed(self.skew_ms.load(Ordering::Relaxed)))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.exec.micros() - self.started)
    }

    async fn sleep(&self, duration: Duration) {
        self.exec.sleep(duration).await;
    }
}

/// The entropy of one instance.
pub struct SimEntropy(Mutex<SplitMix64>);

impl SimEntropy {
    /// Numbers that follow from a seed.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(SplitMix64::new(seed))))
    }
}

impl Entropy for SimEntropy {
    fn next_u64(&self) -> u64 {
        lock(&self.0).next_u64()
    }
}

/// Spawns into a group of the executor.
pub struct Spawner {
    /// The executor.
    pub exec: Executor,
    /// The group of the tasks.
    pub group: Group,
}

impl Spawn for Spawner {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.exec.spawn_boxed(self.group, future);
    }
}

/// A generator of its own for each `stream` of a seed.
pub fn stream(seed: u64, number: u64) -> SplitMix64 {
    let mut mixer = SplitMix64::new(seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
    SplitMix64::new(mixer.next_u64())
}
