//! Gives money back: voids an uncaptured payment, refunds a captured one, once.

use super::{Change, Service};
use crate::refusal::Refusal;
use crate::rows::{PaymentRow, RefundRow};
use domain::money::Money;
use domain::payment::{Command, Decision};
use domain::time::Timestamp;
use ports::payments::{CancelPayment, Cancelled};
use ports::plant::{Plant, planted};
use ports::store::Write;

/// The answer to a cancel, the same at every repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// The status of the payment and the amount given back.
    pub cancelled: Cancelled,
    /// The price, for its currency.
    pub price: Money,
    /// When it reached this end.
    pub at: Timestamp,
}

impl Service {
    /// Voids or refunds a payment. A payment is refunded at most once, in full or in part. A
    /// repetition, under any key, answers with the first refund (invariant M3). A failed payment
    /// has nothing to give back.
    ///
    /// # Errors
    /// No such payment; an amount of another currency, of nothing, or beyond the price; a failure
    /// of the store.
    pub async fn cancel_payment(
        &self,
        command: &CancelPayment,
        amount: Option<&Money>,
    ) -> Result<Cancellation, Refusal> {
        let row = self
            .update(&command.intent, |row, now| {
                if amount.is_some_and(|amount| amount.currency != row.payment.amount.currency) {
                    let words = format!("the payment is in {}", row.payment.amount.currency.as_str());
                    return Err(Refusal::invalid("refund_amount", words));
                }
                let cancel = Command::Cancel { amount: amount.map(|amount| amount.amount) };
                let Decision::Change { mut payment, refund } = self.decided(row, &cancel, now)? else {
                    return Ok(None);
                };
                let mut refund = refund.map(|amount| {
                    let amount = Money { amount, currency: payment.amount.currency.clone() };
                    let (reason, key) = (command.reason.clone(), command.idempotency_key.clone());
                    let intent = command.intent.clone();
                    RefundRow { intent, amount, reason, idempotency_key: key, at: now }.write()
                });
                if planted(Plant::RefundTwice)
                    && row.payment.refunded > 0
                    && let Some(Write::Put { key, .. }) = &mut refund
                {
                    payment.refunded += row.payment.refunded;
                    key.sort = format!("refund#{}", row.version).into();
                }
                // A scheduled outcome finds the payment voided and is dropped.
                let decided_at = row.decided_at.or(Some(now));
                let row = PaymentRow { payment, scheduled: None, decided_at, ..row.clone() };
                Ok(Some(Change {
                    row,
                    writes: refund.into_iter().collect(),
                    event: None,
                    scheduled: Vec::new(),
                }))
            })
            .await?;
        let payment = row.payment;
        Ok(Cancellation {
            cancelled: Cancelled { status: payment.status, refunded: payment.refunded },
            price: payment.amount,
            at: payment.updated_at,
        })
    }
}
