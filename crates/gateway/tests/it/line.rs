//! People in line, over one gateway and over two.

use crate::stage::{Door, OPEN_SHOW, ROOM_SECRET, Reply, SHOW, Stage};
use core::time::Duration;
use futures_util::StreamExt;
use http::{Method, StatusCode, header};
use serde_json::json;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Traps T-W1, T-W5 and T-W8: a ready person enters, with one pass however often they ask.
#[tokio::test]
async fn somebody_joins_waits_and_enters() {
    let stage = Stage::new();
    let door = stage.door();
    let tickets =
        [stage.join(&door, "a").await, stage.join(&door, "b").await, stage.join(&door, "kim").await];
    let answer = stage.status(&door, &tickets[2]).await;
    assert_eq!((answer.status, answer.text("status")), (StatusCode::OK, "waiting"));
    let early = stage.enter(&door, &tickets[2]).await;
    assert_eq!((early.status, early.code()), (StatusCode::FORBIDDEN, "NOT_READY"));
    assert!(early.headers.contains_key(header::RETRY_AFTER));

    stage.pass(s(2)).await;
    let answer = stage.status(&door, &tickets[2]).await;
    assert_eq!(answer.text("status"), "ready");
    assert_eq!((answer.number("position"), answer.number("eta_sec")), (0, 0));
    assert!(answer.body["ready_for_entry"] == true && answer.number("ready_for_sec") > 0);
    let (one, two) = stage
        .answered(async { tokio::join!(door_enter(&door, &tickets[2]), door_enter(&door, &tickets[2])) })
        .await;
    assert_eq!(one.status, StatusCode::OK, "{one:?}");
    assert_eq!(one.text("admission"), "granted");
    assert_eq!(one.text("reservation_token"), two.text("reservation_token"), "one pass");
    let pass = contracts::pass::verify(
        &[ROOM_SECRET.as_bytes()],
        one.text("reservation_token"),
        ports::Clock::now(&*stage.clock),
    );
    let pass = pass.unwrap();
    assert_eq!((pass.show.as_str(), pass.person.as_str()), (SHOW, "kim"));
    assert!((28..=30).contains(&one.number("ttl_sec")));

    stage.pass(s(31)).await;
    let late = stage.enter(&door, &tickets[2]).await;
    assert_eq!((late.status, late.code()), (StatusCode::GONE, "FAILED_PRECONDITION"));
    assert_eq!(stage.status(&door, &tickets[2]).await.text("status"), "expired");
}

async fn door_enter(door: &Door, ticket: &str) -> Reply {
    door.post("/queue/enter", &[], &json!({"waiting_token": ticket})).await
}

/// Traps T-W2 and T-W6: a place costs no call to the store, it only falls, and both gateways report
/// the same.
#[tokio::test]
async fn places_only_fall_and_cost_no_call() {
    let stage = Stage::new();
    let (one, two) = (stage.door(), stage.door());
    let mut tickets = Vec::new();
    for n in 0..40 {
        tickets.push(stage.join(if n % 2 == 0 { &one } else { &two }, &format!("p-{n}")).await);
    }
    let mut last = vec![u64::MAX; tickets.len()];
    let mut polls = 0;
    stage.room.calls.lock().unwrap().clear();
    while last.iter().any(|place| *place > 0) {
        for (n, ticket) in tickets.iter().enumerate().filter(|(n, _)| last[*n] > 0).collect::<Vec<_>>() {
            let answer = stage.status(if (n + polls) % 2 == 0 { &one } else { &two }, ticket).await;
            let place = answer.number("position");
            assert!(place <= last[n], "{n} fell back from {} to {place}", last[n]);
            last[n] = place;
            if place == 0 {
                assert_eq!(stage.enter(&one, ticket).await.status, StatusCode::OK);
            }
        }
        polls += 1;
        stage.pass(Duration::from_millis(500)).await;
        assert!(polls < 100, "{last:?}");
    }
    let calls = stage.room.calls.lock().unwrap();
    let of = |name: &str| calls.iter().filter(|call| **call == name).count();
    assert_eq!(of("enter"), 40);
    assert_eq!(of("join"), 0);
    // Each person's sign of life every ten seconds from each gateway, many in one call, and the
    // questions of the people in front.
    assert!(of("beat") < polls * 12, "{} calls for {polls} rounds of polls", of("beat"));
}

/// Trap T-W3: a person who vanishes delays nobody for longer than the grace, and returns to their
/// own place.
#[tokio::test]
async fn nobody_waits_behind_a_ghost() {
    let stage = Stage::new();
    let door = stage.door();
    // Nobody gets a turn, so that the people in front vanish while they wait.
    let ruled =
        stage.answered(door.admin(Method::POST, &format!("/admin/queues/{SHOW}/pause"), &[], None)).await;
    assert_eq!(ruled.status, StatusCode::OK, "{ruled:?}");
    let ghosts =
        [stage.join(&door, "g-1").await, stage.join(&door, "g-2").await, stage.join(&door, "g-3").await];
    let ticket = stage.join(&door, "kim").await;
    stage.pass(Duration::from_millis(300)).await;
    let mut answer = stage.status(&door, &ticket).await;
    assert_eq!(
        (answer.number("position"), &answer.body["eta_sec"]),
        (4, &json!(null)),
        "paused: nobody can say"
    );
    assert_eq!(answer.body["paused"], true);
    for _ in 0..16 {
        stage.pass(s(2)).await;
        answer = stage.status(&door, &ticket).await;
    }
    assert!(answer.number("position") <= 4);
    stage.answered(door.admin(Method::POST, &format!("/admin/queues/{SHOW}/resume"), &[], None)).await;
    stage.pass(s(1)).await;
    assert_eq!(stage.status(&door, &ticket).await.text("status"), "ready");
    assert_eq!(stage.status(&door, &ghosts[0]).await.text("status"), "waiting", "back at their own place");
    stage.pass(s(2)).await;
    assert_eq!(stage.status(&door, &ghosts[0]).await.text("status"), "ready");
}

/// Trap T-W10: the store loses everything. Nobody has to join again, and the order stays.
#[tokio::test]
async fn an_emptied_store_costs_nobody_their_place() {
    let stage = Stage::new();
    let door = stage.door();
    let mut tickets = Vec::new();
    for n in 0..12 {
        tickets.push(stage.join(&door, &format!("p-{n}")).await);
    }
    for ticket in &tickets {
        stage.status(&door, ticket).await;
    }
    stage.room.lose_everything().await;
    stage.pass(s(1)).await;
    let newcomer = stage.join(&door, "new").await;
    // Nobody polls for a while; the gateway itself sends the store the people that it has heard
    // from.
    stage.pass(s(3)).await;
    let mut order = Vec::new();
    for _ in 0..60 {
        stage.pass(Duration::from_millis(250)).await;
        for (n, ticket) in tickets.iter().chain([&newcomer]).enumerate() {
            if !order.contains(&n) && stage.status(&door, ticket).await.text("status") == "ready" {
                assert_eq!(stage.enter(&door, ticket).await.status, StatusCode::OK);
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
    let stage = Stage::new();
    let door = stage.door();
    let rule = async |rate: u32| {
        let body = json!({"rate_per_sec": rate, "burst": rate});
        let path = format!("/admin/queues/{SHOW}");
        let ruled = door.admin(Method::PATCH, &path, &[], Some(&body));
        assert_eq!(stage.answered(ruled).await.status, StatusCode::OK);
    };
    rule(100).await;
    let mut inside = Vec::new();
    for n in 0..80 {
        inside.push(stage.join(&door, &format!("in-{n}")).await);
    }
    stage.pass(s(2)).await;
    for ticket in &inside {
        assert_eq!(stage.enter(&door, ticket).await.status, StatusCode::OK);
    }
    // Nobody has an unused turn: after the loss its owner would be the first to get another.
    stage.answered(door.admin(Method::POST, &format!("/admin/queues/{SHOW}/pause"), &[], None)).await;
    let mut tickets = Vec::new();
    for n in 0..24 {
        tickets.push(stage.join(&door, &format!("p-{n}")).await);
    }
    stage.pass(s(1)).await;
    let mut last = Vec::new();
    for ticket in &tickets {
        last.push(stage.status(&door, ticket).await.number("position"));
    }
    stage.room.lose_everything().await;
    let mut first_turn = None;
    for tenth in 0..100 {
        stage.pass(Duration::from_millis(100)).await;
        for (ticket, last) in tickets.iter().zip(&mut last).filter(|(_, last)| **last > 0) {
            let answer = stage.status(&door, ticket).await;
            assert!(answer.number("position") <= *last, "{answer:?} after {last}");
            *last = answer.number("position");
            if *last == 0 && first_turn.is_none() {
                first_turn = Some(tenth);
            }
        }
        // Entered people poll now and then, as pages do.
        let answer = stage.status(&door, &inside[tenth % inside.len()]).await;
        assert_eq!(answer.text("status"), "ready", "their pass is good, whatever the store has lost");
    }
    let first_turn = first_turn.expect("somebody's turn comes");
    assert!(first_turn <= 50, "after {first_turn} tenths of a second");
    let again = stage.enter(&door, &inside[0]).await;
    assert_eq!(again.status, StatusCode::OK, "the same pass");
}

/// Trap T-W5: a ready person stays ready while the store does not answer.
#[tokio::test]
async fn a_turn_is_not_taken_back_because_the_store_is_slow() {
    let stage = Stage::new();
    let door = stage.door();
    let ticket = stage.join(&door, "kim").await;
    stage.pass(s(1)).await;
    assert_eq!(stage.status(&door, &ticket).await.text("status"), "ready");
    stage.room.die(true);
    for _ in 0..8 {
        stage.pass(s(1)).await;
        let answer = stage.status(&door, &ticket).await;
        assert_eq!((answer.text("status"), &answer.body["ready_for_entry"]), ("ready", &json!(true)));
    }
    stage.room.die(false);
    assert_eq!(stage.enter(&door, &ticket).await.status, StatusCode::OK);
}

/// Right after a loss numbers jump by millions; the reported places must not.
#[tokio::test]
async fn a_newcomer_after_a_loss_gets_an_honest_place() {
    let stage = Stage::new();
    let door = stage.door();
    for n in 0..5 {
        stage.join(&door, &format!("p-{n}")).await;
    }
    stage.pass(s(60)).await;
    stage.room.lose_everything().await;
    for n in 0..6 {
        let body = json!({"event_id": SHOW, "user_id": format!("new-{n}")});
        let joined = stage.answered(door.post("/queue/join", &[], &body)).await;
        assert!(joined.number("position_hint") <= 12, "{joined:?}");
        stage.pass(Duration::from_millis(700)).await;
    }
}

#[tokio::test]
async fn a_required_sign_in_is_enforced_at_the_join() {
    let stage = Stage::new();
    let door = stage.door_with(|config| config.line.must_sign_in = true);
    for body in [json!({"event_id": SHOW}), json!({"event_id": SHOW, "user_id": "kim"})] {
        assert_eq!(
            stage.answered(door.post("/queue/join", &[], &body)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let token = format!("Bearer {}", stage.token("kim"));
    let (headers, body) = ([("authorization", &*token)], json!({"event_id": SHOW}));
    let joined = door.post("/queue/join", &headers, &body);
    assert_eq!(stage.answered(joined).await.status, StatusCode::ACCEPTED);
}

/// A store that hangs does not stop a gateway: it reports places, refuses joins at once, and
/// continues afterwards.
#[tokio::test]
async fn a_gateway_survives_a_store_that_hangs() {
    let stage = Stage::new();
    let door = stage.door();
    let tickets =
        [stage.join(&door, "a").await, stage.join(&door, "b").await, stage.join(&door, "kim").await];
    stage.pass(Duration::from_millis(300)).await;
    stage.room.die(true);
    stage.pass(s(20)).await;
    let answer = stage.status(&door, &tickets[2]).await;
    assert_eq!((answer.status, answer.text("status")), (StatusCode::OK, "waiting"));
    let refused = stage.answered(door.post("/queue/join", &[], &json!({"event_id": SHOW}))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"));
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(stage.enter(&door, &tickets[0]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    stage.room.die(false);
    stage.pass(s(5)).await;
    for ticket in &tickets {
        assert_eq!(stage.status(&door, ticket).await.text("status"), "ready");
        assert_eq!(stage.enter(&door, ticket).await.status, StatusCode::OK);
    }
}

/// A gateway that starts while the inventory is away continues an existing line, and begins none.
#[tokio::test]
async fn a_line_continues_without_the_inventory() {
    let stage = Stage::new();
    let ticket = stage.join(&stage.door(), "kim").await;
    stage.catalogue.go_away(true);
    let restarted = stage.door();
    assert_eq!(stage.status(&restarted, &ticket).await.status, StatusCode::OK);
    stage.pass(s(1)).await;
    assert_eq!(stage.enter(&restarted, &ticket).await.status, StatusCode::OK);

    let elsewhere = Stage::new();
    elsewhere.catalogue.go_away(true);
    let answer = elsewhere.status(&elsewhere.door(), &ticket).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(*elsewhere.room.calls.lock().unwrap(), ["find"]);
}

/// The value of a gauge.
fn gauge(door: &Door, name: &str, labels: &str) -> f64 {
    let metrics = door.process.metrics.render();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name}{{{labels}}}")));
    line.unwrap_or_else(|| panic!("no {name} of {labels} in {metrics}")).trim().parse().unwrap()
}

/// How many people are in line or have a turn.
fn people(door: &Door) -> f64 {
    let of = |state: &str| gauge(door, "waiting_room_people", &format!("show=\"{SHOW}\",state=\"{state}\""));
    of("waiting") + of("ready")
}

/// The metric for an alarm: how old the reported places are.
#[tokio::test]
async fn the_age_of_the_snapshot_is_a_metric() {
    let stage = Stage::new();
    let door = stage.door();
    for who in ["a", "b", "kim"] {
        stage.join(&door, who).await;
    }
    stage.pass(s(1)).await;
    assert_eq!(people(&door), 3.0);
    let at = || gauge(&door, "waiting_room_snapshot_timestamp_seconds", &format!("show=\"{SHOW}\""));
    let before = at();
    stage.pass(s(3)).await;
    assert!((2.0..=3.0).contains(&(at() - before)), "{before}, and 3 s later {}", at());
    stage.room.die(true);
    let before = at();
    stage.pass(s(20)).await;
    assert!(at() - before < 1.0, "there is no new snapshot");
}

/// A line stands still only as long as the panics last.
#[tokio::test]
async fn a_panic_stops_no_line() {
    let stage = Stage::new();
    let door = stage.door();
    let mut tickets = Vec::new();
    for n in 0..8 {
        tickets.push(stage.join(&door, &format!("p-{n}")).await);
    }
    stage.room.break_down(true);
    let late = stage.door();
    assert_eq!(stage.status(&late, &tickets[0]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    stage.pass(s(2)).await;
    stage.room.break_down(false);
    stage.pass(s(4)).await;
    for ticket in &tickets {
        assert_eq!(
            stage.status(&late, ticket).await.text("status"),
            "ready",
            "also where it could not be opened"
        );
        assert_eq!(stage.status(&door, ticket).await.text("status"), "ready");
        assert_eq!(stage.enter(&door, ticket).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_same_person_and_the_same_key_have_one_place() {
    let stage = Stage::new();
    let (door, token) = (stage.door(), format!("Bearer {}", stage.token("kim")));
    let join = async |headers: &[(&str, &str)], user: Option<&str>| {
        let body = json!({"event_id": SHOW, "user_id": user});
        let answer = stage.answered(door.post("/queue/join", headers, &body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.text("waiting_token").to_owned()
    };
    let signed_in = join(&[("authorization", &token)], None).await;
    assert_eq!(join(&[("authorization", &token)], Some("kim")).await, signed_in);
    let claimed = join(&[], Some("kim")).await;
    assert_ne!(claimed, signed_in, "a claimed name does not reach a place taken signed in");
    assert_eq!(join(&[], Some("kim")).await, claimed);
    let keyed = join(&[("idempotency-key", "k-1")], None).await;
    assert_eq!(join(&[("idempotency-key", "k-1")], None).await, keyed);
    assert_ne!(join(&[], None).await, join(&[], None).await);
}

#[tokio::test]
async fn a_person_who_leaves_has_no_place() {
    let stage = Stage::new();
    let door = stage.door();
    let ticket = stage.join(&door, "kim").await;
    for method in [Method::DELETE, Method::POST] {
        let path = format!("/api/v1/queue/leave?token={ticket}");
        let left = stage.answered(door.page(method, &path, &[])).await;
        assert_eq!((left.status, left.text("status")), (StatusCode::OK, "left"));
    }
    assert_eq!(stage.status(&door, &ticket).await.text("status"), "left");
    let gone = stage.enter(&door, &ticket).await;
    assert_eq!(
        (gone.status, gone.body["error"]["details"][0]["reason"].as_str()),
        (StatusCode::GONE, Some("LEFT"))
    );
}

#[tokio::test]
async fn a_stream_reports_changes_and_ends_with_the_wait() {
    let stage = Stage::new();
    let door = stage.door();
    for n in 0..4 {
        stage.join(&door, &format!("p-{n}")).await;
    }
    let ticket = stage.join(&door, "kim").await;
    let mut stream = door.stream(&ticket).await;
    let mut next = async || {
        let bytes = stage.answered(stream.next()).await?.unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    };
    let first = next().await.unwrap();
    assert!(first.contains("event: status") && first.contains(r#""status":"waiting""#), "{first}");
    let mut events = vec![first];
    while !events.last().unwrap().contains(r#""status":"ready""#) {
        events.push(next().await.unwrap());
        assert!(events.len() < 50, "{events:#?}");
    }
    // A stream ends when the turns are missed or the person leaves: here they leave.
    stage.answered(door.page(Method::POST, &format!("/api/v1/queue/leave?token={ticket}"), &[])).await;
    let mut last = None;
    while let Some(event) = next().await {
        last = Some(event);
    }
    assert!(last.unwrap().contains(r#""status":"left""#));
}

#[tokio::test]
async fn a_join_without_a_line_is_refused() {
    let stage = Stage::new();
    let door = stage.door();
    let join = async |body: serde_json::Value| stage.answered(door.post("/queue/join", &[], &body)).await;
    assert_eq!(join(json!({"event_id": "nothing"})).await.status, StatusCode::NOT_FOUND);
    let open = join(json!({"event_id": OPEN_SHOW})).await;
    assert_eq!(open.status, StatusCode::NOT_FOUND);
    assert!(open.body["error"]["message"].as_str().unwrap().contains("no waiting room"), "{open:?}");
    for bad in [
        json!({}),
        json!({"event_id": ""}),
        json!({"event_id": SHOW, "seat": 1}),
        json!([SHOW]),
        json!({"event_id": 7}),
    ] {
        let answer = join(bad).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            "{answer:?}"
        );
    }
}

/// A task that starts again knows the line from before: else it would not notice that the store
/// lost data meanwhile.
#[tokio::test]
async fn a_loss_beside_a_panic_is_noticed() {
    let stage = Stage::new();
    let door = stage.door();
    // Without a turn: its owner would ask for the next by themselves.
    stage.answered(door.admin(Method::POST, &format!("/admin/queues/{SHOW}/pause"), &[], None)).await;
    for n in 0..8 {
        stage.join(&door, &format!("p-{n}")).await;
    }
    stage.pass(s(1)).await;
    stage.room.break_down(true);
    stage.pass(s(2)).await;
    stage.room.lose_everything().await;
    stage.room.break_down(false);
    // Nobody polls: the store can only learn of them from the gateway.
    stage.pass(s(5)).await;
    assert_eq!(people(&door), 8.0);
}
