//! The DynamoDB tables: one for each service, named by its own variable.

use super::reach;
use crate::exit::Failure;
use adapter_aws::{Aws, Unusable};
use core::fmt;
use ports::{Clock, Entropy, Store};
use runtime::config::Env;
use std::sync::Arc;

/// The table of a service: the variable that names it, its default name, and the indexes in use.
pub(crate) struct ServiceTable {
    pub(crate) service: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) default: &'static str,
    pub(crate) indexes: &'static [&'static str],
}

/// The table of inventory-api.
pub(crate) const INVENTORY: ServiceTable = ServiceTable {
    service: "inventory",
    variable: "INVENTORY_TABLE",
    default: "traffic-tacos-inventory",
    indexes: inventory::rows::INDEXES,
};
/// The table of reservation-api.
pub(crate) const RESERVATION: ServiceTable = ServiceTable {
    service: "reservation",
    variable: "RESERVATION_TABLE",
    default: "traffic-tacos-reservation",
    indexes: reservation::rows::INDEXES,
};
/// The table of payment-sim-api.
pub(crate) const PAYMENT: ServiceTable = ServiceTable {
    service: "payment",
    variable: "PAYMENT_TABLE",
    default: "traffic-tacos-payment",
    indexes: payment::rows::INDEXES,
};

/// A table and its name from the environment.
pub(crate) struct TableSetting {
    table: &'static ServiceTable,
    name: String,
}

impl ServiceTable {
    /// Reads the table's name, which has a default.
    pub(crate) fn read(&'static self, env: &mut Env) -> TableSetting {
        let name =
            env.or(self.variable, "DynamoDB table; `tacos aws create` creates it", self.default.to_owned());
        TableSetting { table: self, name }
    }

    /// Reads the table's name, if it is set.
    pub(crate) fn read_optional(&'static self, env: &mut Env) -> Option<TableSetting> {
        let doc = "DynamoDB table; `tacos aws create` creates it; unset: the rows are in DATA_DIR";
        let name = env.optional(self.variable, doc);
        Some(TableSetting { table: self, name: name? })
    }
}

impl TableSetting {
    /// Checks that the table exists with the right keys and indexes, and opens its store.
    pub(crate) async fn open(
        &self,
        aws: &Aws,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Arc<dyn Store>, Failure> {
        let ServiceTable { variable, indexes, .. } = self.table;
        let store = aws.table(&self.name, indexes, clock.clone(), entropy.clone());
        let check = || async { store.check().await.map_err(|fault| Unusable::from_fault(variable, &fault)) };
        reach(&**clock, check).await?;
        Ok(Arc::new(store))
    }
}

impl fmt::Display for TableSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
