use super::*;
use domain::id::EventId;
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;

fn row(reservation: &str, due: u64, id: &str) -> PendingRow {
    PendingRow {
        event_id: EventId::parse(id).expect("valid"),
        reservation: reservation.into(),
        due: Timestamp::from_millis(due),
        body: "{}".into(),
        traceparent: None,
    }
}

fn ids(batch: &[PendingRow]) -> Vec<String> {
    batch.iter().map(|row| row.event_id.to_string()).collect()
}

#[test]
fn a_lane_has_one_row_in_flight_and_lanes_share_batches() {
    let mut lanes = Lanes::default();
    for r in [row("a", 1, "a1"), row("a", 2, "a2"), row("b", 1, "b1"), row("c", 3, "c1")] {
        lanes.push(r);
    }
    assert_eq!(ids(&lanes.take(10)), ["a1", "b1", "c1"]);
    assert!(lanes.take(10).is_empty());
    lanes.sent(&"a".into());
    assert_eq!(ids(&lanes.take(10)), ["a2"]);
    assert_eq!(lanes.rows(), 3);
}

/// Trap T-T3, from the sender's side.
#[test]
fn a_failed_head_holds_its_followers_and_nobody_else() {
    let mut lanes = Lanes::default();
    for r in [row("a", 1, "a1"), row("a", 2, "a2"), row("b", 1, "b1"), row("b", 2, "b2")] {
        lanes.push(r);
    }
    assert_eq!(ids(&lanes.take(10)), ["a1", "b1"]);
    lanes.failed(&"a".into(), Duration::from_secs(1));
    lanes.sent(&"b".into());
    assert_eq!(ids(&lanes.take(10)), ["b2"]);
    lanes.wake(Duration::from_millis(999));
    assert!(lanes.take(10).is_empty());
    lanes.wake(Duration::from_secs(1));
    assert_eq!(ids(&lanes.take(10)), ["a1"]);
    assert_eq!(lanes.failures("a"), 1);
    lanes.sent(&"a".into());
    assert_eq!(ids(&lanes.take(10)), ["a2"]);
    assert_eq!(lanes.failures("a"), 0);
}

#[test]
fn a_late_row_goes_before_later_ones_but_not_before_a_tried_head() {
    let mut lanes = Lanes::default();
    lanes.push(row("a", 10, "a10"));
    lanes.push(row("a", 5, "a5"));
    assert_eq!(ids(&lanes.take(1)), ["a5"]);
    lanes.push(row("a", 1, "a1"));
    lanes.failed(&"a".into(), Duration::ZERO);
    lanes.wake(Duration::ZERO);
    assert_eq!(ids(&lanes.take(1)), ["a5"]);
    lanes.sent(&"a".into());
    assert_eq!(ids(&lanes.take(1)), ["a1"]);
}

#[test]
fn rows_that_spoil_a_batch_are_sent_alone() {
    let mut lanes = Lanes::default();
    for name in ["a", "b", "c"] {
        lanes.push(row(name, 1, name));
    }
    let batch = lanes.take(10);
    for r in &batch {
        lanes.call_failed(&r.reservation, true);
    }
    lanes.push(row("d", 1, "d"));
    assert_eq!(ids(&lanes.take(10)), ["a"]);
    assert_eq!(ids(&lanes.take(10)), ["b"]);
    assert_eq!(ids(&lanes.take(10)), ["c"]);
    assert_eq!(ids(&lanes.take(10)), ["d"]);
}

/// Random arrivals and answers: every row is sent once, in the order of its lane, one at a time.
#[test]
fn every_row_is_sent_once_and_in_order_whatever_fails() {
    for seed in 0..200 {
        let mut random = SplitMix64::new(seed);
        let mut lanes = Lanes::default();
        let mut sent: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut in_air: Vec<PendingRow> = Vec::new();
        let (mut pushed, mut clock) = (0, 0);
        let mut done = 0;
        while done < 60 {
            clock += 1;
            if pushed < 60 && random.below(2) == 0 {
                pushed += 1;
                let name = format!("r{}", random.below(5));
                lanes.push(row(&name, pushed, &format!("e{pushed:03}")));
            }
            lanes.wake(Duration::from_millis(clock));
            for r in lanes.take(1 + random.below(4) as usize) {
                assert!(
                    in_air.iter().all(|other| other.reservation != r.reservation),
                    "two of a lane in flight"
                );
                in_air.push(r);
            }
            if !in_air.is_empty() {
                let r = in_air.remove(random.below(in_air.len() as u64) as usize);
                match random.below(4) {
                    0 => lanes.failed(&r.reservation, Duration::from_millis(clock + random.below(5))),
                    1 => lanes.call_failed(&r.reservation, random.below(2) == 0),
                    _ => {
                        done += 1;
                        sent.entry(r.reservation.to_string()).or_default().push(r.due.as_millis());
                        lanes.sent(&r.reservation);
                    }
                }
            }
        }
        assert_eq!(lanes.rows(), 0);
        assert!(sent.values().all(|dues| dues.is_sorted()), "seed {seed}: {sent:?}");
    }
}
