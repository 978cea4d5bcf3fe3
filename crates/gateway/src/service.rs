//! The two services of the gateway: the waiting room, and the sale behind it.

pub(crate) mod sales;
pub(crate) mod waiting_room;
