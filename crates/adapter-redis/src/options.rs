//! The settings of a connection.

use core::time::Duration;

/// The server, and how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://…` with TLS. For a cluster one
    /// node or more.
    pub urls: Vec<String>,
    /// The prefix of all keys.
    pub prefix: String,
    /// Whether the server is a cluster.
    pub is_cluster: bool,
    /// Trusted CAs for a server with TLS, in PEM; `None`: the system's.
    pub authorities: Option<Vec<u8>>,
    /// The longest time for making a connection.
    pub connect_timeout: Duration,
    /// The longest time for an answer. No call takes longer than both together, whatever happens.
    pub response_timeout: Duration,
}

impl RedisOptions {
    /// One node.
    pub fn single(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            prefix: "wr".to_owned(),
            is_cluster: false,
            authorities: None,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        }
    }

    /// A cluster, by any of its nodes.
    pub fn cluster(urls: impl IntoIterator<Item = String>) -> Self {
        Self { urls: urls.into_iter().collect(), is_cluster: true, ..Self::single("") }
    }

    pub(crate) fn call_timeout(&self) -> Duration {
        self.connect_timeout + self.response_timeout
    }
}
