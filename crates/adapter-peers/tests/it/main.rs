//! The clients against small servers over loopback that answer as services of any age do: with
//! typed errors, with bare statuses, with unknown fields, slowly, or not at all.

#![allow(clippy::unwrap_used, reason = "a test fails where something cannot be")]

mod grpc_connection;
mod grpc_inventory;
mod grpc_payments;
mod rest_post;
mod rest_reservations;
mod sales;
mod servers;
