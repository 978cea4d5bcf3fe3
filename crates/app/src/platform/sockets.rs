//! The sockets of the platform: loopback only, on the usual ports
//! (docs/contracts.md#processes-and-ports) or on free ones.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// The bound sockets.
pub(super) struct Sockets {
    pub(super) gateway: Pair,
    pub(super) reservation: Pair,
    pub(super) inventory: Pair,
    pub(super) payment: Pair,
    pub(super) worker: Pair,
    pub(super) admin: TcpListener,
}

/// The two sockets of a service.
pub(super) struct Pair {
    pub(super) http: TcpListener,
    pub(super) grpc: TcpListener,
}

/// The addresses of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name is the service and the protocol")]
pub struct Addresses {
    pub gateway_http: SocketAddr,
    pub gateway_grpc: SocketAddr,
    pub reservation_http: SocketAddr,
    pub reservation_grpc: SocketAddr,
    pub inventory_http: SocketAddr,
    pub inventory_grpc: SocketAddr,
    pub payment_http: SocketAddr,
    pub payment_grpc: SocketAddr,
    pub worker_http: SocketAddr,
    pub worker_grpc: SocketAddr,
    pub admin_http: SocketAddr,
}

impl Addresses {
    /// The HTTP address of each service.
    pub const fn http(&self) -> [(&'static str, SocketAddr); 5] {
        [
            ("gateway-api", self.gateway_http),
            ("inventory-api", self.inventory_http),
            ("reservation-api", self.reservation_http),
            ("payment-sim-api", self.payment_http),
            ("reservation-worker", self.worker_http),
        ]
    }

    /// The addresses as the ready line prints them.
    pub fn to_json(self) -> Value {
        json!({
            "gateway_http": self.gateway_http.to_string(),
            "gateway_grpc": self.gateway_grpc.to_string(),
            "reservation_http": self.reservation_http.to_string(),
            "reservation_grpc": self.reservation_grpc.to_string(),
            "inventory_http": self.inventory_http.to_string(),
            "inventory_grpc": self.inventory_grpc.to_string(),
            "payment_http": self.payment_http.to_string(),
            "payment_grpc": self.payment_grpc.to_string(),
            "worker_http": self.worker_http.to_string(),
            "worker_grpc": self.worker_grpc.to_string(),
            "admin_http": self.admin_http.to_string(),
        })
    }
}

impl Sockets {
    pub(super) fn addresses(&self) -> Result<Addresses> {
        Ok(Addresses {
            gateway_http: self.gateway.http.local_addr()?,
            gateway_grpc: self.gateway.grpc.local_addr()?,
            reservation_http: self.reservation.http.local_addr()?,
            reservation_grpc: self.reservation.grpc.local_addr()?,
            inventory_http: self.inventory.http.local_addr()?,
            inventory_grpc: self.inventory.grpc.local_addr()?,
            payment_http: self.payment.http.local_addr()?,
            payment_grpc: self.payment.grpc.local_addr()?,
            worker_http: self.worker.http.local_addr()?,
            worker_grpc: self.worker.grpc.local_addr()?,
            admin_http: self.admin.local_addr()?,
        })
    }
}

pub(super) async fn bind(free: bool) -> Result<Sockets> {
    Ok(Sockets {
        gateway: pair(8000, free).await?,
        reservation: pair(8010, free).await?,
        inventory: pair(8020, free).await?,
        payment: pair(8030, free).await?,
        worker: pair(8040, free).await?,
        admin: one(8042, free).await?,
    })
}

async fn pair(port: u16, free: bool) -> Result<Pair> {
    Ok(Pair { http: one(port, free).await?, grpc: one(port + 1, free).await? })
}

async fn one(port: u16, free: bool) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, if free { 0 } else { port }));
    let hint = || format!("cannot listen on {address}; stop the process that uses it, or add --free-ports");
    TcpListener::bind(address).await.with_context(hint)
}
