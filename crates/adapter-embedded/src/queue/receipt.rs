//! Receipts: which lease of which message, in which open of the folder.
//!
//! A lease of an earlier process is over, but its receipt still names the message, so a late delete
//! on a standard queue still works.

use super::core::{QueueCore, State};
use super::index::{Lease, State as MessageState};
use ports::Fault;
use ports::queue::Receipt;

/// A decoded receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) epoch: u64,
    pub(crate) place: u64,
    pub(crate) lease: u64,
}

impl Handle {
    pub(crate) fn text(self) -> Receipt {
        Receipt(format!("{:x}.{:x}.{:x}", self.epoch, self.place, self.lease).into())
    }

    pub(crate) fn parse(receipt: &Receipt) -> Result<Self, Fault> {
        let mut parts = receipt.0.split('.').map(|part| u64::from_str_radix(part, 16));
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(epoch)), Some(Ok(place)), Some(Ok(lease)), None) => Ok(Self { epoch, place, lease }),
            _ => Err(Fault::permanent("the receipt is not one of this queue")),
        }
    }
}

impl QueueCore {
    /// The lease of a receipt, if it is in force. Ended leases must already have been expired.
    pub(crate) fn lease_of(&self, state: &State, handle: Handle) -> Result<Lease, Fault> {
        match state.index.get(handle.place).map(|entry| entry.state) {
            Some(MessageState::Leased(lease))
                if handle.epoch == self.epoch && lease.number == handle.lease =>
            {
                Ok(lease)
            }
            Some(_) => Err(Fault::permanent("the lease of this receipt has ended")),
            None => Err(Fault::permanent("the message of this receipt is gone")),
        }
    }

    /// The place of the message that a receipt may delete; `None` if the message is gone or
    /// leaving.
    pub(crate) fn may_delete(&self, state: &State, handle: Handle) -> Result<Option<u64>, Fault> {
        match state.index.get(handle.place).map(|entry| entry.state) {
            None | Some(MessageState::Leaving) => Ok(None),
            Some(_) if self.is_fifo() => self.lease_of(state, handle).map(|_| Some(handle.place)),
            Some(_) => Ok(Some(handle.place)),
        }
    }
}
