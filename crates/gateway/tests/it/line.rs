//! People in line, over one gateway and over two.

use crate::fixture::{Fixture, OPEN_SHOW, ROOM_SECRET, Reply, SHOW, TestGateway, s};
use core::time::Duration;
use futures_util::StreamExt;
use http::{Method, StatusCode, header};
use serde_json::json;

/// Traps T-W1, T-W5 and T-W8: a ready person enters, with one pass however often they ask.
#[tokio::test]
async fn somebody_joins_waits_and_enters() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let tickets = [
        fixture.join(&gateway, "a").await,
        fixture.join(&gateway, "b").await,
        fixture.join(&gateway, "kim").await,
    ];
    let answer = fixture.status(&gateway, &tickets[2]).await;
    assert_eq!((answer.status, answer.text("status")), (StatusCode::OK, "waiting"));
    let early = fixture.enter(&gateway, &tickets[2]).await;
    assert_eq!((early.status, early.code()), (StatusCode::FORBIDDEN, "NOT_READY"));
    assert!(early.headers.contains_key(header::RETRY_AFTER));

    fixture.pass(s(2)).await;
    let answer = fixture.status(&gateway, &tickets[2]).await;
    assert_eq!(answer.text("status"), "ready");
    assert_eq!((answer.number("position"), answer.number("eta_sec")), (0, 0));
    assert!(answer.body["ready_for_entry"] == true && answer.number("ready_for_sec") > 0);
    let (one, two) = fixture
        .answered(async { tokio::join!(enter_at(&gateway, &tickets[2]), enter_at(&gateway, &tickets[2])) })
        .await;
    assert_eq!(one.status, StatusCode::OK, "{one:?}");
    assert_eq!(one.text("admission"), "granted");
    assert_eq!(one.text("reservation_token"), two.text("reservation_token"), "one pass");
    let pass = contracts::pass::verify(
        &[ROOM_SECRET.as_bytes()],
        one.text("reservation_token"),
        ports::Clock::now(&*fixture.clock),
    );
    let pass = pass.unwrap();
    assert_eq!((pass.show.as_str(), pass.person.as_str()), (SHOW, "kim"));
    assert!((28..=30).contains(&one.number("ttl_sec")));

    fixture.pass(s(31)).await;
    let late = fixture.enter(&gateway, &tickets[2]).await;
    assert_eq!((late.status, late.code()), (StatusCode::GONE, "FAILED_PRECONDITION"));
    assert_eq!(fixture.status(&gateway, &tickets[2]).await.text("status"), "expired");
}

async fn enter_at(gateway: &TestGateway, ticket: &str) -> Reply {
    gateway.post("/queue/enter", &[], &json!({"waiting_token": ticket})).await
}

/// Traps T-W2 and T-W6: a place costs no call to the store, it only falls, and both gateways report
/// the same.
#[tokio::test]
async fn places_only_fall_and_cost_no_call() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.gateway(), fixture.gateway());
    let mut tickets = Vec::new();
    for n in 0..40 {
        tickets.push(fixture.join(if n % 2 == 0 { &one } else { &two }, &format!("p-{n}")).await);
    }
    let mut last = vec![u64::MAX; tickets.len()];
    let mut polls = 0;
    fixture.room.calls.lock().unwrap().clear();
    while last.iter().any(|place| *place > 0) {
        for (n, ticket) in tickets.iter().enumerate().filter(|(n, _)| last[*n] > 0).collect::<Vec<_>>() {
            let answer = fixture.status(if (n + polls) % 2 == 0 { &one } else { &two }, ticket).await;
            let place = answer.number("position");
            assert!(place <= last[n], "{n} fell back from {} to {place}", last[n]);
            last[n] = place;
            if place == 0 {
                assert_eq!(fixture.enter(&one, ticket).await.status, StatusCode::OK);
            }
        }
        polls += 1;
        fixture.pass(Duration::from_millis(500)).await;
        assert!(polls < 100, "{last:?}");
    }
    let calls = fixture.room.calls.lock().unwrap();
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
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    // Nobody gets a turn, so that the people in front vanish while they wait.
    let ruled = fixture
        .answered(gateway.admin(Method::POST, &format!("/admin/queues/{SHOW}/pause"), &[], None))
        .await;
    assert_eq!(ruled.status, StatusCode::OK, "{ruled:?}");
    let ghosts = [
        fixture.join(&gateway, "g-1").await,
        fixture.join(&gateway, "g-2").await,
        fixture.join(&gateway, "g-3").await,
    ];
    let ticket = fixture.join(&gateway, "kim").await;
    fixture.pass(Duration::from_millis(300)).await;
    let mut answer = fixture.status(&gateway, &ticket).await;
    assert_eq!(
        (answer.number("position"), &answer.body["eta_sec"]),
        (4, &json!(null)),
        "paused: nobody can say"
    );
    assert_eq!(answer.body["paused"], true);
    for _ in 0..16 {
        fixture.pass(s(2)).await;
        answer = fixture.status(&gateway, &ticket).await;
    }
    assert!(answer.number("position") <= 4);
    fixture.answered(gateway.admin(Method::POST, &format!("/admin/queues/{SHOW}/resume"), &[], None)).await;
    fixture.pass(s(1)).await;
    assert_eq!(fixture.status(&gateway, &ticket).await.text("status"), "ready");
    assert_eq!(
        fixture.status(&gateway, &ghosts[0]).await.text("status"),
        "waiting",
        "back at their own place"
    );
    fixture.pass(s(2)).await;
    assert_eq!(fixture.status(&gateway, &ghosts[0]).await.text("status"), "ready");
}

#[tokio::test]
async fn a_required_sign_in_is_enforced_at_the_join() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway_with(|config| config.line.must_sign_in = true);
    for body in [json!({"event_id": SHOW}), json!({"event_id": SHOW, "user_id": "kim"})] {
        assert_eq!(
            fixture.answered(gateway.post("/queue/join", &[], &body)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let token = format!("Bearer {}", fixture.token("kim"));
    let (headers, body) = ([("authorization", &*token)], json!({"event_id": SHOW}));
    let joined = gateway.post("/queue/join", &headers, &body);
    assert_eq!(fixture.answered(joined).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_same_person_and_the_same_key_have_one_place() {
    let fixture = Fixture::new();
    let (gateway, token) = (fixture.gateway(), format!("Bearer {}", fixture.token("kim")));
    let join = async |headers: &[(&str, &str)], user: Option<&str>| {
        let body = json!({"event_id": SHOW, "user_id": user});
        let answer = fixture.answered(gateway.post("/queue/join", headers, &body)).await;
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
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let ticket = fixture.join(&gateway, "kim").await;
    for method in [Method::DELETE, Method::POST] {
        let path = format!("/api/v1/queue/leave?token={ticket}");
        let left = fixture.answered(gateway.page(method, &path, &[])).await;
        assert_eq!((left.status, left.text("status")), (StatusCode::OK, "left"));
    }
    assert_eq!(fixture.status(&gateway, &ticket).await.text("status"), "left");
    let gone = fixture.enter(&gateway, &ticket).await;
    assert_eq!(
        (gone.status, gone.body["error"]["details"][0]["reason"].as_str()),
        (StatusCode::GONE, Some("LEFT"))
    );
}

#[tokio::test]
async fn a_stream_reports_changes_and_ends_with_the_wait() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    for n in 0..4 {
        fixture.join(&gateway, &format!("p-{n}")).await;
    }
    let ticket = fixture.join(&gateway, "kim").await;
    let mut stream = gateway.stream(&ticket).await;
    let mut next = async || {
        let bytes = fixture.answered(stream.next()).await?.unwrap();
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
    fixture.answered(gateway.page(Method::POST, &format!("/api/v1/queue/leave?token={ticket}"), &[])).await;
    let mut last = None;
    while let Some(event) = next().await {
        last = Some(event);
    }
    assert!(last.unwrap().contains(r#""status":"left""#));
}

#[tokio::test]
async fn a_join_without_a_line_is_refused() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let join =
        async |body: serde_json::Value| fixture.answered(gateway.post("/queue/join", &[], &body)).await;
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
