//! The inventory's decisions and their answers.

use super::{Hold, Stock};
use crate::journal::{Called, Lane, Outcome, Tag};
use crate::peer::Fate;
use contracts::common::v1::Seat;
use contracts::inventory_wire as wire;
use contracts::reservation::v1::{
    CommitReservationRequest, CommitReservationResponse, CommitStatus, ReleaseHoldRequest,
    ReleaseHoldResponse, ReleaseStatus,
};
use domain::hold::{Rejection, ReleaseCause};
use domain::id::{OrderId, ReservationId};
use domain::seat::SeatStatus;
use prost_types::Timestamp;
use std::sync::atomic::Ordering;

/// An outage, or a request that no client of ours sends: a gRPC status and its message.
pub(super) type Status = (u8, &'static str);

const INVALID_ARGUMENT: Status = (3, "the request cannot be read");
pub(super) const UNAVAILABLE: Status = (14, "the stand-in fails on purpose");

impl Stock {
    pub(super) async fn commit(
        &self,
        tag: Tag,
        request: CommitReservationRequest,
    ) -> Result<CommitReservationResponse, Status> {
        let lane = Lane::from_reservation(&request.reservation_id);
        let fate = self.peer.take(Called::Commit, tag, lane).await;
        let mut answer = Ok(CommitReservationResponse::default());
        let mut outcome = Outcome::Failed;
        if fate != Fate::Fail {
            (outcome, answer) = self.decide_commit(request);
        }
        self.peer.ended(Called::Commit, tag, lane, fate, outcome);
        if fate == Fate::Answer { answer } else { Err(UNAVAILABLE) }
    }

    fn decide_commit(
        &self,
        request: CommitReservationRequest,
    ) -> (Outcome, Result<CommitReservationResponse, Status>) {
        let Ok(reservation) = ReservationId::parse(&request.reservation_id) else {
            return (Outcome::Failed, Err(INVALID_ARGUMENT));
        };
        let expired = {
            let mut holds = self.holds();
            let hold = entry(&mut holds, &request.reservation_id);
            hold.commits += 1;
            let expired = !hold.committed && hold.released.is_some() && self.sold_out.load(Ordering::Relaxed);
            if !expired && !hold.committed {
                hold.committed = true;
                hold.effects += 1;
                (Outcome::Effect, false)
            } else {
                (if expired { Outcome::Refused } else { Outcome::Repeated }, expired)
            }
        };
        let (outcome, expired) = expired;
        if expired {
            let refused = wire::commit_from_proto(&request)
                .and_then(|command| wire::commit_response(&command, Err(&Rejection::Expired), None));
            return (outcome, refused.map_err(|_| INVALID_ARGUMENT));
        }
        let sold = CommitReservationResponse {
            order_id: OrderId::for_reservation(&reservation).as_str().to_owned(),
            sold_seats: seats(request.seat_ids, SeatStatus::Sold),
            status: CommitStatus::Success as i32,
            committed_at: Some(now()),
            error: None,
            payment_intent_id: String::new(),
        };
        (outcome, Ok(sold))
    }

    pub(super) async fn release(
        &self,
        tag: Tag,
        request: ReleaseHoldRequest,
    ) -> Result<ReleaseHoldResponse, Status> {
        let lane = Lane::from_reservation(&request.reservation_id);
        let fate = self.peer.take(Called::Release, tag, lane).await;
        let mut answer = Ok(ReleaseHoldResponse::default());
        let mut outcome = Outcome::Failed;
        if fate != Fate::Fail {
            (outcome, answer) = self.decide_release(request);
        }
        self.peer.ended(Called::Release, tag, lane, fate, outcome);
        if fate == Fate::Answer { answer } else { Err(UNAVAILABLE) }
    }

    fn decide_release(&self, request: ReleaseHoldRequest) -> (Outcome, Result<ReleaseHoldResponse, Status>) {
        let before = {
            let mut holds = self.holds();
            let hold = entry(&mut holds, &request.reservation_id);
            hold.releases += 1;
            if hold.committed {
                Err(())
            } else if let Some(cause) = hold.released {
                Ok(Some(cause))
            } else {
                hold.released = Some(ReleaseCause::parse(&request.reason).unwrap_or(ReleaseCause::Expired));
                hold.effects += 1;
                Ok(None)
            }
        };
        match before {
            Err(()) => {
                let refused = ReservationId::parse(&request.reservation_id).ok().and_then(|id| {
                    let order = OrderId::for_reservation(&id);
                    let sold = Rejection::AlreadyCommitted { order, intent: None };
                    let command = wire::release_from_proto(&request).ok()?;
                    wire::release_response(&command, Err(&sold), None).ok()
                });
                (Outcome::Refused, refused.ok_or(INVALID_ARGUMENT))
            }
            Ok(Some(cause)) => {
                let again = ReleaseHoldResponse {
                    released_seats: Vec::new(),
                    status: ReleaseStatus::AlreadyReleased as i32,
                    released_at: Some(now()),
                    error: None,
                    reason: cause.as_str().to_owned(),
                };
                (Outcome::Repeated, Ok(again))
            }
            Ok(None) => {
                let released = ReleaseHoldResponse {
                    released_seats: seats(request.seat_ids, SeatStatus::Available),
                    status: ReleaseStatus::Success as i32,
                    released_at: Some(now()),
                    error: None,
                    reason: String::new(),
                };
                (Outcome::Effect, Ok(released))
            }
        }
    }
}

fn entry<'h>(holds: &'h mut std::collections::HashMap<String, Hold>, reservation: &str) -> &'h mut Hold {
    if !holds.contains_key(reservation) {
        holds.insert(reservation.to_owned(), Hold::default());
    }
    holds.get_mut(reservation).expect("it was put there")
}

fn seats(ids: Vec<String>, status: SeatStatus) -> Vec<Seat> {
    let status = contracts::vocabulary::seat_status_to_proto(status) as i32;
    ids.into_iter().map(|id| Seat { id, status, ..Seat::default() }).collect()
}

fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp { seconds: now.as_second(), nanos: now.subsec_nanosecond() }
}
