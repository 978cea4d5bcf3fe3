//! The operator of the lines: changes the rate, pauses and resumes, closes and opens, and announces
//! notices.

use super::gateways::{self, Call, ask};
use super::room::Room;
use super::watch::Asked;
use crate::core::stream;
use core::time::Duration;
use domain::id::ShowId;
use domain::random::{Random, SplitMix64};
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;

const PATIENCE: Duration = Duration::from_secs(5);

/// Operates while there are faults.
pub(super) fn begin(world: &Arc<Room>) {
    let operated = Arc::clone(world);
    world.exec.spawn(world.base, async move {
        let mut dice = stream(operated.plan.seed, 55);
        while operated.faults.active() {
            operated.exec.sleep(Duration::from_millis(500 + dice.below(15_000))).await;
            if !operated.faults.active() {
                return;
            }
            let shows = operated.shows();
            let show = &shows[dice.below(shows.len() as u64) as usize];
            change(&operated, show, &mut dice).await;
        }
    });
}

async fn change(world: &Arc<Room>, show: &ShowId, dice: &mut SplitMix64) {
    match dice.below(6) {
        0 => {
            act(world, show, Method::POST, "/pause", None, dice).await;
            world.exec.sleep(Duration::from_millis(dice.below(20_000))).await;
            act(world, show, Method::POST, "/resume", None, dice).await;
        }
        1 => {
            act(world, show, Method::POST, "/drain", None, dice).await;
            world.exec.sleep(Duration::from_millis(dice.below(10_000))).await;
            act(world, show, Method::POST, "/open", None, dice).await;
        }
        2 => {
            let capacity = dice.below(10);
            act(world, show, Method::PATCH, "", Some(json!({"capacity": capacity})), dice).await;
            world.exec.sleep(Duration::from_millis(dice.below(10_000))).await;
            act(world, show, Method::PATCH, "", Some(json!({"capacity": 1_000_000})), dice).await;
        }
        3 => {
            let text = json!({"text": "곧 시작합니다"});
            act(world, show, Method::PUT, "/message", Some(text), dice).await;
        }
        _ => {
            let (rate, burst) = (1 + dice.below(40), 1 + dice.below(20));
            let rules = json!({"rate_per_sec": rate, "burst": burst});
            act(world, show, Method::PATCH, "", Some(rules), dice).await;
        }
    }
}

/// Resumes every line, with as many tries as it takes.
pub(super) async fn resume_all(world: &Arc<Room>) {
    let mut dice = stream(world.plan.seed, 56);
    let rules = json!({"paused": false, "closed": false, "capacity": 1_000_000});
    for show in world.shows() {
        while !act(world, &show, Method::PATCH, "", Some(rules.clone()), &mut dice).await {
            world.exec.sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn act(
    world: &Arc<Room>,
    show: &ShowId,
    method: Method,
    path: &str,
    body: Option<Value>,
    dice: &mut SplitMix64,
) -> bool {
    let there = gateways::there(world);
    let luck = dice.below(1 << 20) as usize;
    let Some(gateway) = there.get(luck % there.len().max(1)) else { return false };
    let call = Call {
        method,
        path: format!("/admin/queues/{show}{path}"),
        headers: Vec::new(),
        body,
        is_admin: true,
        asked: Asked::Other,
    };
    ask(world, *gateway, PATIENCE, call).await.is_some_and(|reply| reply.status < 300)
}
