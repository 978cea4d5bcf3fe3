//! A test's own server, which it may stop and kill.

use redis::TlsCertificates;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Redis on a loopback port, with a folder.
pub(crate) struct Redis {
    pub(crate) port: u16,
    folder: TempDir,
    process: Child,
    arguments: Vec<String>,
    /// The CA of its certificate, if it speaks TLS.
    authorities: Option<Vec<u8>>,
}

impl Redis {
    /// Starts one that keeps what `SAVE` writes, and nothing else.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with more arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let port = free_port();
        let mut all = vec!["--port".to_owned(), port.to_string()];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Self::run_on(port, all, None).await
    }

    /// One that speaks TLS only, with a certificate for 127.0.0.1.
    pub(crate) async fn start_with_tls(certificates: &Certificates, arguments: &[&str]) -> Self {
        let port = free_port();
        let [tls_port, file, key, authority] = [
            port.to_string(),
            certificates.file("server.pem"),
            certificates.file("server.key"),
            certificates.file("ca.pem"),
        ];
        let mut all = vec!["--port", "0", "--tls-port", &tls_port, "--tls-auth-clients", "no"];
        all.extend(["--tls-cert-file", &file, "--tls-key-file", &key, "--tls-ca-cert-file", &authority]);
        all.extend(arguments);
        let all = all.into_iter().map(str::to_owned).collect();
        Self::run_on(port, all, Some(certificates.authority())).await
    }

    async fn run_on(port: u16, arguments: Vec<String>, authorities: Option<Vec<u8>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = spawn(&arguments, folder.path());
        let redis = Self { port, folder, process, arguments, authorities };
        redis.wait().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.authorities.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Runs a command.
    pub(crate) async fn run(&self, words: &[&str]) -> redis::Value {
        let mut connection = self.client().get_multiplexed_async_connection().await.unwrap();
        let command = words.iter().skip(1).fold(redis::cmd(words[0]), |mut command, word| {
            command.arg(word);
            command
        });
        command.query_async(&mut connection).await.unwrap()
    }

    /// Its answer to a command, as text.
    pub(crate) async fn text(&self, words: &[&str]) -> String {
        redis::from_redis_value(self.run(words).await).unwrap()
    }

    /// Makes it a replica of the other one.
    pub(crate) async fn follow(&self, other: &Self) {
        self.run(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]).await;
        until(async || self.text(&["INFO", "replication"]).await.contains("master_link_status:up")).await;
    }

    /// Kills it and starts it again, with its saved data or with none.
    pub(crate) async fn crash(&mut self, is_emptied: bool) {
        self.kill();
        if is_emptied {
            let _ = std::fs::remove_file(self.folder.path().join("dump.rdb"));
        }
        self.process = spawn(&self.arguments, self.folder.path());
        self.wait().await;
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Stops it. Its system continues to accept connections and data.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Resumes it.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn client(&self) -> redis::Client {
        let Some(authorities) = self.authorities.clone() else {
            return redis::Client::open(self.url()).unwrap();
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(authorities) };
        redis::Client::build_with_tls(self.url(), certificates).unwrap()
    }

    async fn wait(&self) {
        let client = self.client();
        until(async || {
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else { return false };
            redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until it holds, which is soon.
pub(crate) async fn until(holds: impl AsyncFn() -> bool) {
    for _ in 0..3_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never comes to that");
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(arguments: &[String], folder: &Path) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server; install it with: cargo xtask engines up")
}

/// A certificate of 127.0.0.1, and its CA.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        made.openssl("/CN=authority", "ca", &[]);
        let (ca, ca_key) = (made.file("ca.pem"), made.file("ca.key"));
        let leaf = ["-CA", &ca, "-CAkey", &ca_key, "-addext", "subjectAltName=IP:127.0.0.1"];
        made.openssl(
            "/CN=server",
            "server",
            &[&leaf[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat(),
        );
        made
    }

    /// The CA, in PEM.
    pub(crate) fn authority(&self) -> Vec<u8> {
        std::fs::read(self.file("ca.pem")).unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).into_os_string().into_string().unwrap()
    }

    fn openssl(&self, subject: &str, name: &str, more: &[&str]) {
        let (key, out) = (self.file(&format!("{name}.key")), self.file(&format!("{name}.pem")));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-subj", subject, "-keyout", &key, "-out", &out])
            .args(more)
            .output()
            .expect("openssl; install it with: apt-get install openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}
