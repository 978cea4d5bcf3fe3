//! What people in line see while the store or the inventory fails, hangs or loses everything.

use crate::fixture::{Fixture, SHOW, TestGateway, s};
use core::time::Duration;
use http::{Method, StatusCode, header};
use serde_json::json;

/// Trap T-W10: the store loses everything. Nobody has to join again, and the order stays.
#[tokio::test]
async fn an_emptied_store_costs_nobody_their_place() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let mut tickets = Vec::new();
    for n in 0..12 {
        tickets.push(fixture.join(&gateway, &format!("p-{n}")).await);
    }
    for ticket in &tickets {
        fixture.status(&gateway, ticket).await;
    }
    fixture.room.lose_everything().await;
    fixture.pass(s(1)).await;
    let newcomer = fixture.join(&gateway, "new").await;
    // Nobody polls for a while; the gateway itself sends the store the people that it has heard
    // from.
    fixture.pass(s(3)).await;
    let mut order = Vec::new();
    for _ in 0..60 {
        fixture.pass(Duration::from_millis(250)).await;
        for (n, ticket) in tickets.iter().chain([&newcomer]).enumerate() {
            if !order.contains(&n) && fixture.status(&gateway, ticket).await.text("status") == "ready" {
                assert_eq!(fixture.enter(&gateway, ticket).await.status, StatusCode::OK);
                order.push(n);
            }
        }
    }
    assert_eq!(order.len(), 13, "{order:?}");
    assert_eq!(order.last(), Some(&12), "a newcomer after the loss comes last: {order:?}");
    let steps = order.windows(2).filter(|pair| pair[0] > pair[1] + 2).count();
    assert_eq!(steps, 0, "{order:?}");
}

/// People who entered before the loss are not in line again in front of everybody: the first turn
/// comes within five seconds.
#[tokio::test]
async fn people_who_entered_before_a_loss_do_not_return_to_the_line() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let rule = async |rate: u32| {
        let body = json!({"rate_per_sec": rate, "burst": rate});
        let path = format!("/admin/queues/{SHOW}");
        let ruled = gateway.admin(Method::PATCH, &path, &[], Some(&body));
        assert_eq!(fixture.answered(ruled).await.status, StatusCode::OK);
    };
    rule(100).await;
    let mut inside = Vec::new();
    for n in 0..80 {
        inside.push(fixture.join(&gateway, &format!("in-{n}")).await);
    }
    fixture.pass(s(2)).await;
    for ticket in &inside {
        assert_eq!(fixture.enter(&gateway, ticket).await.status, StatusCode::OK);
    }
    // Nobody has an unused turn: after the loss its owner would be the first to get another.
    fixture.answered(gateway.admin(Method::POST, &format!("/admin/queues/{SHOW}/pause"), &[], None)).await;
    let mut tickets = Vec::new();
    for n in 0..24 {
        tickets.push(fixture.join(&gateway, &format!("p-{n}")).await);
    }
    fixture.pass(s(1)).await;
    let mut last = Vec::new();
    for ticket in &tickets {
        last.push(fixture.status(&gateway, ticket).await.number("position"));
    }
    fixture.room.lose_everything().await;
    let mut first_turn = None;
    for tenth in 0..100 {
        fixture.pass(Duration::from_millis(100)).await;
        for (ticket, last) in tickets.iter().zip(&mut last).filter(|(_, last)| **last > 0) {
            let answer = fixture.status(&gateway, ticket).await;
            assert!(answer.number("position") <= *last, "{answer:?} after {last}");
            *last = answer.number("position");
            if *last == 0 && first_turn.is_none() {
                first_turn = Some(tenth);
            }
        }
        // Entered people poll now and then, as pages do.
        let answer = fixture.status(&gateway, &inside[tenth % inside.len()]).await;
        assert_eq!(answer.text("status"), "ready", "their pass is good, whatever the store has lost");
    }
    let first_turn = first_turn.expect("somebody's turn comes");
    assert!(first_turn <= 50, "after {first_turn} tenths of a second");
    let again = fixture.enter(&gateway, &inside[0]).await;
    assert_eq!(again.status, StatusCode::OK, "the same pass");
}

/// Trap T-W5: a ready person stays ready while the store does not answer.
#[tokio::test]
async fn a_turn_is_not_taken_back_because_the_store_is_slow() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let ticket = fixture.join(&gateway, "kim").await;
    fixture.pass(s(1)).await;
    assert_eq!(fixture.status(&gateway, &ticket).await.text("status"), "ready");
    fixture.room.die(true);
    for _ in 0..8 {
        fixture.pass(s(1)).await;
        let answer = fixture.status(&gateway, &ticket).await;
        assert_eq!((answer.text("status"), &answer.body["ready_for_entry"]), ("ready", &json!(true)));
    }
    fixture.room.die(false);
    assert_eq!(fixture.enter(&gateway, &ticket).await.status, StatusCode::OK);
}

/// Right after a loss numbers jump by millions; the reported places must not.
#[tokio::test]
async fn a_newcomer_after_a_loss_gets_an_honest_place() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    for n in 0..5 {
        fixture.join(&gateway, &format!("p-{n}")).await;
    }
    fixture.pass(s(60)).await;
    fixture.room.lose_everything().await;
    for n in 0..6 {
        let body = json!({"event_id": SHOW, "user_id": format!("new-{n}")});
        let joined = fixture.answered(gateway.post("/queue/join", &[], &body)).await;
        assert!(joined.number("position_hint") <= 12, "{joined:?}");
        fixture.pass(Duration::from_millis(700)).await;
    }
}

/// A store that hangs does not stop a gateway: it reports places, refuses joins at once, and
/// continues afterwards.
#[tokio::test]
async fn a_gateway_survives_a_store_that_hangs() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let tickets = [
        fixture.join(&gateway, "a").await,
        fixture.join(&gateway, "b").await,
        fixture.join(&gateway, "kim").await,
    ];
    fixture.pass(Duration::from_millis(300)).await;
    fixture.room.die(true);
    fixture.pass(s(20)).await;
    let answer = fixture.status(&gateway, &tickets[2]).await;
    assert_eq!((answer.status, answer.text("status")), (StatusCode::OK, "waiting"));
    let refused = fixture.answered(gateway.post("/queue/join", &[], &json!({"event_id": SHOW}))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"));
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(fixture.enter(&gateway, &tickets[0]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    fixture.room.die(false);
    fixture.pass(s(5)).await;
    for ticket in &tickets {
        assert_eq!(fixture.status(&gateway, ticket).await.text("status"), "ready");
        assert_eq!(fixture.enter(&gateway, ticket).await.status, StatusCode::OK);
    }
}

/// A gateway that starts while the inventory is away continues an existing line, and begins none.
#[tokio::test]
async fn a_line_continues_without_the_inventory() {
    let fixture = Fixture::new();
    let ticket = fixture.join(&fixture.gateway(), "kim").await;
    fixture.shop.go_away(true);
    let restarted = fixture.gateway();
    assert_eq!(fixture.status(&restarted, &ticket).await.status, StatusCode::OK);
    fixture.pass(s(1)).await;
    assert_eq!(fixture.enter(&restarted, &ticket).await.status, StatusCode::OK);

    let elsewhere = Fixture::new();
    elsewhere.shop.go_away(true);
    let answer = elsewhere.status(&elsewhere.gateway(), &ticket).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(*elsewhere.room.calls.lock().unwrap(), ["find"]);
}

/// The value of a gauge.
fn gauge(gateway: &TestGateway, name: &str, labels: &str) -> f64 {
    let metrics = gateway.process.metrics.render();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name}{{{labels}}}")));
    line.unwrap_or_else(|| panic!("no {name} of {labels} in {metrics}")).trim().parse().unwrap()
}

/// How many people are in line or have a turn.
fn people(gateway: &TestGateway) -> f64 {
    let of =
        |state: &str| gauge(gateway, "waiting_room_people", &format!("show=\"{SHOW}\",state=\"{state}\""));
    of("waiting") + of("ready")
}

/// The metric for an alarm: how old the reported places are.
#[tokio::test]
async fn the_age_of_the_snapshot_is_a_metric() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    for who in ["a", "b", "kim"] {
        fixture.join(&gateway, who).await;
    }
    fixture.pass(s(1)).await;
    assert_eq!(people(&gateway), 3.0);
    let at = || gauge(&gateway, "waiting_room_snapshot_timestamp_seconds", &format!("show=\"{SHOW}\""));
    let before = at();
    fixture.pass(s(3)).await;
    assert!((2.0..=3.0).contains(&(at() - before)), "{before}, and 3 s later {}", at());
    fixture.room.die(true);
    let before = at();
    fixture.pass(s(20)).await;
    assert!(at() - before < 1.0, "there is no new snapshot");
}

/// A line stands still only as long as the panics last.
#[tokio::test]
async fn a_panic_stops_no_line() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let mut tickets = Vec::new();
    for n in 0..8 {
        tickets.push(fixture.join(&gateway, &format!("p-{n}")).await);
    }
    fixture.room.break_down(true);
    let late = fixture.gateway();
    assert_eq!(fixture.status(&late, &tickets[0]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    fixture.pass(s(2)).await;
    fixture.room.break_down(false);
    fixture.pass(s(4)).await;
    for ticket in &tickets {
        assert_eq!(
            fixture.status(&late, ticket).await.text("status"),
            "ready",
            "also where it could not be opened"
        );
        assert_eq!(fixture.status(&gateway, ticket).await.text("status"), "ready");
        assert_eq!(fixture.enter(&gateway, ticket).await.status, StatusCode::OK);
    }
}

/// A task that starts again knows the line from before: else it would not notice that the store
/// lost data meanwhile.
#[tokio::test]
async fn a_loss_beside_a_panic_is_noticed() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    // Without a turn: its owner would ask for the next by themselves.
    fixture.answered(gateway.admin(Method::POST, &format!("/admin/queues/{SHOW}/pause"), &[], None)).await;
    for n in 0..8 {
        fixture.join(&gateway, &format!("p-{n}")).await;
    }
    fixture.pass(s(1)).await;
    fixture.room.break_down(true);
    fixture.pass(s(2)).await;
    fixture.room.lose_everything().await;
    fixture.room.break_down(false);
    // Nobody polls: the store can only learn of them from the gateway.
    fixture.pass(s(5)).await;
    assert_eq!(people(&gateway), 8.0);
}
