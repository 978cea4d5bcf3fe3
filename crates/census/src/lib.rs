//! The whole stored state in the terms of the domain, kept up to date row by row.
//!
//! A snapshot of a folder and a simulator that checks after every commit read the same rows through
//! the same readers: those of the services that wrote them. The census trusts nobody's memory: an
//! unreadable row is an error, not a missing row.
//!
//! A row keeps its place in the [`World`] as long as it exists, so setting a row costs one look-up,
//! however much is stored. Only the definition of a show costs a walk over the seats, and it
//! changes once. The census does not know where the rows come from, what is in queues, or whether
//! the invariants hold ([`domain::invariant::check`]).

mod shows;
mod slots;
pub mod snapshot;

use domain::hold::Hold;
use domain::id::ReservationId;
use domain::invariant::{Owner, Refund, SeatRow, World};
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::seat::SeatState;
use ports::store::{Key, Row};
use shows::Shows;
use slots::Slots;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The table of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The table of inventory-api.
    Inventory,
    /// The table of reservation-api.
    Reservation,
    /// The table of payment-sim-api.
    Payment,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inventory => "inventory",
            Self::Reservation => "reservation",
            Self::Payment => "payment",
        })
    }
}

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No reader of its table accepts it. Some readers cannot distinguish a row of another kind
    /// from one with a missing part.
    #[error("the {table} row {}/{} is of an unknown kind or lacks a part", .key.partition, .key.sort)]
    Unknown {
        /// Its table.
        table: Table,
        /// Its key.
        key: Key,
    },
    /// It is of a known kind, but damaged or written by another version of the program.
    #[error("the {table} row {}/{} is unreadable", .key.partition, .key.sort)]
    Unreadable {
        /// Its table.
        table: Table,
        /// Its key.
        key: Key,
        /// The reader's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A show has its own row, which is written last, but some rows of its sections are missing or
    /// make no sense.
    #[error("the show {show} has no complete definition")]
    Undefined {
        /// The show.
        show: Arc<str>,
    },
}

/// The whole stored state, kept up to date row by row.
#[derive(Debug, Default)]
pub struct Census {
    world: World,
    shows: Shows,
    seats: Slots<SeatRow>,
    holds: Slots<Hold>,
    reservations: Slots<Reservation>,
    idempotency: Slots<ReservationId>,
    payments: Slots<Payment>,
    refunds: Slots<Refund>,
    /// The outbox rows; the world only has their number.
    pending: BTreeSet<(Table, Key)>,
}

impl Census {
    /// A census of an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the row, or removes it with `None`.
    ///
    /// The rows of a show may come in any order and in any number of steps. Until all are there,
    /// the show has no sections and its seats are not defined. [`Self::complete`] finds shows in
    /// that state.
    ///
    /// # Errors
    /// If the row is unreadable. The census is then unchanged.
    pub fn set(&mut self, table: Table, key: &Key, row: Option<&Row>) -> Result<(), ReadError> {
        debug_assert!(row.is_none_or(|row| row.key == *key), "the row lies under its own key");
        match (table, row) {
            (_, None) => {
                self.remove(table, key);
                Ok(())
            }
            (Table::Inventory, Some(row)) => self.set_inventory(row),
            (Table::Reservation, Some(row)) => self.set_reservation(row),
            (Table::Payment, Some(row)) => self.set_payment(row),
        }
    }

    /// Checks that every existing show has its definition. This holds whenever every commit was
    /// read completely.
    ///
    /// # Errors
    /// [`ReadError::Undefined`] for the first show without a definition.
    pub fn complete(&self) -> Result<(), ReadError> {
        match self.shows.undefined() {
            Some(show) => Err(ReadError::Undefined { show }),
            None => Ok(()),
        }
    }

    /// The stored state. It is maintained in place, so reading it costs nothing; the order within
    /// its lists has no meaning.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// For everything that is not a row: queued messages, dead letters, reported counts of
    /// sections. Keep the lengths and the order of the lists, because the census remembers the
    /// place of each row. A section loses its reported counts when its show gets another
    /// definition.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// The stored state, for a caller that sets no more rows.
    pub fn into_world(self) -> World {
        self.world
    }

    fn set_inventory(&mut self, row: &Row) -> Result<(), ReadError> {
        let unreadable = |fault| unreadable(Table::Inventory, row, fault);
        if shows::defines(&row.key) {
            self.shows.set(&row.key, Some(row), &mut self.world);
        } else if row.key.partition.starts_with("hold#") {
            let hold = inventory::rows::read_hold(row).map_err(unreadable)?;
            self.holds.set(&mut self.world.holds, &row.key, hold);
        } else if row.key.partition.starts_with("seats#") {
            let seat = inventory::rows::read_seat(row).map_err(unreadable)?;
            let seat = self.seat(seat);
            self.seats.set(&mut self.world.seats, &row.key, seat);
        } else {
            return Err(ReadError::Unknown { table: Table::Inventory, key: row.key.clone() });
        }
        Ok(())
    }

    fn seat(&self, row: inventory::rows::SeatRow) -> SeatRow {
        let owner = match row.seat.state {
            SeatState::Available => Owner::Free,
            SeatState::Held { by, .. } => Owner::Held(by),
            SeatState::Sold { order } => Owner::Sold(order),
            SeatState::Blocked => Owner::Blocked,
        };
        let defined = self.shows.has_seat(&row.show, &row.id);
        SeatRow { show: row.show, section: row.section, seat: row.id, defined, owner }
    }

    fn set_reservation(&mut self, row: &Row) -> Result<(), ReadError> {
        use reservation::rows::AnyRow;
        match AnyRow::read(row) {
            Some(AnyRow::Reservation(stored)) => {
                self.reservations.set(&mut self.world.reservations, &row.key, stored.reservation);
            }
            Some(AnyRow::Idempotency(record)) => {
                self.idempotency.set(&mut self.world.idempotency, &row.key, record.answer.id);
            }
            Some(AnyRow::Webhook(_) | AnyRow::Pass(_)) => {}
            None => self.set_pending(Table::Reservation, row)?,
        }
        Ok(())
    }

    fn set_payment(&mut self, row: &Row) -> Result<(), ReadError> {
        use payment::rows::AnyRow;
        match AnyRow::read(row).map_err(|error| unreadable(Table::Payment, row, error))? {
            Some(AnyRow::Payment(stored)) => {
                self.payments.set(&mut self.world.payments, &row.key, stored.payment);
            }
            Some(AnyRow::Refund(stored)) => {
                let key = stored.idempotency_key;
                let refund = Refund { intent: stored.intent, amount: stored.amount.amount, key };
                self.refunds.set(&mut self.world.refunds, &row.key, refund);
            }
            Some(AnyRow::Webhook(_)) => {}
            None => self.set_pending(Table::Payment, row)?,
        }
        Ok(())
    }

    fn set_pending(&mut self, table: Table, row: &Row) -> Result<(), ReadError> {
        if outbox::PendingRow::read(row).is_none() {
            return Err(ReadError::Unknown { table, key: row.key.clone() });
        }
        self.pending.insert((table, row.key.clone()));
        self.count_pending();
        Ok(())
    }

    /// Looks for the row in every list of its table, because a key alone does not always tell its
    /// kind.
    fn remove(&mut self, table: Table, key: &Key) {
        let world = &mut self.world;
        match table {
            Table::Inventory if shows::defines(key) => self.shows.set(key, None, world),
            Table::Inventory => {
                self.holds.remove(&mut world.holds, key);
                self.seats.remove(&mut world.seats, key);
            }
            Table::Reservation => {
                self.reservations.remove(&mut world.reservations, key);
                self.idempotency.remove(&mut world.idempotency, key);
            }
            Table::Payment => {
                self.payments.remove(&mut world.payments, key);
                self.refunds.remove(&mut world.refunds, key);
            }
        }
        self.pending.remove(&(table, key.clone()));
        self.count_pending();
    }

    fn count_pending(&mut self) {
        self.world.outbox_pending = self.pending.len() as u64;
    }
}

fn unreadable(table: Table, row: &Row, source: impl Error + Send + Sync + 'static) -> ReadError {
    ReadError::Unreadable { table, key: row.key.clone(), source: Box::new(source) }
}

#[cfg(test)]
mod tests;
