//! A caller over the limit is refused, with when to try again.

use crate::fixture::Fixture;
use core::time::Duration;
use gateway::Rate;
use http::StatusCode;

#[tokio::test]
async fn a_person_has_a_limit_of_their_own() {
    let fixture = Fixture::new();
    let gateway =
        fixture.gateway_with(|config| config.limits.per_person = Some(Rate { per_second: 1, burst: 3 }));
    let (kim, lee) = (fixture.join(&gateway, "kim").await, fixture.join(&gateway, "lee").await);
    for _ in 0..3 {
        assert_eq!(fixture.status(&gateway, &kim).await.status, StatusCode::OK);
    }
    let answer = fixture.status(&gateway, &kim).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    assert_eq!(answer.headers["x-ratelimit-limit"], "3");
    assert_eq!(answer.headers["x-ratelimit-remaining"], "0");
    assert!(answer.headers.contains_key("x-ratelimit-reset"));
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(fixture.status(&gateway, &lee).await.status, StatusCode::OK);
    fixture.pass(Duration::from_secs(wait)).await;
    assert_eq!(fixture.status(&gateway, &kim).await.status, StatusCode::OK);
    assert!(gateway.process.metrics.render().contains(r#"ratelimit_dropped_total{key_type="person"} 1"#));
}
