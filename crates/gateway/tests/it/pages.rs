//! The pages, and the headers of every answer.

use crate::fixture::Fixture;
use http::{HeaderValue, Method, StatusCode};

#[tokio::test]
async fn pages_load_from_this_host_only() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    for path in ["/", "/docs", "/assets/app.js", "/openapi.json"] {
        let answer = gateway.page(Method::GET, path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    }
    let document = gateway.page(Method::GET, "/openapi.json", &[]).await;
    assert_eq!(document.text("openapi"), "3.1.0");
}

/// Every operation of the OpenAPI document is a route.
#[tokio::test]
async fn every_operation_of_the_document_is_a_route() {
    let fixture = Fixture::new();
    let gateway = fixture.gateway();
    let document = gateway.page(Method::GET, "/openapi.json", &[]).await;
    let mut operations = 0;
    for (path, item) in document.body["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "delete", "put"].contains(&key.as_str()))
        {
            operations += 1;
            let path = path.replace(['{', '}'], "");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = fixture.answered(gateway.page(method.clone(), &path, &[])).await;
            let is_route = answer.status != StatusCode::METHOD_NOT_ALLOWED
                && (answer.status != StatusCode::NOT_FOUND
                    || !answer.body.to_string().contains("nothing under this path"));
            assert!(is_route, "{method} {path}: {answer:?}");
        }
    }
    assert!(operations > 25, "{operations}");
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_call() {
    let fixture = Fixture::new();
    let site = HeaderValue::from_static("https://tickets.example");
    let (closed, open) =
        (fixture.gateway(), fixture.gateway_with(|config| config.origins = vec![site.clone()]));
    let ask = async |gateway: &crate::fixture::TestGateway, origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization"),
        ];
        gateway.page(Method::OPTIONS, "/api/v1/queue/join", &headers).await
    };
    assert_eq!(ask(&open, "https://tickets.example").await.headers["access-control-allow-origin"], site);
    assert!(!ask(&open, "https://evil.example").await.headers.contains_key("access-control-allow-origin"));
    assert!(
        !ask(&closed, "https://tickets.example").await.headers.contains_key("access-control-allow-origin")
    );
}
