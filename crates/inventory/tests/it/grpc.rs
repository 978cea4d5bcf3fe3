//! The gRPC edge as a caller sees it (docs/contracts.md#grpc): refusals in the response, malformed
//! input and outages as statuses.

use crate::fixture::MINUTE;
use crate::wire::Server;
use contracts::common::v1::{Error, ErrorCode, SeatStatus};
use contracts::reservation::v1 as proto;
use contracts::reservation::v1::inventory_service_client::InventoryServiceClient;
use domain::id::ID_BYTES_MAX;
use testkit::Call;
use testkit::Fate::Failed;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

type Client = InventoryServiceClient<Channel>;

async fn client(server: &Server) -> Client {
    let channel = Endpoint::from_shared(format!("http://{}", server.grpc)).unwrap().connect().await.unwrap();
    InventoryServiceClient::new(channel)
}

/// A request for seats; without an idempotency key and a time, as earlier callers send it.
fn reserve(reservation: &str, seats: &[&str]) -> proto::ReserveSeatRequest {
    proto::ReserveSeatRequest {
        reservation_id: reservation.to_owned(),
        event_id: "show".to_owned(),
        seat_ids: seats.iter().map(|seat| (*seat).to_owned()).collect(),
        user_id: "kim".to_owned(),
        ..Default::default()
    }
}

fn any(reservation: &str, quantity: i32) -> proto::ReserveSeatRequest {
    proto::ReserveSeatRequest { quantity, section: "floor".to_owned(), ..reserve(reservation, &[]) }
}

fn commit(reservation: &str) -> proto::CommitReservationRequest {
    proto::CommitReservationRequest {
        reservation_id: reservation.to_owned(),
        event_id: "show".to_owned(),
        payment_intent_id: "pay".to_owned(),
        ..Default::default()
    }
}

fn release(reservation: &str, reason: &str) -> proto::ReleaseHoldRequest {
    proto::ReleaseHoldRequest {
        reservation_id: reservation.to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    }
}

/// Code, and the field, reason and value of the first detail.
fn first_detail(error: Option<&Error>) -> (ErrorCode, [&str; 3]) {
    let error = error.expect("a refusal");
    assert!(!error.message.is_empty());
    let detail = error.details.first();
    let parts =
        detail.map_or([""; 3], |detail| [&detail.field, &detail.reason, &detail.value].map(String::as_str));
    (error.code(), parts)
}

#[tokio::test]
async fn reserve_commit_and_release_answer_as_documented() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    let held = client.reserve_seat(reserve("r1", &["A-1-1", "A-1-2"])).await.unwrap().into_inner();
    assert_eq!((held.status(), held.hold_id.as_str(), &held.error), (proto::HoldStatus::Active, "r1", &None));
    let seat = &held.reserved_seats[1];
    assert_eq!((seat.id.as_str(), seat.row.as_str(), seat.number.as_str()), ("A-1-2", "1", "2"));
    assert_eq!((seat.status(), seat.price.as_ref().unwrap().amount), (SeatStatus::Reserved, 120_000));
    assert_eq!(client.reserve_seat(reserve("r1", &["A-1-1", "A-1-2"])).await.unwrap().into_inner(), held);
    let taken = client.reserve_seat(reserve("r2", &["A-1-2"])).await.unwrap().into_inner();
    assert_eq!(first_detail(taken.error.as_ref()).0, ErrorCode::InventoryConflict);

    let early = client.release_hold(release("r1", "EXPIRED")).await.unwrap().into_inner();
    assert_eq!(early.status(), proto::ReleaseStatus::Failed);
    let (code, detail) = first_detail(early.error.as_ref());
    assert_eq!((code, detail), (ErrorCode::FailedPrecondition, ["hold_expires_at", "NOT_DUE", "60000"]));

    let sold = client.commit_reservation(commit("r1")).await.unwrap().into_inner();
    assert_eq!((sold.status(), sold.order_id.as_str()), (proto::CommitStatus::Success, "ord-r1"));
    assert_eq!(client.commit_reservation(commit("r1")).await.unwrap().into_inner(), sold);
    let late = client.release_hold(release("r1", "")).await.unwrap().into_inner();
    assert_eq!(late.status(), proto::ReleaseStatus::Failed);
    let (code, [_, reason, value]) = first_detail(late.error.as_ref());
    assert_eq!((code, reason, value), (ErrorCode::AlreadyExists, "ALREADY_COMMITTED", "ord-r1"));

    client.reserve_seat(any("r3", 3)).await.unwrap();
    let none = client.reserve_seat(any("r4", 1)).await.unwrap().into_inner();
    assert_eq!(first_detail(none.error.as_ref()).0, ErrorCode::InsufficientInventory);
    server.fixture.clock.advance(MINUTE);
    let gone = client.release_hold(release("r3", "")).await.unwrap().into_inner();
    assert_eq!((gone.status(), gone.released_seats.len()), (proto::ReleaseStatus::Success, 3));
    let again = client.release_hold(release("r3", "")).await.unwrap().into_inner();
    assert_eq!(again.status(), proto::ReleaseStatus::AlreadyReleased);
    client.reserve_seat(any("r5", 1)).await.unwrap();
    let refused = client.commit_reservation(commit("r3")).await.unwrap().into_inner();
    assert_eq!(refused.status(), proto::CommitStatus::FailedExpired);
    assert_eq!(first_detail(refused.error.as_ref()).0, ErrorCode::ReservationExpired);
    let foreign = proto::CommitReservationRequest { user_id: "lee".to_owned(), ..commit("r5") };
    let foreign = client.commit_reservation(foreign).await.unwrap().into_inner();
    assert_eq!(foreign.status(), proto::CommitStatus::FailedConflict);
    assert_eq!(first_detail(foreign.error.as_ref()).0, ErrorCode::InventoryConflict);
    let unknown = client.release_hold(release("nobody", "")).await.unwrap().into_inner();
    assert_eq!(unknown.status(), proto::ReleaseStatus::NotFound);
    assert_eq!(first_detail(unknown.error.as_ref()).0, ErrorCode::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn status_and_availability_count_the_seats() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    client.reserve_seat(reserve("r1", &["A-1-1"])).await.unwrap();
    client.reserve_seat(any("r2", 2)).await.unwrap();
    client.commit_reservation(commit("r2")).await.unwrap();
    let all = proto::GetInventoryStatusRequest { event_id: "show".to_owned(), section: String::new() };
    let status = client.get_inventory_status(all).await.unwrap().into_inner();
    let counts: Vec<_> = status
        .sections
        .iter()
        .map(|s| (s.section_id.as_str(), s.total_seats, s.available_seats, s.reserved_seats, s.sold_seats))
        .collect();
    assert_eq!(counts, [("A", 10, 9, 1, 0), ("floor", 3, 1, 0, 2)]);
    let stats = status.stats.unwrap();
    assert_eq!((stats.total_seats, stats.available_seats, stats.sold_seats), (13, 10, 2));
    let ask = |seats: &[&str], section: &str, quantity| proto::CheckAvailabilityRequest {
        event_id: "show".to_owned(),
        seat_ids: seats.iter().map(|seat| (*seat).to_owned()).collect(),
        quantity,
        section: section.to_owned(),
    };
    let named = client.check_availability(ask(&["A-1-1", "A-1-2", "X"], "A", 0)).await.unwrap().into_inner();
    assert!(!named.available);
    let mut unavailable = named.unavailable_seat_ids.clone();
    unavailable.sort();
    assert_eq!((named.available_seats.len(), unavailable), (1, vec!["A-1-1".to_owned(), "X".to_owned()]));
    for (quantity, available) in [(1, true), (2, false)] {
        let floor = client.check_availability(ask(&[], "floor", quantity)).await.unwrap().into_inner();
        assert_eq!((floor.available, floor.remaining_in_section), (available, 1));
    }
    for (show, section) in [("nothing", ""), ("show", "nowhere")] {
        let request =
            proto::GetInventoryStatusRequest { event_id: show.to_owned(), section: section.to_owned() };
        let unknown = client.get_inventory_status(request).await.unwrap().into_inner();
        assert_eq!(first_detail(unknown.error.as_ref()).0, ErrorCode::NotFound);
    }
    server.stop().await;
}

/// Trap T-S6: seats that do not exist could be sold.
#[tokio::test]
async fn a_refused_reservation_names_its_kind_and_takes_nothing() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    let eleven: Vec<String> = (1..=11).map(|n| format!("A-1-{n}")).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let in_band = [
        proto::ReserveSeatRequest { event_id: "nothing".to_owned(), ..reserve("r", &["A-1-1"]) },
        reserve("r", &["A-1-1", "A-9-9"]),
        proto::ReserveSeatRequest { section: "nowhere".to_owned(), ..any("r", 1) },
        proto::ReserveSeatRequest { section: String::new(), ..any("r", 1) },
    ];
    for request in in_band {
        let answer = client.reserve_seat(request.clone()).await.unwrap().into_inner();
        assert_eq!(first_detail(answer.error.as_ref()).0, ErrorCode::NotFound, "{request:?}");
    }
    let malformed = [
        any("r", 0),
        any("r", -1),
        any("r", i32::MAX),
        any("r", i32::MIN),
        reserve("r", &eleven),
        reserve("r", &["A-1-1", "A-1-1"]),
        reserve("", &["A-1-1"]),
        reserve("r", &[""]),
        reserve("a\nb", &["A-1-1"]),
        reserve(&"x".repeat(ID_BYTES_MAX + 1), &["A-1-1"]),
        proto::ReserveSeatRequest { event_id: String::new(), ..reserve("r", &["A-1-1"]) },
        proto::ReserveSeatRequest { quantity: 3, ..reserve("r", &["A-1-1"]) },
    ];
    for request in malformed {
        let status = client.reserve_seat(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}: {status:?}");
    }
    let status = client.commit_reservation(commit("")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let status = client.release_hold(release("r", "because")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(server.fixture.counts("A").await.available, 10);
    assert_eq!(server.fixture.counts("floor").await.available, 3);
    server.stop().await;
}

#[tokio::test]
async fn the_seats_of_a_large_section_are_counted_all_and_listed_in_part() {
    let server = Server::start().await;
    let mut large = crate::fixture::show("large");
    large.sections[1].layout = domain::show::Layout::Places(20_000);
    server.fixture.service.create_show(&large).await.unwrap();
    let ask = proto::CheckAvailabilityRequest {
        event_id: "large".to_owned(),
        section: "floor".to_owned(),
        quantity: 10,
        ..Default::default()
    };
    let floor = client(&server).await.check_availability(ask).await.unwrap().into_inner();
    assert_eq!((floor.remaining_in_section, floor.available_seats.len()), (20_000, 1_000));
    server.stop().await;
}

#[tokio::test]
async fn an_outage_is_a_status_not_a_refusal() {
    let server = Server::start().await;
    let mut client = client(&server).await;
    server.fixture.store.plan(Call::Commit, [Failed]);
    let status = client.reserve_seat(reserve("r1", &["A-1-1"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let held = client.reserve_seat(reserve("r1", &["A-1-1"])).await.unwrap().into_inner();
    assert_eq!(held.error, None);
    server.stop().await;
}
