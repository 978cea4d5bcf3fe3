//! `tacos trace`: prints the timeline of one reservation.

use super::Place;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::timeline::{self, Entry};
use clap::Args;
use domain::id::ReservationId;
use http::StatusCode;

/// `tacos trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Id of the reservation.
    reservation: String,
    #[command(flatten)]
    place: Place,
    /// Print a JSON array instead of the table.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: TraceArgs) -> Result<Exit, Failure> {
    let id = ReservationId::parse(&args.reservation)
        .map_err(|why| Failure::usage(format!("the reservation {why}")))?;
    let entries = match &args.place.data {
        Some(folder) => {
            let engines = args.place.open(folder).await?;
            timeline::read(&engines, &id, None)
                .await
                .map_err(|error| Failure::service("read the data", error))?
        }
        None => ask(&args.place, &id).await?,
    };
    if entries.is_empty() {
        return Err(Failure::not_found(format!("reservation {id} is unknown")));
    }
    if args.json {
        output::print(serde_json::json!(entries));
    } else {
        let mut table = output::table(&["at", "layer", "what"]);
        for entry in &entries {
            table.add_row([&entry.at, &entry.layer, &entry.what]);
        }
        output::print(table);
    }
    Ok(Exit::Done)
}

async fn ask(place: &Place, id: &ReservationId) -> Result<Vec<Entry>, Failure> {
    let answer = place.call(http::Method::GET, &format!("/admin/trace/{id}"), None).await?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(Vec::new()),
        _ => serde_json::from_value(answer.body)
            .map_err(|error| Failure::service("read the platform's answer", error)),
    }
}
