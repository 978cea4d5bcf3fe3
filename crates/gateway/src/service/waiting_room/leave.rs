//! Leaving a line.

use super::{HeldTicket, WaitingRoomService};
use crate::refusal::Refusal;
use contracts::rest::gateway::QueueStatus;

impl WaitingRoomService {
    /// Gives up the place. It takes no pass back.
    pub(crate) async fn leave(&self, held: &HeldTicket) -> Result<QueueStatus, Refusal> {
        let left = held.room.leave(&held.ticket).await;
        let left = left.map_err(|fault| Refusal::failed("leave", fault));
        let left = left.map(|standing| self.describe(&held.room, &held.ticket, standing).status);
        self.count("leave", left.as_ref().map(|status| status.as_str()));
        left
    }
}
