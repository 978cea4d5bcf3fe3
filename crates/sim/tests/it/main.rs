//! The simulator itself: its engines keep the contracts of the ports, and the same seed gives the
//! same run.

mod contract_queue;
mod contract_store;
mod same_seed;
mod waiting_room;
