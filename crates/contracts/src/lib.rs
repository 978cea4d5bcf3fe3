//! Bytes to domain and back: the gRPC messages, the event envelope, the REST bodies, and the one
//! list of error codes.
//!
//! Everything that crosses a process boundary is defined here once, so a producer and a consumer,
//! or REST and gRPC, cannot disagree. The crate is pure apart from the generated gRPC clients and
//! servers: it opens no connection, reads no clock, and does not know how a service works.
//!
//! Where a business answer has a wire form (`inventory_wire`, `payment_wire`, `reservation_wire`),
//! one module holds both directions: the service encodes with it and the client decodes with it.

pub mod answer;
pub mod backends;
pub mod codec;
pub mod digest;
pub mod envelope;
pub mod error;
mod idempotency_key;
pub mod inventory_wire;
pub mod pass;
pub mod payment_wire;
pub mod reservation_wire;
pub mod rest;
pub mod time;
pub mod trace;
pub mod vocabulary;
pub mod webhook_signature;
pub mod wire;

pub use idempotency_key::IdempotencyKey;

/// The generated messages of `proto/common/v1`.
pub mod common {
    /// Version 1.
    #[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("common.v1");
    }
}

/// The generated messages, clients and servers of `proto/reservation/v1`.
pub mod reservation {
    /// Version 1.
    #[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("reservation.v1");
    }
}

/// The generated messages, clients and servers of `proto/payment/v1`.
pub mod payment {
    /// Version 1.
    #[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("payment.v1");
    }
}

/// The generated messages, clients and servers of `proto/gateway/v1`.
pub mod gateway {
    /// Version 1.
    #[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("gateway.v1");
    }
}

/// The descriptors of every `.proto` file, for gRPC server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
