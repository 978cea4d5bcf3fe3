//! The faults: what can go wrong, how often it does in this run, and how often it did.
//!
//! Every fault has a rate of its own, drawn per seed, so that some seeds are calm and some are
//! storms. A place in the simulated world where something may go wrong asks [`Faults::strikes`];
//! each question is one opportunity. Faults that are episodes (a dead peer, a crash, a clock that
//! jumps) are started by `chaos`, at intervals with these rates.

use crate::exec::lock;
use crate::trace::Trace;
use core::marker::PhantomData;
use core::time::Duration;
use domain::random::{Random, SplitMix64};
use std::sync::{Arc, Mutex};

/// Kinds of faults, each with an index, a name and a rate.
pub trait FaultKind: Copy + 'static {
    /// All of them, in the order of their index.
    const ALL: &'static [Self];
    /// Its place in [`ALL`](Self::ALL).
    fn index(self) -> usize;
    /// The name in reports and on the command line.
    fn name(self) -> &'static str;
    /// Opportunities in a million that are taken in a storm; for episodes, times in a thousand
    /// virtual seconds.
    fn scale(self) -> u32;
}

/// An enum of such things.
macro_rules! kinds {
    ($(#[$about:meta])* $set:ident: $($(#[$doc:meta])* $kind:ident = $name:literal, $scale:literal;)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $set { $($(#[$doc])* $kind),* }

        impl $set {
            /// All of them, in the order of their index.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name in reports and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }

        impl $crate::fault::FaultKind for $set {
            const ALL: &'static [Self] = Self::ALL;

            fn index(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                self.name()
            }

            fn scale(self) -> u32 {
                match self { $(Self::$kind => $scale),* }
            }
        }
    };
}
pub(crate) use kinds;

kinds! {
    /// What can go wrong.
    Kind:
    /// An instance dies wherever its tasks stand, and is started again.
    Crash = "crash", 200;
    /// Every process and engine dies at once; what was not synced is torn off.
    Outage = "outage", 15;
    /// New instances start and the old ones shut down.
    Deploy = "deploy", 60;
    /// One more worker.
    ScaleOut = "scale_out", 40;
    /// One worker less.
    ScaleIn = "scale_in", 50;
    /// A standard queue hands a message out and keeps it.
    MessageDuplicated = "message_duplicated", 200_000;
    /// A message is hidden at first.
    MessageDelayed = "message_delayed", 200_000;
    /// A standard queue hands out another message than the oldest.
    MessageReordered = "message_reordered", 300_000;
    /// A lease ends long before its time, so the message is handed out again while a worker has it.
    LeaseLost = "lease_lost", 200_000;
    /// A receive took its messages, and its answer is late.
    ReceiveLate = "receive_late", 200_000;
    /// A receive took its messages, and its answer is lost.
    ReceiveLost = "receive_lost", 100_000;
    /// A call to the queue has no effect and fails.
    QueueRefused = "queue_refused", 150_000;
    /// A call to the queue has its effect, and fails all the same.
    QueueAnswerLost = "queue_answer_lost", 150_000;
    /// A call to the queue takes long, on its way there or on its way back.
    QueueSlow = "queue_slow", 150_000;
    /// An entry of a batch has no effect and fails.
    EntryRefused = "entry_refused", 200_000;
    /// An entry of a batch has its effect, and is reported as failed.
    EntryAnswerLost = "entry_answer_lost", 150_000;
    /// The queue does not answer for a while.
    QueueDown = "queue_down", 30;
    /// A read of the store fails.
    ReadRefused = "read_refused", 50_000;
    /// The rows of one read are read at different times.
    ReadTorn = "read_torn", 300_000;
    /// A commit is refused and nothing is written.
    WriteRefused = "write_refused", 150_000;
    /// A commit takes seconds.
    WriteDelayed = "write_delayed", 100_000;
    /// A commit is written, and its answer is lost.
    WriteAnswerLost = "write_answer_lost", 200_000;
    /// A commit is not written, and has no answer.
    WriteLost = "write_lost", 150_000;
    /// A commit without an answer is written seconds later.
    WriteLate = "write_late", 100_000;
    /// A commit is refused as a conflict although nothing conflicts.
    ConflictReported = "conflict_reported", 150_000;
    /// A commit that was on its way when its sender died is torn off.
    TailTorn = "tail_torn", 500_000;
    /// An index shows a change late.
    IndexLate = "index_late", 300_000;
    /// A table does not answer for a while.
    StoreDown = "store_down", 30;
    /// A call to a peer is refused.
    CallRefused = "call_refused", 150_000;
    /// Something in front of a peer refuses one call: 401, 403, UNIMPLEMENTED.
    CallDenied = "call_denied", 4_000;
    /// A call never reaches its peer, and its caller gets no error.
    CallLost = "call_lost", 80_000;
    /// A peer carries the call out, and its answer is lost.
    CallAnswerLost = "call_answer_lost", 150_000;
    /// A call takes long, often longer than its caller waits.
    CallSlow = "call_slow", 150_000;
    /// A caller that gives up drops the handler of its call, wherever that stands.
    CallCut = "call_cut", 700_000;
    /// A service does not answer for some seconds.
    PeerDead = "peer_dead", 60;
    /// A service does not answer for minutes.
    PeerDeadLong = "peer_dead_long", 12;
    /// A service answers every call with an error for a while.
    PeerFailing = "peer_failing", 25;
    /// Something that is not the peer answers for a while: 404, 200 with HTML (cases P1 to P3).
    PeerMisrouted = "peer_misrouted", 40;
    /// The clock of an instance jumps.
    ClockJump = "clock_jump", 80;
    /// The clocks of two instances run apart.
    ClockSkew = "clock_skew", 700_000;
    /// A webhook never arrives.
    WebhookLost = "webhook_lost", 150_000;
    /// A webhook arrives twice.
    WebhookDoubled = "webhook_doubled", 150_000;
}

/// How many kinds there are.
pub const KINDS: usize = Kind::ALL.len();

/// The rate of each kind, in the unit of [`FaultKind::scale`].
pub type Rates = [u32; KINDS];

/// Draws rates. Of seven seeds one is calm, one mild and two are storms, in which about half of the
/// kinds do not happen at all. In the other three a few kinds, two to six, happen as often as they
/// can and no others: bugs that a storm's noise would hide show there.
pub fn draw_rates(dice: &mut impl Random) -> Rates {
    draw::<Kind, KINDS>(dice, 2, 5)
}

/// The same for any set of kinds, with `few` to `few + more - 1` kinds in three of seven seeds.
pub(crate) fn draw<K: FaultKind, const N: usize>(dice: &mut impl Random, few: u64, more: u64) -> [u32; N] {
    let mut rates = [0; N];
    let strength = match dice.below(7) {
        0 => return rates,
        1..4 => {
            let count = few + dice.below(more);
            let kinds = (0..count).map(|_| K::ALL[dice.below(N as u64) as usize]);
            return only(&kinds.collect::<Vec<_>>());
        }
        4 => 0.25,
        _ => 1.0,
    };
    for (rate, kind) in rates.iter_mut().zip(K::ALL) {
        if dice.below(2) == 0 {
            // Between a fiftieth and the whole, small rates as likely as large ones.
            let share = 0.02_f64.powf(dice.unit());
            *rate = (f64::from(kind.scale()) * strength * share).ceil() as u32;
        }
    }
    rates
}

/// These kinds and no others, each as often as it can.
pub fn only<K: FaultKind, const N: usize>(kinds: &[K]) -> [u32; N] {
    let mut rates = [0; N];
    for kind in kinds {
        rates[kind.index()] = rate_alone(*kind);
    }
    rates
}

/// The rate of a kind that happens as often as it can.
pub(crate) fn rate_alone(kind: impl FaultKind) -> u32 {
    kind.scale().saturating_mul(2).min(500_000)
}

/// The faults of one run, of `N` kinds.
pub struct Faults<K = Kind, const N: usize = KINDS> {
    inner: Mutex<Inner<N>>,
    trace: Arc<Trace>,
    kinds: PhantomData<K>,
}

struct Inner<const N: usize> {
    dice: SplitMix64,
    rates: [u32; N],
    fired: [u64; N],
    active: bool,
    /// Calls in a thousand that take no time at all.
    instant: u64,
    /// The mean of those that take some, in microseconds.
    latency: u64,
}

impl<K: FaultKind, const N: usize> Faults<K, N> {
    /// Faults with these rates, whose choices follow from a seed.
    pub fn new(seed: u64, rates: [u32; N], (instant, latency): (u64, u64), trace: Arc<Trace>) -> Self {
        let dice = SplitMix64::new(seed);
        let inner = Inner { dice, rates, fired: [0; N], active: true, instant, latency };
        Self { inner: Mutex::new(inner), trace, kinds: PhantomData }
    }

    /// Whether this opportunity is taken; counted if so.
    pub fn strikes(&self, kind: K) -> bool {
        let mut inner = lock(&self.inner);
        let rate = inner.rates[kind.index()];
        if rate == 0 || !inner.active || inner.dice.below(1_000_000) >= u64::from(rate) {
            return false;
        }
        inner.fired[kind.index()] += 1;
        self.trace.record(|| format!("fault {}", kind.name()));
        true
    }

    /// Counts an episode or a choice that was made elsewhere.
    pub fn count(&self, kind: K) {
        lock(&self.inner).fired[kind.index()] += 1;
        self.trace.record(|| format!("fault {}", kind.name()));
    }

    /// The time to the next episode of a kind; `None` if it does not happen.
    pub fn interval(&self, kind: K) -> Option<Duration> {
        let mut inner = lock(&self.inner);
        let rate = inner.rates[kind.index()];
        if rate == 0 || !inner.active {
            return None;
        }
        let mean_ms = 1_000_000.0 / f64::from(rate);
        let unit = inner.dice.unit().max(1e-9);
        Some(Duration::from_millis((-unit.ln() * mean_ms) as u64))
    }

    /// Ends all faults. From then on only the times of calls are drawn.
    pub fn stop(&self) {
        lock(&self.inner).active = false;
    }

    /// Whether faults may still happen.
    pub fn active(&self) -> bool {
        lock(&self.inner).active
    }

    /// How often each kind happened.
    pub fn fired(&self) -> [u64; N] {
        lock(&self.inner).fired
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        lock(&self.inner).dice.below(bound)
    }

    /// A duration between the two.
    pub fn between(&self, from: Duration, to: Duration) -> Duration {
        let span = (to.saturating_sub(from)).as_micros() as u64;
        from + Duration::from_micros(lock(&self.inner).dice.below(span.max(1)))
    }

    /// How long one way of a call takes without a fault; often no time at all.
    pub fn way(&self) -> Duration {
        let mut inner = lock(&self.inner);
        if inner.dice.below(1_000) < inner.instant {
            return Duration::ZERO;
        }
        let unit = inner.dice.unit().max(1e-6);
        let mean = inner.latency as f64;
        Duration::from_micros((-unit.ln() * mean) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_its_rate_and_never_after_the_end() {
        let mut rates = [0; KINDS];
        rates[Kind::CallLost as usize] = 250_000;
        let faults = Faults::new(3, rates, (0, 100), Arc::new(Trace::off()));
        let struck = (0..10_000).filter(|_| faults.strikes(Kind::CallLost)).count();
        assert!((2_200..2_800).contains(&struck), "{struck}");
        assert_eq!(faults.fired()[Kind::CallLost as usize], struck as u64);
        assert!(!faults.strikes(Kind::CallSlow));
        faults.stop();
        assert!((0..1_000).all(|_| !faults.strikes(Kind::CallLost)));
    }

    #[test]
    fn some_seeds_are_calm_and_each_kind_happens_in_some() {
        let drawn: Vec<Rates> = (0..200).map(|seed| draw_rates(&mut SplitMix64::new(seed))).collect();
        assert!(drawn.iter().any(|rates| rates.iter().all(|rate| *rate == 0)));
        for kind in Kind::ALL {
            assert!(drawn.iter().any(|rates| rates[*kind as usize] > 0), "{kind:?}");
        }
    }
}
