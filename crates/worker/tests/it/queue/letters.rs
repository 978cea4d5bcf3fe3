//! The tests' queue as a dead-letter queue that can be looked into.

use super::{MemoryQueue, Stored};
use async_trait::async_trait;
use ports::queue::{Message, Receipt};
use ports::{DeadLetters, Fault};

#[async_trait]
impl DeadLetters for MemoryQueue {
    async fn browse(&self, after: Option<&str>, limit: usize) -> Result<Vec<Message>, Fault> {
        let number = |id: &str| id.trim_start_matches("msg-").parse::<u64>().expect("an id of ours");
        let from = after.map_or(0, |id| number(id) + 1);
        let state = self.state();
        Ok(state.messages.range(from..).take(limit).map(|(_, m)| browsed(m)).collect())
    }

    async fn find(&self, id: &str) -> Result<Option<Message>, Fault> {
        Ok(self.state().messages.values().find(|m| &*m.id == id).map(browsed))
    }

    async fn remove(&self, id: &str) -> Result<bool, Fault> {
        let mut state = self.state();
        let before = state.messages.len();
        state.messages.retain(|_, m| &*m.id != id);
        Ok(state.messages.len() < before)
    }
}

fn browsed(m: &Stored) -> Message {
    Message {
        id: m.id.clone(),
        receipt: Receipt("".into()),
        body: m.outgoing.body.clone(),
        group: m.outgoing.group.as_deref().map(Into::into),
        receive_count: m.count,
        sent_at: m.sent_at,
        first_received_at: m.first.unwrap_or(m.sent_at),
        attributes: m.outgoing.attributes.clone(),
    }
}
