//! The inventory and reservation-api through the worker's own clients.

use adapter_peers::{InventoryClient, PeerOptions, ReservationsClient};
use anyhow::{Context, Result, ensure};
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, ReservationId};
use domain::reservation::{End, Status};
use ports::inventory::{CommitSeats, Committed, ReleaseSeats};
use ports::reservations::{EndRejection, EndReservation, Ended};
use ports::{CallContext, Inventory as _, PortError, Reservations as _};
use runtime::SystemClock;
use standin::{Inventory, Journal, Ledger, PeerFaults, Reservations};
use std::sync::Arc;
use std::time::Duration;

struct Peers {
    journal: Arc<Journal>,
    inventory: Inventory,
    reservations: Reservations,
    holds: InventoryClient,
    ends: ReservationsClient,
    cx: CallContext,
}

impl Peers {
    async fn new() -> Result<Self> {
        let journal = Arc::new(Journal::new());
        let inventory = Inventory::start(journal.clone(), PeerFaults::default(), 1).await?;
        let reservations = Reservations::start(journal.clone(), PeerFaults::default(), 2).await?;
        let clock = Arc::new(SystemClock::new());
        let options = PeerOptions { timeout: Duration::from_secs(5), ..PeerOptions::grpc() };
        let rest = PeerOptions { timeout: Duration::from_secs(5), ..PeerOptions::rest() };
        Ok(Self {
            holds: InventoryClient::new(&inventory.address().to_string(), options, clock.clone())?,
            ends: ReservationsClient::new(&reservations.base(), None, rest, clock)?,
            journal,
            inventory,
            reservations,
            cx: CallContext::default(),
        })
    }

    async fn commit(&self, id: &str) -> Result<Committed, PortError<Rejection>> {
        let command = CommitSeats {
            reservation: ReservationId::parse(id).expect("an id"),
            show: None,
            seats: Vec::new(),
            quantity: Some(2),
            intent: None,
            person: None,
        };
        self.holds.commit(&self.cx, command).await
    }

    async fn release(&self, id: &str, cause: ReleaseCause) -> Result<Released, PortError<Rejection>> {
        let command = ReleaseSeats {
            reservation: ReservationId::parse(id).expect("an id"),
            show: None,
            seats: Vec::new(),
            quantity: None,
            cause: Some(cause),
        };
        self.holds.release(&self.cx, command).await
    }

    async fn end(&self, id: &str, end: End) -> Result<Ended, PortError<EndRejection>> {
        let id = ReservationId::parse(id).expect("an id");
        self.ends.end(&self.cx, EndReservation { id, end, inventory_settled: true }).await
    }
}

fn done<T, R: core::fmt::Debug>(answer: Result<T, PortError<R>>) -> Result<T> {
    answer.map_err(|why| anyhow::anyhow!("{why:?}"))
}

fn rejected<T, R>(answer: Result<T, PortError<R>>) -> Option<R> {
    match answer {
        Err(PortError::Rejected(rejection)) => Some(rejection),
        _ => None,
    }
}

#[tokio::test]
async fn the_inventory_does_everything_once() -> Result<()> {
    let peers = Peers::new().await?;
    let first = done(peers.commit("r1").await)?;
    ensure!(done(peers.commit("r1").await)?.order == first.order);
    let refused = rejected(peers.release("r1", ReleaseCause::Expired).await);
    ensure!(refused == Some(Rejection::AlreadyCommitted { order: first.order, intent: None }));
    ensure!(matches!(done(peers.release("r2", ReleaseCause::PaymentFailed).await)?, Released::Now { .. }));
    let again = done(peers.release("r2", ReleaseCause::Expired).await)?;
    ensure!(matches!(again, Released::Before { cause: ReleaseCause::PaymentFailed, .. }), "{again:?}");
    done(peers.commit("r2").await).context("a late payment re-takes it")?;
    let hold = peers.inventory.hold("r1").context("it was asked for")?;
    ensure!((hold.commits, hold.releases, hold.effects) == (2, 1, 1), "{hold:?}");
    done(peers.release("r3", ReleaseCause::Expired).await)?;
    peers.inventory.sell_out();
    ensure!(rejected(peers.commit("r3").await) == Some(Rejection::Expired));
    Ok(())
}

#[tokio::test]
async fn a_reservation_ends_once() -> Result<()> {
    let peers = Peers::new().await?;
    let confirmed = || End::Confirmed {
        order: OrderId::parse("ord_1").ok(),
        intent: PaymentIntentId::parse("pay_1").ok(),
    };
    done(peers.end("r1", End::Expired { error_code: None }).await)?;
    done(peers.end("r1", End::Expired { error_code: None }).await)?;
    done(peers.end("r1", confirmed()).await).context("a late payment")?;
    match rejected(peers.end("r1", End::Expired { error_code: None }).await) {
        Some(EndRejection::Illegal { current, intent }) => {
            ensure!(current == Some(Status::Confirmed) && intent == PaymentIntentId::parse("pay_1").ok());
        }
        other => anyhow::bail!("{other:?}"),
    }
    let found = peers.reservations.reservation("r1").context("it was asked for")?;
    ensure!((found.status, found.patches, found.effects) == (Status::Confirmed, 4, 2), "{found:?}");
    let view = done(peers.ends.get(&peers.cx, &ReservationId::parse("r2")?).await)?;
    ensure!(view.status == Some(Status::Hold) && view.seats.len() == 2, "{view:?}");
    Ok(())
}

#[tokio::test]
async fn half_of_the_calls_fail_and_some_of_them_took_effect() -> Result<()> {
    let peers = Peers::new().await?;
    let unsteady = |faults: &mut PeerFaults| (faults.failing, faults.losing) = (0.3, 0.2);
    peers.inventory.misbehave(unsteady);
    peers.reservations.misbehave(unsteady);
    let (mut failed, mut lost) = (0, 0);
    for n in 0..200 {
        let id = format!("r{n}");
        if peers.commit(&id).await.is_err() {
            failed += 1;
            lost += u32::from(peers.inventory.hold(&id).is_some_and(|hold| hold.committed));
        }
        let _ = peers.end(&id, End::Expired { error_code: None }).await;
    }
    ensure!((70..130).contains(&failed) && (20..60).contains(&lost), "{failed} failed, {lost} of them done");
    ensure!(Ledger::read(&peers.journal).broken(false).is_empty());
    Ok(())
}

#[tokio::test]
async fn a_dead_peer_refuses_and_returns_on_the_same_port() -> Result<()> {
    let peers = Peers::new().await?;
    done(peers.commit("r1").await)?;
    done(peers.end("r1", End::Expired { error_code: None }).await)?;
    peers.inventory.set_open(false);
    peers.reservations.set_open(false);
    while peers.commit("r1").await.is_ok() {}
    while peers.end("r1", End::Expired { error_code: None }).await.is_ok() {}
    peers.inventory.set_open(true);
    peers.reservations.set_open(true);
    while peers.commit("r1").await.is_err() {
        tokio::task::yield_now().await;
    }
    while peers.end("r1", End::Expired { error_code: None }).await.is_err() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_hanging_peer_answers_when_the_hang_ends() -> Result<()> {
    let peers = Peers::new().await?;
    peers.inventory.misbehave(|faults| faults.hanging = true);
    let commit = peers.commit("r1");
    tokio::pin!(commit);
    let taken = peers.journal.until(Duration::from_secs(5), || !peers.journal.is_empty());
    tokio::select! {
        biased;
        answer = &mut commit => anyhow::bail!("answered although it hangs: {answer:?}"),
        taken = taken => ensure!(taken, "the call did not arrive"),
    }
    peers.inventory.misbehave(|faults| faults.hanging = false);
    done(commit.await)?;
    Ok(())
}
