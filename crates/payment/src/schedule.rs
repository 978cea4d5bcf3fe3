//! The handle that announces scheduled work. The service holds it; [`crate::scheduled`] runs the
//! work.

use domain::time::Timestamp;
use outbox::due::Inbox;
use ports::store::Key;
use std::sync::Arc;

/// Announces work. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Schedule {
    pub(crate) inbox: Arc<Inbox<Key>>,
}

impl Schedule {
    pub(crate) fn new() -> Self {
        Self { inbox: Arc::default() }
    }

    pub(crate) fn notify(&self, at: Timestamp, key: Key) {
        self.inbox.push(at.as_millis(), key);
    }
}
