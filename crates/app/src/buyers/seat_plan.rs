//! The seat plan as buyers see it: a moment old, and the same for everybody who looks in that
//! moment.

use super::Crowd;
use anyhow::Result;
use domain::id::SeatId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The age limit of a plan, as on a page that is refreshed a few times a second.
const AGE_MAX: Duration = Duration::from_millis(500);

/// A plan and when it was drawn.
type Drawn = (Duration, Arc<Vec<SeatId>>);

/// The free seats of each section at the last look.
#[derive(Default)]
pub(super) struct Plans(Mutex<BTreeMap<String, Drawn>>);

impl Crowd {
    /// The free seats of a section. An error means that there was no answer.
    pub(super) async fn free_seats(&self, section: &str) -> Result<Arc<Vec<SeatId>>> {
        let mut plans = self.plans.0.lock().await;
        let now = self.clock.elapsed();
        if let Some((drawn, plan)) = plans.get(section)
            && now.saturating_sub(*drawn) < AGE_MAX
        {
            return Ok(plan.clone());
        }
        let path = format!("/api/v1/events/{}/seats?section={section}", self.options.show);
        let answer = self.http.get(&self.gateway_url(&path)).await?;
        let seats = answer.body["seats"].as_array().map(Vec::as_slice).unwrap_or_default();
        let free = seats.iter().filter(|seat| seat["status"] == "AVAILABLE");
        let free = free.filter_map(|seat| SeatId::parse(seat["seat_id"].as_str()?).ok());
        let plan: Arc<Vec<SeatId>> = Arc::new(free.collect());
        plans.insert(section.to_owned(), (now, plan.clone()));
        Ok(plan)
    }
}
