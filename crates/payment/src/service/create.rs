//! Opens intents: the same key and the same request always give the same intent.

use super::{Change, Service};
use crate::refusal::Refusal;
use crate::rows::PaymentRow;
use contracts::IdempotencyKey;
use contracts::digest::half_sha256_hex;
use contracts::payment::v1::PaymentMethod;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::money::Money;
use domain::payment::{Payment, Scenario, Status};
use domain::time::Timestamp;
use ports::store::CommitError;
use ports::{Fault, Trace};
use std::sync::Arc;

/// The largest amount in minor units: the largest integer that every JSON reader holds exactly.
pub(crate) const AMOUNT_MAX: u64 = (1 << 53) - 1;
const URL_BYTES_MAX: usize = 2_048;

/// A request for an intent, checked as far as possible without the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateIntent {
    /// The reservation to pay for.
    pub reservation: ReservationId,
    /// The amount; at least 1.
    pub amount: Money,
    /// The payer, if the caller names one.
    pub person: Option<PersonId>,
    /// The means of payment.
    pub method: PaymentMethod,
    /// How the provider decides about it.
    pub scenario: Scenario,
    /// The target of the webhook; `None` = the service's default, if it has one.
    pub webhook_url: Option<Arc<str>>,
    /// The intent is opened once under this key. Keys belong to a person: two people may use the
    /// same key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// From then on no payment is opened: the hold of the reservation has run out.
    pub open_until: Option<Timestamp>,
}

impl Service {
    /// Opens an intent; and whether an earlier request under the same key had opened it.
    ///
    /// # Errors
    /// An amount, key or URL out of bounds; a hold that has run out, unless the key opened the
    /// intent before; a key that belongs to another request; a failure of the store.
    pub async fn create(&self, command: CreateIntent, trace: &Trace) -> Result<(PaymentRow, bool), Refusal> {
        self.check(&command)?;
        let intent = match &command.idempotency_key {
            Some(key) => derived_intent(command.person.as_ref(), key.as_str()),
            None => self.random_intent(),
        };
        let row = self.opened(&command, intent.clone(), trace);
        if command.open_until.is_some_and(|until| until <= row.payment.created_at) {
            return match self.load(&intent).await? {
                Some(there) if is_same_request(&there, &row) => Ok((there, true)),
                Some(_) => Err(Refusal::OtherRequest),
                None => Err(Refusal::HoldOver(command.reservation)),
            };
        }
        let change = Change { row, writes: Vec::new(), event: None, scheduled: Vec::new() };
        for _ in 0..=CONFLICT_RETRIES_MAX {
            match self.commit(&change).await {
                Ok(()) => return Ok((PaymentRow { version: 1, ..change.row }, false)),
                Err(CommitError::Failed(fault)) => return Err(fault.into()),
                // It exists: made by an earlier request with this key, or by this one if the answer
                // was lost.
                Err(error @ (CommitError::Conflict { .. } | CommitError::Ambiguous(_))) => {
                    let is_recorded = matches!(error, CommitError::Conflict { .. });
                    match self.load(&intent).await? {
                        Some(there) if is_same_request(&there, &change.row) => {
                            return Ok((there, is_recorded));
                        }
                        Some(_) => return Err(Refusal::OtherRequest),
                        None => {}
                    }
                }
            }
        }
        Err(Fault::transient(format!("intent {intent} could not be stored")).into())
    }

    fn check(&self, command: &CreateIntent) -> Result<(), Refusal> {
        let amount = command.amount.amount;
        if !(1..=AMOUNT_MAX).contains(&amount) {
            return Err(Refusal::invalid(
                "amount",
                format!("amount is {amount}, it must be 1 to {AMOUNT_MAX}"),
            ));
        }
        match &command.webhook_url {
            Some(url) => self.check_url(url),
            None => Ok(()),
        }
    }

    /// Webhooks use plain HTTP: this simulator runs beside the services that it calls.
    fn check_url(&self, url: &str) -> Result<(), Refusal> {
        let refused = |words: &str| Err(Refusal::invalid("webhook_url", format!("webhook_url {words}")));
        let options = &self.inner.options.webhooks;
        if options.secret.is_none() {
            return refused("cannot be served: this provider has no secret to sign webhooks with");
        }
        if url.len() > URL_BYTES_MAX {
            return refused("is too long");
        }
        let Ok(uri) = url.parse::<http::Uri>() else { return refused("is not a URL") };
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if uri.scheme_str() != Some("http") || authority.is_empty() || authority.contains('@') {
            return refused("must be http://host[:port]/path without a user");
        }
        let host = uri.host().unwrap_or_default();
        if !options.hosts.is_empty()
            && !options.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
        {
            return refused("names a host that this provider does not call");
        }
        Ok(())
    }

    fn opened(&self, command: &CreateIntent, intent: PaymentIntentId, trace: &Trace) -> PaymentRow {
        let now = self.inner.clock.now();
        PaymentRow {
            payment: Payment {
                intent,
                reservation: command.reservation.clone(),
                person: command.person.clone(),
                amount: command.amount.clone(),
                status: Status::Pending,
                refunded: 0,
                error_code: None,
                created_at: now,
                updated_at: now,
            },
            version: 0,
            scenario: command.scenario,
            method: command.method,
            webhook_url: command.webhook_url.clone(),
            decided_at: None,
            scheduled: None,
            webhooks: 0,
            trace: trace.clone(),
        }
    }

    fn random_intent(&self) -> PaymentIntentId {
        let entropy = &self.inner.entropy;
        let text = format!("pay_{:016x}{:016x}", entropy.next_u64(), entropy.next_u64());
        PaymentIntentId::parse(&text).expect("pay_ and 32 hexadecimal digits are an identifier")
    }
}

/// The intent of a person's key: half a SHA-256, like event ids.
fn derived_intent(person: Option<&PersonId>, key: &str) -> PaymentIntentId {
    let person = person.map(PersonId::as_str).unwrap_or_default();
    let digest = half_sha256_hex(format!("intent\0{person}\0{key}").as_bytes());
    PaymentIntentId::parse(&format!("pay_{digest}"))
        .expect("pay_ and 32 hexadecimal digits are an identifier")
}

/// Whether a stored payment was opened by the same request as this new one.
fn is_same_request(there: &PaymentRow, new: &PaymentRow) -> bool {
    there.payment.reservation == new.payment.reservation
        && there.payment.amount == new.payment.amount
        && there.payment.person == new.payment.person
        && there.scenario == new.scenario
        && there.method == new.method
        && there.webhook_url == new.webhook_url
}
