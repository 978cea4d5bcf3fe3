//! The venue of the demo: a hot section that everybody wants, a large named section, and a floor
//! without numbers.

use crowd::Wish;
use domain::id::{InvalidId, SeatId, SectionId, ShowId};
use domain::random::Random;
use serde_json::{Value, json};

/// Seats in a row of the named sections.
const ROW_SEATS: u64 = 50;
/// The currency of the prices.
const CURRENCY: &str = "KRW";
/// The rate of the waiting room, in people a second.
const RATE: u32 = 1_000;
/// The hot section.
pub(super) const STALLS: &str = "VIP";
/// The large section of named seats.
pub(super) const STANDS: &str = "STAND";
/// The section of general admission.
const FLOOR: &str = "FLOOR";

/// A show's sections as the crowd knows them.
#[derive(Debug, Clone)]
pub struct Venue {
    hot: u64,
    stands: u64,
    floor: u64,
}

impl Venue {
    /// A venue of `seats` seats: a twentieth is hot, half is floor, the rest are the stands.
    pub const fn of(seats: u64) -> Self {
        let hot = seats / 20;
        let floor = seats / 2;
        Self { hot, stands: seats - hot - floor, floor }
    }

    /// The body of `POST /admin/shows`.
    pub fn definition(&self, show: &str) -> Value {
        let rows = |count: u64| -> Vec<Value> {
            (0..count.div_ceil(ROW_SEATS))
                .map(|row| json!({"row": (row + 1).to_string(), "from": 1, "to": ROW_SEATS.min(count - row * ROW_SEATS)}))
                .collect()
        };
        let mut sections = Vec::new();
        for (id, name, price, count) in
            [(STALLS, "Front stalls", 220_000, self.hot), (STANDS, "Stands", 154_000, self.stands)]
        {
            if count > 0 {
                sections.push(json!({"id": id, "name": name, "price": price, "rows": rows(count)}));
            }
        }
        if self.floor > 0 {
            sections.push(json!({"id": FLOOR, "name": "Floor", "price": 110_000, "capacity": self.floor}));
        }
        json!({"event_id": show, "name": "Tacos Live", "currency": CURRENCY, "sections": sections,
               "waiting_room": {"rate_per_sec": RATE}})
    }

    /// The first wish of a buyer: three in ten want the hot section, wherever their luck puts them.
    pub fn wish(&self, show: &ShowId, dice: &mut impl Random) -> Wish {
        let quantity = 1 + dice.below(3).min(dice.below(3));
        match dice.below(10) {
            0..3 if self.hot >= quantity => named(show, STALLS, self.hot, quantity, dice),
            3..6 if self.stands >= quantity => named(show, STANDS, self.stands, quantity, dice),
            _ => Wish::any(show, &section(FLOOR), quantity as u32),
        }
    }
}

/// Neighbouring seats of one row, the way people pick them on a plan.
fn named(show: &ShowId, section: &str, count: u64, quantity: u64, dice: &mut impl Random) -> Wish {
    let first = dice.below(count - quantity + 1);
    let seat = |index| {
        let id = format!("{section}-{}-{}", index / ROW_SEATS + 1, index % ROW_SEATS + 1);
        SeatId::parse(&id).expect("letters and numbers")
    };
    Wish::named(show, (first..first + quantity).map(seat).collect())
}

/// A show and its sections as the buyers know them.
pub(super) fn sections(show: &str) -> Result<crowd::Venue, InvalidId> {
    Ok(crowd::Venue { show: ShowId::parse(show)?, named: section(STALLS), places: section(FLOOR) })
}

fn section(name: &str) -> SectionId {
    SectionId::parse(name).expect("a literal")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::random::SplitMix64;

    #[test]
    fn a_hall_has_as_many_seats_as_it_was_asked_for() {
        for seats in [1, 7, 100, 999, 10_000] {
            let definition = Venue::of(seats).definition("s");
            let mut total = 0;
            for section in definition["sections"].as_array().expect("sections") {
                total += section["capacity"].as_u64().unwrap_or_default();
                for row in section["rows"].as_array().into_iter().flatten() {
                    total += row["to"].as_u64().expect("to");
                }
            }
            assert_eq!(total, seats);
        }
    }

    #[test]
    fn wishes_name_different_seats_that_exist() {
        let venue = Venue::of(200);
        let show = ShowId::parse("show").expect("a literal");
        let mut dice = SplitMix64::new(3);
        for _ in 0..500 {
            let wish = venue.wish(&show, &mut dice);
            let unique: std::collections::BTreeSet<_> = wish.seats.iter().collect();
            assert_eq!(unique.len(), wish.seats.len());
            assert!((1..=3).contains(&wish.quantity));
            assert_eq!(wish.section.is_none(), wish.seats.len() == wish.quantity as usize);
        }
    }
}
