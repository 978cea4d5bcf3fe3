//! The operator's commands for a line.

use crate::fixture::{Fixture, SHOW};
use core::time::Duration;
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn the_operator_sees_and_changes_the_line() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway_with(|config| config.admin_token = Some("an operator's token".into()));
    let admin = async |method: Method, path: &str, body: Option<Value>| {
        let headers = [("x-internal-token", "an operator's token")];
        fixture
            .answered(gateway.admin(method, &format!("/admin/queues/{SHOW}{path}"), &headers, body.as_ref()))
            .await
    };
    let without = fixture.answered(gateway.admin(Method::GET, "/admin/queues", &[], None)).await;
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    let ruled = admin(Method::PATCH, "", Some(json!({"rate_per_sec": 50, "burst": 1, "capacity": 3}))).await;
    assert_eq!(
        ruled.body,
        json!({"rate_per_sec": 50, "burst": 1, "capacity": 3, "paused": false, "closed": false})
    );
    admin(Method::POST, "/pause", None).await;
    let said = admin(Method::PUT, "/message", Some(json!({"text": "곧 시작합니다"}))).await;
    assert_eq!(said.status, StatusCode::NO_CONTENT);

    let mut tickets = Vec::new();
    for person in ["a", "b", "c"] {
        tickets.push(fixture.join(&gateway, person).await);
    }
    fixture.pass(Duration::from_secs(2)).await;
    let answer = fixture.status(&gateway, &tickets[0]).await;
    assert_eq!((answer.text("message"), &answer.body["paused"]), ("곧 시작합니다", &json!(true)));
    let full = fixture.answered(gateway.post("/queue/join", &[], &json!({"event_id": SHOW}))).await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE, "three wait, which is the capacity: {full:?}");
    let figures = admin(Method::GET, "", None).await;
    assert_eq!(
        (figures.number("waiting"), figures.number("joined"), figures.number("heard_of_here")),
        (3, 3, 3)
    );

    admin(Method::POST, "/drain", None).await;
    admin(Method::POST, "/resume", None).await;
    assert_eq!(admin(Method::DELETE, "/message", None).await.status, StatusCode::NO_CONTENT);
    fixture.pass(Duration::from_secs(2)).await;
    for ticket in &tickets {
        assert_eq!(fixture.status(&gateway, ticket).await.text("status"), "ready");
    }
    let closed = fixture.answered(gateway.post("/queue/join", &[], &json!({"event_id": SHOW}))).await;
    assert_eq!((closed.status, closed.code()), (StatusCode::FORBIDDEN, "FORBIDDEN"));
    admin(Method::POST, "/open", None).await;
    admin(Method::PATCH, "", Some(json!({"capacity": 9_000}))).await;
    fixture.join(&gateway, "d").await;
    let unlimited = admin(Method::PATCH, "", Some(json!({"capacity": null}))).await;
    assert_eq!((unlimited.status, &unlimited.body["capacity"]), (StatusCode::OK, &Value::Null));
    for bad in [json!({"rate_per_sec": 0}), json!({"burst": 0}), json!({"speed": 1}), json!({"capacity": -1})]
    {
        assert_eq!(admin(Method::PATCH, "", Some(bad)).await.status, StatusCode::BAD_REQUEST);
    }
}
