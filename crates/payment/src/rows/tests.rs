use super::*;

fn stored(write: Write, version: u64) -> Row {
    let Write::Put { key, attributes, .. } = write else { panic!("a put") };
    Row { key, version, attributes }
}

fn payment(status: Status, scheduled: Option<Scheduled>) -> PaymentRow {
    PaymentRow {
        payment: Payment {
            intent: PaymentIntentId::parse("pay_1").unwrap(),
            reservation: ReservationId::parse("rsv_1").unwrap(),
            person: PersonId::parse("u_1").ok(),
            amount: Money { amount: 120_000, currency: Currency::krw() },
            status,
            refunded: 7,
            error_code: Some("CARD_DECLINED".into()),
            created_at: Timestamp::from_millis(1),
            updated_at: Timestamp::from_millis(2),
        },
        version: 3,
        scenario: Scenario::Delay,
        method: PaymentMethod::CreditCard,
        webhook_url: Some("http://127.0.0.1:1/x".into()),
        decided_at: Some(Timestamp::from_millis(2)),
        scheduled,
        webhooks: 4,
        trace: Trace { trace_id: Some("t".into()), traceparent: None },
    }
}

#[test]
fn rows_are_read_back_as_they_were_written() {
    let failure = Outcome::Failed { error_code: "X".into() };
    for outcome in [None, Some(Outcome::Approved), Some(failure)] {
        let scheduled = outcome.map(|outcome| Scheduled { at: Timestamp::from_millis(9), outcome });
        for status in Status::ALL {
            let row = payment(status, scheduled.clone());
            assert_eq!(AnyRow::read(&stored(row.write(), 3)), Ok(Some(AnyRow::Payment(row))));
        }
    }
    let refund = RefundRow {
        intent: PaymentIntentId::parse("pay_1").unwrap(),
        amount: Money { amount: 5, currency: Currency::krw() },
        reason: "no seat".into(),
        idempotency_key: "k".into(),
        at: Timestamp::from_millis(5),
    };
    assert_eq!(AnyRow::read(&stored(refund.write(), 1)), Ok(Some(AnyRow::Refund(refund))));
    for delivery in [Delivery::Pending, Delivery::Delivered, Delivery::GivenUp] {
        let webhook = WebhookRow {
            id: "whk_1".into(),
            intent: PaymentIntentId::parse("pay_1").unwrap(),
            version: 2,
            url: "http://127.0.0.1:1/x".into(),
            body: "{}".into(),
            delivery,
            attempts: 1,
            due_at: Timestamp::from_millis(5),
            last_error: Some("503".into()),
            traceparent: None,
            created_at: Timestamp::from_millis(4),
        };
        assert_eq!(AnyRow::read(&stored(webhook.write(), 2)), Ok(Some(AnyRow::Webhook(webhook))));
    }
}

#[test]
fn only_what_is_due_later_is_in_the_due_index() {
    let entries = |row: &PaymentRow| row.index_entries().iter().filter(|entry| entry.index == DUE).count();
    assert_eq!(entries(&payment(Status::Captured, None)), 0);
    let scheduled = Scheduled { at: Timestamp::from_millis(9), outcome: Outcome::Approved };
    assert_eq!(entries(&payment(Status::Authorized, Some(scheduled))), 1);
}

#[test]
fn foreign_rows_are_left_alone_and_broken_ones_say_what_is_wrong() {
    let foreign = Row { key: outbox::row_key("evt_1"), version: 1, attributes: Attributes::new() };
    assert_eq!(AnyRow::read(&foreign), Ok(None));
    let intent = PaymentIntentId::parse("pay_1").unwrap();
    let broken = Row { key: payment_key(&intent), version: 1, attributes: Attributes::new() };
    assert!(matches!(AnyRow::read(&broken), Err(Unreadable(_))));
}

#[test]
fn lists_show_the_newest_first() {
    assert!(newest_first(Timestamp::from_millis(2)) < newest_first(Timestamp::from_millis(1)));
}
