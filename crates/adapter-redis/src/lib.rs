//! The waiting room on Redis or Valkey, one node or a cluster.
//!
//! Each command of a line is one run of one script (`line.lua`) over the keys of one show, which
//! share a hash tag: one round trip, atomic, decided by the server's clock.
//!
//! Promises: a server that was restarted, emptied or replaced by a replica is noticed before it
//! gives a number or a pass. The line knows the server's replication id, which changes at a restart
//! and at a promotion: the data there may then lack the last writes, and the line continues as
//! [`Line::lost`](domain::waiting_room::Line::lost) says. A slot that was moved to another node
//! looks the same and costs the same: three seconds without turns. The script asks for the id, so
//! the account needs `INFO`. Keys must not be evicted (`maxmemory-policy noeviction`); a line
//! without some of its keys begins anew.
//!
//! A server that was demoted, is gone or does not answer is left for the one that its address then
//! leads to, and in a cluster for the node that has taken over. Until there is one each call fails
//! by itself, within the two timeouts of [`RedisOptions`].
//!
//! Keys are `<prefix>:{<show>}:<what>`; the keys of a line expire after a day without use.
//!
//! Left to others: how often to ask, and when to ask again.

mod fault;
mod link;
mod options;
mod waiting_room;

pub use options::RedisOptions;
pub use waiting_room::RedisWaitingRoom;
