//! A crowd of buyers that drives the platform over its real APIs.
//!
//! `tacos demo` and the crash test use the same buyers. Each waits in line and is signed in. A buyer knows what it was told and
//! nothing else: its [`Receipt`] lists every promise that the platform made to it, and the crash test holds the platform to
//! them. A call without an answer is made again with the same key until the platform is back, because that is what
//! idempotency is for.

use crate::client::Http;
use anyhow::Result;
use domain::random::{Random, SplitMix64};
use domain::retry::{Policy, wait};
use http::StatusCode;
use identity::Secret;
use ports::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, watch};

mod behaviour;
mod buyer;
mod hall;
mod line;
mod payer;
mod plan;
mod receipt;

pub use behaviour::Behaviour;
pub use hall::Hall;
pub use receipt::{Promise, Receipt};

/// How buyers wait before asking a silent platform again: 0.1 s, doubling up to 1.6 s. A crowd that asks at once and for
/// ever leaves a platform that has fallen behind no time for anything but answers that come too late.
const ASK_AGAIN: Policy = Policy { base: Duration::from_millis(100), max_retries: u32::MAX };

/// Where the services answer, as `tacos up` prints it; changes when the platform restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// `host:port` of gateway-api's REST.
    pub gateway_http: String,
    /// `host:port` of payment-sim-api's gRPC.
    pub payment_grpc: String,
}

/// What the crowd does.
#[derive(Clone)]
pub struct CrowdOptions {
    /// The show that everybody wants.
    pub show: String,
    /// How many buyers come.
    pub buyers: u64,
    /// How many of them are busy at the same time.
    pub at_once: usize,
    /// How long the platform holds seats; buyers who pay late wait a little longer than this.
    pub hold: Duration,
    /// All choices follow from it.
    pub seed: u64,
    /// What their tokens are signed with.
    pub jwt_secret: Secret,
    /// How long a buyer keeps asking a platform that does not answer.
    pub patience: Duration,
}

/// What the buyers of one crowd share.
pub struct Crowd {
    options: CrowdOptions,
    endpoints: watch::Receiver<Endpoints>,
    http: Http,
    clock: Arc<dyn Clock>,
    hall: Hall,
    payer: payer::Payer,
    plans: plan::Plans,
    done: AtomicU64,
    rests: AtomicU64,
}

impl Crowd {
    /// A crowd in front of a hall.
    pub fn new(
        options: CrowdOptions,
        hall: Hall,
        endpoints: watch::Receiver<Endpoints>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            options,
            http: Http::new(clock.clone()),
            payer: payer::Payer::new(endpoints.clone()),
            plans: plan::Plans::default(),
            endpoints,
            clock,
            hall,
            done: AtomicU64::new(0),
            rests: AtomicU64::new(0),
        })
    }

    /// How many buyers have gone home.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets everybody in, at most `at_once` busy at a time, and returns what each was told.
    pub async fn run(self: &Arc<Self>) -> Result<Vec<Receipt>> {
        let places = Arc::new(Semaphore::new(self.options.at_once));
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let tasks = ports::Tasks::new();
        for number in 0..self.options.buyers {
            let place = places.clone().acquire_owned().await?;
            let (crowd, receipts) = (self.clone(), receipts.clone());
            tasks.spawn(async move {
                let receipt = buyer::buy(&crowd, number, place).await;
                crowd.done.fetch_add(1, Ordering::Relaxed);
                receipts.lock().await.push(receipt);
            });
        }
        tasks.finished().await;
        let mut receipts = std::mem::take(&mut *receipts.lock().await);
        receipts.sort_by_key(|receipt| receipt.number);
        Ok(receipts)
    }

    /// The choices of one buyer; the same for the same seed.
    fn dice(&self, number: u64) -> SplitMix64 {
        let mut mixer = SplitMix64::new(self.options.seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
        SplitMix64::new(mixer.next_u64())
    }

    /// Rests before asking again. `asked` counts the answers that are missing so far; the choices of a buyer do not depend
    /// on how often that was.
    async fn rest(&self, asked: &mut u32) {
        *asked += 1;
        let mut dice = SplitMix64::new(self.options.seed ^ self.rests.fetch_add(1, Ordering::Relaxed));
        self.clock.sleep(wait(*asked, &ASK_AGAIN, &mut dice)).await;
    }

    fn gateway_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.endpoints.borrow().gateway_http)
    }
}

/// Whether the platform could not say: asking again with the same key finds out.
fn is_no_answer(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
