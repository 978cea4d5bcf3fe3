//! Work of this service that is due later: scheduled outcomes and webhooks.
//!
//! It follows the pattern of the outbox ([`outbox::due`]): the truth is a row with an entry in the
//! index `payment_due`. Memory holds its key until it is due, and the row is read again before any
//! action. The start finds work that a crash interrupted; a slow rescan finds work that nobody
//! announced.

use crate::refusal::Refusal;
use crate::rows::{self, DUE, SHARDS};
use crate::schedule::Schedule;
use crate::service::Service;
use core::time::Duration;
use domain::id::PaymentIntentId;
use domain::time::Timestamp;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use outbox::due::{Agenda, Found, Inbox, IndexReader, Rescan, RescanOptions};
use ports::store::Key;
use ports::{Clock, Entropy, Fault, Store};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many pieces of work run at once. A hanging receiver of webhooks holds some of them, but not
/// the delayed outcomes.
const RUNNING_MAX: usize = 256;
/// Rest before failed work is retried.
const RETRY_REST: Duration = Duration::from_secs(1);
/// The longest that a shutdown waits for running work.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Runs due work.
pub(crate) struct ScheduledWork {
    service: Service,
    clock: Arc<dyn Clock>,
    inbox: Arc<Inbox<Key>>,
    agenda: Agenda<Key>,
    rescan: Rescan,
    running: FuturesUnordered<BoxFuture<'static, (Key, Option<Timestamp>)>>,
    rescans: FuturesUnordered<BoxFuture<'static, Found>>,
}

impl ScheduledWork {
    pub(crate) fn new(
        service: Service,
        schedule: Schedule,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let reader = IndexReader::new(store, Arc::clone(&clock), entropy, DUE, SHARDS);
        Self {
            service,
            clock,
            inbox: schedule.inbox,
            agenda: Agenda::default(),
            rescan: Rescan::new(reader, RescanOptions::default()),
            running: FuturesUnordered::new(),
            rescans: FuturesUnordered::new(),
        }
    }

    /// Runs until `shutdown`, then lets running work end. Unfinished work stays a row.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = self.recover() => {}
        }
        while !shutdown.is_cancelled() {
            for (due_ms, key) in self.inbox.take() {
                self.agenda.add(due_ms, key);
            }
            self.start();
            if self.rescans.is_empty() {
                self.rescans.extend(self.rescan.start());
            }
            let sleep = self.sleep();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(found) = self.rescans.next(), if !self.rescans.is_empty() => {
                    for entry in self.rescan.found(found) {
                        self.agenda.add(entry.at.as_millis(), entry.key);
                    }
                }
                Some((key, again)) = self.running.next(), if !self.running.is_empty() => self.ended(key, again),
                () = self.inbox.woken() => {}
                () = self.clock.sleep(sleep) => {}
            }
        }
        tokio::select! {
            biased;
            () = async { while self.running.next().await.is_some() {} } => {}
            () = self.clock.sleep(DRAIN_MAX) => tracing::warn!("scheduled work did not end in time; the next start continues it"),
        }
    }

    async fn recover(&mut self) {
        let began = self.clock.now();
        let take = |entry: &ports::store::Entry| Some((entry.at.as_millis(), entry.key.clone()));
        let all = self.rescan.reader().all(take, |_| {}).await;
        tracing::info!(scheduled = all.len(), "read scheduled outcomes and webhooks");
        self.agenda.add_all(all);
        self.rescan.set_all_read(began);
    }

    fn start(&mut self) {
        let room = RUNNING_MAX - self.running.len();
        for key in self.agenda.take_due(self.clock.now().as_millis(), room) {
            let (service, clock) = (self.service.clone(), Arc::clone(&self.clock));
            self.running.push(Box::pin(async move {
                let again = match run(&service, &key).await {
                    Ok(again) => again,
                    Err(fault) => {
                        tracing::warn!(key = ?key, error = fault.chain(), "scheduled work failed; retrying");
                        Some(clock.now().plus(RETRY_REST))
                    }
                };
                (key, again)
            }));
        }
    }

    fn ended(&mut self, key: Key, again: Option<Timestamp>) {
        match again {
            Some(at) => self.agenda.put_back(at.as_millis(), key),
            None => self.agenda.forget(&key),
        }
    }

    fn sleep(&self) -> Duration {
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let mut sleep = SLEEP_MAX;
        if self.rescans.is_empty() {
            sleep = sleep.min(self.rescan.next().saturating_sub(elapsed));
        }
        if self.running.len() < RUNNING_MAX
            && let Some(due_ms) = self.agenda.next_due()
        {
            sleep = sleep.min(Timestamp::from_millis(due_ms).since(now));
        }
        self.inbox.sleep_until(now.plus(sleep).as_millis());
        sleep
    }
}

/// Does one piece of work. Returns when to retry if it is not done.
async fn run(service: &Service, key: &Key) -> Result<Option<Timestamp>, Fault> {
    if !rows::is_payment(key) {
        return service.deliver(key).await;
    }
    let intent = key.partition.split_once('#').and_then(|(_, intent)| PaymentIntentId::parse(intent).ok());
    let Some(intent) = intent else { return Ok(None) };
    match service.carry_out(&intent).await {
        Ok(again) => Ok(again),
        Err(Refusal::Failed(fault)) => Err(fault),
        // Another caller has decided the payment meanwhile; a decided payment has nothing
        // scheduled.
        Err(_) => Ok(None),
    }
}
