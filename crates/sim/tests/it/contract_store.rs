//! The store suite on the simulated engine, without faults. A restart is nothing to it: what was
//! answered is there.

use async_trait::async_trait;
use ports::Store;
use ports_contract::store::StoreHarness;
use sim::core::Core;
use sim::exec::Executor;
use sim::fault::{Faults, KINDS};
use sim::table::{SimStore, SimTable};
use sim::trace::Trace;
use std::sync::Arc;

/// A world in which nothing takes time and nothing goes wrong.
pub(crate) fn calm() -> Arc<Core> {
    let trace = Arc::new(Trace::off());
    let faults = Faults::new(1, [0; KINDS], (1_000, 0), Arc::clone(&trace));
    Core::new(Executor::new(1), faults, trace, sim::checker::Checker::new(5))
}

struct Simulated;

#[async_trait]
impl StoreHarness for Simulated {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SimStore(SimTable::new(calm(), None)))
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Option<Arc<dyn Store>> {
        Some(store)
    }
}

ports_contract::store_contract!(Simulated);
