//! The connection itself: deadlines, traces, breaks, reconnecting, several connections.

use crate::grpc_inventory::{commit, hold, release};
use crate::servers::{
    Answer, Peer, TRACEPARENT, class, clock, fault, go, hasty, listen, nobody, patient, rude, traced,
};
use adapter_peers::{InventoryClient, PaymentsClient, PeerOptions};
use async_trait::async_trait;
use bytes::Bytes;
use contracts::reservation::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use contracts::reservation::v1::{self as rsv, ReleaseHoldResponse, ReleaseStatus};
use core::time::Duration;
use domain::time::Timestamp;
use h2::server::SendResponse;
use ports::inventory::Inventory;
use ports::{CallContext, Clock, FaultClass};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

fn released() -> ReleaseHoldResponse {
    ReleaseHoldResponse { status: ReleaseStatus::Success as i32, ..Default::default() }
}

/// Trap T-T11: a call hung forever.
#[tokio::test]
async fn a_peer_that_never_answers_is_given_up_at_the_deadline() {
    let (peer, address) = Peer::serve().await;
    let client = InventoryClient::new(&address, patient(), clock()).unwrap();
    peer.reserve.then(Answer::Never);
    peer.commit.then(Answer::Never);
    peer.release.then(Answer::Never);
    assert_eq!(class(client.hold(&hasty(), hold()).await), FaultClass::Unavailable);
    assert_eq!(class(client.commit(&hasty(), commit()).await), FaultClass::Unavailable);
    assert_eq!(class(client.release(&hasty(), release()).await), FaultClass::Unavailable);
    let own = PeerOptions { timeout: Duration::from_millis(100), ..patient() };
    let client = InventoryClient::new(&address, own, clock()).unwrap();
    peer.release.then(Answer::Never);
    assert_eq!(class(client.release(&CallContext::default(), release()).await), FaultClass::Unavailable);
}

#[tokio::test]
async fn the_shorter_deadline_is_sent_to_the_peer() {
    let (peer, address) = Peer::serve().await;
    let client = InventoryClient::new(&address, patient(), clock()).unwrap();
    for (asked, sent) in [(None, "60000000u"), (Some(30), "30000000u"), (Some(90), "60000000u")] {
        peer.release.message(released());
        let cx = CallContext { timeout: asked.map(Duration::from_secs), ..CallContext::default() };
        client.release(&cx, release()).await.unwrap();
        assert_eq!(peer.release.last().1.get("grpc-timeout").unwrap(), sent);
    }
}

#[tokio::test]
async fn the_trace_is_sent() {
    let (peer, address) = Peer::serve().await;
    let client = InventoryClient::new(&address, patient(), clock()).unwrap();
    peer.release.message(released());
    client.release(&traced(), release()).await.unwrap();
    let (_, metadata) = peer.release.last();
    assert_eq!(metadata.get("traceparent").unwrap(), TRACEPARENT);
    assert_eq!(metadata.get("x-trace-id").unwrap(), "5b8aa5a2d2c872e8321cf37308d69df2");
}

#[tokio::test]
async fn a_missing_or_disconnecting_peer_is_not_reached() {
    for address in [nobody().await, rude().await] {
        let client = InventoryClient::new(&address, patient(), clock()).unwrap();
        for _ in 0..3 {
            let fault = fault(client.release(&CallContext::default(), release()).await);
            assert_eq!(fault.class, FaultClass::NotReached, "{}", fault.chain());
        }
    }
}

#[tokio::test]
async fn a_client_finds_a_peer_that_starts_later_and_again_after_a_break() {
    let (listener, address) = listen().await;
    drop(listener);
    let client = InventoryClient::new(&address.to_string(), patient(), clock()).unwrap();
    let cx = CallContext::default();
    assert_eq!(class(client.release(&cx, release()).await), FaultClass::NotReached);
    for _ in 0..2 {
        let peer = Arc::new(Peer::default());
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = InventoryServiceServer::from_arc(Arc::clone(&peer));
        let server = go(async move {
            let incoming = TcpListenerStream::new(listener);
            let serving = Server::builder().add_service(service);
            serving.serve_with_incoming_shutdown(incoming, async { drop(stopped.await) }).await.unwrap();
        });
        // Each connection notices a break by itself, so the first calls may still meet it.
        let mut tries = 0;
        loop {
            peer.release.message(released());
            match client.release(&cx, release()).await {
                Ok(_) => break,
                Err(_) => tries += 1,
            }
            assert!(tries < 100, "the client does not reconnect");
        }
        stop.send(()).unwrap();
        server.await.unwrap();
    }
}

/// An inventory whose releases wait for each other.
struct Together(Barrier);

#[tonic::async_trait]
impl InventoryService for Together {
    async fn check_availability(
        &self,
        _: Request<rsv::CheckAvailabilityRequest>,
    ) -> Result<Response<rsv::CheckAvailabilityResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn reserve_seat(
        &self,
        _: Request<rsv::ReserveSeatRequest>,
    ) -> Result<Response<rsv::ReserveSeatResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn commit_reservation(
        &self,
        _: Request<rsv::CommitReservationRequest>,
    ) -> Result<Response<rsv::CommitReservationResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn release_hold(
        &self,
        _: Request<rsv::ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        self.0.wait().await;
        Ok(Response::new(released()))
    }

    async fn refuse_payment(
        &self,
        _: Request<rsv::RefusePaymentRequest>,
    ) -> Result<Response<rsv::RefusePaymentResponse>, Status> {
        Err(Status::unimplemented("an older inventory"))
    }

    async fn get_inventory_status(
        &self,
        _: Request<rsv::GetInventoryStatusRequest>,
    ) -> Result<Response<rsv::GetInventoryStatusResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

/// The server accepts one stream per connection and answers only when it has three calls, so one
/// connection would wait forever.
#[tokio::test]
async fn one_connections_limit_of_streams_is_not_the_limit() {
    let (listener, address) = listen().await;
    let service = InventoryServiceServer::new(Together(Barrier::new(3)));
    go(async move {
        let server = Server::builder().max_concurrent_streams(1).add_service(service);
        server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
    });
    let options = PeerOptions { connections: 3, ..patient() };
    let client = InventoryClient::new(&address.to_string(), options, clock()).unwrap();
    let cx = CallContext::default();
    for _ in 0..2 {
        let (a, b, c) = tokio::join!(
            client.release(&cx, release()),
            client.release(&cx, release()),
            client.release(&cx, release()),
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
    }
}

/// Answers a call as an inventory that has released the seats.
fn reply(respond: &mut SendResponse<Bytes>) -> Result<(), h2::Error> {
    let message = prost::Message::encode_to_vec(&released());
    let mut framed = vec![0, 0, 0, 0, message.len() as u8];
    framed.extend(message);
    let head = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut body = respond.send_response(head, false)?;
    body.send_data(framed.into(), false)?;
    let ok = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
    body.send_trailers(ok.into_iter().collect())
}

/// A server that is replaced sends GOAWAY to its clients and finishes its calls. No call may fail
/// because of that.
#[tokio::test]
async fn a_graceful_shutdown_of_a_peer_loses_no_call() {
    let (listener, address) = listen().await;
    let (connections, seen) = tokio::sync::watch::channel(0);
    go(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.send_modify(|count| *count += 1);
            go(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    reply(&mut respond).unwrap();
                    connection.graceful_shutdown();
                }
            });
        }
    });
    let options = PeerOptions { connections: 1, ..patient() };
    let client = InventoryClient::new(&address.to_string(), options, clock()).unwrap();
    let mut calls = 0;
    while *seen.borrow() < 4 {
        client.release(&CallContext::default(), release()).await.expect("served by one or the other");
        calls += 1;
        assert!(calls < 10_000, "it stays on a connection that goes away");
    }
}

/// A clock on which a second takes ten milliseconds.
struct Fast(Arc<dyn Clock>);

#[async_trait]
impl Clock for Fast {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed() * 100
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration / 100).await;
    }
}

/// Trap T-T11: a machine that is gone closes no connection. The call ends long before its deadline
/// of an hour, and the next one finds the peer that replaced it.
#[tokio::test]
async fn a_connection_that_has_gone_silent_is_given_up() {
    let (listener, address) = listen().await;
    let peer = Arc::new(Peer::default());
    peer.release.message(released());
    let service = InventoryServiceServer::from_arc(Arc::clone(&peer));
    go(async move {
        let (silent, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(silent).await.unwrap();
        let _call = connection.accept().await;
        // From here on nothing reads the connection, which stays open.
        let incoming = TcpListenerStream::new(listener);
        Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        drop(connection);
    });
    let hour = Duration::from_secs(3_600);
    let options = PeerOptions { connections: 1, timeout: hour, connect_timeout: hour, ..PeerOptions::grpc() };
    let client = InventoryClient::new(&address.to_string(), options, Arc::new(Fast(clock()))).unwrap();
    let cx = CallContext::default();
    let fault = fault(client.release(&cx, release()).await);
    assert_eq!(fault.class, FaultClass::NotReached, "{}", fault.chain());
    assert!(!fault.chain().contains("no answer within"), "it waited for its deadline: {}", fault.chain());
    client.release(&cx, release()).await.expect("on a new connection");
}

/// Beyond the peer's limit of streams calls wait on this side: a call that is given up there never
/// reaches the peer.
#[tokio::test]
async fn a_call_that_is_given_up_before_its_turn_is_not_sent() {
    let (listener, address) = listen().await;
    let (streams, mut seen) = tokio::sync::watch::channel(0);
    go(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let handshake = h2::server::Builder::new().max_concurrent_streams(1).handshake(stream);
        let mut connection = handshake.await.unwrap();
        let mut held = Vec::new();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            streams.send_modify(|count| *count += 1);
            if *streams.borrow() == 2 {
                held.push(respond);
            } else {
                // A call that was reset meanwhile gets no reply.
                let _ = reply(&mut respond);
            }
        }
    });
    let options = PeerOptions { connections: 1, ..patient() };
    let client = Arc::new(InventoryClient::new(&address.to_string(), options, clock()).unwrap());
    // After this the client knows that the peer accepts one stream.
    client.release(&CallContext::default(), release()).await.unwrap();
    let holding = Arc::clone(&client);
    let holding = go(async move { drop(holding.release(&CallContext::default(), release()).await) });
    seen.wait_for(|count| *count == 2).await.unwrap();
    for _ in 0..3 {
        assert_eq!(class(client.release(&hasty(), release()).await), FaultClass::Unavailable);
    }
    holding.abort();
    client.release(&CallContext::default(), release()).await.unwrap();
    assert_eq!(*seen.borrow(), 3, "those that were given up were sent");
}

/// Trap T-O2: every mistake of a configuration is reported at once.
#[tokio::test]
async fn every_problem_of_a_peer_is_reported_at_once() {
    let options = PeerOptions { timeout: Duration::ZERO, connections: 0, ..PeerOptions::grpc() };
    let Err(why) = InventoryClient::new("https://inventory:8021", options, clock()) else { panic!("made") };
    assert_eq!(why.problems.len(), 3, "{why}");
    let text = why.to_string();
    assert!(text.starts_with("inventory: ") && text.contains("https") && text.contains("timeout"), "{text}");
    assert!(text.contains("connections"), "{text}");
    let Err(why) = PaymentsClient::new("http://payment:8031/base", PeerOptions::grpc(), clock()) else {
        panic!("made")
    };
    assert!(why.to_string().contains("/base"), "{why}");
}
