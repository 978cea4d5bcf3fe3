//! Attribute and index names as small numbers: a row stores the number, a reader gets the `&'static
//! str`.
//!
//! A name is recorded in the folder before the first row that uses it: its write enters the
//! writer's inbox ahead of that row's commit. Their number is bounded, so that names made from data
//! are refused instead of filling memory. Names read from a folder are leaked once per process and
//! name, within the same bound.

use super::inbox::Inbox;
use super::request::{RawWrite, Request};
use core::hash::BuildHasherDefault;
use fjall::Keyspace;
use parking_lot::{Mutex, RwLock};
use ports::Fault;
use std::collections::{BTreeSet, HashMap};
use std::hash::DefaultHasher;
use std::sync::Arc;

/// Distinct names a folder may have; a product has a few dozen.
const NAMES_MAX: usize = 4_096;
/// Keys of names in the meta keyspace: this byte, then the number.
const PREFIX: u8 = b'n';

static LEAKED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

pub(crate) struct Names {
    assigned: RwLock<Assigned>,
    meta: Keyspace,
    inbox: Arc<Inbox>,
}

/// The names that have a number.
#[derive(Default)]
struct Assigned {
    by_name: HashMap<&'static str, u16, BuildHasherDefault<DefaultHasher>>,
    by_number: Vec<&'static str>,
}

impl Names {
    /// Reads the names that the folder knows.
    pub(crate) fn load(meta: Keyspace, inbox: Arc<Inbox>) -> Result<Self, String> {
        let mut assigned = Assigned::default();
        for guard in meta.prefix([PREFIX]) {
            let (key, value) = guard.into_inner().map_err(|e| format!("cannot read names: {e:?}"))?;
            let number = key.get(1..).and_then(|n| n.first_chunk()).map(|n| u16::from_be_bytes(*n));
            let name = core::str::from_utf8(&value).ok();
            let (Some(number), Some(name)) = (number, name) else {
                return Err("a name is unreadable".to_owned());
            };
            if usize::from(number) != assigned.by_number.len() || assigned.by_number.len() >= NAMES_MAX {
                return Err(format!("name number {number} is out of place"));
            }
            let name = leak(name);
            assigned.by_name.insert(name, number);
            assigned.by_number.push(name);
        }
        Ok(Self { assigned: RwLock::new(assigned), meta, inbox })
    }

    /// The number of a name, if the folder has seen it.
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.assigned.read().by_name.get(name).copied()
    }

    /// The number of a name, a new one if needed.
    pub(crate) fn number(&self, name: &'static str) -> Result<u16, Fault> {
        if let Some(number) = self.find(name) {
            return Ok(number);
        }
        let mut assigned = self.assigned.write();
        if let Some(number) = assigned.by_name.get(name) {
            return Ok(*number);
        }
        let number = assigned.by_number.len();
        if number >= NAMES_MAX {
            return Err(Fault::permanent(format!(
                "more than {NAMES_MAX} attribute and index names; {name} is one more"
            )));
        }
        let number = number as u16;
        let mut key = vec![PREFIX];
        key.extend_from_slice(&number.to_be_bytes());
        let write = RawWrite { keyspace: self.meta.clone(), key: key.into(), value: Some(name.into()) };
        // Pushed before the lock is released: a caller that sees the number pushes after it.
        self.inbox
            .push(Request::Raw { writes: vec![write], durable: true, done: None })
            .map_err(|_| Fault::unavailable("the data engine is closed"))?;
        assigned.by_name.insert(name, number);
        assigned.by_number.push(name);
        Ok(number)
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u16) -> Option<&'static str> {
        self.assigned.read().by_number.get(usize::from(number)).copied()
    }
}

fn leak(name: &str) -> &'static str {
    let mut leaked = LEAKED.lock();
    if let Some(known) = leaked.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    leaked.insert(name);
    name
}
