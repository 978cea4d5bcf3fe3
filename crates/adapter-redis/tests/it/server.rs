//! A server of a test's own, which it may kill.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Redis on a loopback port, with a folder.
pub(crate) struct Redis {
    port: u16,
    folder: TempDir,
    process: Child,
}

impl Redis {
    /// Starts one that keeps what `SAVE` writes, and nothing else.
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = spawn(port, folder.path());
        let redis = Self { port, folder, process };
        redis.wait().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command.
    pub(crate) async fn run(&self, words: &[&str]) -> redis::Value {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let command = words.iter().skip(1).fold(redis::cmd(words[0]), |mut command, word| {
            command.arg(word);
            command
        });
        command.query_async(&mut connection).await.unwrap()
    }

    /// Kills it and starts it again, on what it has saved or on nothing.
    pub(crate) async fn crash(&mut self, is_emptied: bool) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if is_emptied {
            let _ = std::fs::remove_file(self.folder.path().join("dump.rdb"));
        }
        self.process = spawn(self.port, self.folder.path());
        self.wait().await;
    }

    async fn wait(&self) {
        let client = redis::Client::open(self.url()).unwrap();
        for _ in 0..1_000 {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let pong: Result<String, _> = redis::cmd("PING").query_async(&mut connection).await;
                if pong.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("redis-server on port {} does not answer", self.port);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, folder: &Path) -> Child {
    let port = port.to_string();
    Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server; install it with: cargo xtask engines up")
}
