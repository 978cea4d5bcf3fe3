//! Joining a line.

use super::WaitingRoomService;
use crate::refusal::Refusal;
use contracts::error::Code;
use contracts::rest::gateway::Joined;
use core::time::Duration;
use domain::id::{PersonId, ShowId};
use domain::waiting_room::{Refusal as LineRefusal, Standing};
use ports::{PortError, Trace};
use std::net::IpAddr;

/// When a person should try again to join a line that is full. Our own page tries after 20 s
/// (`web/assets/api.js`).
const FULL_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Identifies the person in a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joiner {
    /// Signed in.
    Person(PersonId),
    /// Only claims the name.
    Claimed(PersonId),
    /// No name yet: the Idempotency-Key and the sender's address identify them, because two
    /// strangers may choose the same key.
    Keyed(String, Option<IpAddr>),
    /// Nobody yet.
    Anybody,
}

impl WaitingRoomService {
    /// Takes a place, or finds the one that the person already has.
    pub(crate) async fn join(
        &self,
        show: &ShowId,
        joiner: &Joiner,
        trace: &Trace,
    ) -> Result<Joined, Refusal> {
        let joined = self.try_join(show, joiner, trace).await;
        self.count("join", joined.as_ref().map(|joined| joined.status.as_str()));
        joined
    }

    async fn try_join(&self, show: &ShowId, joiner: &Joiner, trace: &Trace) -> Result<Joined, Refusal> {
        if self.inner.must_sign_in && !matches!(joiner, Joiner::Person(_)) {
            let message = "sign in to join: send a token as Authorization: Bearer";
            return Err(Refusal::new(Code::Unauthenticated, message));
        }
        let room = self.room(show, trace).await?;
        let key = match joiner {
            Joiner::Person(person) => format!("u:{person}"),
            Joiner::Claimed(person) => format!("c:{person}"),
            Joiner::Keyed(key, Some(address)) => format!("a:k:{address}:{key}"),
            Joiner::Keyed(key, None) => format!("a:k::{key}"),
            Joiner::Anybody => {
                let entropy = &self.inner.entropy;
                format!("a:r:{:016x}{:016x}", entropy.next_u64(), entropy.next_u64())
            }
        };
        let ticket = room.join(&key).await.map_err(|error| match error {
            PortError::Rejected(LineRefusal::Closed) => {
                Refusal::new(Code::Forbidden, "the line of this show is closed")
            }
            PortError::Rejected(LineRefusal::Full) => {
                Refusal::unavailable("the line of this show is full; try again later").after(FULL_RETRY_AFTER)
            }
            PortError::Failed(fault) => Refusal::failed("join", fault),
        })?;
        // The API has only this answer to a join. Somebody whose earlier place has come further
        // learns it from the status.
        let status = self.describe(&room, &ticket, Standing::Waiting);
        Ok(Joined {
            waiting_token: self.inner.signer.sign(show, &ticket),
            position_hint: status.position,
            status: status.status,
            eta_sec: status.eta_sec,
            poll_after_ms: status.poll_after_ms,
        })
    }
}
