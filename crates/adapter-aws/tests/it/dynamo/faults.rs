//! Answers that say that nothing was written: throttling, conflicts with transactions, unprocessed
//! keys, permanent refusals.

use super::local::{ProxiedTable, client, delete, failed, key, opened, put};
use super::proxy::{FOREVER, Fate};
use core::time::Duration;
use ports::store::{CommitError, Expect, Write};
use ports::{Clock, FaultClass, Store};
use serde_json::Value;
use tokio::net::TcpListener;

/// A commit of two rows, which is a transaction.
fn two(number: u64) -> Vec<Write> {
    vec![put("a", Expect::Absent, number), put("b", Expect::Absent, number)]
}

#[tokio::test]
async fn a_transaction_that_met_another_is_sent_again_under_its_token() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.rule("TransactWriteItems", 2, || Fate::cancelled(&["TransactionConflict", "None"]));
    proxied.store.commit(two(1)).await.unwrap();
    assert_eq!((proxied.number("a").await, proxied.number("b").await), ((1, 1), (1, 1)));
    let calls = proxied.proxy.calls("TransactWriteItems");
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.body == calls[0].body), "the same to the last byte");
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(body["ClientRequestToken"].as_str().map(str::len), Some(32));
    // Another commit has another token.
    proxied.store.commit(vec![delete("a", Expect::Any), delete("b", Expect::Any)]).await.unwrap();
    let other: Value = serde_json::from_slice(&proxied.proxy.calls("TransactWriteItems")[3].body).unwrap();
    assert_ne!(body["ClientRequestToken"], other["ClientRequestToken"]);
}

#[tokio::test]
async fn a_transaction_that_always_meets_others_ends_as_a_conflict_without_a_position() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.rule("TransactWriteItems", FOREVER, || Fate::cancelled(&["None", "TransactionConflict"]));
    let fault = failed(proxied.store.commit(two(1)).await);
    assert_eq!(fault.class, FaultClass::Conflict);
    assert!(fault.message.contains("TransactionConflict"), "{fault}");
    assert_eq!(proxied.proxy.calls("TransactWriteItems").len(), 8);
    assert!(proxied.clock.elapsed() <= Duration::from_secs(2));
    assert!(proxied.row("a").await.is_none());
}

#[tokio::test]
async fn a_failed_condition_after_an_unchecked_row_is_asked_again_for_its_position() {
    let proxied = ProxiedTable::new().await;
    proxied.given(vec![put("a", Expect::Absent, 7), put("b", Expect::Absent, 7)]).await;
    proxied
        .proxy
        .once("TransactWriteItems", Fate::cancelled(&["TransactionConflict", "ConditionalCheckFailed"]));
    // Both expectations are wrong; the first must be named.
    let result = proxied.store.commit(two(1)).await;
    assert!(matches!(result, Err(CommitError::Conflict { at: 0 })), "{result:?}");
    assert_eq!(proxied.proxy.calls("TransactWriteItems").len(), 2);
}

#[tokio::test]
async fn throttled_calls_of_every_kind_are_tried_again() {
    let proxied = ProxiedTable::new().await;
    let throttled = || Fate::error(400, "ThrottlingException");
    for operation in ["PutItem", "DeleteItem", "GetItem", "BatchGetItem", "Query", "Scan"] {
        proxied.proxy.rule(operation, 2, throttled);
    }
    proxied.proxy.rule("TransactWriteItems", 2, || Fate::cancelled(&["None", "ThrottlingError"]));
    proxied.store.commit(two(1)).await.unwrap();
    proxied.store.commit(vec![put("c", Expect::Absent, 1)]).await.unwrap();
    proxied.store.commit(vec![delete("c", Expect::Version(1))]).await.unwrap();
    assert_eq!(proxied.store.get(&[key("a")]).await.unwrap().len(), 1);
    assert_eq!(proxied.store.get(&[key("a"), key("b")]).await.unwrap().iter().flatten().count(), 2);
    assert_eq!(proxied.store.list("p", None, 10).await.unwrap().len(), 2);
    assert_eq!(proxied.store.scan(None, 10).await.unwrap().len(), 2);
    assert_eq!(proxied.proxy.rules_left(), 0);
}

#[tokio::test]
async fn endless_throttling_ends_in_a_fault_within_two_seconds_and_writes_nothing() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.rule("PutItem", FOREVER, || Fate::error(400, "ProvisionedThroughputExceededException"));
    let fault = failed(proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await);
    assert_eq!(fault.class, FaultClass::Unavailable);
    assert!(fault.message.contains("throughput"), "{fault}");
    assert_eq!(proxied.proxy.calls("PutItem").len(), 8);
    assert!(proxied.clock.elapsed() <= Duration::from_secs(2));
    assert!(proxied.row("a").await.is_none());

    proxied.proxy.rule("GetItem", FOREVER, || Fate::error(400, "RequestLimitExceeded"));
    let fault = proxied.store.get(&[key("a")]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
    assert!(proxied.clock.elapsed() <= Duration::from_secs(4));
}

#[tokio::test]
async fn a_put_that_met_a_transaction_is_tried_again_and_ends_as_a_conflict() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("PutItem", Fate::error(400, "TransactionConflictException"));
    proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await.unwrap();
    assert_eq!(proxied.number("a").await, (1, 1));
    proxied.proxy.rule("PutItem", FOREVER, || Fate::error(400, "TransactionConflictException"));
    let fault = failed(proxied.store.commit(vec![put("a", Expect::Version(1), 2)]).await);
    assert_eq!(fault.class, FaultClass::Conflict);
    assert_eq!(proxied.number("a").await, (1, 1));
}

/// An answer of nothing but unprocessed keys.
fn unprocessed(table: &str, sorts: &[&str]) -> Fate {
    let keys: Vec<String> =
        sorts.iter().map(|sort| format!(r#"{{"pk":{{"S":"p"}},"sk":{{"S":"{sort}"}}}}"#)).collect();
    let keys = keys.join(",");
    let body = format!(
        r#"{{"Responses":{{"{table}":[]}},"UnprocessedKeys":{{"{table}":{{"Keys":[{keys}],"ConsistentRead":true}}}}}}"#
    );
    Fate::Answer(hyper::StatusCode::OK, body)
}

#[tokio::test]
async fn unprocessed_keys_are_read_again_and_not_forever() {
    let proxied = ProxiedTable::new().await;
    proxied.given(two(5)).await;
    let table = proxied.store.definition().name;
    let name = table.clone();
    proxied.proxy.rule("BatchGetItem", 2, move || unprocessed(&name, &["a", "b"]));
    let rows = proxied.store.get(&[key("b"), key("nobody"), key("a")]).await.unwrap();
    let found: Vec<bool> = rows.iter().map(Option::is_some).collect();
    assert_eq!(found, [true, false, true]);
    assert_eq!(proxied.proxy.calls("BatchGetItem").len(), 3);

    proxied.proxy.rule("BatchGetItem", FOREVER, move || unprocessed(&table, &["a", "b"]));
    let fault = proxied.store.get(&[key("a"), key("b")]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
    assert!(fault.message.contains("leaves 2 rows unread"), "{fault}");
}

#[tokio::test]
async fn an_operator_problem_fails_at_once_and_names_the_fix() {
    use FaultClass::{Permanent, Transient};
    for (code, class, words) in [
        ("AccessDeniedException", Permanent, "allow dynamodb:PutItem"),
        ("ExpiredTokenException", Transient, "renew AWS_SESSION_TOKEN"),
        ("UnrecognizedClientException", Transient, "check AWS_PROFILE"),
        ("InvalidSignatureException", Transient, "this machine's clock"),
        ("ResourceNotFoundException", Transient, "AWS_REGION"),
        ("ValidationException", Permanent, "words of ValidationException"),
    ] {
        let proxied = ProxiedTable::new().await;
        proxied.proxy.rule("PutItem", FOREVER, move || Fate::error(400, code));
        proxied.proxy.rule("Query", FOREVER, move || Fate::error(400, code));
        let fault = failed(proxied.store.commit(vec![put("a", Expect::Absent, 1)]).await);
        assert_eq!(fault.class, class, "{code}");
        assert!(fault.message.contains(words), "{fault}");
        assert_eq!(proxied.proxy.calls("PutItem").len(), 1, "{code}");
        let fault = proxied.store.list("p", None, 1).await.unwrap_err();
        assert_eq!(fault.class, class, "{code}");
        assert_eq!(proxied.proxy.calls("Query").len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_transaction_with_a_row_that_the_service_refuses_fails_permanently() {
    let proxied = ProxiedTable::new().await;
    proxied.proxy.once("TransactWriteItems", Fate::cancelled(&["None", "ValidationError"]));
    let fault = failed(proxied.store.commit(two(1)).await);
    assert_eq!(fault.class, FaultClass::Permanent);
    assert!(fault.message.contains("ValidationError"), "{fault}");
}

/// Nothing was sent, so certainly nothing was written.
#[tokio::test]
async fn a_service_that_cannot_be_reached_is_unavailable_and_not_ambiguous() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let store = opened(&client(&closed), "nowhere");
    let fault = failed(store.commit(vec![put("a", Expect::Absent, 1)]).await);
    assert_eq!(fault.class, FaultClass::Unavailable);
    assert!(fault.message.contains("AWS_ENDPOINT_URL_DYNAMODB"), "{fault}");
    let fault = failed(store.commit(two(1)).await);
    assert_eq!(fault.class, FaultClass::Unavailable);
    let fault = store.get(&[key("a")]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
    let fault = store.check().await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
}
