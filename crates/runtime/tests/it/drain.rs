//! What callers see of a server that shuts down.

use crate::wire::{Answer, Server};
use axum::Router;
use axum::routing::get;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

#[derive(Clone, Default)]
struct Slow {
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
}

fn slow_routes(slow: &Slow) -> Router {
    let slow = slow.clone();
    let handler = async move || {
        slow.entered.notify_one();
        slow.go_on.notified().await;
        "finished"
    };
    Router::new().route("/slow", get(handler))
}

#[tokio::test]
async fn a_call_that_was_begun_is_answered_and_nothing_new_is_accepted() {
    let slow = Slow::default();
    let server = Server::start(slow_routes(&slow)).await;
    let mut idle = server.connect().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    slow.entered.notified().await;
    server.shutdown.cancel();
    // An idle kept connection is closed at once; its end tells that the shutdown was seen.
    let mut nothing = Vec::new();
    idle.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty());
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener is still open");
    slow.go_on.notify_one();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let answer = Answer::parse(&text);
    assert_eq!((answer.status, &*answer.body), (200, "finished"));
    server.tasks.finished().await;
}

#[tokio::test]
async fn a_call_that_never_ends_does_not_hold_the_shutdown() {
    let slow = Slow::default();
    let server = Server::start(slow_routes(&slow)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    slow.entered.notified().await;
    // Only now: a paused clock leaps over the time in which bytes are still on their way.
    tokio::time::pause();
    server.shutdown.cancel();
    server.tasks.finished().await;
}

#[tokio::test]
async fn a_crash_drops_the_handler_where_it_stands() {
    let slow = Slow::default();
    let server = Server::start(slow_routes(&slow)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    slow.entered.notified().await;
    server.tasks.abort_all();
    server.tasks.finished().await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    assert!(text.is_empty());
}
