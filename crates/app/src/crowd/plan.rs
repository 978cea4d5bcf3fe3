//! The seat plan as buyers see it: a moment old, and the same for everybody who looks in that moment.

use super::Crowd;
use anyhow::Result;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How old a plan may be, as on a page that is refreshed a few times a second.
const AGE_MAX: Duration = Duration::from_millis(500);

/// A plan and when it was drawn.
type Drawn = (Duration, Arc<Vec<String>>);

/// The free seats of each section, when they were last looked at.
#[derive(Default)]
pub(super) struct Plans(Mutex<BTreeMap<String, Drawn>>);

impl Crowd {
    /// The free seats of a section. An error means that nobody answered.
    pub(super) async fn free_seats(&self, section: &str) -> Result<Arc<Vec<String>>> {
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
        let plan: Arc<Vec<String>> =
            Arc::new(free.filter_map(|seat| seat["seat_id"].as_str().map(str::to_owned)).collect());
        plans.insert(section.to_owned(), (now, plan.clone()));
        Ok(plan)
    }
}
