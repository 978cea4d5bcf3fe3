//! Signals, to a process of its own: the test runs itself again as a child that waits for
//! them.

use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const CHILD: &str = "shutdown::child_that_waits_for_signals";

/// Not a test of its own: without the variable it ends at once.
#[tokio::test]
async fn child_that_waits_for_signals() {
    let mut env = runtime::config::Env::process();
    if !env.flag("RUNTIME_TEST_CHILD", "this process is the child", false) {
        return;
    }
    let token = runtime::shutdown::on_signals().unwrap();
    println!("waiting");
    token.cancelled().await;
    println!("draining");
    if env.flag("RUNTIME_TEST_HANGS", "the child hangs", false) {
        std::future::pending::<()>().await;
    }
}

struct Running {
    child: Child,
    stdout: BufReader<tokio::process::ChildStdout>,
}

impl Running {
    async fn start(hangs: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1", CHILD])
            .env("RUNTIME_TEST_CHILD", "true")
            .env("RUNTIME_TEST_HANGS", hangs.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, stdout };
        running.says("waiting").await;
        running
    }

    async fn says(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).await.unwrap(), 0, "it ended before it said {word}");
        }
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
    }
}

#[tokio::test]
async fn the_first_signal_begins_the_shutdown() {
    for signal in ["-TERM", "-INT"] {
        let mut running = Running::start(false).await;
        running.signal(signal).await;
        running.says("draining").await;
        assert!(running.child.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once_and_is_logged() {
    let mut running = Running::start(true).await;
    running.signal("-TERM").await;
    running.says("draining").await;
    running.signal("-INT").await;
    assert_eq!(running.child.wait().await.unwrap().code(), Some(1));
    let mut stderr = String::new();
    running.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    assert!(stderr.contains("SIGINT again: ending at once"), "{stderr}");
}
