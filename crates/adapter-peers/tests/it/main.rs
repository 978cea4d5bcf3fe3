//! The clients against small servers over loopback that answer as services of any age do: with typed errors, with bare
//! statuses, with fields nobody knows, slowly, or not at all.

mod grpc_inventory;
mod grpc_line;
mod grpc_payments;
mod rest_post;
mod rest_reservations;
mod stage;
