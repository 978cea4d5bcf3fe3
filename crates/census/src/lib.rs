//! Everything that is stored, in the words of the domain, kept up to date row by row.
//!
//! A snapshot of a folder and a simulator that looks after every commit read the same rows through the same readers, which
//! are those of the services that wrote them. The census believes nobody's memory: a row that cannot be read is an error,
//! not a row less.
//!
//! A row keeps its place in the [`World`] while it is there, so setting a row costs a look-up, however much is stored;
//! only the definition of a show, which changes once, costs a walk over the seats. Left to others: where the rows come
//! from, what lies in queues, and whether the invariants hold ([`domain::invariant::check`]).

mod shows;
mod slots;

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

/// Which table a row is of.
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
    /// No reader of its table takes it. Some readers do not tell a row of another kind from one that lacks a part.
    #[error("the {table} row {}/{} is of no kind that is known, or lacks a part", .key.partition, .key.sort)]
    Unknown {
        /// Where it was found.
        table: Table,
        /// Its key.
        key: Key,
    },
    /// It is of a known kind and damaged, or written by a program of another version.
    #[error("the {table} row {}/{} is unreadable", .key.partition, .key.sort)]
    Unreadable {
        /// Where it was found.
        table: Table,
        /// Its key.
        key: Key,
        /// What its reader says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A show has its own row, which is written last, but not all rows of its sections, or they make no sense.
    #[error("the show {show} is without its definition")]
    Undefined {
        /// Which show.
        show: Arc<str>,
    },
}

/// Everything that is stored, kept up to date row by row.
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
    /// The outbox rows, whose number is all that the world knows of them.
    pending: BTreeSet<(Table, Key)>,
}

impl Census {
    /// Nothing is stored.
    pub fn new() -> Self {
        Self::default()
    }

    /// The row is now this; `None`: it is gone.
    ///
    /// The rows of a show may come in any order and in any number of steps; until all are there the show has no sections
    /// and its seats are not defined. [`Self::complete`] says whether one is left like that.
    ///
    /// # Errors
    /// When the row cannot be read. The census is then as before.
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

    /// Checks that every show that exists has its definition: true whenever no commit is half told.
    ///
    /// # Errors
    /// [`ReadError::Undefined`] for the first show without.
    pub fn complete(&self) -> Result<(), ReadError> {
        match self.shows.undefined() {
            Some(show) => Err(ReadError::Undefined { show }),
            None => Ok(()),
        }
    }

    /// What is stored. It is maintained in place, so looking costs nothing; the order within its lists means nothing.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// For what is not rows: queued, buried, reported counts of sections. The lists of rows keep their lengths and order,
    /// because the census remembers what lies where. A section loses its reported counts when its show is defined anew.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// What is stored, for one who sets no more rows.
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
        let read = AnyRow::read(row).transpose();
        match read.map_err(|error| unreadable(Table::Payment, row, error))? {
            Some(AnyRow::Payment(stored)) => {
                self.payments.set(&mut self.world.payments, &row.key, stored.payment);
            }
            Some(AnyRow::Refund(stored)) => {
                let refund = Refund { intent: stored.intent, amount: stored.amount.amount };
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

    /// Looks for the row wherever one of its table may be, because a key alone does not always tell its kind.
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
