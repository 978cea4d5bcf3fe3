//! The operator's commands: the rules of a line, and the message to the people who wait.

use super::WaitingRoomService;
use crate::refusal::Refusal;
use domain::id::ShowId;
use domain::waiting_room::{RuleChange, Rules};
use ports::Trace;

impl WaitingRoomService {
    /// Changes the rules of a show's line and returns the new ones.
    pub(crate) async fn rule(
        &self,
        show: &ShowId,
        change: RuleChange,
        trace: &Trace,
    ) -> Result<Rules, Refusal> {
        let room = self.room(show, trace).await?;
        room.rule(change).await.map_err(|fault| Refusal::failed("rule", fault))
    }

    /// Sets the message to the people who wait, or removes it.
    pub(crate) async fn announce(
        &self,
        show: &ShowId,
        notice: Option<&str>,
        trace: &Trace,
    ) -> Result<(), Refusal> {
        let room = self.room(show, trace).await?;
        room.announce(notice).await.map_err(|fault| Refusal::failed("announce", fault))
    }
}
