//! A full disk: a clear error, no acknowledged write is lost, no half commit appears, and a restart
//! continues.
//!
//! A child works under a limit on the size of files with the signal for it ignored, so a write
//! beyond it fails as on a full disk, without privileges. The engine must stop: after a failed
//! write the content of the file is unknown.

use crate::child;
use adapter_embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueOptions};
use ports::queue::{Outgoing, Receive};
use ports::store::{Attributes, CommitError, Expect, Key, Write};
use ports::{Queue as _, Store as _};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use testkit::ManualClock;

fn open(folder: &Path) -> (Engine, Arc<EmbeddedStore>, Arc<EmbeddedQueue>) {
    let engine = Engine::open(folder, EngineOptions::default(), Arc::new(ManualClock::default())).unwrap();
    let store = engine.store("rows").unwrap();
    let queue = engine.queue("events", QueueOptions::standard()).unwrap();
    (engine, store, queue)
}

fn pair(n: u64) -> Vec<Write> {
    let put = |sort: String| Write::Put {
        key: Key::new("p", sort),
        expect: Expect::Absent,
        attributes: Attributes::new().with("filler", "x".repeat(20_000)),
        indexes: Vec::new(),
    };
    vec![put(format!("{n:04}-a")), put(format!("{n:04}-b"))]
}

fn message(n: u64) -> Outgoing {
    Outgoing { body: format!("{n:04}"), ..Outgoing::default() }
}

/// The child: commits and sends until it is refused, then tries everything once more.
#[tokio::test]
async fn child_that_writes_until_the_disk_is_full() {
    let Some(folder) = child::folder() else { return };
    let (engine, store, queue) = open(Path::new(&folder));
    assert_eq!(engine.health(), Ok(()));
    for n in 0.. {
        if queue.send(vec![message(n)]).await.is_err() {
            break;
        }
        child::report(format_args!("sent {n:04}"));
        match store.commit(pair(n)).await {
            Ok(()) => child::report(format_args!("committed {n:04}")),
            Err(CommitError::Ambiguous(fault)) => {
                child::report(format_args!("ambiguous {n:04} {fault}"));
                break;
            }
            Err(other) => {
                child::report(format_args!("unexpected {other:?}"));
                break;
            }
        }
    }
    child::report(format_args!("health {:?}", engine.health()));
    match store.commit(pair(9_999)).await {
        Err(CommitError::Failed(fault)) => child::report(format_args!("refused commit {fault}")),
        other => child::report(format_args!("unexpected {other:?}")),
    }
    match queue.send(vec![message(9_999)]).await {
        Err(fault) => child::report(format_args!("refused send {fault}")),
        Ok(other) => child::report(format_args!("unexpected {other:?}")),
    }
    let receive = Receive { max: 1, wait: core::time::Duration::from_secs(20), visibility: None };
    match queue.receive(receive).await {
        Err(fault) => child::report(format_args!("refused receive {fault}")),
        Ok(other) => child::report(format_args!("unexpected {other:?}")),
    }
    let readable = store.list("p", None, 1_000).await.is_ok();
    child::report(format_args!("readable {readable}"));
}

#[tokio::test]
async fn a_full_disk_stops_the_engine_and_loses_no_acknowledged_write() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    for round in 0..3u64 {
        let folder = folder.path();
        // Each round has room for more, after what the journal already holds.
        let mut child = child::start_with_file_limit(
            "full_disk::child_that_writes_until_the_disk_is_full",
            folder,
            1_500 * (round + 1),
        );
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reported: Vec<String> = lines
            .map_while(Result::ok)
            .filter_map(|line| child::reported(&line).map(str::to_owned))
            .collect();
        assert!(child.wait().unwrap().success(), "{reported:#?}");
        let after = |what: &str| -> Vec<String> {
            reported.iter().filter_map(|line| line.strip_prefix(what)).map(str::to_owned).collect()
        };
        assert_eq!(after("unexpected "), Vec::<String>::new());
        let health = after("health ").concat();
        assert!(health.contains("too large") && health.contains("stopped"), "{health}");
        for refused in ["refused commit ", "refused send ", "refused receive "] {
            let words = after(refused).concat();
            assert!(words.contains("stopped") && words.contains("too large"), "{refused}: {words}");
        }
        assert_eq!(after("readable "), ["true"]);

        let (_engine, store, queue) = open(folder);
        let rows = store.list("p", None, 10_000).await.unwrap();
        let there: BTreeSet<String> = rows.iter().map(|row| row.key.sort.to_string()).collect();
        for n in after("committed ") {
            assert!(
                there.contains(&format!("{n}-a")) && there.contains(&format!("{n}-b")),
                "{n} was answered"
            );
        }
        let halves = there.iter().filter(|sort| {
            let other = if sort.ends_with('a') { sort.replace("-a", "-b") } else { sort.replace("-b", "-a") };
            !there.contains(&other)
        });
        assert_eq!(halves.count(), 0, "half a commit");
        let messages: BTreeSet<String> =
            queue.peek(None, usize::MAX).unwrap().into_iter().map(|message| message.body).collect();
        for n in after("sent ") {
            assert!(messages.contains(&n), "message {n} was answered");
        }
        assert!(!there.contains("9999-a") && !messages.contains("9999"));
        // Room again: everything works, and removing the rows makes room for the next round.
        for row in rows {
            store.commit(vec![Write::Delete { key: row.key, expect: Expect::Version(1) }]).await.unwrap();
        }
        queue.purge().await.unwrap();
        assert!(!after("committed ").is_empty(), "round {round} showed nothing");
    }
}
