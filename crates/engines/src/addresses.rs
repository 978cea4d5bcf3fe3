//! The addresses of the engines, for tests.

use crate::kind::Kind;
use crate::pool::ServerPool;
use crate::state::{Entry, State, port};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Long for loopback, short for people waiting for a test.
const CONNECT: Duration = Duration::from_secs(5);

/// The addresses of the engines that are up; `None` and empty for the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Engines {
    /// ElasticMQ, `http://127.0.0.1:PORT`.
    pub sqs: Option<String>,
    /// DynamoDB Local.
    pub dynamodb: Option<String>,
    /// MiniStack: all its services at one address.
    pub ministack: Option<String>,
    /// `redis://127.0.0.1:PORT`.
    pub redis: Option<String>,
    /// Every node of the cluster.
    pub redis_cluster: Vec<String>,
}

impl From<&State> for Engines {
    fn from(state: &State) -> Self {
        let all = |kind: Kind| -> Vec<String> {
            let ready = state.engines.get(&kind).filter(|entry| entry.ready);
            ready.map(|entry| entry.addresses.clone()).unwrap_or_default()
        };
        let one = |kind| all(kind).into_iter().next();
        Self {
            sqs: one(Kind::ElasticMq),
            dynamodb: one(Kind::DynamoDb),
            ministack: one(Kind::MiniStack),
            redis: one(Kind::Redis),
            redis_cluster: all(Kind::RedisCluster),
        }
    }
}

/// The addresses in the file; engines are not asked.
///
/// # Errors
/// A file that cannot be read or does not have the shape of [`State`]. No file is no error: nothing
/// is up.
pub fn read() -> Result<Engines> {
    Ok(Engines::from(&State::load(&file())?))
}

/// ElasticMQ's address.
///
/// # Panics
/// If it is not up, with the command that starts it; the other functions do the same.
#[must_use]
#[track_caller]
pub fn sqs() -> String {
    one(Kind::ElasticMq)
}

/// DynamoDB Local's address.
///
/// # Panics
/// If it is not up.
#[must_use]
#[track_caller]
pub fn dynamodb() -> String {
    one(Kind::DynamoDb)
}

/// MiniStack's address.
///
/// # Panics
/// If it is not up.
#[must_use]
#[track_caller]
pub fn ministack() -> String {
    one(Kind::MiniStack)
}

/// The single Redis node's address.
///
/// # Panics
/// If it is not up.
#[must_use]
#[track_caller]
pub fn redis() -> String {
    one(Kind::Redis)
}

/// The addresses of the nodes of the Redis cluster.
///
/// # Panics
/// If one of them is not up.
#[must_use]
#[track_caller]
pub fn redis_cluster() -> Vec<String> {
    all(Kind::RedisCluster)
}

#[track_caller]
fn one(kind: Kind) -> String {
    all(kind).swap_remove(0)
}

#[track_caller]
fn all(kind: Kind) -> Vec<String> {
    match reached(kind, &file()) {
        Ok(addresses) => addresses,
        Err(error) => panic!("{error:#}\nstart it with: cargo xtask engines up"),
    }
}

/// The addresses of an engine, if each of them accepts a connection.
fn reached(kind: Kind, file: &Path) -> Result<Vec<String>> {
    let name = kind.name();
    let state = State::load(file).with_context(|| format!("this test needs the engine {name}"))?;
    let entry = state.engines.get(&kind).filter(|entry| entry.ready && !entry.addresses.is_empty());
    let Some(Entry { addresses, .. }) = entry else {
        let why = if file.exists() { "does not list it" } else { "does not exist" };
        anyhow::bail!("this test needs the engine {name}, which is not up: {} {why}", file.display());
    };
    for address in addresses {
        ensure!(accepts(address), "this test needs the engine {name}, and {address} does not answer");
    }
    Ok(addresses.clone())
}

fn accepts(address: &str) -> bool {
    let there = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    port(address).is_some_and(|port| TcpStream::connect_timeout(&there(port), CONNECT).is_ok())
}

/// The file that `TACOS_ENGINES` names, or the one that `cargo xtask engines up` writes.
fn file() -> PathBuf {
    let named = std::env::var_os("TACOS_ENGINES").filter(|named| !named.is_empty());
    named.map_or_else(|| ServerPool::of_workspace().file(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(kind: Kind, file: &Path) -> String {
        format!("{:#}", reached(kind, file).expect_err("nothing is up"))
    }

    #[test]
    fn the_error_of_an_engine_that_is_not_up_names_it_and_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("engines.json");
        let path = file.display();
        let needs = "this test needs the engine elasticmq, ";
        assert_eq!(
            error_of(Kind::ElasticMq, &file),
            format!("{needs}which is not up: {path} does not exist")
        );
        std::fs::write(&file, r#"{"redis": {"addresses": ["redis://127.0.0.1:1"]}}"#).expect("write");
        assert_eq!(
            error_of(Kind::ElasticMq, &file),
            format!("{needs}which is not up: {path} does not list it")
        );
        std::fs::write(&file, "[]").expect("write");
        assert!(error_of(Kind::Redis, &file).contains("is not a list of engines"), "malformed");
    }

    #[test]
    fn the_error_of_an_address_without_a_listener_names_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("engines.json");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let url = Kind::DynamoDb.url(listener.local_addr().expect("an address").port());
        std::fs::write(&file, format!(r#"{{"dynamodb": {{"addresses": ["{url}"]}}}}"#)).expect("write");
        assert_eq!(reached(Kind::DynamoDb, &file).expect("it listens"), vec![url.clone()]);
        drop(listener);
        assert_eq!(
            error_of(Kind::DynamoDb, &file),
            format!("this test needs the engine dynamodb, and {url} does not answer")
        );
    }

    #[test]
    fn an_engine_that_has_not_answered_yet_is_not_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("engines.json");
        let text = r#"{"redis": {"ready": false, "addresses": ["redis://127.0.0.1:1"]}}"#;
        std::fs::write(&file, text).expect("write");
        assert!(error_of(Kind::Redis, &file).contains("which is not up"), "not ready");
        assert_eq!(Engines::from(&State::load(&file).expect("a state")).redis, None);
    }
}
