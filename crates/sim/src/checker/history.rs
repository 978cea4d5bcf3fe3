//! Checks of history: which changes of a row are allowed.

use crate::table::Change;
use census::Table;
use domain::hold::HoldState;
use domain::payment::Status as Paid;
use domain::reservation::{Reservation, Status};
use domain::seat::SeatState;

/// Whether a row may change like this.
pub(super) fn history(table: Table, change: &Change<'_>) -> Result<(), (&'static str, String)> {
    let partition = &*change.key.partition;
    let Some(before) = change.before else { return Ok(()) };
    match table {
        Table::Inventory if partition.starts_with("hold#") => {
            let Ok(was) = inventory::rows::read_hold(before) else { return Ok(()) };
            let is = change.after.map(inventory::rows::read_hold);
            let Some(Ok(is)) = is else {
                return Err(("I4", format!("the hold of {} is gone", was.reservation)));
            };
            if was.state != HoldState::Live && was.state != is.state {
                let text = format!("{} was {:?} and is {:?}", was.reservation, was.state, is.state);
                return Err(("I4", text));
            }
        }
        Table::Inventory if partition.starts_with("seats#") => {
            let Ok(was) = inventory::rows::read_seat(before) else { return Ok(()) };
            let is = change.after.and_then(|row| inventory::rows::read_seat(row).ok());
            if let SeatState::Sold { .. } = was.seat.state
                && is.as_ref().map(|is| &is.seat.state) != Some(&was.seat.state)
            {
                return Err((
                    "I6",
                    format!("seat {} was sold and is {:?}", was.id, is.map(|is| is.seat.state)),
                ));
            }
        }
        Table::Inventory => {}
        Table::Reservation => {
            let read = |row| match reservation::rows::AnyRow::read(row) {
                Some(reservation::rows::AnyRow::Reservation(stored)) => Some(stored.reservation),
                _ => None,
            };
            let Some(was) = read(before) else { return Ok(()) };
            return reservation_moves(&was, change.after.and_then(read).as_ref());
        }
        Table::Payment => {
            let read = |row| match payment::rows::AnyRow::read(row) {
                Ok(Some(payment::rows::AnyRow::Payment(stored))) => Some(stored.payment),
                _ => None,
            };
            let Some(was) = read(before) else { return Ok(()) };
            let is = change.after.and_then(read);
            let Some(is) = is else { return Err(("M3", format!("payment {} is gone", was.intent))) };
            if !may_follow(was.status, is.status) {
                let text = format!("payment {} was {:?} and is {:?}", was.intent, was.status, is.status);
                return Err(("M3", text));
            }
        }
    }
    Ok(())
}

/// A confirmed reservation stays confirmed, one that its buyer cancelled does not get its seats
/// back (rules R6), and an end is final.
fn reservation_moves(was: &Reservation, is: Option<&Reservation>) -> Result<(), (&'static str, String)> {
    let Some(is) = is else { return Err(("X1", format!("reservation {} is gone", was.id))) };
    let fine = match was.status {
        Status::Hold => true,
        Status::Confirmed => is.status == Status::Confirmed && is.order == was.order && is.seats == was.seats,
        _ if was.is_cancelled_by_buyer() => is.status == was.status && is.is_cancelled_by_buyer(),
        Status::Cancelled | Status::Expired => is.status != Status::Hold,
    };
    let (from, to) = (was.status.as_str(), is.status.as_str());
    if fine { Ok(()) } else { Err(("X1", format!("reservation {} was {from} and is {to}", was.id))) }
}

/// Payments only move forward (docs/design.md#reservations-and-payments).
fn may_follow(was: Paid, is: Paid) -> bool {
    use Paid::{Authorized, Captured, Failed, Pending, Refunded, Voided};
    was == is
        || match was {
            Pending => true,
            Authorized => matches!(is, Captured | Failed | Voided),
            Captured => is == Refunded,
            Failed | Voided | Refunded => false,
        }
}
