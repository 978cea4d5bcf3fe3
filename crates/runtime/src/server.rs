//! Accepting and draining connections, the same for HTTP and gRPC.
//!
//! The number of connections is bounded: a permit is taken before a connection is accepted,
//! so the rest wait in the kernel's backlog. On shutdown nothing more is accepted, every
//! connection ends the calls it has, and what is still open after [`DRAIN_MAX`] is dropped:
//! an idle stream of one client must not hold the process.

use core::pin::{Pin, pin};
use core::time::Duration;
use ports::Tasks;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long connections may take to end after the shutdown began. Less than the 30 s that a
/// whole shutdown may take, because what a service does after its servers ended needs the
/// rest.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Connections that one server holds at a time, unless it says otherwise. Descriptors are
/// usually limited to 65,536 or more in production and a process runs two servers.
pub const CONNECTIONS_MAX: u32 = 10_000;

/// How long a peer may be silent: unacknowledged data of this age, or this many unanswered
/// keep-alives, end the connection. A phone that loses its network does not close its
/// connections, and a stream to it would count as a heartbeat of an absent person for the
/// quarter of an hour that the kernel retries on its own.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_TIMES: u32 = 3;

/// How long accepting pauses after the operating system refused (out of descriptors): only
/// time helps then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address of the connection's peer: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

impl PeerAddress {
    /// `None` of a connection that has ended already.
    pub(crate) fn from_stream(stream: &TcpStream) -> Option<Self> {
        stream.peer_addr().ok().map(Self)
    }
}

/// A connection that can be asked to end after the calls it has.
pub(crate) trait Drain: Future<Output = hyper::Result<()>> {
    fn drain(self: Pin<&mut Self>);
}

/// Serves every connection of the listener until the token is cancelled, then waits for
/// those that are open.
pub(crate) async fn run<C, F>(
    listener: TcpListener,
    shutdown: CancellationToken,
    tasks: &Tasks,
    connections: u32,
    connect: F,
) -> io::Result<()>
where
    C: Drain + Send + 'static,
    F: Fn(TcpStream) -> C,
{
    let places = Arc::new(Semaphore::new(connections as usize));
    loop {
        let place = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                rest_after(&error).await;
                continue;
            }
        };
        // A small answer must not wait for the acknowledgement of the one before it. A socket that
        // refuses the option is already closed, which serving it will find out.
        let _ = stream.set_nodelay(true);
        let _ = notice_death(&stream);
        let connection = connect(stream);
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            serve_one(connection, shutdown).await;
            drop(place);
        });
    }
    drop(listener);
    let _all = places.acquire_many(connections).await.expect("the semaphore is never closed");
    Ok(())
}

fn notice_death(stream: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE_MAX - ASK_EVERY * ASK_TIMES)?;
    sockopt::set_tcp_keepintvl(stream, ASK_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, ASK_TIMES)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream, SILENCE_MAX.as_millis() as u32)?;
    Ok(())
}

async fn serve_one<C: Drain>(connection: C, shutdown: CancellationToken) {
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        () = shutdown.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().drain();
            #[allow(clippy::disallowed_methods, reason = "real sockets live in real time")]
            let drained = tokio::time::timeout(DRAIN_MAX, connection).await;
            drained.unwrap_or_else(|_| {
                tracing::warn!(after_s = DRAIN_MAX.as_secs(), "a connection did not drain and was dropped");
                Ok(())
            })
        }
    };
    if let Err(error) = ended {
        // A caller that went away or sent nonsense: there is nothing to fix here.
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
    }
}

async fn rest_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    // These belong to the one connection that was being accepted, not to the listener.
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::error!(error = error as &dyn std::error::Error, "cannot accept a connection");
    #[allow(clippy::disallowed_methods, reason = "real sockets live in real time")]
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn the_kernel_is_told_when_a_peer_counts_as_dead() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (stream, _) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let stream = stream.unwrap();
        notice_death(&stream).unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        let (idle, every) =
            (sockopt::tcp_keepidle(&stream).unwrap(), sockopt::tcp_keepintvl(&stream).unwrap());
        assert_eq!(idle + every * sockopt::tcp_keepcnt(&stream).unwrap(), SILENCE_MAX);
        #[cfg(target_os = "linux")]
        assert_eq!(u128::from(sockopt::tcp_user_timeout(&stream).unwrap()), SILENCE_MAX.as_millis());
    }
}
