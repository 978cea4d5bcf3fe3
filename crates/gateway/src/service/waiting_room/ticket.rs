//! Accepting a ticket: its signature, and the line that it belongs to.

use super::WaitingRoomService;
use crate::refusal::Refusal;
use crate::room::Room;
use crate::token::Rejected;
use contracts::error::{Code, WireError};
use domain::id::ShowId;
use domain::waiting_room::Ticket;
use ports::Trace;
use std::sync::Arc;

/// An accepted ticket, and its line.
pub(crate) struct HeldTicket {
    pub(super) show: ShowId,
    pub(super) ticket: Ticket,
    pub(super) room: Arc<Room>,
}

impl WaitingRoomService {
    /// Verifies a ticket and finds its line.
    pub(crate) async fn accept(&self, token: &str, trace: &Trace) -> Result<HeldTicket, Refusal> {
        let (show, ticket) = self.inner.signer.verify(token).map_err(|why| self.reject(token, why, trace))?;
        let room = self.room(&show, trace).await?;
        Ok(HeldTicket { show, ticket, room })
    }

    /// Records the use of another person's ticket or name, if that is why the request is refused.
    pub(crate) fn record_foreign(&self, reason: &'static str, refusal: &Refusal, trace: &Trace) {
        if refusal.code() == Code::Forbidden {
            self.inner.metrics.rejected(reason);
            tracing::info!(
                reason,
                trace_id = trace.trace_id.as_deref(),
                "ticket or name of another person used"
            );
        }
    }

    fn reject(&self, token: &str, why: Rejected, trace: &Trace) -> Refusal {
        let reason = match why {
            Rejected::Malformed => "ticket_malformed",
            Rejected::WrongSignature => "ticket_signature",
        };
        self.inner.metrics.rejected(reason);
        tracing::info!(reason, trace_id = trace.trace_id.as_deref(), "ticket rejected");
        match why {
            Rejected::Malformed if token.is_empty() => {
                WireError::invalid("token", "the waiting token is missing").into()
            }
            Rejected::Malformed => WireError::invalid("token", "this is not a waiting token").into(),
            Rejected::WrongSignature => Refusal::new(Code::Unauthenticated, "the waiting token is not valid"),
        }
    }
}

impl HeldTicket {
    /// The key whose limit the requests count against: a ticket belongs to one person.
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.ticket.key
    }

    /// The ticket's show.
    pub(crate) fn show(&self) -> &ShowId {
        &self.show
    }
}
