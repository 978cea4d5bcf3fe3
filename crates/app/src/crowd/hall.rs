//! The hall of the demo: a hot section that everybody wants, a large named section, and a floor without numbers.

use domain::random::Random;
use serde_json::{Value, json};

/// Seats in a row of the named sections.
const ROW_SEATS: u64 = 50;
/// How many seats of a section get their own row in the definition.
const CURRENCY: &str = "KRW";
/// People a second that the waiting room lets in.
const RATE: u32 = 1_000;

/// A show's sections as the crowd knows them.
#[derive(Debug, Clone)]
pub struct Hall {
    hot: u64,
    stands: u64,
    floor: u64,
}

/// What a buyer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// These seats by name.
    Named(Vec<String>),
    /// Any seats of a section.
    Any {
        /// The section.
        section: &'static str,
        /// How many.
        quantity: u64,
    },
}

impl Hall {
    /// A hall of `seats` seats: a twentieth is hot, half is floor, the rest are the stands.
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
            [("VIP", "Front stalls", 220_000, self.hot), ("STAND", "Stands", 154_000, self.stands)]
        {
            if count > 0 {
                sections.push(json!({"id": id, "name": name, "price": price, "rows": rows(count)}));
            }
        }
        if self.floor > 0 {
            sections.push(json!({"id": "FLOOR", "name": "Floor", "price": 110_000, "capacity": self.floor}));
        }
        json!({"event_id": show, "name": "Tacos Live", "currency": CURRENCY, "sections": sections,
               "waiting_room": {"rate_per_sec": RATE}})
    }

    /// What a buyer asks for first: three in ten want the hot section, wherever their luck puts them.
    pub fn wish(&self, dice: &mut impl Random) -> Wish {
        let quantity = 1 + dice.below(3).min(dice.below(3));
        match dice.below(10) {
            0..3 if self.hot >= quantity => named("VIP", self.hot, quantity, dice),
            3..6 if self.stands >= quantity => named("STAND", self.stands, quantity, dice),
            _ => Wish::Any { section: "FLOOR", quantity },
        }
    }

    /// What a buyer asks for after the seats of their choice were taken: seats that the plan shows as free.
    pub fn second_choice(free: &[String], quantity: usize, dice: &mut impl Random) -> Option<Wish> {
        if free.is_empty() {
            return None;
        }
        let start = dice.below(free.len() as u64) as usize;
        Some(Wish::Named(free.iter().cycle().skip(start).take(quantity.min(free.len())).cloned().collect()))
    }
}

/// Neighbouring seats of one row, the way people pick them on a plan.
fn named(section: &str, count: u64, quantity: u64, dice: &mut impl Random) -> Wish {
    let first = dice.below(count - quantity + 1);
    let seats = (first..first + quantity)
        .map(|index| format!("{section}-{}-{}", index / ROW_SEATS + 1, index % ROW_SEATS + 1))
        .collect();
    Wish::Named(seats)
}

impl Wish {
    /// How many seats it is about.
    pub fn quantity(&self) -> usize {
        match self {
            Self::Named(seats) => seats.len(),
            Self::Any { quantity, .. } => *quantity as usize,
        }
    }

    /// The body of `POST /api/v1/reservations`.
    pub fn body(&self, show: &str, pass: &str) -> Value {
        match self {
            Self::Named(seats) => {
                json!({"event_id": show, "seat_ids": seats, "quantity": seats.len(), "reservation_token": pass})
            }
            Self::Any { section, quantity } => {
                json!({"event_id": show, "section": section, "quantity": quantity, "reservation_token": pass})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::random::SplitMix64;

    #[test]
    fn a_hall_has_as_many_seats_as_it_was_asked_for() {
        for seats in [1, 7, 100, 999, 10_000] {
            let definition = Hall::of(seats).definition("s");
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
        let hall = Hall::of(200);
        let mut dice = SplitMix64::new(3);
        for _ in 0..500 {
            if let Wish::Named(seats) = hall.wish(&mut dice) {
                let unique: std::collections::BTreeSet<_> = seats.iter().collect();
                assert_eq!(unique.len(), seats.len());
                assert!((1..=3).contains(&seats.len()));
            }
        }
    }
}
