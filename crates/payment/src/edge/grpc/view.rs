//! A caller's view of a stored payment.

use crate::rows::PaymentRow;
use contracts::payment::v1 as proto;
use contracts::{payment_wire as wire, time};
use domain::payment::Status;

/// A payment with the fields that only this service knows.
pub(super) fn payment(row: &PaymentRow) -> proto::Payment {
    let mut shown = wire::payment_to_proto(&row.payment);
    shown.method = row.method as i32;
    shown.transaction_id = transaction(row);
    shown.processed_at = row.decided_at.map(time::to_proto);
    shown.result = result(row);
    shown
}

/// The answer to ProcessPayment.
pub(super) fn processed(row: &PaymentRow) -> proto::ProcessPaymentResponse {
    proto::ProcessPaymentResponse {
        payment_id: row.payment.intent.to_string(),
        status: wire::status_to_proto(row.payment.status) as i32,
        processed_at: row.decided_at.map(time::to_proto),
        transaction_id: transaction(row),
        result: result(row),
        error: None,
    }
}

/// Moved money has a transaction; its id is derived from the intent.
fn transaction(row: &PaymentRow) -> String {
    match row.payment.status {
        Status::Captured | Status::Refunded => {
            let intent = row.payment.intent.as_str();
            format!("txn_{}", intent.strip_prefix("pay_").unwrap_or(intent))
        }
        _ => String::new(),
    }
}

/// The provider's answer; none before it decided.
fn result(row: &PaymentRow) -> Option<proto::PaymentResult> {
    if !row.payment.status.is_decided() {
        return None;
    }
    let success = matches!(row.payment.status, Status::Captured | Status::Refunded);
    let code = row.payment.error_code.as_deref();
    let failure_reason = code.map(|code| format!("{code}: {}", crate::error_text::message(code)));
    Some(proto::PaymentResult {
        success,
        failure_reason: failure_reason.unwrap_or_default(),
        gateway_response: wire::status_text(row.payment.status).to_owned(),
        response_code: i32::from(!success),
        processed_at: row.decided_at.map(time::to_proto),
    })
}
