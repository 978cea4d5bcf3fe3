//! What there is to choose.

use core::time::Duration;

/// Which server, and how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://…` with TLS. For a cluster one node or more.
    pub urls: Vec<String>,
    /// With what all keys begin.
    pub prefix: String,
    /// Whether the server is a cluster.
    pub is_cluster: bool,
    /// Who may have signed the certificate of a server with TLS, in PEM, if not those that the system trusts.
    pub authorities: Option<Vec<u8>>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take. No call takes longer than both together, whatever happens.
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
