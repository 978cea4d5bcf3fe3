//! A crowd of buyers that drives the platform over its real APIs.
//!
//! `tacos demo` and the crash test use it. The buyers are those of the crate `crowd`; here each is
//! signed in and waits in line. A buyer knows only what it was answered: its [`Receipt`] lists
//! every promise of the platform, and [`promises`](crate::promises) compares them with the stores.
//! A call without an answer is made again with the same key until the platform answers again.

use crate::client::Http;
use anyhow::Result;
use crowd::{Behaviour, Buyer};
use domain::id::PersonId;
use domain::random::{Random, SplitMix64};
use domain::retry::{Policy, wait};
use http::StatusCode;
use identity::Secret;
use ports::Clock;
use shop::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};

mod payer;
mod receipt;
mod seat_plan;
mod shop;
mod venue;
mod waiting;

pub use receipt::Receipt;
pub use venue::Venue;

/// How buyers wait before asking a silent platform again: 0.1 s, doubling up to 1.6 s. A crowd that
/// asks at once and forever leaves a platform that has fallen behind no time for timely answers.
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
    /// The secret that signs their tokens.
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
    venue: Venue,
    sections: crowd::Venue,
    payer: payer::Payer,
    plans: seat_plan::Plans,
    done: AtomicU64,
    rests: AtomicU64,
}

impl Crowd {
    /// A crowd in front of a venue. The name of the show must be a valid id.
    pub fn new(
        options: CrowdOptions,
        venue: Venue,
        endpoints: watch::Receiver<Endpoints>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>> {
        let sections = venue::sections(&options.show)?;
        Ok(Arc::new(Self {
            options,
            http: Http::new(clock.clone()),
            payer: payer::Payer::new(endpoints.clone()),
            plans: seat_plan::Plans::default(),
            endpoints,
            clock,
            venue,
            sections,
            done: AtomicU64::new(0),
            rests: AtomicU64::new(0),
        }))
    }

    /// How many buyers have gone home.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets everybody in, at most `at_once` busy at a time, and returns the answers to each.
    pub async fn run(self: &Arc<Self>) -> Result<Vec<Receipt>> {
        let places = Arc::new(Semaphore::new(self.options.at_once));
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let tasks = ports::Tasks::new();
        for number in 0..self.options.buyers {
            let place = places.clone().acquire_owned().await?;
            let (crowd, receipts) = (self.clone(), receipts.clone());
            tasks.spawn(async move {
                let receipt = crowd.buy(number, place).await;
                crowd.done.fetch_add(1, Ordering::Relaxed);
                receipts.lock().await.push(receipt);
            });
        }
        tasks.finished().await;
        let mut receipts = std::mem::take(&mut *receipts.lock().await);
        receipts.sort_by_key(|receipt| receipt.number);
        Ok(receipts)
    }

    /// One buyer buys, or does not.
    async fn buy(self: &Arc<Self>, number: u64, place: OwnedSemaphorePermit) -> Receipt {
        let mut dice = self.dice(number);
        let behaviour = Behaviour::draw(&mut dice);
        let mut receipt = Receipt::new(number, behaviour);
        let person =
            PersonId::parse(&format!("buyer-{:x}-{number}", self.options.seed)).expect("letters and numbers");
        let bearer = match self.bearer(&person) {
            Ok(bearer) => bearer,
            Err(error) => {
                receipt.complain(format!("{error:#}"));
                return receipt;
            }
        };
        let shop = Counter::new(self.clone(), bearer, place, receipt);
        let mut buyer = Buyer { shop, person, dice };
        if let Err(error) = buyer.live(behaviour).await {
            buyer.shop.receipt.complain(format!("{error:#}"));
        }
        buyer.shop.receipt
    }

    /// The choices of one buyer; the same for the same seed.
    fn dice(&self, number: u64) -> SplitMix64 {
        let mut mixer = SplitMix64::new(self.options.seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
        SplitMix64::new(mixer.next_u64())
    }

    /// Rests before asking again. `asked` counts the answers that are missing so far; the choices
    /// of a buyer do not depend on how often that was.
    async fn rest(&self, asked: &mut u32) {
        *asked += 1;
        let mut dice = SplitMix64::new(self.options.seed ^ self.rests.fetch_add(1, Ordering::Relaxed));
        self.clock.sleep(wait(*asked, &ASK_AGAIN, &mut dice)).await;
    }

    fn gateway_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.endpoints.borrow().gateway_http)
    }
}

/// Whether the platform could not answer: asking again with the same key finds out.
fn is_no_answer(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
