//! The dead letters as operators look at them.

use super::{Held, SimQueue};
use crate::exec::lock;
use async_trait::async_trait;
use ports::queue::{Message, Receipt};
use ports::{DeadLetters, Fault};
use std::sync::Arc;

/// The dead letters as operators look at them.
pub struct SimLetters(pub Arc<SimQueue>);

#[async_trait]
impl DeadLetters for SimLetters {
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault> {
        self.0.core.way().await;
        let state = lock(&self.0.state);
        // The place is the tail of the id, so a deleted letter still has its place.
        let tail = |id: &str| id.rsplit('-').next().and_then(|place| place.parse::<u64>().ok()).unwrap_or(0);
        let present =
            |id: &str| state.messages.iter().find(|message| *message.id == *id).map(|message| message.place);
        let after = after.map_or(0, |id| present(id).unwrap_or_else(|| tail(id)));
        let behind = state.messages.iter().filter(|message| message.place > after);
        Ok(behind.take(limit).map(seen).collect())
    }

    async fn find(&self, id: &str) -> Result<Option<Message>, Fault> {
        Ok(lock(&self.0.state).messages.iter().find(|message| *message.id == *id).map(seen))
    }

    async fn remove(&self, id: &str) -> Result<bool, Fault> {
        self.0.core.way().await;
        let mut state = lock(&self.0.state);
        let before = state.messages.len();
        state.messages.retain(|message| *message.id != *id);
        Ok(state.messages.len() < before)
    }
}

fn seen(message: &Held) -> Message {
    Message {
        id: message.id.clone(),
        receipt: Receipt("".into()),
        body: message.body.to_string(),
        group: message.group.clone(),
        receive_count: message.received,
        sent_at: message.sent_at,
        first_received_at: message.first_received_at.unwrap_or(message.sent_at),
        attributes: message.attributes.clone(),
    }
}
