//! How a client treats its peer.

use core::time::Duration;

/// The settings of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerOptions {
    /// The longest time for one call, connecting included. A caller may ask for less.
    pub timeout: Duration,
    /// The longest time for connecting.
    pub connect_timeout: Duration,
    /// gRPC: connections to use in turn. REST: calls in flight at once, each on its own connection,
    /// which is then kept alive.
    pub connections: usize,
    /// The most bytes of an answer that are read.
    pub answer_bytes_max: usize,
}

impl PeerOptions {
    /// The most connections that one client keeps.
    pub const CONNECTIONS_MAX: usize = 1024;

    /// For a gRPC peer: two connections, 10 s a call.
    pub const fn grpc() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            connections: 2,
            answer_bytes_max: 1024 * 1024,
        }
    }

    /// For a REST peer: 64 calls at once, 10 s a call.
    pub const fn rest() -> Self {
        Self { connections: 64, ..Self::grpc() }
    }

    /// The problems of these settings, each as a message.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in [("timeout", self.timeout), ("connect_timeout", self.connect_timeout)] {
            if value.is_zero() {
                problems.push(format!("{name} is 0: every call would fail"));
            }
        }
        if !(1..=Self::CONNECTIONS_MAX).contains(&self.connections) {
            let (is, max) = (self.connections, Self::CONNECTIONS_MAX);
            problems.push(format!("connections is {is}, it must be 1 to {max}"));
        }
        if self.answer_bytes_max == 0 {
            problems.push("answer_bytes_max is 0: no answer could be read".to_owned());
        }
        problems
    }
}

/// A client cannot be made: every problem of its address and settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{peer}: {}", problems.join("; "))]
pub struct InvalidPeer {
    /// The peer.
    pub peer: &'static str,
    /// At least one, each a message for the operator.
    pub problems: Vec<String>,
}
