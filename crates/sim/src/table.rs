//! The simulated store: one table that keeps the contract of `ports::Store`, and every fault that
//! the contract allows.
//!
//! The engine, and not the caller, changes rows at one instant, whole commits at a time. A caller
//! that is dropped after sending a commit does not know its result, and neither does this table
//! until the commit arrives. Index entries follow their row at once or late.

use crate::core::Core;
use crate::exec::lock;
use crate::fault::Kind;
use async_trait::async_trait;
use census::Table as Name;
use core::ops::Bound;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use domain::limits::ROWS_PER_COMMIT_MAX;
use domain::time::Timestamp;
use ports::store::{CommitError, Entry, Expect, IndexEntry, Key, Row, Store, Value, Write};
use ports::{Fault, FaultClass};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

const ROW_BYTES_MAX: usize = 400 * 1024;
const KEY_PART_BYTES_MAX: usize = 1024;
/// The longest that an unanswered call takes: a client of an engine gives up then.
const GIVE_UP: Duration = Duration::from_secs(8);
/// The longest that a commit without an answer may still be on its way. The inventory counts on 30
/// s.
const LATE_MAX: Duration = Duration::from_secs(20);
/// The longest that an index is behind.
const INDEX_LATE_MAX: Duration = Duration::from_secs(3);

/// A row before and after a commit.
pub struct Change<'c> {
    /// Where.
    pub key: &'c Key,
    /// `None`: it is new.
    pub before: Option<&'c Row>,
    /// `None`: it is gone.
    pub after: Option<&'c Row>,
}

/// One table of the simulated engine.
pub struct SimTable {
    core: Arc<Core>,
    name: Option<Name>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Key, Stored>,
    indexes: BTreeMap<(&'static str, Arc<str>), BTreeMap<Entry, Shown>>,
    /// Until when the table answers no call.
    down_until: u64,
    /// Commits that are on their way, in the order in which they were sent.
    under_way: BTreeMap<u64, Arc<Way>>,
    sent: u64,
}

/// A commit on its way.
struct Way {
    writes: Vec<Write>,
    /// It will not arrive any more: it was torn off, or written early when the engine died.
    over: AtomicBool,
}

struct Stored {
    row: Row,
    indexes: Vec<IndexEntry>,
}

/// When an index entry becomes visible.
#[derive(Clone, Copy)]
struct Shown {
    from: u64,
    until: u64,
}

/// What happens to a commit.
enum Fate {
    Told,
    AnswerLost,
    Lost,
    Late,
}

impl SimTable {
    /// An empty table. One with a name is watched by the checker.
    pub fn new(core: Arc<Core>, name: Option<Name>) -> Arc<Self> {
        Arc::new(Self { core, name, state: Mutex::default() })
    }

    /// Lets no call be answered until then.
    pub fn down_until(&self, micros: u64) {
        lock(&self.state).down_until = micros;
    }

    /// Kills the engine: the first few of the commits on their way are written, the others are torn
    /// off, and none arrives later.
    pub fn tear(&self) {
        let under_way = std::mem::take(&mut lock(&self.state).under_way);
        let kept = self.core.faults.below(under_way.len() as u64 + 1) as usize;
        for (at, way) in under_way.into_values().enumerate() {
            way.over.store(true, Ordering::Relaxed);
            if at < kept {
                // Its sender is dead: nobody learns whether it conflicted.
                drop(self.apply(&way.writes));
            } else {
                self.core.faults.count(Kind::TailTorn);
            }
        }
    }

    /// Whether a commit is on its way.
    pub fn is_busy(&self) -> bool {
        !lock(&self.state).under_way.is_empty()
    }

    /// How many entries an index has now, visible or not.
    pub fn entries(&self, index: &'static str) -> usize {
        let state = lock(&self.state);
        state.rows.values().filter(|stored| stored.indexes.iter().any(|entry| entry.index == index)).count()
    }

    fn micros(&self) -> u64 {
        self.core.exec.micros()
    }

    /// Waits like a request; returns an error while the table is down.
    async fn arrive(&self) -> Result<(), Fault> {
        self.core.way().await;
        let down_until = lock(&self.state).down_until;
        let now = self.micros();
        if down_until <= now {
            return Ok(());
        }
        // Some clients hang until they give up, others are refused at once.
        if self.core.faults.below(2) == 0 {
            let left = Duration::from_micros(down_until - now).min(GIVE_UP);
            self.core.exec.sleep(left).await;
        }
        Err(Fault::unavailable("the store does not answer"))
    }

    fn read(&self, key: &Key) -> Option<Row> {
        lock(&self.state).rows.get(key).map(|stored| stored.row.clone())
    }

    /// Checks and applies a commit at this instant.
    fn apply(&self, writes: &[Write]) -> Result<(), CommitError> {
        let mut state = lock(&self.state);
        for (at, write) in writes.iter().enumerate() {
            let version = state.rows.get(write.key()).map(|stored| stored.row.version);
            let expect = match write {
                Write::Put { expect, .. } | Write::Delete { expect, .. } | Write::Check { expect, .. } => {
                    expect
                }
            };
            let holds = match expect {
                Expect::Absent => version.is_none(),
                Expect::Version(wanted) => version == Some(*wanted),
                Expect::Any => true,
            };
            if !holds {
                return Err(CommitError::Conflict { at });
            }
        }
        let mut changed: Vec<(Key, Option<Row>, Option<Row>)> = Vec::with_capacity(writes.len());
        for write in writes {
            let key = write.key();
            let before = state.rows.remove(key);
            if before.is_none() && matches!(write, Write::Delete { .. }) {
                continue;
            }
            let after = match write {
                Write::Put { attributes, indexes, .. } => {
                    let version = before.as_ref().map_or(0, |stored| stored.row.version) + 1;
                    let row = Row { key: key.clone(), version, attributes: attributes.clone() };
                    Some(Stored { row, indexes: indexes.clone() })
                }
                Write::Delete { .. } => None,
                Write::Check { .. } => {
                    state.rows.extend(before.map(|stored| (key.clone(), stored)));
                    continue;
                }
            };
            self.index(&mut state, key, before.as_ref(), after.as_ref());
            let row_after = after.as_ref().map(|stored| stored.row.clone());
            state.rows.extend(after.map(|stored| (key.clone(), stored)));
            changed.push((key.clone(), before.map(|stored| stored.row), row_after));
        }
        drop(state);
        if let Some(name) = self.name {
            self.core.record(|| {
                let keys: Vec<String> =
                    changed.iter().map(|(key, before, after)| describe(key, before, after)).collect();
                format!("{name} writes {}", keys.join(" "))
            });
            let changes: Vec<Change<'_>> = changed
                .iter()
                .map(|(key, before, after)| Change { key, before: before.as_ref(), after: after.as_ref() })
                .collect();
            lock(&self.core.checker).committed(&self.core, name, &changes);
        }
        Ok(())
    }

    /// Moves the index entries of a row.
    fn index(&self, state: &mut State, key: &Key, before: Option<&Stored>, after: Option<&Stored>) {
        let now = self.micros();
        let of = |stored: Option<&Stored>| -> Vec<IndexEntry> {
            stored.map(|stored| stored.indexes.clone()).unwrap_or_default()
        };
        let (before, after) = (of(before), of(after));
        let late = |core: &Core| match core.faults.strikes(Kind::IndexLate) {
            true => now + core.faults.below(INDEX_LATE_MAX.as_micros() as u64),
            false => now,
        };
        for gone in before.iter().filter(|entry| !after.contains(entry)) {
            let until = late(&self.core);
            if let Some(shard) = state.indexes.get_mut(&(gone.index, gone.shard.clone())) {
                let entry = Entry { at: gone.at, key: key.clone() };
                if until == now {
                    shard.remove(&entry);
                } else if let Some(shown) = shard.get_mut(&entry) {
                    shown.until = until;
                }
            }
        }
        for new in after.iter().filter(|entry| !before.contains(entry)) {
            let shown = Shown { from: late(&self.core), until: u64::MAX };
            let shard = state.indexes.entry((new.index, new.shard.clone())).or_default();
            shard.insert(Entry { at: new.at, key: key.clone() }, shown);
        }
    }

    /// Sends a commit on its way; the answer comes if the commit arrives.
    fn send(self: &Arc<Self>, writes: Vec<Write>, way: Duration) -> Sent {
        let on_its_way = Arc::new(Way { writes, over: AtomicBool::new(false) });
        let (answer, answered) = oneshot::channel();
        let number = {
            let mut state = lock(&self.state);
            state.sent += 1;
            let number = state.sent;
            state.under_way.insert(number, Arc::clone(&on_its_way));
            number
        };
        let (table, sent) = (Arc::clone(self), Arc::clone(&on_its_way));
        self.core.exec.spawn(self.core.world, async move {
            table.core.exec.sleep(way).await;
            lock(&table.state).under_way.remove(&number);
            if !sent.over.load(Ordering::Relaxed) {
                // Its sender may be gone.
                drop(answer.send(table.apply(&sent.writes)));
            }
        });
        Sent { core: Arc::clone(&self.core), on_its_way, answered: Some(answered) }
    }

    fn fate(&self) -> Fate {
        let faults = &self.core.faults;
        if faults.strikes(Kind::WriteAnswerLost) {
            Fate::AnswerLost
        } else if faults.strikes(Kind::WriteLost) {
            Fate::Lost
        } else if faults.strikes(Kind::WriteLate) {
            Fate::Late
        } else {
            Fate::Told
        }
    }
}

/// A commit on its way. Its sender may die before it arrives; then it may be torn off.
struct Sent {
    core: Arc<Core>,
    on_its_way: Arc<Way>,
    answered: Option<oneshot::Receiver<Result<(), CommitError>>>,
}

impl Sent {
    async fn answer(mut self) -> Result<(), CommitError> {
        let Some(answered) = &mut self.answered else { return Err(unknown()) };
        let answer = answered.await;
        self.answered = None;
        answer.unwrap_or_else(|_| Err(unknown()))
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.answered.is_some() && self.core.faults.strikes(Kind::TailTorn) {
            self.on_its_way.over.store(true, Ordering::Relaxed);
        }
    }
}

/// One instance's access to a table.
pub struct SimStore(pub Arc<SimTable>);

#[async_trait]
impl Store for SimStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, Fault> {
        if keys.len() > ROWS_PER_COMMIT_MAX {
            return Err(Fault::permanent("more than 100 keys"));
        }
        let SimStore(table) = self;
        table.arrive().await?;
        let faults = &table.core.faults;
        if faults.strikes(Kind::ReadRefused) {
            return Err(Fault::transient("the read was throttled"));
        }
        let torn_at = match keys.len() > 1 && faults.strikes(Kind::ReadTorn) {
            true => faults.below(keys.len() as u64) as usize,
            false => usize::MAX,
        };
        let mut rows = Vec::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            if at == torn_at {
                let pause = table.core.faults.between(Duration::from_micros(1), Duration::from_millis(20));
                table.core.exec.sleep(pause).await;
            }
            rows.push(table.read(key));
        }
        table.core.way().await;
        Ok(rows)
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Row>, Fault> {
        let SimStore(table) = self;
        table.arrive().await?;
        if table.core.faults.strikes(Kind::ReadRefused) {
            return Err(Fault::transient("the list was throttled"));
        }
        let from = Key::new(partition, after.unwrap_or_default());
        let bound = if after.is_some() { Bound::Excluded(&from) } else { Bound::Included(&from) };
        let rows = {
            let state = lock(&table.state);
            let rows = state.rows.range::<Key, _>((bound, Bound::Unbounded));
            rows.take_while(|(key, _)| *key.partition == *partition)
                .take(limit)
                .map(|(_, stored)| stored.row.clone())
                .collect()
        };
        table.core.way().await;
        Ok(rows)
    }

    async fn due(
        &self,
        index: &'static str,
        shard: &str,
        after: Option<&Entry>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let SimStore(table) = self;
        if lock(&table.state).down_until > table.micros() || table.core.faults.below(16) == 0 {
            table.arrive().await?;
        }
        if table.core.faults.strikes(Kind::ReadRefused) {
            return Err(Fault::transient("the index was throttled"));
        }
        let now = table.micros();
        let mut state = lock(&table.state);
        let Some(entries) = state.indexes.get_mut(&(index, Arc::from(shard))) else { return Ok(Vec::new()) };
        entries.retain(|_, shown| shown.until > now);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let seen = entries.range::<Entry, _>((from, Bound::Unbounded));
        Ok(seen
            .take_while(|(entry, _)| entry.at <= until)
            .filter(|(_, shown)| shown.from <= now)
            .take(limit)
            .map(|(entry, _)| entry.clone())
            .collect())
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), CommitError> {
        let SimStore(table) = self;
        check(&writes).map_err(CommitError::Failed)?;
        let faults = &table.core.faults;
        table.arrive().await.map_err(CommitError::Failed)?;
        if faults.strikes(Kind::WriteRefused) {
            return Err(CommitError::Failed(Fault::transient("the write was throttled")));
        }
        if faults.strikes(Kind::ConflictReported) {
            return Err(CommitError::Conflict { at: faults.below(writes.len() as u64) as usize });
        }
        let delayed = faults.strikes(Kind::WriteDelayed);
        let way = match delayed {
            true => faults.between(Duration::from_millis(100), GIVE_UP),
            false => faults.way(),
        };
        let answer = match table.fate() {
            Fate::Told if way.is_zero() => table.apply(&writes),
            Fate::Told => table.send(writes, way).answer().await,
            Fate::AnswerLost => {
                let answer = table.send(writes, way).answer().await;
                drop(answer);
                Err(unknown())
            }
            Fate::Lost => {
                table.core.exec.sleep(way).await;
                Err(unknown())
            }
            Fate::Late => {
                let late = faults.between(way, LATE_MAX);
                let mut sent = table.send(writes, late);
                // Nobody waits for it; it arrives all the same.
                sent.answered = None;
                table.core.exec.sleep(way).await;
                Err(unknown())
            }
        };
        table.core.way().await;
        answer
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
        let SimStore(table) = self;
        table.arrive().await?;
        let bound = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = lock(&table.state);
        let rows = state.rows.range::<Key, _>((bound, Bound::Unbounded));
        Ok(rows.take(limit).map(|(_, stored)| stored.row.clone()).collect())
    }
}

fn unknown() -> CommitError {
    CommitError::Ambiguous(Fault::new(FaultClass::Unavailable, "the answer to a commit was lost"))
}

/// A row's change in the trace: its key, its versions, and its status where it has one.
fn describe(key: &Key, before: &Option<Row>, after: &Option<Row>) -> String {
    let version = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.version);
    let status = after.as_ref().and_then(|row| row.attributes.text("status")).map_or("", |status| status);
    format!("{}/{}@{}>{}{status}", key.partition, key.sort, version(before), version(after))
}

/// The limits of the port.
fn check(writes: &[Write]) -> Result<(), Fault> {
    if writes.is_empty() || writes.len() > ROWS_PER_COMMIT_MAX {
        return Err(Fault::permanent(format!("a commit of {} writes", writes.len())));
    }
    let mut keys = BTreeSet::new();
    for write in writes {
        let key = write.key();
        if !keys.insert(key) {
            return Err(Fault::permanent("a commit writes one row twice"));
        }
        if key.partition.len() > KEY_PART_BYTES_MAX || key.sort.len() > KEY_PART_BYTES_MAX {
            return Err(Fault::permanent("a key is over 1 KB"));
        }
        if let Write::Put { attributes, expect, .. } = write {
            let bytes: usize = attributes.0.iter().map(|(name, value)| name.len() + size(value)).sum();
            if bytes > ROW_BYTES_MAX {
                return Err(Fault::permanent(format!("a row of {bytes} bytes is over 400 KB")));
            }
            if *expect == Expect::Any {
                return Err(Fault::permanent("a put must say what it expects"));
            }
        }
    }
    Ok(())
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Number(_) => 8,
        Value::Flag(_) => 1,
        Value::Texts(texts) => texts.iter().map(|text| text.len() + 1).sum(),
    }
}
