//! What the relay can do now, for the readiness of its process.

/// Whether events are reaching the queue, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelayState {
    /// The relay still reads the waiting rows from the store.
    pub starting: bool,
    /// Why the queue accepts nothing, while it does not.
    pub queue: Option<String>,
    /// Why the store does not answer, while it does not.
    pub store: Option<String>,
}

impl RelayState {
    /// `Ok` if the relay is ready.
    ///
    /// # Errors
    /// The reason why it is not, for an operator.
    pub fn ready(&self) -> Result<(), String> {
        if let Some(why) = &self.store {
            return Err(format!("the outbox cannot be read: {why}"));
        }
        if self.starting {
            return Err("the outbox is being read".to_owned());
        }
        match &self.queue {
            Some(why) => Err(format!("events wait in the outbox, the queue does not accept them: {why}")),
            None => Ok(()),
        }
    }
}
