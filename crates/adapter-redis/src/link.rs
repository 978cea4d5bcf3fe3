//! The connection to the server: one to one node, or one to each node of a cluster.
//!
//! It is replaced when the server refuses what another would not ([`leads_elsewhere`]), when it
//! broke, and when it is silent: a call was sent, and no answer came within the limit of an answer.
//! A new connection looks the name up again, so a failover behind one name is followed. A replaced
//! connection to one node gets no further calls, and closes with its last call. A replaced
//! connection to a cluster is used until the new one is made: most of its nodes may be well.
//!
//! Bounded are: calls on their way ([`CALLS_MAX`]), connections (the present one, the one that is
//! being made, and the replaced one until its last call ends), how often one is made ([`PAUSE`]),
//! and the whole time of a call.

use crate::fault::{fault, leads_elsewhere};
use crate::options::RedisOptions;
use core::time::Duration;
use parking_lot::{Mutex, MutexGuard};
use ports::Fault;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
    TlsCertificates, Value,
};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

/// Calls on their way to the server at once. The others wait for one of these to end, and hold no
/// command meanwhile. It is several times what keeps a server busy.
const CALLS_MAX: usize = 256;
/// The least time between the making of two connections.
const PAUSE: Duration = Duration::from_millis(100);
/// Data without acknowledgement for this long ends a connection, also to a host that is gone.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);
/// A connection without traffic is probed after this long, and then at this interval.
const TRIED_AFTER: Duration = Duration::from_secs(10);
const TRIED_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Link {
    maker: Maker,
    calls: Semaphore,
    call_timeout: Duration,
    response_timeout: Duration,
    way: Mutex<Option<Arc<Way>>>,
}

impl Link {
    /// A single node is connected on first use; of a cluster one node has to answer now.
    pub(crate) async fn open(options: &RedisOptions) -> Result<Self, Fault> {
        // Only the first of a process has an effect; others use the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let link = Self {
            maker: Maker::new(options)?,
            calls: Semaphore::new(CALLS_MAX),
            call_timeout: options.call_timeout(),
            response_timeout: options.response_timeout,
            way: Mutex::default(),
        };
        if options.is_cluster {
            link.way().connection().await.map_err(|why| fault("connecting to the cluster", why))?;
        }
        Ok(link)
    }

    /// The latest end of a call that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        now() + self.call_timeout
    }

    /// Sends the command that `command` makes, once it may be on its way. Answers of other parts do
    /// not break the silence of one `part`: in a cluster those are other nodes.
    pub(crate) async fn run(
        &self,
        part: &str,
        deadline: Instant,
        command: impl FnOnce() -> Cmd,
    ) -> RedisResult<Value> {
        let part = if self.maker.is_cluster() { part } else { "" };
        let answer = timeout_at(deadline, async {
            let _permit = self.calls.acquire().await.map_err(|_| broken())?;
            let mut way = self.way();
            if way.is_silent(part, self.response_timeout) {
                self.leave(&way, "it does not answer");
                way = self.way();
            }
            let connection = way.connection().await?;
            way.asks(part);
            let answer = connection.run(&command()).await;
            match &answer {
                Err(why) if why.is_timeout() => {}
                Err(why) if why.is_unrecoverable_error() || leads_elsewhere(why) => {
                    self.leave(&way, &why.to_string());
                }
                _ => way.answers(part),
            }
            answer
        });
        answer.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Way>>> {
        self.way.lock()
    }

    /// The way that everybody goes. One that could not be made is made again.
    fn way(&self) -> Arc<Way> {
        let mut current = self.current();
        match &*current {
            Some(way) if !way.has_failed() => Arc::clone(way),
            failed => {
                let not_before = failed.as_ref().map_or_else(now, |way| way.begun + PAUSE);
                Arc::clone(current.insert(Way::begin(&self.maker, None, not_before)))
            }
        }
    }

    /// A new way instead of this one, unless somebody was faster.
    fn leave(&self, left: &Arc<Way>, why: &str) {
        let mut current = self.current();
        let Progress::Made(made) = left.progress() else { return };
        if current.as_ref().is_some_and(|way| Arc::ptr_eq(way, left)) {
            tracing::warn!(why, "redis: reconnecting");
            let meanwhile = made.ok().filter(|_| self.maker.is_cluster());
            *current = Some(Way::begin(&self.maker, meanwhile, left.begun + PAUSE));
        }
    }
}

/// One connection, from when its making began.
struct Way {
    begun: Instant,
    progress: watch::Receiver<Progress>,
    /// Since when each part has owed an answer.
    owed: Mutex<HashMap<String, Instant>>,
}

#[derive(Clone)]
enum Progress {
    /// It is being made; and the connection that is used meanwhile.
    Making(Option<Connection>),
    Made(RedisResult<Connection>),
}

impl Way {
    /// The making continues also if no caller waits for it any more: a caller that waits for less
    /// time than it takes would never see its end.
    #[expect(clippy::disallowed_methods, reason = "ends by the timeout of the connection")]
    fn begin(maker: &Maker, meanwhile: Option<Connection>, not_before: Instant) -> Arc<Self> {
        let (tell, progress) = watch::channel(Progress::Making(meanwhile));
        let maker = maker.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(not_before).await;
            let made = maker.make().await;
            tell.send_modify(|progress| {
                *progress = Progress::Made(match (made, &*progress) {
                    // The nodes that answer are still reached by it.
                    (Err(_), Progress::Making(Some(meanwhile))) => Ok(meanwhile.clone()),
                    (made, _) => made,
                });
            });
        });
        Arc::new(Self { begun: not_before.max(now()), progress, owed: Mutex::default() })
    }

    fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    fn has_failed(&self) -> bool {
        // In this order: the maker records its result, and is gone then.
        let is_over = self.progress.has_changed().is_err();
        match &*self.progress.borrow() {
            Progress::Making(_) => is_over,
            Progress::Made(made) => made.is_err(),
        }
    }

    async fn connection(&self) -> RedisResult<Connection> {
        let mut progress = self.progress.clone();
        let there = progress.wait_for(|progress| !matches!(progress, Progress::Making(None))).await;
        match there.map_err(|_| broken())?.clone() {
            Progress::Making(meanwhile) => meanwhile.ok_or_else(broken),
            Progress::Made(made) => made,
        }
    }

    fn owed(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.owed.lock()
    }

    fn asks(&self, part: &str) {
        let mut owed = self.owed();
        if !owed.contains_key(part) {
            owed.insert(part.to_owned(), now());
        }
    }

    fn answers(&self, part: &str) {
        self.owed().remove(part);
    }

    /// Also if every caller went away before its answer was late.
    fn is_silent(&self, part: &str, patience: Duration) -> bool {
        self.owed().get(part).is_some_and(|since| since.elapsed() >= patience)
    }
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    async fn run(self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(mut connection) => command.query_async(&mut connection).await,
            Self::Cluster(mut connection) => command.query_async(&mut connection).await,
        }
    }
}

#[derive(Clone)]
enum Maker {
    Single(Client, AsyncConnectionConfig),
    /// And how long the making may take.
    Cluster(ClusterClient, Duration),
}

impl Maker {
    fn new(options: &RedisOptions) -> Result<Self, Fault> {
        let wrong = |why: RedisError| Fault::permanent("redis: the address").because(why);
        if options.authorities.is_some() && options.urls.iter().any(|url| !url.starts_with("rediss://")) {
            return Err(Fault::permanent("redis: authorities, and an address without TLS"));
        }
        let certificates = || TlsCertificates { client_tls: None, root_cert: options.authorities.clone() };
        if options.is_cluster {
            let mut builder = ClusterClient::builder(options.urls.iter().map(String::as_str))
                .tcp_settings(tcp_settings())
                .connection_timeout(options.connect_timeout)
                .response_timeout(options.response_timeout)
                .overall_response_timeout(Some(options.call_timeout()));
            if options.authorities.is_some() {
                builder = builder.certs(certificates());
            }
            let client = builder.build().map_err(wrong)?;
            // Each of the first nodes, the slots, and each node of those.
            return Ok(Self::Cluster(client, 2 * options.call_timeout()));
        }
        let [url] = &*options.urls else {
            let count = options.urls.len();
            return Err(Fault::permanent(format!("redis: {count} addresses: one node has one")));
        };
        let info = url.as_str().into_connection_info().map_err(wrong)?.set_tcp_settings(tcp_settings());
        let client = match options.authorities {
            Some(_) => Client::build_with_tls(info, certificates()),
            None => Client::open(info),
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.response_timeout));
        Ok(Self::Single(client.map_err(wrong)?, config))
    }

    const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(..))
    }

    async fn make(&self) -> RedisResult<Connection> {
        match self {
            Self::Single(client, config) => {
                client.get_multiplexed_async_connection_with_config(config).await.map(Connection::Single)
            }
            Self::Cluster(client, timeout) => {
                let made = timeout_at(now() + *timeout, client.get_async_connection()).await;
                made.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
                    .map(Connection::Cluster)
            }
        }
    }
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(TRIED_AFTER).with_interval(TRIED_EVERY);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(ACKNOWLEDGED_WITHIN);
    settings
}

fn broken() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection is gone"))
}

#[expect(clippy::disallowed_methods, reason = "the network's time, not a line's")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also a call that never gets on its way.
    #[tokio::test]
    async fn every_call_has_an_end() {
        let timeout = Duration::from_millis(10);
        let options = RedisOptions {
            connect_timeout: timeout,
            response_timeout: timeout,
            ..RedisOptions::single("redis://127.0.0.1:1")
        };
        let link = Link::open(&options).await.unwrap();
        link.calls.forget_permits(CALLS_MAX);
        let answer = link.run("", link.deadline(), || unreachable!("it may not begin")).await;
        assert!(answer.unwrap_err().is_timeout());
    }
}
