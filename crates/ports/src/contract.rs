//! One suite a port, written against the trait and the documented behaviour of SQS and DynamoDB, run by every engine.

pub mod peers;
pub mod queue;
pub mod store;
mod together;
pub mod waiting_room;
