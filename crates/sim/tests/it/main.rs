//! The simulator itself: its engines keep the contracts of the ports, and the same seed gives the
//! same run.

mod contract_peers;
mod contract_queue;
mod contract_store;
mod contract_waiting_room;
mod same_seed;
mod waiting_room;
