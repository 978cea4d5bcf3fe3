//! The administration over real sockets (docs/contracts.md#inventory-api).

use crate::fixture::{commit, hold};
use crate::wire::{Server, TOKEN};
use serde_json::json;

const SHOW: &str = r#"{"event_id":"concert","name":"Concert","sections":[
    {"id":"A","price":120000,"rows":[{"row":"1","from":1,"to":10},{"row":"2","from":1,"to":5}]},
    {"id":"box","price":300000,"seats":["left","right"]},
    {"id":"floor","name":"Floor","price":80000,"capacity":100}],
    "waiting_room":{"rate_per_sec":50}}"#;

#[tokio::test]
async fn a_show_goes_on_sale_once() {
    let server = Server::start().await;
    let created = server.post("/admin/shows", SHOW).await;
    assert_eq!((created.status, created.json()), (201, json!({"event_id": "concert", "total_seats": 117})));
    assert_eq!(server.post("/admin/shows", SHOW).await.status, 200, "the same again");
    let different = server.post("/admin/shows", &SHOW.replace("80000", "90000")).await;
    assert_eq!(different.error(), (409, "ALREADY_EXISTS".into()));
    let shown = server.get("/admin/shows/concert").await.json();
    assert_eq!((&shown["currency"], &shown["total_seats"]), (&json!("KRW"), &json!(117)));
    let floor = &shown["sections"][2];
    assert_eq!(
        (&floor["name"], &floor["total"], &floor["remaining"]),
        (&json!("Floor"), &json!(100), &json!(100))
    );
    assert_eq!(shown["waiting_room"]["required"], json!(true));
    let listed = server.get("/admin/shows").await.json();
    assert_eq!(listed["shows"].as_array().unwrap().len(), 2);
    let unnamed = SHOW.replace(r#""event_id":"concert","#, "");
    let first = server.post("/admin/shows", &unnamed).await;
    let again = server.post("/admin/shows", &unnamed).await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json()["event_id"], again.json()["event_id"], "an id of its own, the same each time");
    assert_eq!(server.get("/admin/shows/nothing").await.error(), (404, "NOT_FOUND".into()));
    server.stop().await;
}

#[tokio::test]
async fn administration_requires_the_token() {
    let server = Server::start().await;
    for path in ["/admin/shows", "/admin/shows/show", "/admin/holds/r1"] {
        for headers in [vec![], vec!["x-internal-token: wrong"], vec!["x-internal-token:"]] {
            let answer = server.send("GET", path, &headers, "").await;
            assert_eq!(answer.error(), (401, "UNAUTHENTICATED".into()), "{path} {headers:?}");
        }
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in ["/health", "/metrics", "/version"] {
        assert_eq!(server.send("GET", path, &[], "").await.status, 200, "{path} needs none");
    }
    server.stop().await;
}

#[tokio::test]
async fn malformed_requests_are_refused_and_change_nothing() {
    let server = Server::start().await;
    let section =
        |inner: &str| format!(r#"{{"event_id":"x","name":"X","sections":[{{"id":"A","price":1,{inner}}}]}}"#);
    let bad = [
        "".to_owned(),
        "not json".to_owned(),
        "[]".to_owned(),
        r#"{"name":"X"}"#.to_owned(),
        r#"{"event_id":"x","name":"X","sections":[]}"#.to_owned(),
        r#"{"event_id":"","name":"X","sections":[{"id":"A","price":1,"capacity":1}]}"#.to_owned(),
        r#"{"event_id":"x","name":"","sections":[{"id":"A","price":1,"capacity":1}]}"#.to_owned(),
        r#"{"event_id":"x","name":"X","currency":"won","sections":[{"id":"A","price":1,"capacity":1}]}"#
            .to_owned(),
        r#"{"event_id":"x","name":"X","colour":"red","sections":[{"id":"A","price":1,"capacity":1}]}"#
            .to_owned(),
        section(r#""capacity":0"#),
        section(r#""capacity":-1"#),
        section(r#""capacity":4294967296"#),
        section(r#""capacity":4294967295"#),
        section(r#""capacity":"many""#),
        section(r#""capacity":1,"seats":["a"]"#),
        section(r#""seats":["a","a"]"#),
        section(r#""rows":[]"#),
        section(r#""rows":[{"row":"1","from":9,"to":1}]"#),
        section(r#""rows":[{"row":"1","from":0,"to":4294967295}]"#),
        section(r#""rows":[{"row":"1","from":1,"to":5},{"row":"1","from":5,"to":9}]"#),
    ];
    for body in &bad {
        let answer = server.post("/admin/shows", body).await;
        assert_eq!(answer.error(), (400, "INVALID_ARGUMENT".into()), "{body}: {answer:?}");
    }
    let token = format!("x-internal-token: {TOKEN}");
    let text = server.send("POST", "/admin/shows", &[&token, "content-type: text/plain"], SHOW).await;
    assert_eq!(text.status, 415);
    for body in ["{}", r#"{"seat_ids":"A-1-1"}"#, r#"{"seat_ids":[1]}"#, r#"{"seat_ids":[""]}"#] {
        let answer = server.post("/admin/shows/show/block", body).await;
        assert_eq!(answer.error(), (400, "INVALID_ARGUMENT".into()), "{body}");
    }
    let shows = server.get("/admin/shows").await.json();
    assert_eq!(shows["shows"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn blocking_reports_changed_and_refused_seats() {
    let server = Server::start().await;
    let fixture = &server.fixture;
    hold(&fixture.service, fixture.wish("r1", &["1"])).await.unwrap();
    hold(&fixture.service, fixture.wish("r2", &["2"])).await.unwrap();
    commit(&fixture.service, "r2", "pay").await.unwrap();
    let body = r#"{"seat_ids":["A-1-1","A-1-2","A-1-3","A-1-99"]}"#;
    let blocked = server.post("/admin/shows/show/block", body).await;
    let refused = json!([
        {"seat_id": "A-1-1", "status": "HELD"}, {"seat_id": "A-1-2", "status": "SOLD"},
        {"seat_id": "A-1-99", "status": "NO_SUCH_SEAT"}
    ]);
    assert_eq!((blocked.status, blocked.json()), (200, json!({"changed": ["A-1-3"], "refused": refused})));
    let counts = server.get("/admin/shows/show").await.json()["sections"][0].clone();
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((count("remaining"), count("held"), count("sold"), count("blocked")), (7, 1, 1, 1));
    let unblocked = server.post("/admin/shows/show/unblock", r#"{"seat_ids":["A-1-3"]}"#).await;
    assert_eq!(unblocked.json(), json!({"changed": ["A-1-3"], "refused": []}));
    let nowhere = server.post("/admin/shows/nothing/block", r#"{"seat_ids":["A-1-3"]}"#).await;
    assert_eq!(nowhere.error(), (404, "NOT_FOUND".into()));
    let seats = server.get("/admin/shows/show/seats?section=A").await.json();
    assert_eq!(
        seats["seats"][1],
        json!({"id":"A-1-2","row":"1","number":"2","price":120_000,"status":"SOLD"})
    );
    let holds = server.get("/admin/holds/r2").await.json();
    assert_eq!(
        (&holds["holds"][0]["state"], &holds["holds"][0]["why"]),
        (&json!("COMMITTED"), &json!("ord-r2"))
    );
    server.stop().await;
}
