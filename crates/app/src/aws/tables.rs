//! The tables of DynamoDB: one for each service, named by a variable of its own.

use super::reach;
use crate::cli::Failure;
use adapter_aws::{Aws, Unusable};
use core::fmt;
use ports::{Clock, Entropy, Store};
use runtime::config::Env;
use std::sync::Arc;

/// A service's table: its service, the variable that names it, its default, and the indexes that the service uses.
pub(crate) struct Table {
    pub(crate) service: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) default: &'static str,
    pub(crate) indexes: &'static [&'static str],
}

/// The table of inventory-api.
pub(crate) const INVENTORY: Table = Table {
    service: "inventory",
    variable: "INVENTORY_TABLE",
    default: "traffic-tacos-inventory",
    indexes: inventory::rows::INDEXES,
};
/// The table of reservation-api.
pub(crate) const RESERVATION: Table = Table {
    service: "reservation",
    variable: "RESERVATION_TABLE",
    default: "traffic-tacos-reservation",
    indexes: reservation::rows::INDEXES,
};
/// The table of payment-sim-api.
pub(crate) const PAYMENT: Table = Table {
    service: "payment",
    variable: "PAYMENT_TABLE",
    default: "traffic-tacos-payment",
    indexes: payment::rows::INDEXES,
};

/// A table as the environment names it.
pub(crate) struct TableSetting {
    table: &'static Table,
    name: String,
}

impl Table {
    /// The table, which has a default name.
    pub(crate) fn read(&'static self, env: &mut Env) -> TableSetting {
        let name =
            env.or(self.variable, "table of DynamoDB; `tacos aws create` makes it", self.default.to_owned());
        TableSetting { table: self, name }
    }

    /// The table, if it is named.
    pub(crate) fn read_optional(&'static self, env: &mut Env) -> Option<TableSetting> {
        let doc = "table of DynamoDB, which `tacos aws create` makes; unset: rows in DATA_DIR";
        let name = env.optional(self.variable, doc);
        Some(TableSetting { table: self, name: name? })
    }
}

impl TableSetting {
    /// The store on this table, which is there and as it should be.
    pub(crate) async fn open(
        &self,
        aws: &Aws,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Arc<dyn Store>, Failure> {
        let Table { variable, indexes, .. } = self.table;
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
