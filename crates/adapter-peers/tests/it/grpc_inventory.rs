//! What the inventory's answers mean, in both error styles.

use crate::servers::{Peer, class, clock, fault, patient, rejection};
use adapter_peers::InventoryClient;
use contracts::common::v1 as common;
use contracts::error::{Code, WireError};
use contracts::reservation::v1 as rsv;
use core::time::Duration;
use domain::hold::{BadRequest, Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::time::Timestamp;
use ports::inventory::{
    CommitSeats, HeldState, HoldSeats, Inventory, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::{CallContext, FaultClass};
use std::sync::Arc;
use tonic::Status;

struct Setup {
    peer: Arc<Peer>,
    client: InventoryClient,
    cx: CallContext,
}

async fn setup() -> Setup {
    let (peer, address) = Peer::serve().await;
    let client = InventoryClient::new(&address, patient(), clock()).unwrap();
    Setup { peer, client, cx: CallContext::default() }
}

pub(crate) fn hold() -> HoldSeats {
    HoldSeats {
        reservation: ReservationId::parse("rsv_1").unwrap(),
        show: ShowId::parse("evt_1").unwrap(),
        section: None,
        seats: vec![SeatId::parse("floor-A-1").unwrap(), SeatId::parse("floor-A-2").unwrap()],
        quantity: 0,
        person: PersonId::parse("u_1").unwrap(),
        until: Timestamp::from_millis(1_737_626_460_000),
    }
}

pub(crate) fn commit() -> CommitSeats {
    CommitSeats {
        reservation: ReservationId::parse("rsv_1").unwrap(),
        show: None,
        seats: Vec::new(),
        quantity: None,
        intent: Some(PaymentIntentId::parse("pay_1").unwrap()),
        person: None,
    }
}

pub(crate) fn release() -> ReleaseSeats {
    ReleaseSeats {
        reservation: ReservationId::parse("rsv_1").unwrap(),
        show: None,
        seats: Vec::new(),
        quantity: None,
        cause: Some(ReleaseCause::Expired),
    }
}

fn error(code: Code) -> Option<common::Error> {
    Some(WireError::new(code, "as a peer says it").to_proto())
}

fn seat(id: &str) -> common::Seat {
    common::Seat { id: id.into(), ..common::Seat::default() }
}

#[tokio::test]
async fn a_hold_of_an_earlier_peer_is_understood() {
    let s = setup().await;
    s.peer.reserve.message(rsv::ReserveSeatResponse {
        hold_id: "another-name".into(),
        reserved_seats: vec![seat("floor-A-1"), seat("floor-A-2")],
        status: rsv::HoldStatus::Active as i32,
        // Some always send an error and leave it empty.
        error: Some(common::Error::default()),
        ..Default::default()
    });
    let held = s.client.hold(&s.cx, hold()).await.unwrap();
    assert_eq!((held.state, held.until, held.seats.len()), (HeldState::Live, hold().until, 2));
    let (request, _) = s.peer.reserve.last();
    assert_eq!((request.reservation_id.as_str(), request.user_id.as_str()), ("rsv_1", "u_1"));
    assert_eq!(request.seat_ids, ["floor-A-1", "floor-A-2"]);
}

#[tokio::test]
async fn refusals_inside_of_an_answer_are_understood() {
    let s = setup().await;
    let taken = WireError::new(Code::InventoryConflict, "taken").detail("seat_ids", "TAKEN", "floor-A-2");
    s.peer.reserve.message(rsv::ReserveSeatResponse { error: Some(taken.to_proto()), ..Default::default() });
    assert_eq!(
        rejection(s.client.hold(&s.cx, hold()).await),
        Rejection::SeatTaken(vec![SeatId::parse("floor-A-2").unwrap()])
    );
    s.peer.reserve.message(rsv::ReserveSeatResponse {
        error: error(Code::InsufficientInventory),
        ..Default::default()
    });
    assert_eq!(rejection(s.client.hold(&s.cx, hold()).await), Rejection::SoldOut { remaining: 0 });
    s.peer.commit.message(rsv::CommitReservationResponse {
        status: rsv::CommitStatus::FailedExpired as i32,
        error: error(Code::ReservationExpired),
        ..Default::default()
    });
    assert_eq!(rejection(s.client.commit(&s.cx, commit()).await), Rejection::Expired);
    s.peer.commit.message(rsv::CommitReservationResponse {
        status: rsv::CommitStatus::FailedConflict as i32,
        ..Default::default()
    });
    assert_eq!(rejection(s.client.commit(&s.cx, commit()).await), Rejection::NotOwner);
    let not_due =
        WireError::new(Code::FailedPrecondition, "wait").detail("hold_expires_at", "NOT_DUE", "1500");
    s.peer.release.message(rsv::ReleaseHoldResponse {
        status: rsv::ReleaseStatus::Failed as i32,
        error: Some(not_due.to_proto()),
        ..Default::default()
    });
    let left = Duration::from_millis(1500);
    assert_eq!(rejection(s.client.release(&s.cx, release()).await), Rejection::NotDue { left });
    s.peer.release.message(rsv::ReleaseHoldResponse {
        status: rsv::ReleaseStatus::Failed as i32,
        error: error(Code::AlreadyExists),
        ..Default::default()
    });
    assert_eq!(
        rejection(s.client.release(&s.cx, release()).await),
        Rejection::AlreadyCommitted { order: OrderId::parse("ord_1").unwrap(), intent: None }
    );
}

#[tokio::test]
async fn a_grpc_status_is_a_refusal_only_with_our_details() {
    let s = setup().await;
    let no_hold = WireError::new(Code::NotFound, "no hold").detail("reservation_id", "NO_SUCH_HOLD", "rsv_1");
    s.peer.release.status(no_hold.into());
    assert_eq!(rejection(s.client.release(&s.cx, release()).await), Rejection::NoSuchHold);
    let many = WireError::new(Code::InvalidArgument, "many").detail("quantity", "TOO_MANY_SEATS", "11");
    s.peer.reserve.status(many.into());
    assert_eq!(
        rejection(s.client.hold(&s.cx, hold()).await),
        Rejection::BadRequest(BadRequest::TooManySeats(11))
    );
    for bare in [
        Status::not_found("no hold"),
        Status::failed_precondition("hold expired"),
        Status::already_exists("committed"),
        Status::invalid_argument("?"),
    ] {
        s.peer.commit.status(bare.clone());
        assert_eq!(class(s.client.commit(&s.cx, commit()).await), FaultClass::Transient, "{bare}");
        s.peer.release.status(bare.clone());
        assert_eq!(class(s.client.release(&s.cx, release()).await), FaultClass::Transient, "{bare}");
    }
}

/// Case P2: what meshes and proxies answer is not the peer's answer.
#[tokio::test]
async fn a_status_that_proxies_give_means_that_the_peer_was_not_reached() {
    let s = setup().await;
    for status in [
        Status::unimplemented("unknown service"),
        Status::unauthenticated("who are you"),
        Status::permission_denied("RBAC: access denied"),
        Status::unavailable("no healthy upstream"),
        Status::resource_exhausted("too many requests"),
    ] {
        s.peer.commit.status(status.clone());
        assert_eq!(class(s.client.commit(&s.cx, commit()).await), FaultClass::NotReached, "{status}");
    }
}

/// Rules R8: UNIMPLEMENTED to a call that was added later comes from an older peer, if the peer has
/// answered, and else from something that is not the peer.
#[tokio::test]
async fn an_older_inventory_is_told_from_one_that_is_not_reached() {
    let s = setup().await;
    let refuse = || RefusePayment {
        reservation: release().reservation,
        intent: PaymentIntentId::parse("pay_1").unwrap(),
    };
    s.peer.refuse.status(Status::unimplemented("unknown method"));
    assert_eq!(class(s.client.refuse(&s.cx, refuse()).await), FaultClass::NotReached);
    s.peer.release.message(rsv::ReleaseHoldResponse {
        status: rsv::ReleaseStatus::AlreadyReleased as i32,
        ..Default::default()
    });
    s.client.release(&s.cx, release()).await.unwrap();
    s.peer.refuse.status(Status::unimplemented("unknown method"));
    assert_eq!(class(s.client.refuse(&s.cx, refuse()).await), FaultClass::Unsupported);
    for (status, expected) in [
        (rsv::RefuseStatus::Recorded, PaymentRefused::Recorded),
        (rsv::RefuseStatus::NoHold, PaymentRefused::NoHold),
    ] {
        s.peer.refuse.message(rsv::RefusePaymentResponse { status: status as i32, error: None });
        assert_eq!(s.client.refuse(&s.cx, refuse()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_release_that_had_happened_is_done() {
    let s = setup().await;
    s.peer.release.message(rsv::ReleaseHoldResponse {
        status: rsv::ReleaseStatus::AlreadyReleased as i32,
        ..Default::default()
    });
    let released = s.client.release(&s.cx, release()).await.unwrap();
    assert!(matches!(released, Released::Before { cause: ReleaseCause::Expired, .. }));
    // Case P5: without a cause, the bytes 10 02, it is the command's own.
    s.peer.release.message(rsv::ReleaseHoldResponse {
        status: rsv::ReleaseStatus::AlreadyReleased as i32,
        ..Default::default()
    });
    let failed = ReleaseSeats { cause: Some(ReleaseCause::PaymentFailed), ..release() };
    let released = s.client.release(&s.cx, failed).await.unwrap();
    assert!(matches!(released, Released::Before { cause: ReleaseCause::PaymentFailed, .. }));
    s.peer.release.message(rsv::ReleaseHoldResponse {
        status: rsv::ReleaseStatus::AlreadyReleased as i32,
        ..Default::default()
    });
    s.client.release(&s.cx, release()).await.unwrap();
    assert_eq!(s.peer.release.last().0.reason, "EXPIRED");
}

#[tokio::test]
async fn failures_have_their_class_in_both_styles() {
    let s = setup().await;
    for (code, expected) in [
        (Code::Unavailable, FaultClass::NotReached),
        (Code::Timeout, FaultClass::Unavailable),
        (Code::UpstreamTimeout, FaultClass::Unavailable),
        (Code::Internal, FaultClass::Transient),
        (Code::ConcurrentModification, FaultClass::Transient),
        (Code::RateLimited, FaultClass::NotReached),
        (Code::InvalidArgument, FaultClass::Permanent),
        (Code::Unauthenticated, FaultClass::NotReached),
    ] {
        let refused = rsv::ReleaseHoldResponse {
            status: rsv::ReleaseStatus::Failed as i32,
            error: error(code),
            ..Default::default()
        };
        s.peer.release.message(refused);
        assert_eq!(class(s.client.release(&s.cx, release()).await), expected, "{code} in-band");
        s.peer.release.status(WireError::new(code, "m").into());
        assert_eq!(class(s.client.release(&s.cx, release()).await), expected, "{code} as a status");
    }
    s.peer.release.status(Status::unknown("boom"));
    assert_eq!(class(s.client.release(&s.cx, release()).await), FaultClass::Transient);
    s.peer.release.message(rsv::ReleaseHoldResponse::default());
    let odd = fault(s.client.release(&s.cx, release()).await);
    assert_eq!(odd.class, FaultClass::Transient);
    assert!(odd.message.starts_with("inventory ReleaseHold: "), "{odd}");
}
