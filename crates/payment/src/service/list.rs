//! Lists the payments of a person or of a reservation, newest first, a page at a time.

use super::Service;
use crate::refusal::Refusal;
use crate::rows::{BY_PERSON, BY_RESERVATION, PaymentRow, payment_key};
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::payment::Status;
use domain::time::Timestamp;
use ports::store::Entry;

/// Payments on a page: the default and the maximum.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 100;

/// A filter of payments and the requested page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPayments {
    /// Only payments of this person.
    pub person: Option<PersonId>,
    /// Only payments for this reservation.
    pub reservation: Option<ReservationId>,
    /// Only payments with this status.
    pub status: Option<Status>,
    /// The largest number of payments; 0 = 50.
    pub page_size: usize,
    /// The page after this one: [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub payments: Vec<PaymentRow>,
    /// The cursor of the next page, if there may be one.
    pub next: Option<String>,
}

impl Service {
    /// Lists payments. The caller must name a person or a reservation: no request reads everybody's
    /// payments.
    ///
    /// # Errors
    /// Neither is named; a page size beyond 100; a cursor that is not one of ours; a failure of the
    /// store.
    pub async fn list(&self, request: &ListPayments) -> Result<Page, Refusal> {
        let (index, shard) = match (&request.person, &request.reservation) {
            (_, Some(reservation)) => (BY_RESERVATION, reservation.as_str()),
            (Some(person), None) => (BY_PERSON, person.as_str()),
            (None, None) => return Err(Refusal::invalid("user_id", "name a user_id or a reservation_id")),
        };
        let size = match request.page_size {
            0 => PAGE_DEFAULT,
            size if size <= PAGE_MAX => size,
            _ => {
                return Err(Refusal::invalid(
                    "pagination.page_size",
                    format!("page_size is at most {PAGE_MAX}"),
                ));
            }
        };
        let mut after = request.cursor.as_deref().map(read_cursor).transpose()?;
        let mut payments = Vec::new();
        loop {
            let entries =
                self.inner.table.due(index, shard, after.as_ref(), Timestamp::MAX, PAGE_MAX).await?;
            if entries.is_empty() {
                return Ok(Page { payments, next: None });
            }
            let keys: Vec<_> = entries.iter().map(|entry| entry.key.clone()).collect();
            let rows = self.inner.table.rows(&keys).await?;
            for (entry, row) in entries.into_iter().zip(rows) {
                if payments.len() == size {
                    let next = after.as_ref().map(write_cursor);
                    return Ok(Page { payments, next });
                }
                // The index may name a row that is gone or no longer matches.
                let row = row
                    .map(|row| PaymentRow::read(&row))
                    .transpose()
                    .map_err(|why| ports::Fault::permanent("a listed payment cannot be read").because(why))?;
                payments.extend(row.filter(|row| fits(row, request)));
                after = Some(entry);
            }
        }
    }
}

fn fits(row: &PaymentRow, request: &ListPayments) -> bool {
    request.status.is_none_or(|status| row.payment.status == status)
        && (request.person.is_none() || row.payment.person == request.person)
}

fn write_cursor(entry: &Entry) -> String {
    let intent = entry.key.partition.split_once('#').map_or("", |(_, intent)| intent);
    format!("{}.{intent}", entry.at.as_millis())
}

fn read_cursor(text: &str) -> Result<Entry, Refusal> {
    let entry = text.split_once('.').and_then(|(at, intent)| {
        let at = Timestamp::from_millis(at.parse().ok()?);
        Some(Entry { at, key: payment_key(&PaymentIntentId::parse(intent).ok()?) })
    });
    entry.ok_or_else(|| Refusal::invalid("pagination.cursor", "the cursor is not one of this service"))
}
