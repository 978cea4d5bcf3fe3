//! Free ports.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};

/// A Redis node talks to its cluster on its port plus this; a setting for it is new in Redis 7.
const BUS: u16 = 10_000;

/// `count` free ports on loopback; with `bus`, the port for talking to the cluster is free as well.
///
/// They are free now. Another program may take one before its server does, so the caller must check
/// that the listener is its own, and otherwise try others.
pub(crate) fn free(count: u16, bus: bool) -> Result<Vec<u16>> {
    // All are held until the last is found, so that no two are equal.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    while ports.len() < usize::from(count) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let port = listener.local_addr().context("no port is free")?.port();
        held.push(listener);
        if !bus {
            ports.push(port);
        } else if let Some(second) = port.checked_add(BUS)
            && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, second))
        {
            held.push(listener);
            ports.push(port);
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let mut ports = free(20, true).expect("twenty ports");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        assert!(ports.iter().all(|port| port.checked_add(BUS).is_some()));
    }
}
