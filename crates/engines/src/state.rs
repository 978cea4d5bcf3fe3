//! The file of the engines that are up: `engines.json`.
//!
//! One object with a key per started engine, named as in [`Kind::name`]:
//!
//! ```json
//! {
//!   "elasticmq": {
//!     "version": "1.7.1",
//!     "ready": true,
//!     "kept": true,
//!     "addresses": ["http://127.0.0.1:40123"],
//!     "processes": [{"pid": 4711, "started": 123456, "program": "org.elasticmq.server.Main"}]
//!   }
//! }
//! ```
//!
//! Users who run engines of their own write such a file by hand: only `addresses` is required.

use crate::kind::Kind;
use crate::process::Process;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The engines that were up when this was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State {
    /// A cluster is one engine with several addresses and processes.
    pub engines: BTreeMap<Kind, Entry>,
}

/// One engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The server's version; empty if unknown.
    #[serde(default)]
    pub version: String,
    /// Whether it has answered a request. The entry is written before that, so that no process is
    /// forgotten if the start is cut off.
    #[serde(default = "yes")]
    pub ready: bool,
    /// Whether it stays up when test runs end, because a user started it by name.
    #[serde(default = "yes")]
    pub kept: bool,
    /// URLs, one for each node.
    pub addresses: Vec<String>,
    /// The processes to end, one per node.
    #[serde(default)]
    pub processes: Vec<Process>,
}

fn yes() -> bool {
    true
}

impl State {
    /// Nothing is up if no such file exists.
    ///
    /// # Errors
    /// A file that cannot be read or does not have this shape.
    pub fn load(path: &Path) -> Result<Self> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is not a list of engines: end the processes that it names and remove it",
                path.display()
            )
        })
    }

    /// A concurrent reader sees the old file or the new one. An empty state removes the file.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = || format!("cannot write {}", path.display());
        if self.engines.is_empty() {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(failed),
                _ => Ok(()),
            };
        }
        let new = path.with_extension("json.new");
        std::fs::write(&new, serde_json::to_vec_pretty(self)?).with_context(failed)?;
        std::fs::rename(&new, path).with_context(failed)
    }
}

impl Entry {
    /// The port of each node, in the order of the addresses.
    pub(crate) fn ports(&self) -> Option<Vec<u16>> {
        self.addresses.iter().map(|address| port(address)).collect()
    }
}

/// The port of a URL without a path.
pub(crate) fn port(address: &str) -> Option<u16> {
    address.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_a_round_trip_and_an_empty_one_is_no_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("engines.json");
        assert_eq!(State::load(&path).expect("nothing is up"), State::default());
        let process = Process { pid: 4711, started: 123_456, program: "redis-server".into() };
        let entry = Entry {
            version: "7.0.15".into(),
            ready: true,
            kept: false,
            addresses: vec!["redis://127.0.0.1:6379".into()],
            processes: vec![process],
        };
        let mut state = State::default();
        state.engines.insert(Kind::RedisCluster, entry);
        state.save(&path).expect("write");
        assert!(std::fs::read_to_string(&path).expect("a file").starts_with("{\n  \"redis-cluster\": {"));
        assert_eq!(State::load(&path).expect("the same"), state);
        State::default().save(&path).expect("remove");
        assert!(!path.exists());
        State::default().save(&path).expect("nothing to remove");
    }

    #[test]
    fn a_state_written_by_hand_needs_only_addresses() {
        let text = r#"{"elasticmq": {"addresses": ["http://127.0.0.1:9324/"]}}"#;
        let state: State = serde_json::from_str(text).expect("a state");
        let entry = &state.engines[&Kind::ElasticMq];
        assert!(entry.ready && entry.kept);
        assert_eq!(entry.ports(), Some(vec![9324]));
        assert!(serde_json::from_str::<State>(r#"{"kafka": {"addresses": []}}"#).is_err());
    }

    #[test]
    fn every_engine_has_the_name_in_the_file_that_it_has_on_the_command_line() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_string(&kind).expect("a name"), format!("\"{}\"", kind.name()));
            assert_eq!(kind.name().parse(), Ok(kind));
        }
    }
}
