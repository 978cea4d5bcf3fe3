//! The way to the server: one connection to one node, or one to each node of a cluster.

use crate::fault::fault;
use core::time::Duration;
use ports::Fault;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Client, Cmd, RedisError, Value};

/// Which server, and how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://…` with TLS. For a cluster one node or more.
    pub urls: Vec<String>,
    /// With what all keys begin.
    pub prefix: String,
    /// Whether the server is a cluster.
    pub is_cluster: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
}

impl RedisOptions {
    /// One node.
    pub fn single(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            prefix: "wr".to_owned(),
            is_cluster: false,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        }
    }

    /// A cluster, by any of its nodes.
    pub fn cluster(urls: impl IntoIterator<Item = String>) -> Self {
        Self { urls: urls.into_iter().collect(), is_cluster: true, ..Self::single("") }
    }
}

#[derive(Clone)]
pub(crate) enum Link {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// One node is connected to when it is first needed; of a cluster one node has to answer now.
    pub(crate) async fn open(options: &RedisOptions) -> Result<Self, Fault> {
        // Only the first of a process has an effect; others use the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if options.is_cluster {
            let client = ClusterClient::builder(options.urls.iter().map(String::as_str))
                .connection_timeout(options.connect_timeout)
                .response_timeout(options.response_timeout)
                .overall_response_timeout(Some(options.response_timeout * 2))
                .build()
                .map_err(|why| fault("the addresses of the cluster", why))?;
            let connection = client.get_async_connection().await;
            return connection.map(Self::Cluster).map_err(|why| fault("connecting to the cluster", why));
        }
        let [url] = &*options.urls else {
            return Err(Fault::permanent(format!(
                "redis: {} addresses: one node has one",
                options.urls.len()
            )));
        };
        let client = Client::open(url.as_str()).map_err(|why| fault("the address", why))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.response_timeout))
            // A call fails while there is no connection, and the next one tries again. A server that answers READONLY or
            // nothing keeps its connection.
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(client, config);
        manager.map(Self::Single).map_err(|why| fault("the address", why))
    }

    pub(crate) async fn run(&self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Single(connection) => command.query_async(&mut connection.clone()).await,
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
        }
    }
}
