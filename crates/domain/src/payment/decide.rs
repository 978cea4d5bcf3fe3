//! What a command does to a payment.

use super::{Payment, Status};
use crate::time::Timestamp;
use core::fmt;
use std::sync::Arc;

/// What the provider came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money is taken.
    Approved,
    /// It is not.
    Failed {
        /// The provider's code.
        error_code: Arc<str>,
    },
}

/// Something that is done to a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Set the money aside; the outcome comes later.
    Authorize,
    /// The provider's outcome. An approval captures at once.
    Resolve(Outcome),
    /// Void what is not captured, refund what is.
    Cancel {
        /// How much to give back, in minor units; `None` = all of it. Ignored where nothing was taken.
        amount: Option<u64>,
    },
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The payment becomes this. `refund` is to be executed with it, in minor units and at least 1.
    Change {
        /// The payment after the command.
        payment: Payment,
        /// What goes back to the buyer.
        refund: Option<u64>,
    },
    /// It is so already: the answer is the payment as it is, and nothing is written, sent or given back.
    Unchanged,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The payment came to another end already.
    Decided(Status),
    /// More than the price, or nothing, is to be given back.
    RefundOutOfRange {
        /// What was asked.
        asked: u64,
        /// The most that can be given back.
        max: u64,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(status) => write!(f, "the payment is {} already", status.as_str().to_lowercase()),
            Self::RefundOutOfRange { asked, max } => write!(f, "cannot give back {asked}, only 1 to {max}"),
        }
    }
}

/// Decides what a command does. The same command again changes nothing.
///
/// # Errors
/// [`Rejection::Decided`] for an outcome other than the one the payment has; nothing is changed then. A cancel is refused
/// only for its amount: what is over already is answered as it is.
pub fn decide(payment: &Payment, command: &Command, now: Timestamp) -> Result<Decision, Rejection> {
    match command {
        Command::Authorize => match payment.status {
            Status::Pending => Ok(to(payment, Status::Authorized, now)),
            Status::Authorized => Ok(Decision::Unchanged),
            decided => Err(Rejection::Decided(decided)),
        },
        Command::Resolve(outcome) => resolve(payment, outcome, now),
        Command::Cancel { amount } => cancel(payment, *amount, now),
    }
}

fn resolve(payment: &Payment, outcome: &Outcome, now: Timestamp) -> Result<Decision, Rejection> {
    match (payment.status, outcome) {
        (Status::Pending | Status::Authorized, Outcome::Approved) => Ok(to(payment, Status::Captured, now)),
        (Status::Pending | Status::Authorized, Outcome::Failed { error_code }) => {
            let error_code = Some(error_code.clone());
            let payment = Payment {
                error_code,
                status: Status::Failed,
                updated_at: later(payment, now),
                ..payment.clone()
            };
            Ok(Decision::Change { payment, refund: None })
        }
        (Status::Captured, Outcome::Approved) | (Status::Failed, Outcome::Failed { .. }) => {
            Ok(Decision::Unchanged)
        }
        (decided, _) => Err(Rejection::Decided(decided)),
    }
}

fn cancel(payment: &Payment, amount: Option<u64>, now: Timestamp) -> Result<Decision, Rejection> {
    match payment.status {
        Status::Pending | Status::Authorized => Ok(to(payment, Status::Voided, now)),
        Status::Captured => {
            let max = payment.amount.amount.saturating_sub(payment.refunded);
            let refund = amount.unwrap_or(max);
            if refund == 0 || refund > max {
                return Err(Rejection::RefundOutOfRange { asked: refund, max });
            }
            let mut payment = payment.clone();
            payment.refunded += refund;
            (payment.status, payment.updated_at) = (Status::Refunded, later(&payment, now));
            Ok(Decision::Change { payment, refund: Some(refund) })
        }
        Status::Failed | Status::Voided | Status::Refunded => Ok(Decision::Unchanged),
    }
}

fn to(payment: &Payment, status: Status, now: Timestamp) -> Decision {
    let payment = Payment { status, updated_at: later(payment, now), ..payment.clone() };
    Decision::Change { payment, refund: None }
}

/// A clock that was set back does not set the payment back.
fn later(payment: &Payment, now: Timestamp) -> Timestamp {
    payment.updated_at.max(now)
}
