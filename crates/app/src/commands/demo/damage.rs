//! Damaged data, for the test that expects an invariant to fail.

use crate::engines::Engines;
use anyhow::{Context, Result, bail};
use census::snapshot::scan;
use domain::hold::{Hold, HoldState, ReleaseCause};
use domain::seat::SeatState;
use ports::store::{Expect, Row, Write};

/// Damages the data so that the named invariant fails.
pub(super) async fn break_invariant(engines: &Engines, name: &str) -> Result<()> {
    let (store, rows) = match name {
        "I1" | "X1" => (&engines.inventory, scan(&*engines.inventory).await?),
        "M1" => (&engines.payment, scan(&*engines.payment).await?),
        _ => bail!("cannot damage {name}; use I1, X1 or M1"),
    };
    let write = rows.iter().find_map(|row| damaged(name, row)).context("no row to damage")?;
    store.commit(vec![write]).await.map_err(|error| anyhow::anyhow!("{error:?}"))
}

fn damaged(name: &str, row: &Row) -> Option<Write> {
    match name {
        // A sold seat belongs to an order that does not exist.
        "I1" => {
            let seat = inventory::rows::read_seat(row)
                .ok()
                .filter(|seat| matches!(seat.seat.state, SeatState::Sold { .. }))?;
            let order = domain::id::OrderId::parse("ord_nobody").ok()?;
            let state = SeatState::Sold { order };
            let put = inventory::rows::seat_put(
                row.key.clone(),
                &seat.show,
                &seat.section,
                &seat.id,
                &state,
                row.version,
            );
            Some(put)
        }
        // The hold of a confirmed reservation is released.
        "X1" => {
            let hold = inventory::rows::read_hold(row).ok().filter(Hold::is_committed)?;
            let at = hold.until;
            let state = HoldState::Released { cause: ReleaseCause::Expired, at };
            Some(inventory::rows::hold_put(&Hold { state, ..hold }, row.version))
        }
        // A captured payment belongs to a reservation that it does not confirm.
        _ => {
            let Ok(Some(payment::rows::AnyRow::Payment(stored))) = payment::rows::AnyRow::read(row) else {
                return None;
            };
            if stored.payment.status != domain::payment::Status::Captured {
                return None;
            }
            let mut attributes = row.attributes.clone();
            for (attribute, value) in &mut attributes.0 {
                if *attribute == "reservation_id" {
                    *value = "rsv_nobody".into();
                }
            }
            Some(Write::Put {
                key: row.key.clone(),
                expect: Expect::Version(row.version),
                attributes,
                indexes: Vec::new(),
            })
        }
    }
}
