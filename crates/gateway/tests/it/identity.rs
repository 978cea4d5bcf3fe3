//! Forged, foreign and expired tokens of people and of places: refused, counted, and logged without
//! the token.

use crate::fixture::{Fixture, SHOW};
use core::time::Duration;
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn an_invalid_token_is_rejected() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let good = fixture.token("kim");
    let reservation = async |authorization: &str| {
        fixture.answered(gateway.get("/reservations/rsv_1", &[("authorization", authorization)])).await
    };
    assert_eq!(
        reservation(&format!("Bearer {good}")).await.status,
        StatusCode::BAD_REQUEST,
        "the service behind is asked"
    );
    let (head, signature) = good.rsplit_once('.').unwrap();
    // {"alg":"none"} and the claims of the good one.
    let none = format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1);
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        "Basic a2ltOmtpbQ==",
        &format!("Bearer {head}.{}", signature.replace('A', "B")),
        &format!("Bearer {none}"),
        "Bearer dev-bypass",
    ] {
        let answer = reservation(bad).await;
        assert!(answer.status == StatusCode::UNAUTHORIZED || bad.ends_with(signature), "{bad}: {answer:?}");
    }
    let answer = fixture.answered(gateway.get("/reservations/rsv_1", &[])).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    fixture.pass(Duration::from_secs(3_700)).await;
    let answer = reservation(&format!("Bearer {good}")).await;
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("expired"), "{answer:?}");
    let metrics = gateway.process.metrics.render();
    for reason in ["missing", "malformed", "algorithm", "expired"] {
        assert!(
            metrics.contains(&format!("identity_rejected_total{{reason=\"{reason}\"}}")),
            "{reason}: {metrics}"
        );
    }
}

#[tokio::test]
async fn a_place_is_its_owners() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let (kim, lee) = (format!("Bearer {}", fixture.token("kim")), format!("Bearer {}", fixture.token("lee")));
    let join = async |headers: &[(&str, &str)]| {
        let answer = fixture.answered(gateway.post("/queue/join", headers, &json!({"event_id": SHOW}))).await;
        answer.text("waiting_token").to_owned()
    };
    let (ticket, nobodys) = (join(&[("authorization", &kim)]).await, join(&[]).await);
    fixture.pass(Duration::from_secs(2)).await;
    let enter = async |ticket: &str, headers: &[(&str, &str)]| {
        fixture.answered(gateway.post("/queue/enter", headers, &json!({"waiting_token": ticket}))).await
    };
    assert_eq!(enter(&ticket, &[("authorization", &lee)]).await.code(), "FORBIDDEN");
    assert_eq!(enter(&nobodys, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&nobodys, &[("authorization", &lee)]).await.status, StatusCode::OK);
    assert_eq!(enter(&ticket, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_ticket_with_a_foreign_signature_is_rejected() {
    let fixture = Fixture::new();
    let (gateway, other) = (
        fixture.gateway(),
        fixture.gateway_with(|config| config.line.secrets = vec!["another secret of another house".into()]),
    );
    let ticket = fixture.join(&gateway, "kim").await;
    assert_eq!(fixture.status(&other, &ticket).await.status, StatusCode::UNAUTHORIZED);
    for bad in [
        "",
        "x",
        "q1.",
        "q1..",
        &ticket[..ticket.len() - 10],
        &format!("{ticket}.{ticket}"),
        &"q1.".repeat(2_000),
    ] {
        let answer = fixture.status(&gateway, bad).await;
        assert!(
            matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED),
            "{bad}: {answer:?}"
        );
    }
    assert!(gateway.process.metrics.render().contains("ticket_"));
    // The secret is rotated while people wait.
    let turned =
        fixture.gateway_with(|config| config.line.secrets.insert(0, "the new secret of this house".into()));
    assert_eq!(fixture.status(&turned, &ticket).await.status, StatusCode::OK);
}
