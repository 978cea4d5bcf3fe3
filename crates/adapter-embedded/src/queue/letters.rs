//! The queue as a dead-letter queue that operators browse.

use super::core::answered;
use super::index::State;
use super::{Browsed, EmbeddedQueue};
use async_trait::async_trait;
use ports::queue::{Message, Receipt};
use ports::{DeadLetters, Fault};
use std::sync::Arc;

/// Messages that are read at a time when one is searched for.
const PAGE: usize = 1_000;

#[async_trait]
impl DeadLetters for EmbeddedQueue {
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault> {
        Ok(self.peek(after, limit)?.into_iter().map(message).collect())
    }

    async fn find(&self, id: &str) -> Result<Option<Message>, Fault> {
        let mut after: Option<Arc<str>> = None;
        loop {
            let page = self.peek(after.as_deref(), PAGE)?;
            after = page.last().map(|last| last.id.clone());
            let is_last = page.len() < PAGE;
            if let Some(found) = page.into_iter().find(|found| *found.id == *id) {
                return Ok(Some(message(found)));
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    /// Removes the message even while it is under a lease.
    async fn remove(&self, id: &str) -> Result<bool, Fault> {
        let receiver = {
            let mut state = self.core.state();
            let number = u64::from_str_radix(id, 16).ok();
            let place = number.and_then(|n| self.core.place_of(n).or_else(|| state.foreign.get(&n).copied()));
            let Some(place) = place else { return Ok(false) };
            let there = state.index.from(place).next().filter(|(found, _)| *found == place);
            if there.is_none_or(|(_, entry)| entry.state == State::Leaving) {
                return Ok(false);
            }
            state.index.leave(place);
            self.core.submit_removal(vec![place], |_, _| {}).map_err(|error| error.fault())?
        };
        answered(receiver).await?;
        Ok(true)
    }
}

/// A browsed message has no lease, so its receipt is empty.
fn message(browsed: Browsed) -> Message {
    Message {
        id: browsed.id,
        receipt: Receipt("".into()),
        body: browsed.body,
        group: browsed.group,
        receive_count: browsed.receive_count,
        sent_at: browsed.sent_at,
        first_received_at: browsed.sent_at,
        attributes: browsed.attributes,
    }
}
