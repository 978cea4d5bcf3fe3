//! The engines on AWS, against servers that other people wrote; `cargo xtask engines up` starts them.

mod dynamo;
mod sqs;
