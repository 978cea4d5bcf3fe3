//! An inventory that sells and releases any seats it is asked for: CommitReservation, ReleaseHold,
//! and health over gRPC.
//!
//! An unknown reservation has a live hold. After that it answers as the real inventory: a repeated
//! call changes nothing and returns the same order id, and a commit and a release exclude each
//! other. A late payment may re-take a released hold, unless the stand-in is sold out.

mod answers;
mod grpc;

use crate::journal::Journal;
use crate::listener::Listener;
use crate::peer::{Peer, PeerFaults};
use domain::hold::ReleaseCause;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The seats of a reservation, and the calls about them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hold {
    /// The seats are sold.
    pub committed: bool,
    /// The seats were released, and perhaps re-taken after that.
    pub released: Option<ReleaseCause>,
    /// Calls of CommitReservation that were carried out or refused.
    pub commits: u32,
    /// Calls of ReleaseHold that were carried out or refused.
    pub releases: u32,
    /// How often its state changed.
    pub effects: u32,
}

/// The inventory server; ends when it is dropped.
pub struct Inventory {
    listener: Listener,
    stock: Arc<Stock>,
}

pub(crate) struct Stock {
    peer: Peer,
    holds: Mutex<HashMap<String, Hold>>,
    sold_out: AtomicBool,
}

impl Inventory {
    /// Starts it on the current tokio runtime. The seed drives its latencies and failures.
    pub async fn start(journal: Arc<Journal>, faults: PeerFaults, seed: u64) -> io::Result<Self> {
        let stock = Arc::new(Stock {
            peer: Peer::new(journal, faults, seed),
            holds: Mutex::default(),
            sold_out: AtomicBool::new(false),
        });
        let served = stock.clone();
        let listener = Listener::open(move |stream| grpc::serve(stream, served.clone())).await?;
        Ok(Self { listener, stock })
    }

    /// The value for `INVENTORY_GRPC_ADDR`, as `host:port`.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Changes how slow and how unreliable it is.
    pub fn misbehave(&self, change: impl FnOnce(&mut PeerFaults)) {
        self.stock.peer.change(change);
    }

    /// Dead (`false`: connections break, new ones are refused), or back on the same port (`true`).
    pub fn set_open(&self, open: bool) {
        self.listener.set_open(open);
    }

    /// From now on released seats belong to somebody else: a late commit is refused as expired.
    pub fn sell_out(&self) {
        self.stock.sold_out.store(true, Ordering::Relaxed);
    }

    /// A reservation, if any call named it.
    pub fn hold(&self, reservation: &str) -> Option<Hold> {
        self.stock.holds().get(reservation).cloned()
    }
}

impl Stock {
    fn holds(&self) -> MutexGuard<'_, HashMap<String, Hold>> {
        self.holds.lock()
    }
}
