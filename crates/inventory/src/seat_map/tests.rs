use super::*;
use domain::id::{OrderId, ReservationId, SectionId, ShowId};
use domain::money::Currency;
use domain::random::SplitMix64;
use domain::show::{Layout, Section};
use proptest::prelude::*;

fn show(capacities: &[u32]) -> Show {
    let section = |(n, capacity): (usize, &u32)| Section {
        id: SectionId::parse(&format!("s{n}")).expect("an id"),
        name: String::new(),
        price: 1,
        layout: Layout::Places(*capacity),
    };
    Show {
        id: ShowId::parse("show").expect("an id"),
        name: String::new(),
        currency: Currency::krw(),
        sections: capacities.iter().enumerate().map(section).collect(),
        waiting_room: None,
    }
}

fn at(index: u32) -> Place {
    Place { section: 0, index }
}

fn held(until: u64) -> SeatState {
    SeatState::Held {
        by: ReservationId::parse("rsv_1").expect("an id"),
        until: Timestamp::from_millis(until),
    }
}

fn learn(seat_map: &mut SeatMap, index: u32, version: u64, state: SeatState) {
    seat_map.learn(at(index), Seat { version, state });
}

/// The operations on a table; seats and versions are drawn small so that they meet.
#[derive(Debug, Clone)]
enum Op {
    Learn { place: Place, version: u64, state: SeatState },
    Begin(Place),
    End(Place, End),
    Unsure(Duration),
}

fn op() -> impl Strategy<Value = Op> {
    let place = (0..2usize, 0..6u32).prop_map(|(section, index)| Place { section, index });
    let state = prop_oneof![
        Just(SeatState::Available),
        (0..5u64).prop_map(held),
        Just(SeatState::Sold { order: OrderId::parse("ord_1").expect("an id") }),
        Just(SeatState::Blocked),
    ];
    let end = prop_oneof![
        Just(End::Known),
        Just(End::Changed),
        (0..5u64).prop_map(|until| End::Unanswered(Duration::from_secs(until))),
    ];
    prop_oneof![
        4 => (place.clone(), 1..6u64, state)
            .prop_map(|(place, version, state)| Op::Learn { place, version, state }),
        2 => place.clone().prop_map(Op::Begin),
        2 => (place, end).prop_map(|(place, end)| Op::End(place, end)),
        1 => (0..6u64).prop_map(|now| Op::Unsure(Duration::from_secs(now))),
    ]
}

/// Counts, the list of free places and the list of due ones are projections of the seats (invariant
/// X4).
fn check(seat_map: &SeatMap) {
    for section in 0..2 {
        let seats = &seat_map.sections[section];
        let mut recount = Counts::default();
        seats.seats.iter().for_each(|seat| *count_of(&mut recount, &seat.state) += 1);
        assert_eq!(seat_map.counts(section), recount);
        let mut free = seats.free.clone();
        free.sort_unstable();
        let offered = |index: &u32| {
            let place = Place { section, index: *index };
            seat_map.seat(place).state == SeatState::Available
                && !seat_map.pending.contains_key(&place)
                && !seat_map.stale.contains(&place)
        };
        assert_eq!(free, (0..6).filter(offered).collect::<Vec<u32>>());
        for (spot, index) in seats.free.iter().enumerate() {
            assert_eq!(seats.spot[*index as usize], spot as u32);
        }
        for now in 0..6 {
            let now = Timestamp::from_millis(now);
            let mut due: Vec<u32> = seat_map.due(section, 6, now).iter().map(|place| place.index).collect();
            due.sort_unstable();
            let is_due = |index: &u32| matches!(seats.seats[*index as usize].state, SeatState::Held { until, .. } if until <= now);
            assert_eq!(due, (0..6).filter(is_due).collect::<Vec<u32>>());
        }
    }
}

proptest! {
    #[test]
    fn counts_free_places_and_due_places_follow_the_seats(
        ops in prop::collection::vec(op(), 1..60), seed: u64,
    ) {
        let mut seat_map = SeatMap::new(&show(&[6, 6]));
        let mut dice = SplitMix64::new(seed);
        for op in ops {
            match op {
                Op::Learn { place, version, state } => {
                    let known = seat_map.seat(place).version;
                    seat_map.learn(place, Seat { version, state });
                    prop_assert_eq!(seat_map.seat(place).version, known.max(version), "versions only grow");
                }
                Op::Begin(place) => seat_map.begin(&[place], &CancellationToken::new()),
                Op::End(place, end) => seat_map.end(&[place], end),
                Op::Unsure(now) => drop(seat_map.unsure(0, now)),
            }
            check(&seat_map);
            for count in 1..8 {
                let picked = seat_map.pick(1, count, &mut dice);
                let mut distinct = picked.clone();
                distinct.sort_unstable();
                distinct.dedup();
                prop_assert_eq!(distinct.len(), picked.len());
                prop_assert_eq!(picked.len(), seat_map.sections[1].free.len().min(count as usize));
                prop_assert!(picked.iter().all(|place| seat_map.sections[1].free.contains(&place.index)));
            }
        }
    }
}

#[test]
fn the_last_places_are_found_among_many_that_are_gone() {
    let mut seat_map = SeatMap::new(&show(&[10_000]));
    for index in 0..10_000 {
        if index != 17 && index != 9_999 {
            learn(&mut seat_map, index, 1, held(9));
        }
    }
    let mut dice = SplitMix64::new(3);
    let mut picked = seat_map.pick(0, 3, &mut dice);
    picked.sort_unstable();
    assert_eq!(picked, [at(17), at(9_999)]);
}

#[test]
fn the_longest_due_are_offered_first() {
    let mut seat_map = SeatMap::new(&show(&[4]));
    for (index, until) in [(0, 30), (1, 10), (2, 20), (3, 40)] {
        learn(&mut seat_map, index, 1, held(until));
    }
    assert_eq!(seat_map.due(0, 2, Timestamp::from_millis(30)), [at(1), at(2)]);
    assert_eq!(seat_map.due(0, 9, Timestamp::from_millis(30)), [at(1), at(2), at(0)]);
    assert_eq!(seat_map.due(0, 9, Timestamp::from_millis(9)), []);
}

#[test]
fn a_change_on_its_way_is_not_offered_until_it_ends() {
    let mut seat_map = SeatMap::new(&show(&[1]));
    let done = CancellationToken::new();
    seat_map.begin(&[at(0)], &done);
    assert!(seat_map.pick(0, 1, &mut SplitMix64::new(1)).is_empty());
    assert!(seat_map.pending(&[at(0)]).is_some());
    assert!(seat_map.undecided(0).pending.is_some());
    seat_map.end(&[at(0)], End::Changed);
    assert!(seat_map.pending(&[at(0)]).is_none());
    assert_eq!(seat_map.stale(&[at(0)]), [at(0)]);
    learn(&mut seat_map, 0, 1, SeatState::Available);
    assert_eq!(seat_map.pick(0, 1, &mut SplitMix64::new(1)), [at(0)]);
}

/// Trap T-S9: an unanswered write landed after the row was read again.
#[test]
fn an_unanswered_write_leaves_doubt_until_a_newer_version_is_seen() {
    let mut seat_map = SeatMap::new(&show(&[1]));
    let (early, late) = (Duration::from_secs(29), Duration::from_secs(30));
    seat_map.begin(&[at(0)], &CancellationToken::new());
    seat_map.end(&[at(0)], End::Unanswered(late));
    assert_eq!(seat_map.unsure(0, early), [at(0)]);
    seat_map.learn(at(0), Seat::UNWRITTEN);
    assert_eq!(seat_map.unsure(0, early), [at(0)], "the write may land yet");
    assert_eq!(seat_map.pick(0, 1, &mut SplitMix64::new(1)), [at(0)], "but the place can be tried");
    learn(&mut seat_map, 0, 1, held(9));
    assert!(seat_map.unsure(0, early).is_empty(), "a newer version shuts it out");
}

/// Trap T-S9.
#[test]
fn doubt_ends_with_one_last_reading() {
    let mut seat_map = SeatMap::new(&show(&[1]));
    let late = Duration::from_secs(30);
    seat_map.begin(&[at(0)], &CancellationToken::new());
    seat_map.end(&[at(0)], End::Unanswered(late));
    seat_map.learn(at(0), Seat::UNWRITTEN);
    assert_eq!(seat_map.unsure(0, late), [at(0)]);
    assert!(seat_map.pick(0, 1, &mut SplitMix64::new(1)).is_empty());
    seat_map.learn(at(0), Seat::UNWRITTEN);
    assert!(seat_map.unsure(0, late).is_empty());
    assert_eq!(seat_map.pick(0, 1, &mut SplitMix64::new(1)), [at(0)]);
}

#[test]
fn a_write_that_was_seen_before_its_caller_went_leaves_no_doubt() {
    let mut seat_map = SeatMap::new(&show(&[1]));
    seat_map.begin(&[at(0)], &CancellationToken::new());
    learn(&mut seat_map, 0, 1, held(9));
    seat_map.end(&[at(0)], End::Unanswered(Duration::from_secs(30)));
    assert_eq!(seat_map.stale(&[at(0)]), [at(0)]);
    learn(&mut seat_map, 0, 1, held(9));
    assert!(seat_map.unsure(0, Duration::ZERO).is_empty());
}
