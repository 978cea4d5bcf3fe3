//! The ledger finds each kind of broken promise, and nothing where every promise was kept. The
//! tests act as the worker.

use crate::wire::Server;
use anyhow::{Context, Result, ensure};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use standin::{Broken, Journal, Ledger, PeerFaults, Push, QueueSpec, Reservations, Sqs, Tag};
use std::sync::Arc;
use std::time::Duration;

const QUEUE: &str = "events.fifo";

/// A FIFO queue with three events of one reservation, and a reservation-api. The inventory is left
/// out, so each deleted event is one without its effect.
struct Play {
    journal: Arc<Journal>,
    sqs: Sqs,
    reservations: Reservations,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

impl Play {
    async fn new() -> Result<Self> {
        let journal = Arc::new(Journal::new());
        let sqs = Sqs::start(journal.clone()).await?;
        sqs.create(QueueSpec { name: QUEUE.to_owned(), visibility: Duration::from_secs(30), redrive: None });
        for event in 1..=3 {
            let body = format!(r#"{{"detail":{{"reservation_id":"r"}},"trace_id":"{event:032x}"}}"#);
            let push = Push {
                body,
                group: Some("r".to_owned()),
                dedup_id: Some(event.to_string()),
                ..Push::default()
            };
            sqs.push(QUEUE, push).context("it is sent")?;
        }
        let reservations = Reservations::start(journal.clone(), PeerFaults::default(), 1).await?;
        Ok(Self { journal, sqs, reservations, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    async fn patch(&self, event: u128) -> Result<()> {
        let request = http::Request::patch(format!("{}/internal/reservations/r", self.reservations.base()))
            .header("x-trace-id", format!("{event:032x}"))
            .body(Full::new(json!({"status": "EXPIRED"}).to_string().into()))?;
        ensure!(self.client.request(request).await?.status() == 200);
        Ok(())
    }

    fn broken(&self) -> Vec<Broken> {
        Ledger::read(&self.journal).broken(false)
    }
}

#[tokio::test]
async fn events_in_order_break_nothing() -> Result<()> {
    let play = Play::new().await?;
    for event in 1..=3 {
        play.patch(event).await?;
    }
    ensure!(play.broken().is_empty(), "{:?}", play.broken());
    let lost = Ledger::read(&play.journal).broken(true);
    ensure!(lost.len() == 3 && lost.contains(&Broken::Lost(Tag(2))), "{lost:?}");
    ensure!(Ledger::read(&play.journal).sent() == 3 && play.sqs.depth(QUEUE).visible == 3);
    Ok(())
}

#[tokio::test]
async fn a_later_event_that_begins_first_is_an_inversion() -> Result<()> {
    let play = Play::new().await?;
    for event in [1, 3, 2] {
        play.patch(event).await?;
    }
    ensure!(play.broken() == [Broken::Inversion(Tag(2), Tag(3))], "{:?}", play.broken());
    Ok(())
}

#[tokio::test]
async fn an_event_that_begins_before_its_predecessor_has_ended_overlaps_it() -> Result<()> {
    let play = Play::new().await?;
    play.patch(1).await?;
    play.patch(2).await?;
    // The first one again: its run ends after the second one has begun.
    play.patch(1).await?;
    ensure!(play.broken() == [Broken::Overlap(Tag(1), Tag(2))], "{:?}", play.broken());
    Ok(())
}

#[tokio::test]
async fn a_message_deleted_before_its_event_was_carried_out_has_no_effect() -> Result<()> {
    let server = Server::new().await?;
    server.push(&format!(r#"{{"trace_id":"{:032x}"}}"#, 7))?;
    let receipt = server.receive().await?[0].1.clone();
    server.call("DeleteMessage", json!({"ReceiptHandle": receipt})).await?;
    let broken = Ledger::read(&server.journal).broken(true);
    ensure!(broken == [Broken::WithoutEffect(Tag(7))], "{broken:?}");
    Ok(())
}
