//! Kill -9 at random moments: every acknowledged write is there, no commit is there by half.
//!
//! A child commits to a store and sends to, receives from and deletes from a queue of one folder,
//! and reports each answer to its parent after it got it. The parent kills it after a number of
//! answers drawn from a printed seed, opens the folder, and checks it against the reports; the next
//! child continues from there.

use crate::child;
use adapter_embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueOptions};
use core::time::Duration;
use domain::random::{Random as _, SplitMix64};
use domain::time::Timestamp;
use ports::queue::{Outgoing, Receive};
use ports::store::{Attributes, Expect, IndexEntry, Key, Write};
use ports::{Queue as _, Store as _};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use testkit::ManualClock;

const LANES: u64 = 8;
const ROUNDS: u64 = 12;
const INDEX: &str = "crash_log";

fn open(folder: &Path) -> (Engine, Arc<EmbeddedStore>, Arc<EmbeddedQueue>) {
    // Small tables, so that flushes and merges are under way when the kill comes.
    let options = EngineOptions { memtable_bytes: 256 << 10, version_rows: 8, ..EngineOptions::default() };
    let engine = Engine::open(folder, options, Arc::new(ManualClock::default())).unwrap();
    let store = engine.store("rows").unwrap();
    let queue = engine.queue("events", QueueOptions::fifo()).unwrap();
    (engine, store, queue)
}

fn key(lane: u64, sort: &str) -> Key {
    Key::new(format!("lane{lane}"), sort)
}

fn log_key(lane: u64, n: u64) -> Key {
    Key::new(format!("log{lane}"), format!("{n:08}"))
}

fn commit_of(lane: u64, n: u64) -> Vec<Write> {
    let put = |key, expect, indexes| Write::Put {
        key,
        expect,
        attributes: Attributes::new().with("number", n).with("filler", "x".repeat(200)),
        indexes,
    };
    let indexes =
        vec![IndexEntry { index: INDEX, shard: lane.to_string().into(), at: Timestamp::from_millis(n) }];
    vec![
        put(key(lane, "head"), Expect::unchanged(n - 1), Vec::new()),
        put(log_key(lane, n), Expect::Absent, indexes),
        put(key(lane, "tail"), Expect::unchanged(n - 1), Vec::new()),
    ]
}

/// The child: commits and sends in every lane, receives and deletes, until it is killed.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Some(folder) = child::folder() else { return };
    child::report("opening");
    let (_engine, store, queue) = open(Path::new(&folder));
    child::report("opened");
    let mut work = tokio::task::JoinSet::new();
    for lane in 0..LANES {
        let (store, queue) = (store.clone(), queue.clone());
        work.spawn(async move {
            let rows = store.get(&[key(lane, "head")]).await.unwrap();
            let mut n = rows[0].as_ref().map_or(0, |row| row.version);
            loop {
                n += 1;
                store.commit(commit_of(lane, n)).await.unwrap();
                child::report(format_args!("C {lane} {n}"));
                let message = Outgoing {
                    body: format!("{lane} {n}"),
                    group: Some(format!("lane{lane}")),
                    dedup_id: Some(format!("{lane} {n}")),
                    ..Outgoing::default()
                };
                queue.send(vec![message]).await.unwrap().pop().unwrap().unwrap();
                child::report(format_args!("S {lane} {n}"));
            }
        });
    }
    for _ in 0..3 {
        let queue = queue.clone();
        work.spawn(async move {
            loop {
                let request = Receive { max: 3, wait: Duration::from_secs(20), visibility: None };
                let messages = queue.receive(request).await.unwrap();
                for message in &messages {
                    child::report(format_args!("B {}", message.body));
                }
                let receipts = messages.iter().map(|message| message.receipt.clone()).collect();
                for result in queue.delete(receipts).await.unwrap() {
                    result.unwrap();
                }
                for message in &messages {
                    child::report(format_args!("D {}", message.body));
                }
            }
        });
    }
    // They never end by themselves; a failing one ends the child, which its parent notices.
    work.join_next().await.unwrap().unwrap();
}

/// What the child reported, over all rounds.
#[derive(Default)]
struct Reported {
    committed: BTreeMap<u64, u64>,
    sent: BTreeSet<(u64, u64)>,
    deleting: BTreeSet<(u64, u64)>,
    deleted: BTreeSet<(u64, u64)>,
}

impl Reported {
    fn record(&mut self, line: &str) {
        let mut words = line.split(' ');
        let what = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(lane), Some(n)) = (number(), number()) else { return };
        match what {
            Some("C") => {
                self.committed.insert(lane, n);
            }
            Some("S") => {
                self.sent.insert((lane, n));
            }
            Some("B") => {
                self.deleting.insert((lane, n));
            }
            Some("D") => {
                self.deleted.insert((lane, n));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_kills_at_random_moments() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = SplitMix64::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut reported = Reported::default();
    for round in 0..ROUNDS {
        // The first rounds die while the folder is created or opened.
        let answers = if round < 4 { dice.below(3) } else { dice.below(1_500) };
        let mut child = child::start("crash::child_that_writes_until_it_is_killed", folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        while heard < answers {
            let line = lines.next().expect("the child writes until it is killed").unwrap();
            if let Some(line) = child::reported(&line) {
                reported.record(line);
                heard += 1;
            }
        }
        child.kill().unwrap();
        // What it reported before it died counts too.
        for line in lines.map_while(Result::ok) {
            child::reported(&line).into_iter().for_each(|line| reported.record(line));
        }
        child.wait().unwrap();
        check(folder.path(), &reported, round).await;
    }
    assert!(
        reported.committed.len() as u64 == LANES && !reported.deleted.is_empty(),
        "the rounds showed nothing"
    );
}

async fn check(folder: &Path, reported: &Reported, round: u64) {
    let (_engine, store, queue) = open(folder);
    for lane in 0..LANES {
        let rows = store.get(&[key(lane, "head"), key(lane, "tail")]).await.unwrap();
        let [head, tail] = [0, 1].map(|n| {
            rows[n]
                .as_ref()
                .map_or((0, 0), |row| (row.version, row.attributes.number("number").unwrap() as u64))
        });
        assert_eq!(head, tail, "round {round}: half a commit in lane {lane}");
        assert_eq!(head.0, head.1, "round {round}: versions without gaps in lane {lane}");
        let answered = reported.committed.get(&lane).copied().unwrap_or(0);
        assert!(
            head.0 >= answered,
            "round {round}: lane {lane} has {} commits, {answered} were answered",
            head.0
        );
        let mut log = Vec::new();
        while let rows = store.list(&format!("log{lane}"), log.last().map(String::as_str), 100).await.unwrap()
            && !rows.is_empty()
        {
            log.extend(rows.into_iter().map(|row| row.key.sort.to_string()));
        }
        let expected: Vec<String> = (1..=head.0).map(|n| format!("{n:08}")).collect();
        assert_eq!(log, expected, "round {round}: log of lane {lane}");
        let due = store.due(INDEX, &lane.to_string(), None, Timestamp::MAX, usize::MAX).await.unwrap();
        let due: Vec<String> = due.into_iter().map(|entry| entry.key.sort.to_string()).collect();
        assert_eq!(due, expected, "round {round}: index of lane {lane}");
    }
    let there: Vec<(u64, u64)> = queue
        .peek(None, usize::MAX)
        .unwrap()
        .iter()
        .map(|message| {
            let (lane, n) = message.body.split_once(' ').unwrap();
            (lane.parse().unwrap(), n.parse().unwrap())
        })
        .collect();
    let once: BTreeSet<_> = there.iter().copied().collect();
    assert_eq!(once.len(), there.len(), "round {round}: a message is there twice");
    for message in &reported.sent {
        let may_be_gone = reported.deleting.contains(message);
        assert!(may_be_gone || once.contains(message), "round {round}: {message:?} was sent and is gone");
    }
    for message in &reported.deleted {
        assert!(!once.contains(message), "round {round}: {message:?} was deleted and is back");
    }
    let mut last = BTreeMap::new();
    for (lane, n) in there {
        assert!(last.insert(lane, n).is_none_or(|before| before < n), "round {round}: order of lane {lane}");
    }
}
