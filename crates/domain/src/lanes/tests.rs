use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn lane(n: u8) -> ReservationId {
    ReservationId::parse(&format!("rsv_{n}")).expect("valid")
}

fn queue(lanes: &mut Lanes<u64>, to: u8, n: u64) {
    assert_eq!(lanes.offer(&lane(to), n), Offer::Queued);
}

#[test]
fn a_lane_runs_one_at_a_time_and_in_order() {
    let mut lanes = Lanes::new(8);
    (1..=3).for_each(|n| queue(&mut lanes, 1, n));
    for n in 1..=3 {
        assert_eq!(lanes.next_ready(), Some((&lane(1), &n)));
        assert!(lanes.start(&lane(1)));
        assert!(!lanes.start(&lane(1)));
        assert_eq!(lanes.next_ready(), None);
        assert_eq!(lanes.finish(&lane(1)), Some(n));
    }
    assert!(lanes.is_empty());
}

#[test]
fn lanes_take_turns() {
    let mut lanes = Lanes::new(8);
    for (to, n) in [(1, 1), (1, 2), (2, 3), (3, 4)] {
        queue(&mut lanes, to, n);
    }
    let mut order = Vec::new();
    while let Some((next, _)) = lanes.next_ready() {
        let next = next.clone();
        lanes.start(&next);
        order.extend(lanes.finish(&next));
    }
    assert_eq!(order, [1, 3, 4, 2]);
}

/// Trap T-T3: head and followers leave together; nothing enters until their settlement is
/// confirmed.
#[test]
fn a_lane_fails_as_a_unit() {
    let mut lanes = Lanes::new(8);
    (1..=3).for_each(|n| queue(&mut lanes, 1, n));
    lanes.start(&lane(1));
    assert_eq!(lanes.fail(&lane(1)), Some(Failed { head: 1, followers: vec![2, 3] }));
    assert_eq!(lanes.offer(&lane(1), 4), Offer::Refused(4));
    assert_eq!(lanes.next_ready(), None);
    lanes.clear(&lane(1));
    queue(&mut lanes, 1, 1);
    assert_eq!(lanes.next_ready(), Some((&lane(1), &1)));
}

#[test]
fn a_full_lane_refuses_everything_behind_until_it_is_empty() {
    let mut lanes = Lanes::new(2);
    queue(&mut lanes, 1, 1);
    queue(&mut lanes, 1, 2);
    assert_eq!(lanes.offer(&lane(1), 3), Offer::Refused(3));
    lanes.start(&lane(1));
    lanes.finish(&lane(1));
    assert_eq!(lanes.offer(&lane(1), 4), Offer::Refused(4), "4 must not pass 3");
    lanes.start(&lane(1));
    lanes.finish(&lane(1));
    queue(&mut lanes, 1, 3);
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u8),
    Start,
    Finish(u8),
    Fail(u8),
    Clear(u8),
    TakeWaiting(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let lane = 0u8..4;
    prop_oneof![
        6 => lane.clone().prop_map(Step::Offer),
        4 => Just(Step::Start),
        3 => lane.clone().prop_map(Step::Finish),
        1 => lane.clone().prop_map(Step::Fail),
        1 => lane.clone().prop_map(Step::Clear),
        1 => lane.prop_map(Step::TakeWaiting),
    ]
}

/// A plain model of the lanes.
#[derive(Default)]
struct Model {
    next: u64,
    /// The messages of each lane, in order.
    inside: BTreeMap<u8, Vec<u64>>,
    running: BTreeSet<u8>,
    failing: BTreeSet<u8>,
}

impl Model {
    fn leave(&mut self, lane: u8, n: u64) {
        let inside = self.inside.entry(lane).or_default();
        inside.retain(|m| *m != n);
    }
}

fn apply(lanes: &mut Lanes<u64>, model: &mut Model, step: &Step) {
    match *step {
        Step::Offer(to) => {
            let n = model.next + 1;
            match lanes.offer(&lane(to), n) {
                Offer::Queued => {
                    assert!(!model.failing.contains(&to));
                    model.next = n;
                    model.inside.entry(to).or_default().push(n);
                }
                Offer::Refused(refused) => assert_eq!(refused, n),
            }
        }
        Step::Start => {
            if let Some((next, head)) = lanes.next_ready().map(|(lane, head)| (lane.clone(), *head)) {
                let at = next.as_str().trim_start_matches("rsv_").parse().expect("a number");
                assert!(lanes.start(&next));
                assert!(model.running.insert(at), "Q2: a second run in a lane");
                assert_eq!(model.inside[&at][0], head, "Q3: not the oldest");
            }
        }
        Step::Finish(at) => match lanes.finish(&lane(at)) {
            Some(head) => {
                assert!(model.running.remove(&at));
                assert_eq!(model.inside[&at][0], head);
                model.leave(at, head);
            }
            None => assert!(!model.running.contains(&at)),
        },
        Step::Fail(at) => match lanes.fail(&lane(at)) {
            Some(Failed { head, followers }) => {
                assert!(model.running.remove(&at));
                let mut all = vec![head];
                all.extend(followers);
                assert_eq!(model.inside.remove(&at).unwrap_or_default(), all, "all leave, in order");
                model.failing.insert(at);
            }
            None => assert!(!model.running.contains(&at)),
        },
        Step::Clear(at) => {
            lanes.clear(&lane(at));
            model.failing.remove(&at);
        }
        Step::TakeWaiting(at) => {
            let taken = lanes.take_waiting(&lane(at));
            let started = usize::from(model.running.contains(&at));
            let inside = model.inside.entry(at).or_default();
            assert_eq!(inside.split_off(started), taken);
        }
    }
}

proptest! {
    #[test]
    fn no_message_is_lost_doubled_or_overtaken(
        depth in 1usize..6, steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut lanes = Lanes::new(depth);
        let mut model = Model::default();
        for step in &steps {
            apply(&mut lanes, &mut model, step);
            let inside: usize = model.inside.values().map(Vec::len).sum();
            prop_assert_eq!(lanes.running(), model.running.len());
            prop_assert_eq!(lanes.waiting(), inside - model.running.len());
            prop_assert!(model.inside.values().all(|lane| lane.len() <= depth));
            prop_assert!(lanes.ready().count() + lanes.running() <= 4);
        }
        // Whatever happened, all remaining messages can run to their end.
        for at in 0..4 {
            lanes.clear(&lane(at));
            lanes.finish(&lane(at));
        }
        while let Some((next, _)) = lanes.next_ready() {
            let next = next.clone();
            lanes.start(&next);
            prop_assert!(lanes.finish(&next).is_some());
        }
        prop_assert!(lanes.is_empty());
    }
}
