//! An address that leads to one server, and then to another.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Existing connections stay with the server that they were made to.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    leads_to: AtomicU16,
    is_holding: watch::Sender<bool>,
    open: AtomicUsize,
    most: AtomicUsize,
    /// The bytes sent on each connection.
    sent: Mutex<Vec<Vec<u8>>>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port_here = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let proxy =
            Self { port: port_here, task: tokio::spawn(serve(listener, Arc::clone(&shared))), shared };
        proxy.lead_to(port);
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Leads new connections to that server.
    pub(crate) fn lead_to(&self, port: u16) {
        self.shared.leads_to.store(port, Ordering::SeqCst);
    }

    /// Holds back the answers of all servers, or not.
    pub(crate) fn hold(&self, is_holding: bool) {
        self.shared.is_holding.send_replace(is_holding);
    }

    /// The most connections that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// How many commands of a line were sent on each connection so far.
    pub(crate) fn commands(&self) -> Vec<usize> {
        let sent = self.shared.sent.lock();
        let commands = |bytes: &Vec<u8>| bytes.windows(7).filter(|word| word == b"EVALSHA").count();
        sent.iter().map(commands).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
            shared.most.fetch_max(open, Ordering::SeqCst);
            let port = shared.leads_to.load(Ordering::SeqCst);
            if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::select! {
                    () = ask(from_client, to_server, &shared) => {}
                    () = answer(from_server, to_client, shared.is_holding.subscribe()) => {}
                }
            }
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let index = {
        let mut sent = shared.sent.lock();
        sent.push(Vec::new());
        sent.len() - 1
    };
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        shared.sent.lock()[index].extend(&bytes[..count]);
        if to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_holding: watch::Receiver<bool>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        is_holding.wait_for(|is_holding| !is_holding).await.unwrap();
        if to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
}
