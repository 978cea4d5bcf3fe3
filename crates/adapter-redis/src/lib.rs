//! The waiting room on Redis or Valkey, one node or a cluster.
//!
//! Each command of a line is one run of one script (`line.lua`) over the keys of one show, which share a hash tag: one round
//! trip, atomic, decided by the server's clock.
//!
//! Promises: a server that was restarted, emptied or replaced by a replica is noticed before it gives a number or a pass.
//! Each show has a script of its own (the show's name is in it), and a server that does not know it has been started since it
//! was last used here: what it holds may lack what came last, and the line goes on as
//! [`Line::lost`](domain::waiting_room::Line::lost) says. `SCRIPT FLUSH`, a slot that moves to another node and a new version
//! of the script look the same and cost the same: three seconds without turns.
//!
//! Keys are `<prefix>:{<show>}:<what>`; those of a line that nobody has looked at for a day are gone.
//!
//! Left to others: how often to ask, and when to ask again.

mod fault;
mod link;
mod waiting_room;

pub use link::RedisOptions;
pub use waiting_room::RedisWaitingRoom;
