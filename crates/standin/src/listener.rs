//! A listener that can be shut and opened again on the same port.
//!
//! Shut means to clients what a dead process means: open connections are closed whatever is
//! happening on them, and new ones are refused. The port stays reserved meanwhile: a socket that is
//! bound and does not listen refuses connections and keeps others from taking the port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const BACKLOG: u32 = 1_024;
const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// The handle of a listener; dropping it ends the listener and its connections.
pub(crate) struct Listener {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Listener {
    /// Listens on a free port of loopback and serves each connection in a task of its own.
    pub(crate) async fn open<S, F>(serve: S) -> io::Result<Self>
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (open, is_open) = watch::channel(true);
        tokio::spawn(keep(listener, address, is_open, serve));
        Ok(Self { address, open })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection and refuses new ones (`false`), or accepts them again (`true`).
    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

async fn keep<S, F>(
    mut listener: TcpListener,
    address: SocketAddr,
    mut is_open: watch::Receiver<bool>,
    serve: S,
) where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    // A connection that its client gave up before the accept is ignored.
                    if let Ok((stream, _)) = accepted {
                        let _ = stream.set_nodelay(true);
                        connections.spawn(serve(stream));
                    }
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                closed = is_open.wait_for(|open| !*open) => {
                    if closed.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
        drop(listener);
        connections.shutdown().await;
        let Some(reserved) = reserve(address, &is_open).await else { return };
        if is_open.wait_for(|open| *open).await.is_err() {
            return;
        }
        match reserved.listen(BACKLOG) {
            Ok(again) => listener = again,
            Err(_) => return,
        }
    }
}

/// Binds the port again; the kernel may need a moment to free it. `None` if the handle is gone.
async fn reserve(address: SocketAddr, is_open: &watch::Receiver<bool>) -> Option<TcpSocket> {
    while is_open.has_changed().is_ok() {
        let bound = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(socket)
        });
        match bound {
            Ok(socket) => return Some(socket),
            Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
    None
}
