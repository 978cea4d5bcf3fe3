//! A full disk under the whole platform: buyers get a clear refusal, and every probe reports the
//! reason. After a restart with room, everything acknowledged is there, and every invariant holds.

use crate::running::{Running, stock};
use anyhow::{Result, ensure};
use app::engines::{self, Engines};
use domain::invariant::{self, Phase};
use http::StatusCode;
use ports::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

/// A quarter of a mebibyte: some hundred reservations.
const BLOCKS: u64 = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_reported_and_loses_no_acknowledged_write() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // The files of a new folder are created with room, as on a disk that fills up later.
    ensure!(Running::start(folder.path(), "2s").await?.terminate().await? == 0, "an empty folder");
    let platform = Running::start_on_a_small_disk(folder.path(), "2s", BLOCKS).await?;
    let show =
        json!({"event_id": "s", "name": "S", "sections": [{"id": "F", "price": 50, "capacity": 5_000}]});
    let opened = platform.post("inventory_http", "/admin/shows", &[], &show).await?;
    ensure!(opened.status == StatusCode::CREATED, "{opened:?}");

    let mut acknowledged: Vec<String> = Vec::new();
    let refused = loop {
        let key = format!("k-{}", acknowledged.len());
        let body =
            json!({"event_id": "s", "seat_ids": [], "quantity": 1, "user_id": key, "reservation_token": ""});
        let headers = [("idempotency-key", key.as_str())];
        let answer = platform.post("reservation_http", "/v1/reservations", &headers, &body).await?;
        match answer.body["reservation_id"].as_str() {
            Some(id) if answer.status == StatusCode::CREATED => acknowledged.push(id.to_owned()),
            _ => break answer,
        }
        ensure!(acknowledged.len() < 5_000, "the disk is never full");
    };
    println!("refused after {} reservations: {refused:?}", acknowledged.len());
    ensure!(!acknowledged.is_empty(), "{refused:?}");
    // The service whose write fails first decides which of the two codes is returned.
    let is_expected =
        [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&refused.status);
    ensure!(is_expected && refused.message().contains("try again"), "{refused:?}");

    for service in ["inventory_http", "reservation_http", "payment_http", "worker_http"] {
        for probe in ["/health", "/ready"] {
            platform
                .until(&format!("{service} reports the full disk"), async || {
                    let answer = platform.get(service, probe).await?;
                    let reasons = answer.body["reasons"].to_string();
                    Ok(answer.status == StatusCode::SERVICE_UNAVAILABLE && reasons.contains("free the disk"))
                })
                .await?;
        }
    }
    let path = format!("/v1/reservations/{}", acknowledged[0]);
    let read = platform.get("reservation_http", &path).await?;
    ensure!(read.status == StatusCode::OK, "reads still work: {read:?}");
    platform.kill().await?;

    // With room again, everything continues where it stopped.
    let platform = Running::start(folder.path(), "2s").await?;
    for id in &acknowledged {
        let answer = platform.get("reservation_http", &format!("/v1/reservations/{id}")).await?;
        ensure!(answer.status == StatusCode::OK, "{id} was acknowledged: {answer:?}");
    }
    platform.at_rest().await?;
    let reported: Value = platform.get("inventory_http", "/admin/shows/s").await?.body;
    ensure!(reported["sections"][0]["remaining"] == 5_000, "every hold has run out: {reported}");
    ensure!(platform.terminate().await? == 0, "a drained platform ends with 0");
    let clock: Arc<dyn Clock> = Arc::new(runtime::SystemClock::new());
    let engine = engines::open(folder.path(), clock).await?;
    let world = Engines::embedded(&engine)?.snapshot(&stock(&[reported])?).await?;
    let report = invariant::check(&world, Phase::AtRest);
    ensure!(report.holds(), "{report:#?}");
    Ok(())
}
