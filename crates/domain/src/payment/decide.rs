//! The effect of a command on a payment.

use super::{Payment, Status};
use crate::time::Timestamp;
use core::fmt;
use std::sync::Arc;

/// The provider's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money is taken.
    Approved,
    /// The money is not taken.
    Failed {
        /// The provider's code.
        error_code: Arc<str>,
    },
}

/// A command for a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Reserve the money; the outcome comes later.
    Authorize,
    /// Record the provider's outcome. An approval captures at once.
    Resolve(Outcome),
    /// Void a payment that is not captured, refund a captured one. Refunds add up (rules R3).
    Cancel {
        /// How much to refund, in minor units; `None` = what remains. Ignored if nothing was taken.
        amount: Option<u64>,
    },
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The payment becomes this. Execute `refund` together with the change, in minor units and at
    /// least 1.
    Change {
        /// The payment after the command.
        payment: Payment,
        /// The amount to refund to the buyer.
        refund: Option<u64>,
    },
    /// Nothing changes: answer with the payment; write, send and refund nothing.
    Unchanged,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The payment was already decided otherwise.
    Decided(Status),
    /// The requested refund is 0 or more than what remains of the price.
    RefundOutOfRange {
        /// The requested amount.
        asked: u64,
        /// The most that can be refunded.
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

/// Decides the effect of a command. The same command again changes nothing.
///
/// # Errors
/// [`Rejection::Decided`] for an outcome that differs from the payment's; nothing changes then. A
/// cancel is refused only for its amount: a payment that is already over is answered unchanged if
/// it names no amount.
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
            payment.updated_at = later(&payment, now);
            if refund == max {
                payment.status = Status::Refunded;
            }
            Ok(Decision::Change { payment, refund: Some(refund) })
        }
        Status::Refunded => match amount {
            Some(asked) => Err(Rejection::RefundOutOfRange { asked, max: 0 }),
            None => Ok(Decision::Unchanged),
        },
        Status::Failed | Status::Voided => Ok(Decision::Unchanged),
    }
}

fn to(payment: &Payment, status: Status, now: Timestamp) -> Decision {
    let payment = Payment { status, updated_at: later(payment, now), ..payment.clone() };
    Decision::Change { payment, refund: None }
}

/// A clock that was set back does not set the payment's time back.
fn later(payment: &Payment, now: Timestamp) -> Timestamp {
    payment.updated_at.max(now)
}
