//! The gRPC API: refusals in the response, malformed input and outages as statuses.

use crate::wire::Server;
use contracts::IdempotencyKey;
use contracts::common::v1::{ErrorCode, Pagination};
use contracts::error::{Code, WireError};
use contracts::reservation::v1 as proto;
use contracts::reservation::v1::reservation_service_client::ReservationServiceClient;
use domain::id::ReservationId;
use domain::payment;
use tonic::transport::{Channel, Endpoint};

type Client = ReservationServiceClient<Channel>;

async fn client(server: &Server) -> Client {
    let channel = Endpoint::from_shared(format!("http://{}", server.grpc)).unwrap().connect().await.unwrap();
    ReservationServiceClient::new(channel)
}

fn two(key: &str) -> proto::CreateReservationRequest {
    proto::CreateReservationRequest {
        event_id: "show-1".to_owned(),
        seat_ids: vec!["A-1".to_owned(), "A-2".to_owned()],
        user_id: "kim".to_owned(),
        idempotency_key: key.to_owned(),
        ..Default::default()
    }
}

fn confirm(id: &str, intent: &str, user: &str) -> proto::ConfirmReservationRequest {
    proto::ConfirmReservationRequest {
        reservation_id: id.to_owned(),
        payment_intent_id: intent.to_owned(),
        user_id: user.to_owned(),
        ..Default::default()
    }
}

fn cancel(id: &str, user: &str) -> proto::CancelReservationRequest {
    proto::CancelReservationRequest {
        reservation_id: id.to_owned(),
        user_id: user.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_six_methods_carry_a_reservation_through_its_life() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    let placed = client.create_reservation(two("k")).await.unwrap().into_inner();
    assert_eq!((placed.status(), &placed.error), (proto::ReservationStatus::Hold, &None));
    assert_eq!(placed.total_amount.as_ref().unwrap().amount, 240_000);
    let seats: Vec<_> =
        placed.reserved_seats.iter().map(|seat| (seat.id.as_str(), seat.section.as_str())).collect();
    assert_eq!(seats, [("A-1", "A"), ("A-2", "A")]);
    assert_eq!(client.create_reservation(two("k")).await.unwrap().into_inner(), placed, "the same answer");
    let id = placed.reservation_id.clone();

    let get = proto::GetReservationRequest { reservation_id: id.clone(), user_id: "kim".to_owned() };
    let shown = client.get_reservation(get).await.unwrap().into_inner().reservation.unwrap();
    assert_eq!((shown.quantity, shown.event_id.as_str()), (2, "show-1"));

    let extend =
        proto::ExtendHoldRequest { reservation_id: id.clone(), extension_seconds: 60, ..Default::default() };
    let extended = client.extend_hold(extend).await.unwrap().into_inner();
    assert!(!extended.extension_allowed);
    assert_eq!(extended.new_expires_at, placed.hold_expires_at);
    assert_eq!(extended.error.unwrap().code(), ErrorCode::FailedPrecondition);

    server.fixture.payments.put("pay_1", &ReservationId::parse(&id).unwrap(), payment::Status::Captured);
    let confirmed = client.confirm_reservation(confirm(&id, "pay_1", "")).await.unwrap().into_inner();
    assert_eq!(
        (confirmed.status(), confirmed.confirmed_seats.len()),
        (proto::ReservationStatus::Confirmed, 2)
    );
    let again = client.confirm_reservation(confirm(&id, "pay_1", "kim")).await.unwrap().into_inner();
    assert_eq!(again, confirmed);

    let list = proto::ListReservationsRequest { user_id: "kim".to_owned(), ..Default::default() };
    let listed = client.list_reservations(list).await.unwrap().into_inner();
    assert_eq!((listed.reservations.len(), listed.page_info.unwrap().total_count), (1, 1));
    server.stop().await;
}

#[tokio::test]
async fn business_refusals_are_in_the_response() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    let id = client.create_reservation(two("k")).await.unwrap().into_inner().reservation_id;
    let taken = client.create_reservation(two("k2")).await.unwrap().into_inner().error.unwrap();
    assert_eq!(taken.code(), ErrorCode::InventoryConflict);
    assert_eq!(taken.details.iter().map(|detail| detail.value.as_str()).collect::<Vec<_>>(), ["A-1", "A-2"]);
    assert!(!taken.trace_id.is_empty());
    let mut other = two("k");
    other.seat_ids.pop();
    let other = client.create_reservation(other).await.unwrap().into_inner().error.unwrap();
    assert_eq!(other.code(), ErrorCode::IdempotencyConflict);

    for (id, user, expected) in [("rsv_nobody", "", ErrorCode::NotFound), (&*id, "lee", ErrorCode::Forbidden)]
    {
        let get = proto::GetReservationRequest { reservation_id: id.to_owned(), user_id: user.to_owned() };
        assert_eq!(client.get_reservation(get).await.unwrap().into_inner().error.unwrap().code(), expected);
        let confirmed = client.confirm_reservation(confirm(id, "pay_1", user)).await.unwrap().into_inner();
        assert_eq!(confirmed.error.unwrap().code(), expected);
        let cancelled = client.cancel_reservation(cancel(id, user)).await.unwrap().into_inner();
        assert_eq!(cancelled.error.unwrap().code(), expected);
        let extend = proto::ExtendHoldRequest {
            reservation_id: id.to_owned(),
            user_id: user.to_owned(),
            ..Default::default()
        };
        assert_eq!(client.extend_hold(extend).await.unwrap().into_inner().error.unwrap().code(), expected);
    }
    let no_intent = client.confirm_reservation(confirm(&id, "", "")).await.unwrap_err();
    assert_eq!(no_intent.code(), tonic::Code::InvalidArgument);
    let unpaid = client.confirm_reservation(confirm(&id, "pay_1", "kim")).await.unwrap().into_inner();
    assert_eq!(unpaid.error.unwrap().code(), ErrorCode::PaymentNotApproved);
    let cancelled = client.cancel_reservation(cancel(&id, "kim")).await.unwrap().into_inner();
    assert_eq!(
        (cancelled.status(), cancelled.released_seats.len()),
        (proto::ReservationStatus::Cancelled, 2)
    );
    server.stop().await;
}

#[tokio::test]
async fn malformed_input_is_a_status_and_changes_nothing() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    let bad = [
        proto::CreateReservationRequest { event_id: String::new(), ..two("k") },
        proto::CreateReservationRequest { user_id: String::new(), ..two("k") },
        proto::CreateReservationRequest { seat_ids: Vec::new(), ..two("k") },
        proto::CreateReservationRequest { quantity: -1, ..two("k") },
        proto::CreateReservationRequest { quantity: i32::MAX, ..two("k") },
        proto::CreateReservationRequest { quantity: 3, ..two("k") },
        proto::CreateReservationRequest { seat_ids: vec!["A-1".to_owned(); 2], ..two("k") },
        proto::CreateReservationRequest { seat_ids: vec![String::new()], ..two("k") },
        two(&"x".repeat(IdempotencyKey::BYTES_MAX + 1)),
        two("\u{7}"),
    ];
    for request in bad {
        let status = client.create_reservation(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{request:?}");
        assert_eq!(WireError::from_status(&status).unwrap().code, Code::InvalidArgument);
    }
    let list = |status, pagination| proto::ListReservationsRequest {
        user_id: "kim".to_owned(),
        status,
        pagination: Some(pagination),
        ..Default::default()
    };
    for request in [
        list(99, Pagination::default()),
        list(0, Pagination { page_size: -1, ..Default::default() }),
        list(0, Pagination { page: 2, ..Default::default() }),
        list(0, Pagination { cursor: "odd".to_owned(), ..Default::default() }),
        proto::ListReservationsRequest::default(),
    ] {
        let status = client.list_reservations(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{request:?}");
    }
    assert!(server.fixture.rows().await.is_empty() && server.fixture.inventory.holds().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_silent_inventory_is_a_status() {
    let server = Server::start().await;
    server.fixture.inventory.hang();
    let mut client = client(&server).await;
    let clock = server.fixture.clock.clone();
    let time = async {
        loop {
            clock.advance(std::time::Duration::from_millis(50));
            tokio::task::yield_now().await;
        }
    };
    let status = tokio::select! { answer = client.create_reservation(two("k")) => answer.unwrap_err(), () = time => unreachable!() };
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    assert_eq!(WireError::from_status(&status).unwrap().code, Code::UpstreamTimeout);
    assert!(server.fixture.rows().await.is_empty());
    drop(client);
    server.stop().await;
}
