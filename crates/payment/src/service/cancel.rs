//! Gives money back: voids an uncaptured payment, refunds a captured one, once.

use super::{Change, Service};
use crate::refusal::Refusal;
use crate::rows::{PaymentRow, RefundRow, refund_key};
use domain::money::Money;
use domain::payment::{Command, Decision, Rejection, Status};
use domain::time::Timestamp;
use ports::payments::{CancelPayment, Cancelled};
use ports::plant::{Plant, planted};
use ports::store::Write;
use ports::{Fault, FaultClass};

/// The longest idempotency key of a refund: it is a part of a sort key, which has 1,024 bytes.
const KEY_BYTES_MAX: usize = 512;

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
    /// Voids or refunds a payment. Refunds add up, each under its idempotency key, to at most what
    /// was taken; a refund without an amount gives back what remains (rules R3). The same key again
    /// answers with its refund and gives nothing more (invariant M3). A payment of which nothing is
    /// left has nothing to give back.
    ///
    /// # Errors
    /// No such payment; an amount of another currency, of nothing, or beyond what remains; a key
    /// that refunded another amount; a failure of the store.
    pub async fn cancel_payment(
        &self,
        command: &CancelPayment,
        amount: Option<&Money>,
    ) -> Result<Cancellation, Refusal> {
        if command.idempotency_key.len() > KEY_BYTES_MAX {
            let words = format!("the key has more than {KEY_BYTES_MAX} bytes");
            return Err(Refusal::invalid("idempotency_key", words));
        }
        if let Some(before) = self.refund_under(command, amount).await? {
            return Ok(before);
        }
        match self.cancel_once(command, amount).await {
            // The same request may have been faster: then its refund is the answer.
            Err(refusal) if may_be_repeated(&refusal) => {
                self.refund_under(command, amount).await?.ok_or(refusal)
            }
            answer => answer,
        }
    }

    async fn cancel_once(
        &self,
        command: &CancelPayment,
        amount: Option<&Money>,
    ) -> Result<Cancellation, Refusal> {
        let mut refunded = None;
        let row = self
            .update(&command.intent, |row, now| {
                refunded = None;
                if amount.is_some_and(|amount| amount.currency != row.payment.amount.currency) {
                    let words = format!("the payment is in {}", row.payment.amount.currency.as_str());
                    return Err(Refusal::invalid("refund_amount", words));
                }
                let cancel = Command::Cancel { amount: amount.map(|amount| amount.amount) };
                let Decision::Change { mut payment, refund } = self.decided(row, &cancel, now)? else {
                    return Ok(None);
                };
                refunded = refund;
                if planted(Plant::PartIsAll) && refund.is_some() {
                    payment.status = Status::Refunded;
                }
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
                // A scheduled outcome finds the payment voided and is dropped. A part of a payment
                // that goes back decides nothing.
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
            cancelled: Cancelled { status: payment.status, refunded: refunded.unwrap_or(payment.refunded) },
            price: payment.amount,
            at: payment.updated_at,
        })
    }

    /// The answer to an earlier request under the same key.
    async fn refund_under(
        &self,
        command: &CancelPayment,
        amount: Option<&Money>,
    ) -> Result<Option<Cancellation>, Refusal> {
        if planted(Plant::RefundTwice) {
            return Ok(None);
        }
        let key = refund_key(&command.intent, &command.idempotency_key);
        let [row] = self.inner.table.get([key]).await?;
        let Some(row) = row else { return Ok(None) };
        let unreadable =
            |why| Fault::permanent(format!("a refund of payment {}", command.intent)).because(why);
        let refund = RefundRow::read(&row).map_err(unreadable)?;
        if amount.is_some_and(|amount| *amount != refund.amount) {
            return Err(Refusal::OtherRequest);
        }
        let payment = self.get(&command.intent).await?.payment;
        Ok(Some(Cancellation {
            cancelled: Cancelled { status: payment.status, refunded: refund.amount.amount },
            price: payment.amount,
            at: refund.at,
        }))
    }
}

/// Whether the same request, at the same time, may be the reason of a refusal.
fn may_be_repeated(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Failed(fault) => fault.class == FaultClass::Conflict,
        Refusal::Rejected(_, Rejection::RefundOutOfRange { .. }) => true,
        _ => false,
    }
}
