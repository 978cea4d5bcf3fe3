//! `tacos trace`: prints the timeline of one reservation.

use super::{Exit, Failure, Where, output};
use crate::census;
use crate::client::Http;
use crate::engines::Engines;
use crate::story::{self, Line};
use clap::Args;
use domain::id::ReservationId;
use http::StatusCode;
use std::sync::Arc;

/// `tacos trace`.
#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// Id of the reservation.
    reservation: String,
    #[command(flatten)]
    place: Where,
    /// Print a JSON array instead of the table.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: TraceArgs) -> Result<Exit, Failure> {
    let id = ReservationId::parse(&args.reservation)
        .map_err(|why| Failure::usage(format!("the reservation {why}")))?;
    let lines = match &args.place.data {
        Some(folder) => {
            let engines = args.place.open(folder).await?;
            story::of(&engines, &id, None).await.map_err(|error| Failure::service("read the data", error))?
        }
        None => ask(&args.place, &id).await?,
    };
    if lines.is_empty() {
        return Err(Failure::not_found(format!("reservation {id} is unknown")));
    }
    if args.json {
        output::print(serde_json::json!(lines));
    } else {
        let mut table = output::table(&["at", "layer", "what"]);
        for line in &lines {
            table.add_row([&line.at, &line.layer, &line.what]);
        }
        output::print(table);
    }
    Ok(Exit::Done)
}

async fn ask(place: &Where, id: &ReservationId) -> Result<Vec<Line>, Failure> {
    let answer = place.call(http::Method::GET, &format!("/admin/trace/{id}"), None).await?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(Vec::new()),
        _ => serde_json::from_value(answer.body)
            .map_err(|error| Failure::service("read the platform's answer", error)),
    }
}

impl Where {
    /// Opens the data folder of a platform that is not running.
    pub(super) async fn open(&self, folder: &std::path::Path) -> Result<Engines, Failure> {
        if !folder.is_dir() {
            return Err(Failure::not_found(format!("data folder {} does not exist", folder.display())));
        }
        let engine = census::open(folder, Arc::new(runtime::SystemClock::new())).await;
        Engines::embedded(&engine.map_err(crate::up::unusable)?)
            .map_err(|error| Failure::service("open the data", error))
    }

    /// One call to the administration of a running platform. The caller handles 404.
    pub(super) async fn call(
        &self,
        method: http::Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<crate::client::Answer, Failure> {
        let http = Http::new(Arc::new(runtime::SystemClock::new()));
        let url = format!("http://{}{path}", self.addr);
        let token: Vec<(&str, &str)> =
            self.token.iter().map(|token| ("x-internal-token", token.as_str())).collect();
        let answer = http.call(method, &url, &token, body).await.map_err(|error| {
            Failure::service(&format!("reach a running platform at {}", self.addr), error)
        })?;
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                Err(Failure::usage("the platform requires an administration token: set ADMIN_TOKEN"))
            }
            status if status.is_server_error() => {
                Err(Failure::service("get an answer from the platform", anyhow::anyhow!(answer.message())))
            }
            _ => Ok(answer),
        }
    }
}
