//! The network between the services. A call reaches one of the running instances or none, is
//! carried out or not, is answered or not. The caller cannot distinguish these cases, and that is
//! the point.
//!
//! A call runs the service's own handler as a task of the instance that serves it, so it dies with
//! that instance. A caller that gives up leaves the handler running or drops it where it stands, as
//! a server does when its client closes the stream.

use crate::core::Core;
use crate::exec::{Group, lock};
use crate::fault::Kind;
use async_trait::async_trait;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use domain::hold::{Rejection, Released};
use domain::id::{PaymentIntentId, ReservationId, ShowId};
use ports::admissions::NoSuchShow;
use ports::inventory::{
    CommitSeats, Committed, Held, HoldSeats, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};
use ports::reservations::{EndRejection, EndReservation, Ended, NoSuchReservation, ReservationView};
use ports::{Admissions, CallContext, Fault, Inventory, Payments, PortError, Reservations, Trace};
use ports::{WebhookPost, WebhookRequest};
use reservation::WebhookCall;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// The longest that an unanswered call hangs; every caller has a lower limit of its own.
const HANG: Duration = Duration::from_secs(60);
/// The longest that a slow peer takes.
const SLOW_MAX: Duration = Duration::from_secs(15);

/// The services that can be called, by the name under which the worker knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// inventory-api.
    Inventory,
    /// reservation-api.
    Reservation,
    /// payment-sim-api.
    Payments,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Inventory, Self::Reservation, Self::Payments];

    const fn name(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Reservation => "reservation",
            Self::Payments => "payments",
        }
    }
}

/// An instance that takes calls.
#[derive(Clone)]
pub struct Endpoint<S> {
    /// Which instance.
    pub id: u32,
    /// The group of its calls' tasks.
    pub group: Group,
    /// Calls that have not ended.
    pub in_flight: Arc<AtomicUsize>,
    /// Its handlers.
    pub service: S,
}

/// The instances that take calls now.
#[derive(Default)]
pub struct Endpoints {
    /// Instances of inventory-api.
    pub inventory: Vec<Endpoint<inventory::Service>>,
    /// Instances of reservation-api.
    pub reservation: Vec<Endpoint<reservation::Service>>,
    /// Instances of payment-sim-api.
    pub payments: Vec<Endpoint<payment::Service>>,
    dead_until: [u64; 3],
    failing_until: [u64; 3],
    misrouted_until: [u64; 3],
}

/// The network.
pub struct Network {
    /// The shared parts of the run.
    pub core: Arc<Core>,
    /// The instances that can be called.
    pub endpoints: Mutex<Endpoints>,
    /// Posted webhooks, kept so that they can be posted again.
    pub posted: Mutex<Vec<WebhookRequest>>,
}

/// A service whose handlers can be called: inventory-api, reservation-api, payment-sim-api.
pub trait Callee: Clone + Send + Sized + 'static {
    /// Which.
    const PEER: Peer;
    /// Its instances.
    fn endpoints(all: &Endpoints) -> &Vec<Endpoint<Self>>;
}

impl Callee for inventory::Service {
    const PEER: Peer = Peer::Inventory;
    fn endpoints(all: &Endpoints) -> &Vec<Endpoint<Self>> {
        &all.inventory
    }
}

impl Callee for reservation::Service {
    const PEER: Peer = Peer::Reservation;
    fn endpoints(all: &Endpoints) -> &Vec<Endpoint<Self>> {
        &all.reservation
    }
}

impl Callee for payment::Service {
    const PEER: Peer = Peer::Payments;
    fn endpoints(all: &Endpoints) -> &Vec<Endpoint<Self>> {
        &all.payments
    }
}

impl Network {
    /// A network without instances.
    pub fn new(core: Arc<Core>) -> Arc<Self> {
        Arc::new(Self { core, endpoints: Mutex::default(), posted: Mutex::default() })
    }

    /// Lets no instance of a service answer until then.
    pub fn dead_until(&self, peer: Peer, micros: u64) {
        lock(&self.endpoints).dead_until[peer as usize] = micros;
    }

    /// Lets every instance of a service answer with errors until then.
    pub fn failing_until(&self, peer: Peer, micros: u64) {
        lock(&self.endpoints).failing_until[peer as usize] = micros;
    }

    /// Lets something that is not the service answer until then.
    pub fn misrouted_until(&self, peer: Peer, micros: u64) {
        lock(&self.endpoints).misrouted_until[peer as usize] = micros;
    }

    /// Whether something that is not the service answers now.
    fn is_misrouted(&self, peer: Peer) -> bool {
        lock(&self.endpoints).misrouted_until[peer as usize] > self.core.exec.micros()
    }

    /// Lets every service answer again.
    pub fn heal(&self) {
        let mut endpoints = lock(&self.endpoints);
        (endpoints.dead_until, endpoints.failing_until) = ([0; 3], [0; 3]);
        endpoints.misrouted_until = [0; 3];
    }

    /// Sends no more calls to an instance.
    pub fn close(&self, id: u32) {
        let mut endpoints = lock(&self.endpoints);
        endpoints.inventory.retain(|endpoint| endpoint.id != id);
        endpoints.reservation.retain(|endpoint| endpoint.id != id);
        endpoints.payments.retain(|endpoint| endpoint.id != id);
    }
}

/// The place of one instance, of a buyer or of an operator in the network.
#[derive(Clone)]
pub struct Caller {
    /// The network.
    pub network: Arc<Network>,
    /// The caller's id.
    pub id: u32,
}

/// Counts a call while it runs, however it ends.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Caller {
    /// Calls a handler on one of the instances of its service.
    pub async fn call<S: Callee, T, F>(&self, handler: impl FnOnce(S) -> F + Send) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let core = &self.network.core;
        let (faults, peer) = (&core.faults, S::PEER.name());
        lock(&core.checker).called(self.id, peer);
        core.way().await;
        self.reach(S::PEER).await?;
        if faults.strikes(Kind::CallLost) {
            core.exec.sleep(HANG).await;
            return Err(Fault::unavailable(format!("no answer of {peer}")));
        }
        let endpoint = {
            let endpoints = lock(&self.network.endpoints);
            let there = S::endpoints(&endpoints);
            let choice = if there.is_empty() { 0 } else { faults.below(there.len() as u64) as usize };
            there.get(choice).cloned()
        };
        let Some(endpoint) = endpoint else {
            return Err(Fault::not_reached(format!("nobody listens at {peer}")));
        };
        let slow = match faults.strikes(Kind::CallSlow) {
            true => faults.between(Duration::from_millis(50), SLOW_MAX),
            false => Duration::ZERO,
        };
        let (answer, answered) = oneshot::channel();
        let in_flight = InFlight::new(&endpoint.in_flight);
        let (work, serving) = (handler(endpoint.service), Arc::clone(core));
        core.exec.spawn(endpoint.group, async move {
            let _in_flight = in_flight;
            if !slow.is_zero() {
                serving.exec.sleep(slow).await;
            }
            serve(&serving, work, answer).await;
        });
        let Ok(answer) = answered.await else {
            return Err(Fault::not_reached(format!("{peer} reset the connection")));
        };
        if faults.strikes(Kind::CallAnswerLost) {
            if faults.below(2) == 0 {
                core.exec.sleep(HANG).await;
            }
            return Err(Fault::unavailable(format!("the answer of {peer} was lost")));
        }
        core.way().await;
        lock(&core.checker).answered(core, self.id, peer);
        Ok(answer)
    }

    /// Returns an error while the service does not answer, after a while or at once.
    async fn reach(&self, peer: Peer) -> Result<(), Fault> {
        let core = &self.network.core;
        let (dead_until, failing_until) = {
            let endpoints = lock(&self.network.endpoints);
            (endpoints.dead_until[peer as usize], endpoints.failing_until[peer as usize])
        };
        let now = core.exec.micros();
        if dead_until > now {
            if core.faults.below(2) == 0 {
                core.exec.sleep(Duration::from_micros(dead_until - now).min(HANG)).await;
            }
            return Err(Fault::unavailable(format!("{} does not answer", peer.name())));
        }
        if failing_until > now {
            lock(&core.checker).answered(core, self.id, peer.name());
            return Err(Fault::transient(format!("{} answers with an internal error", peer.name())));
        }
        if self.network.is_misrouted(peer) {
            return Err(Fault::not_reached(format!("something answers 404 for {}", peer.name())));
        }
        if core.faults.strikes(Kind::CallRefused) {
            return Err(Fault::not_reached(format!("{} refuses the connection", peer.name())));
        }
        if core.faults.strikes(Kind::CallDenied) {
            return Err(Fault::not_reached(format!("something answers 401 for {}", peer.name())));
        }
        Ok(())
    }

    /// Posts a webhook to reservation-api and returns the status of the answer.
    pub async fn webhook(&self, request: WebhookRequest) -> Result<u16, Fault> {
        let handler = |service: reservation::Service| async move {
            let header = |name: &str| {
                request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
            };
            let call = WebhookCall {
                id: header("x-webhook-id"),
                timestamp: header("x-webhook-timestamp"),
                signature: header("x-webhook-signature"),
                body: request.body.as_bytes(),
            };
            match service.accept_webhook(call, &Trace::default()).await {
                Ok(()) => 200,
                Err(refusal) => runtime::Refusal::reply(&refusal).http_status().as_u16(),
            }
        };
        self.call(handler).await
    }
}

/// Runs a handler to its end, or until the caller gives up and the server notices it.
async fn serve<T>(core: &Core, work: impl Future<Output = T>, mut answer: oneshot::Sender<T>) {
    let mut work = core::pin::pin!(work);
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        () = answer.closed() => {
            if core.faults.strikes(Kind::CallCut) {
                return;
            }
            work.await
        }
    };
    // The caller may have given up.
    drop(answer.send(done));
}

#[async_trait]
impl Inventory for Caller {
    async fn hold(&self, cx: &CallContext, command: HoldSeats) -> Result<Held, PortError<Rejection>> {
        let cx = cx.clone();
        self.call(|service: inventory::Service| async move { service.hold(&cx, command).await }).await?
    }

    async fn commit(
        &self,
        cx: &CallContext,
        command: CommitSeats,
    ) -> Result<Committed, PortError<Rejection>> {
        let cx = cx.clone();
        self.call(|service: inventory::Service| async move { service.commit(&cx, command).await }).await?
    }

    async fn release(
        &self,
        cx: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        let cx = cx.clone();
        self.call(|service: inventory::Service| async move { service.release(&cx, command).await }).await?
    }

    async fn refuse(
        &self,
        cx: &CallContext,
        command: RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>> {
        let cx = cx.clone();
        self.call(|service: inventory::Service| async move { service.refuse(&cx, command).await }).await?
    }
}

#[async_trait]
impl Payments for Caller {
    async fn get(
        &self,
        cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        let (cx, intent) = (cx.clone(), intent.clone());
        self.call(|service: payment::Service| async move { Payments::get(&service, &cx, &intent).await })
            .await?
    }

    async fn cancel(
        &self,
        cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        let cx = cx.clone();
        self.call(|service: payment::Service| async move { Payments::cancel(&service, &cx, command).await })
            .await?
    }
}

#[async_trait]
impl Reservations for Caller {
    async fn get(
        &self,
        cx: &CallContext,
        id: &ReservationId,
    ) -> Result<ReservationView, PortError<NoSuchReservation>> {
        let (cx, id) = (cx.clone(), id.clone());
        self.call(|service: reservation::Service| async move { Reservations::get(&service, &cx, &id).await })
            .await?
    }

    async fn end(&self, cx: &CallContext, command: EndReservation) -> Result<Ended, PortError<EndRejection>> {
        let cx = cx.clone();
        self.call(
            |service: reservation::Service| async move { Reservations::end(&service, &cx, command).await },
        )
        .await?
    }

    async fn record_error_code(
        &self,
        cx: &CallContext,
        id: &ReservationId,
        error_code: Arc<str>,
    ) -> Result<(), PortError<NoSuchReservation>> {
        let (cx, id) = (cx.clone(), id.clone());
        self.call(|service: reservation::Service| async move {
            Reservations::record_error_code(&service, &cx, &id, error_code).await
        })
        .await?
    }
}

/// The admission of a show, as `app` wires it: the show's definition says whether a pass is needed.
#[async_trait]
impl Admissions for Caller {
    async fn requires_pass(&self, _: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        let show = show.clone();
        let found =
            self.call(|service: inventory::Service| async move { service.definition(&show).await }).await??;
        found.map(|show| show.requires_pass()).ok_or(PortError::Rejected(NoSuchShow))
    }
}

#[async_trait]
impl WebhookPost for Caller {
    async fn post(&self, request: WebhookRequest) -> Result<u16, Fault> {
        let faults = &self.network.core.faults;
        lock(&self.network.posted).push(request.clone());
        if faults.strikes(Kind::WebhookLost) {
            return Err(Fault::unavailable("the webhook was lost"));
        }
        if faults.strikes(Kind::WebhookDoubled) {
            // Nobody receives the first answer.
            drop(self.webhook(request.clone()).await);
        }
        self.webhook(request).await
    }
}
