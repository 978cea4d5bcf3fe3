//! A pool of its own with real Redis servers, the cheapest of the engines.

use engines::{Kind, Lease, Process, Purpose, ServerPool, State};
use std::io::{Read, Write};
use std::net::TcpStream;

fn quiet(_: &str) {}

struct Bench {
    pool: ServerPool,
    /// Dropped last, after the servers that use it.
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { pool: ServerPool::new(folder.path().join("engines")), _folder: folder }
    }

    fn up(&self, kind: Kind) -> State {
        self.pool.up(&[kind], Purpose::Kept, &quiet).expect("it starts")
    }

    fn is_up(&self, kind: Kind) -> bool {
        self.pool.status(&[kind]).expect("a status")[0].up
    }
}

impl Drop for Bench {
    /// Also when a test fails.
    fn drop(&mut self) {
        self.pool.down(&Kind::ALL).expect("they end");
    }
}

fn only(state: &State, kind: Kind) -> Process {
    let [process] = state.engines[&kind].processes.as_slice() else { panic!("{state:?}") };
    process.clone()
}

fn ask(url: &str, command: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("redis://")).expect("it listens");
    write!(stream, "{command}\r\nQUIT\r\n").expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn redis_starts_answers_stays_and_ends() {
    let bench = Bench::new();
    let state = bench.up(Kind::Redis);
    let entry = &state.engines[&Kind::Redis];
    assert!(entry.ready && entry.kept && !entry.version.is_empty(), "{entry:?}");
    assert_eq!(ask(&entry.addresses[0], "SET key value"), "+OK\r\n+OK\r\n");
    assert_eq!(State::load(&bench.pool.file()).expect("a file"), state);
    assert!(bench.is_up(Kind::Redis));

    assert_eq!(bench.up(Kind::Redis), state, "it is up already");
    assert_eq!(ask(&entry.addresses[0], "GET key"), "$5\r\nvalue\r\n+OK\r\n", "the same one");

    let process = only(&state, Kind::Redis);
    assert_eq!(bench.pool.down(&Kind::ALL).expect("it ends"), [Kind::Redis]);
    assert!(!process.is_running());
    assert!(!bench.pool.file().exists(), "nothing is left on record");
    assert!(!bench.is_up(Kind::Redis));
    assert!(bench.pool.down(&Kind::ALL).expect("nothing to end").is_empty());
}

#[test]
fn a_server_that_died_is_started_anew() {
    let bench = Bench::new();
    let before = bench.up(Kind::Redis);
    ask(&before.engines[&Kind::Redis].addresses[0], "SHUTDOWN NOSAVE");
    let status = bench.pool.status(&[Kind::Redis]).expect("a status").remove(0);
    assert!(status.wanted && !status.up, "{status:?}");
    let after = bench.up(Kind::Redis);
    assert_ne!(only(&before, Kind::Redis), only(&after, Kind::Redis));
    assert!(bench.is_up(Kind::Redis));
}

#[test]
fn a_server_that_died_is_forgotten_when_another_is_started() {
    let bench = Bench::new();
    let before = bench.up(Kind::Redis);
    let beside = || bench.pool.up(&[], Purpose::Kept, &quiet).expect("nothing to start");
    assert_eq!(beside(), before);
    ask(&before.engines[&Kind::Redis].addresses[0], "SHUTDOWN NOSAVE");
    while only(&before, Kind::Redis).is_running() {
        std::thread::yield_now();
    }
    assert_eq!(beside(), State::default(), "its address is forgotten");
}

#[test]
fn a_process_that_took_over_the_id_is_left_alone() {
    let bench = Bench::new();
    let state = bench.up(Kind::Redis);
    let process = only(&state, Kind::Redis);
    let mut stale = state.clone();
    stale.engines.get_mut(&Kind::Redis).expect("redis").processes[0].started -= 1;
    stale.save(&bench.pool.file()).expect("write");
    assert!(!bench.is_up(Kind::Redis));
    assert_eq!(bench.pool.down(&[Kind::Redis]).expect("nothing of ours runs"), [Kind::Redis]);
    assert!(process.is_running(), "it was not on record");
    state.save(&bench.pool.file()).expect("write");
}

#[test]
fn three_nodes_share_the_slots() {
    let bench = Bench::new();
    let state = bench.up(Kind::RedisCluster);
    let entry = &state.engines[&Kind::RedisCluster];
    assert_eq!((entry.addresses.len(), entry.processes.len()), (3, 3));
    for url in &entry.addresses {
        let answer = ask(url, "CLUSTER INFO");
        assert!(answer.contains("cluster_state:ok\r\n") && answer.contains("cluster_size:3\r\n"), "{answer}");
    }
    // The slots of these keys are in the first, second and third part.
    let answers = ["bar", "hello", "foo"].map(|key| {
        entry.addresses.iter().filter(|url| ask(url, &format!("SET {key} 1")).starts_with("+OK")).count()
    });
    assert_eq!(answers, [1, 1, 1], "one node owns each");
}

#[test]
fn two_runs_at_once_start_one_server() {
    let bench = Bench::new();
    let states = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| bench.up(Kind::Redis))).collect();
        runs.into_iter().map(|run| run.join().expect("it starts")).collect::<Vec<_>>()
    });
    assert_eq!(states[0], states[1]);
}

#[test]
fn the_last_test_run_ends_the_engines_started_for_tests() {
    let bench = Bench::new();
    let lease = || -> Lease { bench.pool.lease(&[Kind::Redis], &quiet).expect("it starts") };
    let (first, second) = (lease(), lease());
    assert!(first.end().expect("nothing to end").is_empty(), "the second runs still");
    assert!(bench.is_up(Kind::Redis));
    assert_eq!(second.end().expect("it ends"), [Kind::Redis]);
    assert!(!bench.is_up(Kind::Redis));

    let third = lease();
    bench.up(Kind::Redis);
    assert!(third.end().expect("nothing to end").is_empty(), "somebody has asked for it meanwhile");
    assert!(bench.is_up(Kind::Redis));
}

#[test]
fn when_one_engine_cannot_start_the_others_of_the_call_are_ended() {
    let bench = Bench::new();
    let before = bench.up(Kind::Redis);
    // Its log cannot be written.
    let folder = bench.pool.file().with_file_name("redis-cluster.log");
    std::fs::create_dir(&folder).expect("a folder");
    let up = |kinds: &[Kind]| bench.pool.up(kinds, Purpose::Kept, &quiet).map_err(|error| error.to_string());
    let error = up(&[Kind::Redis, Kind::RedisCluster]).expect_err("no log");
    assert!(error.starts_with("cannot write") && error.contains("redis-cluster.log"), "{error}");
    assert!(bench.is_up(Kind::Redis), "this call has not started it");
    assert_eq!(State::load(&bench.pool.file()).expect("a file"), before);

    bench.pool.down(&Kind::ALL).expect("they end");
    up(&[Kind::Redis, Kind::RedisCluster]).expect_err("no log");
    assert!(!bench.is_up(Kind::Redis), "this call has started it");
    assert!(!bench.pool.file().exists(), "nothing is left on record");
}
