use super::*;
use crate::answer::Refusal;
use crate::common::v1 as common;
use crate::error::{Code, WireError};
use crate::reservation::v1 as proto;
use core::time::Duration;
use domain::hold::{BadRequest, Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::money::{Currency, Money};
use domain::seat::{SeatStatus, SeatView};
use domain::time::Timestamp;
use ports::inventory::{CommitSeats, Committed, Held, HeldState, HoldSeats, ReleaseSeats};

const AT: Timestamp = Timestamp::from_millis(1_737_626_400_123);

fn seat(text: &str) -> SeatId {
    SeatId::parse(text).unwrap()
}

fn view(text: &str, status: SeatStatus) -> SeatView {
    SeatView {
        id: seat(text),
        section: SectionId::parse("floor").unwrap(),
        row: "A".into(),
        number: "1".into(),
        price: Money { amount: 60_000, currency: Currency::krw() },
        status,
    }
}

fn hold() -> HoldSeats {
    HoldSeats {
        reservation: ReservationId::parse("rsv_1").unwrap(),
        show: ShowId::parse("evt_1").unwrap(),
        section: Some(SectionId::parse("floor").unwrap()),
        seats: vec![seat("floor-A-1"), seat("floor-A-2")],
        quantity: 2,
        person: PersonId::parse("u_1").unwrap(),
        until: AT,
    }
}

fn commit() -> CommitSeats {
    CommitSeats {
        reservation: ReservationId::parse("rsv_1").unwrap(),
        show: Some(ShowId::parse("evt_1").unwrap()),
        seats: vec![seat("floor-A-1")],
        quantity: Some(1),
        intent: Some(PaymentIntentId::parse("pay_1").unwrap()),
        person: Some(PersonId::parse("u_1").unwrap()),
    }
}

fn release(cause: Option<ReleaseCause>) -> ReleaseSeats {
    ReleaseSeats {
        reservation: ReservationId::parse("rsv_1").unwrap(),
        show: None,
        seats: Vec::new(),
        quantity: None,
        cause,
    }
}

/// One of every variant; the match makes a new variant fail to compile until it is listed here.
fn every_rejection() -> Vec<Rejection> {
    let all = vec![
        Rejection::NoSuchShow,
        Rejection::NoSuchSection,
        Rejection::NoSuchSeat(seat("Z-9")),
        Rejection::SeatTaken(vec![seat("floor-A-1"), seat("floor-A-2")]),
        Rejection::SoldOut { remaining: 3 },
        Rejection::NoSuchHold,
        Rejection::NotOwner,
        Rejection::AlreadyCommitted { order: OrderId::parse("ord_1").unwrap(), intent: None },
        Rejection::AlreadyCommitted {
            order: OrderId::parse("ord_1").unwrap(),
            intent: PaymentIntentId::parse("pay_1").ok(),
        },
        Rejection::PaymentRefused,
        Rejection::Expired,
        Rejection::NotDue { left: Duration::from_millis(1_234) },
        Rejection::BadRequest(BadRequest::NoSeats),
        Rejection::BadRequest(BadRequest::TooManySeats(11)),
        Rejection::BadRequest(BadRequest::DuplicateSeat(seat("floor-A-1"))),
        Rejection::BadRequest(BadRequest::QuantityMismatch { seats: 2, quantity: 3 }),
        Rejection::BadRequest(BadRequest::UntilInThePast),
        Rejection::BadRequest(BadRequest::DifferentSeats),
    ];
    for rejection in &all {
        match rejection {
            Rejection::NoSuchShow
            | Rejection::NoSuchSection
            | Rejection::NoSuchSeat(_)
            | Rejection::SeatTaken(_)
            | Rejection::SoldOut { .. }
            | Rejection::NoSuchHold
            | Rejection::NotOwner
            | Rejection::AlreadyCommitted { .. }
            | Rejection::PaymentRefused
            | Rejection::Expired
            | Rejection::NotDue { .. } => {}
            Rejection::BadRequest(bad) => match bad {
                BadRequest::NoSeats
                | BadRequest::TooManySeats(_)
                | BadRequest::DuplicateSeat(_)
                | BadRequest::QuantityMismatch { .. }
                | BadRequest::UntilInThePast
                | BadRequest::DifferentSeats => {}
            },
        }
    }
    all
}

/// How a client reads an error that came as a gRPC status.
fn from_status(call: Call, error: WireError) -> Option<Rejection> {
    let error = WireError::from_status(&tonic::Status::from(error)).unwrap();
    let hold = hold();
    rejection_from_error(call, Subject::from(&hold), &error)
}

fn rejected<T>(answer: Result<T, Refusal<Rejection>>) -> Option<Rejection> {
    match answer {
        Err(Refusal::Rejected(rejection)) => Some(rejection),
        _ => None,
    }
}

/// Trap T-S5: clients recognised a refusal by its text. Here particulars identify every refusal,
/// over each of the three calls.
#[test]
fn every_rejection_round_trips() {
    for rejection in every_rejection() {
        let trace = Some("abc".into());
        let got = match hold_response(&hold(), Err(&rejection), trace.as_ref()) {
            Ok(response) => rejected(held_from_proto(&hold(), response)),
            Err(status) => from_status(Call::Hold, status),
        };
        assert_eq!(got.as_ref(), Some(&rejection), "hold");
        let got = match commit_response(&commit(), Err(&rejection), None) {
            Ok(response) => rejected(committed_from_proto(&commit(), response)),
            Err(status) => from_status(Call::Commit, status),
        };
        assert_eq!(got.as_ref(), Some(&rejection), "commit");
        let got = match release_response(&release(None), Err(&rejection), None) {
            Ok(response) => rejected(released_from_proto(&release(None), response)),
            Err(status) => from_status(Call::Release, status),
        };
        assert_eq!(got.as_ref(), Some(&rejection), "release");
    }
}

#[test]
fn only_a_request_that_contradicts_itself_is_a_grpc_status() {
    for rejection in every_rejection() {
        let status = hold_response(&hold(), Err(&rejection), None).err();
        let bad = matches!(rejection, Rejection::BadRequest(_));
        assert_eq!(status.is_some(), bad, "{rejection:?}");
        assert!(status.is_none_or(|error| error.code == Code::InvalidArgument));
    }
}

#[test]
fn statuses_and_codes_are_the_documented_ones() {
    let release_of = |rejection| {
        let response = release_response(&release(None), Err(&rejection), None).unwrap();
        let error = response.error.unwrap();
        let detail = error.details[0].clone();
        (response.status, error.code, detail.field, detail.reason, detail.value)
    };
    let (failed, not_found) = (proto::ReleaseStatus::Failed as i32, proto::ReleaseStatus::NotFound as i32);
    let text = str::to_owned;
    assert_eq!(
        release_of(Rejection::NotDue { left: Duration::from_micros(1_500_001) }),
        (failed, Code::FailedPrecondition.proto(), text("hold_expires_at"), text("NOT_DUE"), text("1501"))
    );
    assert_eq!(
        release_of(Rejection::AlreadyCommitted { order: OrderId::parse("ord_1").unwrap(), intent: None }),
        (failed, Code::AlreadyExists.proto(), text("order_id"), text("ALREADY_COMMITTED"), text("ord_1"))
    );
    assert_eq!(
        release_of(Rejection::NoSuchHold),
        (not_found, Code::NotFound.proto(), text("reservation_id"), text("NO_SUCH_HOLD"), text("rsv_1"))
    );
    let commit_of = |rejection| {
        let response = commit_response(&commit(), Err(&rejection), None).unwrap();
        (response.status, response.error.unwrap().code)
    };
    assert_eq!(
        commit_of(Rejection::Expired),
        (proto::CommitStatus::FailedExpired as i32, Code::ReservationExpired.proto())
    );
    assert_eq!(
        commit_of(Rejection::NotOwner),
        (proto::CommitStatus::FailedConflict as i32, Code::InventoryConflict.proto())
    );
}

#[test]
fn every_command_round_trips() {
    let never = Timestamp::MAX;
    assert_eq!(hold_from_proto(&hold_to_proto(&hold()), never).unwrap(), hold());
    let unnamed = HoldSeats { section: None, seats: Vec::new(), ..hold() };
    assert_eq!(hold_from_proto(&hold_to_proto(&unnamed), never).unwrap(), unnamed);
    assert_eq!(commit_from_proto(&commit_to_proto(&commit())).unwrap(), commit());
    let causes =
        [None, Some(ReleaseCause::Expired), Some(ReleaseCause::PaymentFailed), Some(ReleaseCause::ByBuyer)];
    for cause in causes {
        let command = release(cause);
        assert_eq!(release_from_proto(&release_to_proto(&command)).unwrap(), command);
    }
}

#[test]
fn every_result_round_trips() {
    let order = OrderId::parse("ord_other").unwrap();
    for (state, status) in [
        (HeldState::Live, SeatStatus::Held),
        (HeldState::Committed(order.clone()), SeatStatus::Sold),
        (HeldState::Released(ReleaseCause::Expired), SeatStatus::Available),
        (HeldState::Released(ReleaseCause::PaymentFailed), SeatStatus::Available),
        (HeldState::Released(ReleaseCause::ByBuyer), SeatStatus::Available),
    ] {
        let held = Held {
            seats: vec![view("floor-A-1", status), view("floor-A-2", status)],
            total: Money { amount: 120_000, currency: Currency::krw() },
            until: AT,
            state,
        };
        let sent = hold_response(&hold(), Ok(&held), None).unwrap();
        assert_eq!(held_from_proto(&hold(), sent).unwrap(), held);
    }
    let intent = PaymentIntentId::parse("pay_1").ok();
    let committed = Committed { order, seats: vec![view("floor-A-1", SeatStatus::Sold)], at: AT, intent };
    let sent = commit_response(&commit(), Ok(&committed), None).unwrap();
    assert_eq!(committed_from_proto(&commit(), sent).unwrap(), committed);
    let mut all = vec![Released::Now { seats: vec![seat("floor-A-1")], at: AT }];
    for cause in [ReleaseCause::Expired, ReleaseCause::PaymentFailed, ReleaseCause::ByBuyer] {
        all.push(Released::Before { cause, at: AT });
    }
    for released in all {
        let sent = release_response(&release(None), Ok(&released), None).unwrap();
        assert!(sent.error.is_none());
        assert_eq!(released_from_proto(&release(None), sent).unwrap(), released);
    }
}

#[test]
fn malformed_commands_name_their_field() {
    let field = |error: WireError| {
        assert_eq!(error.code, Code::InvalidArgument);
        error.details[0].field.clone()
    };
    let good = hold_to_proto(&hold());
    let with = |change: fn(&mut proto::ReserveSeatRequest)| {
        let mut request = good.clone();
        change(&mut request);
        field(hold_from_proto(&request, AT).unwrap_err())
    };
    assert_eq!(with(|r| r.reservation_id.clear()), "reservation_id");
    assert_eq!(with(|r| r.event_id = "a\0".into()), "event_id");
    assert_eq!(with(|r| r.user_id.clear()), "user_id");
    assert_eq!(with(|r| r.quantity = -1), "quantity");
    assert_eq!(with(|r| r.seat_ids = vec!["x".repeat(129)]), "seat_ids");
    assert_eq!(with(|r| r.section = "\n".into()), "section");
    assert_eq!(
        with(|r| r.hold_expires_at = Some(prost_types::Timestamp { seconds: -1, nanos: 0 })),
        "hold_expires_at"
    );
    let release = proto::ReleaseHoldRequest {
        reservation_id: "rsv_1".into(),
        reason: "BECAUSE".into(),
        ..Default::default()
    };
    assert_eq!(field(release_from_proto(&release).unwrap_err()), "reason");
}

#[test]
fn a_hold_of_an_earlier_caller_runs_until_the_default() {
    let request = proto::ReserveSeatRequest { hold_expires_at: None, quantity: 0, ..hold_to_proto(&hold()) };
    let command = hold_from_proto(&request, Timestamp::from_millis(7)).unwrap();
    assert_eq!((command.until, command.quantity), (Timestamp::from_millis(7), 0));
}

fn bare(code: Code) -> Option<common::Error> {
    Some(WireError::new(code, "as an earlier peer says it").to_proto())
}

#[test]
fn refusals_without_particulars_are_read_by_their_code() {
    let held = |code| {
        let response = proto::ReserveSeatResponse { error: bare(code), ..Default::default() };
        rejected(held_from_proto(&hold(), response))
    };
    assert_eq!(held(Code::InventoryConflict), Some(Rejection::SeatTaken(hold().seats)));
    assert_eq!(held(Code::InsufficientInventory), Some(Rejection::SoldOut { remaining: 0 }));
    assert_eq!(held(Code::NotFound), Some(Rejection::NoSuchShow));
    assert_eq!(held(Code::Unavailable), None);
    let released = |status: proto::ReleaseStatus, code| {
        let response =
            proto::ReleaseHoldResponse { status: status as i32, error: bare(code), ..Default::default() };
        rejected(released_from_proto(&release(None), response))
    };
    let failed = proto::ReleaseStatus::Failed;
    assert_eq!(released(failed, Code::NotFound), Some(Rejection::NoSuchHold));
    assert_eq!(
        released(failed, Code::AlreadyExists),
        Some(Rejection::AlreadyCommitted { order: OrderId::parse("ord_1").unwrap(), intent: None })
    );
    assert!(
        matches!(released(failed, Code::FailedPrecondition), Some(Rejection::NotDue { left }) if !left.is_zero())
    );
    assert_eq!(released(proto::ReleaseStatus::NotFound, Code::Internal), Some(Rejection::NoSuchHold));
    assert_eq!(released(failed, Code::Internal), None);
}

#[test]
fn refusals_without_an_error_are_read_by_their_status() {
    let committed = |status: proto::CommitStatus| {
        let response = proto::CommitReservationResponse { status: status as i32, ..Default::default() };
        committed_from_proto(&commit(), response)
    };
    assert_eq!(rejected(committed(proto::CommitStatus::FailedExpired)), Some(Rejection::Expired));
    assert_eq!(rejected(committed(proto::CommitStatus::FailedConflict)), Some(Rejection::NotOwner));
    assert!(matches!(committed(proto::CommitStatus::FailedPayment), Err(Refusal::Unreadable(_))));
    assert!(matches!(committed(proto::CommitStatus::Unspecified), Err(Refusal::Unreadable(_))));
    assert_eq!(committed(proto::CommitStatus::Success).unwrap().order.as_str(), "ord_1");
    let released = |status: i32| {
        let response = proto::ReleaseHoldResponse { status, ..Default::default() };
        released_from_proto(&release(None), response)
    };
    assert_eq!(rejected(released(proto::ReleaseStatus::NotFound as i32)), Some(Rejection::NoSuchHold));
    assert!(matches!(released(proto::ReleaseStatus::Failed as i32), Err(Refusal::Unreadable(_))));
    assert!(matches!(released(77), Err(Refusal::Unreadable(_))));
}

#[test]
fn a_release_that_had_happened_is_done_even_beside_an_error() {
    let error =
        WireError::new(Code::AlreadyExists, "again").detail("reason", "RELEASED", "CANCELLED_BY_USER");
    let response = proto::ReleaseHoldResponse {
        status: proto::ReleaseStatus::AlreadyReleased as i32,
        error: Some(error.to_proto()),
        ..Default::default()
    };
    let cause = |response| match released_from_proto(&release(None), response) {
        Ok(Released::Before { cause, .. }) => Some(cause),
        _ => None,
    };
    assert_eq!(cause(response.clone()), Some(ReleaseCause::ByBuyer));
    assert_eq!(cause(proto::ReleaseHoldResponse { error: None, ..response }), Some(ReleaseCause::Expired));
}

#[test]
fn a_hold_without_seats_is_unreadable() {
    let response = proto::ReserveSeatResponse { hold_id: "rsv_1".into(), status: 1, ..Default::default() };
    assert!(matches!(held_from_proto(&hold(), response), Err(Refusal::Unreadable(_))));
}
