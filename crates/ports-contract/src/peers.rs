//! Suites that every implementation of [`Inventory`], [`Reservations`] and [`Payments`] must pass:
//! the service itself in one process, its client over sockets with the service at the other end,
//! and a fake that stands in for it.
//!
//! A suite is run with one call, such as [`inventory::check`]. It makes its own shows, reservations
//! and payments through a harness, and panics at the first answer that breaks the contract. The
//! cases share nothing, so a harness may keep one service for all of them. Time is the harness's: a
//! virtual clock jumps, a real one waits.
//!
//! [`Inventory`]: ports::Inventory
//! [`Reservations`]: ports::Reservations
//! [`Payments`]: ports::Payments

pub mod inventory;
pub mod payments;
pub mod reservations;

use ports::fault::PortError;

/// The rejection of a call that must be rejected.
#[track_caller]
fn refusal<T: core::fmt::Debug, R>(answer: Result<T, PortError<R>>) -> R {
    match answer {
        Err(PortError::Rejected(rejection)) => rejection,
        Err(PortError::Failed(fault)) => panic!("a refusal was expected, the call failed: {}", fault.chain()),
        Ok(result) => panic!("a refusal was expected, the answer was {result:?}"),
    }
}

/// The result of a call that must succeed.
#[track_caller]
fn result<T, R: core::fmt::Debug>(answer: Result<T, PortError<R>>) -> T {
    match answer {
        Ok(result) => result,
        Err(PortError::Rejected(rejection)) => panic!("refused: {rejection:?}"),
        Err(PortError::Failed(fault)) => panic!("failed: {}", fault.chain()),
    }
}
