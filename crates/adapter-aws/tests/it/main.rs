//! The engines on AWS, against servers that other people wrote; `cargo xtask engines up` starts
//! them.

mod bus;
mod dynamo;
mod ground;
mod schedules;
mod secrets;
mod setup;
mod sqs;
