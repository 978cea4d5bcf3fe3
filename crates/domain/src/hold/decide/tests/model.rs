//! A stock of a few seats. Only the decisions change its rows.

use super::*;
use crate::invariant::{self, Counts, Owner, Phase, SeatRow, Section, World};
use std::collections::BTreeMap;

/// What buyers do to the model; everything else follows from the decisions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    Hold { buyer: usize, first: usize, count: usize },
    Commit { buyer: usize, intent: u8 },
    Release { buyer: usize, cause: Option<ReleaseCause> },
    Refuse { buyer: usize, intent: u8 },
    Pass,
}

/// Rows as the inventory stores them.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) now: u64,
    pub(super) seats: Vec<Seat>,
    pub(super) holds: BTreeMap<(ReservationId, HoldKey), Hold>,
}

impl Model {
    pub(super) fn new(seats: usize) -> Self {
        Self { now: 0, seats: vec![Seat::UNWRITTEN; seats], holds: BTreeMap::new() }
    }

    fn holds_of(&self, reservation: &ReservationId) -> (Option<Hold>, Option<Hold>) {
        let get = |key| self.holds.get(&(reservation.clone(), key)).cloned();
        (get(HoldKey::First), get(HoldKey::Retake))
    }

    fn put(&mut self, hold: Hold) {
        self.holds.insert((hold.reservation.clone(), hold.key), hold);
    }

    fn write(&mut self, seats: &[SeatId], state: &SeatState) {
        for id in seats {
            let n: usize = id.as_str()[1..].parse().expect("a number");
            let version = self.seats[n].version + 1;
            self.seats[n] = Seat { version, state: state.clone() };
        }
    }

    /// Releases the due holds in the way. Returns whether all wanted seats are now available.
    fn clear(&mut self, wanted: &[SeatId]) -> bool {
        let seats = self.seats.clone();
        let of = |id: &SeatId| id.as_str()[1..].parse::<usize>().expect("a number");
        match take(wanted.iter().map(|id| (id, &seats[of(id)])), at(self.now)) {
            Take::Now => true,
            Take::Taken(_) => false,
            Take::After(due) => {
                for reservation in due {
                    self.release(&reservation, Some(ReleaseCause::Expired));
                }
                true
            }
        }
    }

    pub(super) fn apply(&mut self, command: Command) {
        match command {
            Command::Pass => self.now += 1,
            Command::Release { buyer, cause } => self.release(&rsv(buyer), cause),
            Command::Commit { buyer, intent: n } => self.commit(&rsv(buyer), &intent(&format!("pay{n}"))),
            Command::Refuse { buyer, intent: n } => {
                let (first, retake) = self.holds_of(&rsv(buyer));
                let by = intent(&format!("pay{n}"));
                if let RefuseDecision::Record(hold) = refuse(first.as_ref(), retake.as_ref(), &by) {
                    self.put(hold);
                }
            }
            Command::Hold { buyer, first, count } => {
                let len = self.seats.len();
                let wanted: Vec<SeatId> = (0..count.min(len)).map(|n| seat((first + n) % len)).collect();
                assert!(check_request(&wanted, 0).is_ok());
                if self.holds_of(&rsv(buyer)).0.is_some() || !self.clear(&wanted) {
                    return;
                }
                let until = at(self.now + HOLD);
                self.write(&wanted, &SeatState::Held { by: rsv(buyer), until });
                self.put(Hold { reservation: rsv(buyer), seats: wanted, until, ..live(&[], 0) });
            }
        }
    }

    fn release(&mut self, reservation: &ReservationId, cause: Option<ReleaseCause>) {
        let (first, retake) = self.holds_of(reservation);
        let decision = release(first.as_ref(), retake.as_ref(), NOBODY, cause, at(self.now));
        let Some(mut hold) = first else { return };
        match decision {
            ReleaseDecision::Release(cause) => {
                hold.state = HoldState::Released { cause, at: at(self.now) };
                self.write(&hold.seats, &SeatState::Available);
                self.put(hold);
            }
            ReleaseDecision::Close { .. } => self.put(Hold { closed: true, ..hold }),
            ReleaseDecision::Before { .. } | ReleaseDecision::Reject(_) => {}
        }
    }

    fn commit(&mut self, reservation: &ReservationId, by: &PaymentIntentId) {
        let (first, retake) = self.holds_of(reservation);
        let decision = commit(first.as_ref(), retake.as_ref(), NOBODY, Some(by));
        let Some(mut hold) = first else { return };
        let sold = |order: &OrderId, now| HoldState::Committed {
            order: order.clone(),
            intent: Some(by.clone()),
            at: at(now),
        };
        match decision {
            CommitDecision::Already(_) | CommitDecision::Reject(_) => {}
            CommitDecision::Adopt(hold) => self.put(hold),
            CommitDecision::Seal { order } => {
                hold.state = sold(&order, self.now);
                self.write(&hold.seats, &SeatState::Sold { order });
                self.put(hold);
            }
            CommitDecision::Retake { order } => {
                if self.clear(&hold.seats) {
                    let state = sold(&order, self.now);
                    self.write(&hold.seats, &SeatState::Sold { order });
                    self.put(Hold { key: HoldKey::Retake, state, ..hold });
                } else {
                    hold.refuse(Some(by));
                    self.put(hold);
                }
            }
        }
    }

    /// Invariants I1, I2, I4, I5, I6, I7 and the live half of I3 on the rows.
    pub(super) fn check(&self) {
        let section = SectionId::parse("a").expect("an id");
        let row = |(n, row): (usize, &Seat)| SeatRow {
            show: show(),
            section: section.clone(),
            seat: seat(n),
            defined: true,
            owner: match &row.state {
                SeatState::Available => Owner::Free,
                SeatState::Held { by, .. } => Owner::Held(by.clone()),
                SeatState::Sold { order } => Owner::Sold(order.clone()),
                SeatState::Blocked => Owner::Blocked,
            },
        };
        let world = World {
            sections: vec![Section {
                show: show(),
                section: section.clone(),
                capacity: self.seats.len() as u64,
                reported: None::<Counts>,
            }],
            seats: self.seats.iter().enumerate().map(row).collect(),
            holds: self.holds.values().cloned().collect(),
            ..World::default()
        };
        let report = invariant::check(&world, Phase::Running);
        let seats = ["I1", "I2", "I3", "I4", "I5", "I6", "I7"];
        for (name, verdict) in report.verdicts() {
            let ours = seats.contains(&name.to_string().as_str());
            assert!(!ours || verdict.violations == 0, "{name}: {:?}", verdict.examples);
        }
    }

    /// Between two instants: versions only grow (I3), a resolved hold stays resolved (I4), a sold
    /// seat stays sold (I6).
    pub(super) fn check_step(&self, before: &Self) {
        for (now, then) in self.seats.iter().zip(&before.seats) {
            assert!(now.version >= then.version && (now.version > then.version || now == then));
            if matches!(then.state, SeatState::Sold { .. }) {
                assert_eq!(now, then);
            }
        }
        for (key, then) in &before.holds {
            let now = &self.holds[key];
            assert!(then.state == HoldState::Live || now.state == then.state, "{then:?} became {now:?}");
            assert!(now.refused.starts_with(&then.refused));
            assert!(now.closed || !then.closed);
            // A refused payment never gets the seats later: its payer expects the money back.
            let (first, retake) = self.holds_of(&then.reservation);
            let (first_then, retake_then) = before.holds_of(&then.reservation);
            for (hold, hold_then) in [(first, first_then), (retake, retake_then)] {
                if let Some(HoldState::Committed { intent, .. }) = hold.map(|hold| hold.state)
                    && !hold_then.is_some_and(|hold| hold.is_committed())
                {
                    assert!(key.1 != HoldKey::First || !then.refuses(intent.as_ref()));
                }
            }
        }
    }
}
