//! The behaviour of a line, case by case.

use super::*;

#[test]
fn the_same_person_has_the_same_place() {
    let mut world = World::new(1, 1);
    let first = world.join("one").unwrap();
    world.join("two").unwrap();
    world.wait(500);
    assert_eq!(world.join("one").unwrap(), first);
    assert_eq!(world.line.totals.joined, 2);
}

#[test]
fn people_who_entered_or_left_may_join_again_at_the_end() {
    let mut world = World::new(1_000, 1_000);
    let (one, two) = (world.join("one").unwrap(), world.join("two").unwrap());
    assert_eq!(world.line.leave(&two, world.now()), Standing::Left);
    assert_eq!(world.line.leave(&two, world.now()), Standing::Left);
    world.wait(10);
    assert!(matches!(world.enter(&one), Standing::Entered { .. }));
    assert_eq!(world.join("one").unwrap(), one, "while the pass is good");
    assert!(world.join("two").unwrap().number > two.number);
    world.wait(30_001);
    assert!(world.join("one").unwrap().number > two.number);
}

#[test]
fn a_closed_line_takes_nobody_new_and_a_full_one_not_yet() {
    let mut world = World::new(1, 1);
    world.rule(RuleChange { capacity: Some(1), ..RuleChange::default() });
    let one = world.join("one").unwrap();
    assert_eq!(world.join("two"), Err(Refusal::Full));
    world.rule(RuleChange { closed: Some(true), ..RuleChange::default() });
    assert_eq!(world.join("two"), Err(Refusal::Closed));
    assert_eq!(world.join("one"), Ok(one), "they have a place");
}

#[test]
fn a_paused_line_gives_no_turns_and_no_more_than_the_burst_afterwards() {
    let mut world = World::new(10, 5);
    world.wait(1_000);
    for who in 0..40 {
        world.join(&who.to_string()).unwrap();
    }
    world.pause(true);
    world.wait(20_000);
    assert_eq!(world.ready().len(), 0);
    world.pause(false);
    world.tick();
    assert_eq!(world.ready().len(), 5);
}

/// Traps T-W3 and T-W5: an unused turn costs nobody else anything, and its owner gets another one.
#[test]
fn a_missed_turn_comes_again_and_the_third_is_the_last() {
    let mut world = World::new(1, 1);
    let late = world.join("late").unwrap();
    for turn in 1..=MISSED_MAX {
        world.wait(1_500);
        assert!(matches!(world.state(&late), Some(State::Ready { .. })), "turn {turn}");
        let next = world.join(&format!("next-{turn}")).unwrap();
        world.wait(2_500);
        assert!(matches!(world.state(&next), Some(State::Ready { .. })), "the token came back");
        assert!(matches!(world.enter(&next), Standing::Entered { .. }));
        world.wait(20_000);
        let standing = world.line.beat(&late, world.now());
        assert_eq!(standing, if turn < MISSED_MAX { Standing::Waiting } else { Standing::Expired });
    }
    assert_eq!(world.enter(&late), Standing::Expired);
}

#[test]
fn silent_people_are_absent_and_return_to_the_same_position() {
    let mut world = World::new(1, 1);
    world.pause(true);
    let people: Vec<_> = (0..5).map(|who| world.join(&who.to_string()).unwrap()).collect();
    for _ in 0..40 {
        world.wait(1_000);
        for ticket in &people[1..] {
            world.line.beat(ticket, world.now());
        }
    }
    assert!(matches!(world.state(&people[0]), Some(State::Absent { .. })));
    assert_eq!(world.line.totals.waiting, 4);
    assert_eq!(world.line.beat(&people[0], world.now()), Standing::Waiting);
    world.pause(false);
    world.wait(1_000);
    assert_eq!(world.ready(), BTreeSet::from([people[0].number]), "ahead of everybody behind them");
}

/// If nobody reached the store for a while, it heard nobody's sign of life.
#[test]
fn nobody_is_absent_for_a_silence_of_the_store() {
    let mut world = World::new(1, 1);
    world.pause(true);
    let ticket = world.join("one").unwrap();
    world.wait(60_000);
    assert_eq!(world.state(&ticket), Some(State::Waiting { seen: ms(0) }));
    for _ in 0..29 {
        world.wait(1_000);
    }
    assert_eq!(world.line.totals.waiting, 1);
    world.wait(1_001);
    assert_eq!(world.line.totals.absent, 1);
}

/// Trap T-W10. The store is empty: it knows nobody, but everybody has a ticket.
#[test]
fn a_line_that_is_begun_anew_takes_everybody_back_in_order() {
    let mut world = World::new(2, 2);
    let old: Vec<_> = (0..20).map(|who| world.join(&format!("old-{who}")).unwrap()).collect();
    world.wait(5_000);
    let given: Vec<_> =
        old.iter().filter(|ticket| matches!(world.enter(ticket), Standing::Entered { .. })).collect();
    assert_eq!(given.len(), 2, "they entered with the first tokens");
    let now = world.now();
    world.line = Line::new(2, world.line.rules, Patience::default(), now);
    world.wait(5_000);
    let new = world.join("new").unwrap();
    assert!(new.number > old[19].number);
    for ticket in old[2..].iter().rev() {
        assert_eq!(world.line.beat(ticket, world.now()), Standing::Waiting);
        world.wait(100);
        assert_eq!(world.ready().len(), 0, "those in front have not been heard yet");
    }
    world.passes.clear();
    for _ in 0..200 {
        world.wait(100);
        for ticket in old[2..].iter().chain([&new]) {
            world.enter(ticket);
        }
    }
    let entered: Vec<_> = world.passes.iter().map(|(number, _)| *number).collect();
    let order: Vec<_> = old[2..].iter().chain([&new]).map(|ticket| ticket.number).collect();
    assert_eq!(entered, order);
}

/// Invariant W1. The store loses its latest changes: numbers given meanwhile are not given again.
#[test]
fn a_store_that_loses_its_last_second_gives_no_number_twice() {
    let mut world = World::new(1_000, 1_000);
    for who in 0..100 {
        world.join(&format!("kept-{who}")).unwrap();
    }
    let mut restored = World::new(1_000, 1_000);
    for who in 0..100 {
        restored.join(&format!("kept-{who}")).unwrap();
    }
    for who in 0..50_000 {
        world.join(&format!("lost-{who}")).unwrap();
    }
    // Even if the clock of the server that takes over is behind.
    restored.line.lost(2, restored.line.rules, ms(0));
    for who in 0..100 {
        restored.join(&format!("new-{who}")).unwrap();
    }
    let given: BTreeSet<_> = world.tickets.iter().map(|ticket| ticket.number).collect();
    assert!(restored.tickets[100..].iter().all(|ticket| !given.contains(&ticket.number)));
    let lost = &world.tickets[40_000];
    assert_eq!(restored.line.beat(lost, ms(1)), Standing::Waiting);
    let first = restored.tickets[100].number;
    assert!(lost.number < first, "ahead of who joined after them");
}

/// The first old ticket may come just before turns resume: it does not double the pause.
#[test]
fn after_a_loss_entry_goes_on_within_five_seconds_whenever_the_first_old_ticket_comes() {
    for after in [0, 1_400, 2_999] {
        let mut world = World::new(10, 10);
        let lost_at = world.now();
        world.line.lost(2, world.line.rules, lost_at);
        let old = Ticket { number: world.line.last, key: "old".into(), joined_at: lost_at };
        world.wait(after);
        assert_eq!(world.line.beat(&old, world.now()), Standing::Waiting);
        let front = Ticket { number: old.number - 1, key: "front".into(), joined_at: lost_at };
        world.wait(1_400);
        assert_eq!(world.line.beat(&front, world.now()), Standing::Waiting, "has had the time to come");
        while world.ready().is_empty() {
            world.wait(50);
        }
        assert!(world.ready().contains(&front.number), "in front of who came first");
        assert!(world.now().since(lost_at) <= Duration::from_millis(4_600), "{after}");
    }
}

/// A number that was given twice belongs to the person the line knows by it: the other one can
/// neither enter with it nor give it up.
#[test]
fn a_ticket_of_another_person_with_the_same_number_is_over() {
    let mut world = World::new(1, 1);
    let theirs = world.join("one").unwrap();
    let other = Ticket { key: "other".into(), ..theirs.clone() };
    let ended = |world: &mut World| {
        let now = world.now();
        assert_eq!(world.line.beat(&other, now), Standing::Expired);
        assert_eq!(world.line.enter(&other, now), Standing::Expired);
        assert_eq!(world.line.leave(&other, now), Standing::Expired);
    };
    ended(&mut world);
    world.wait(1_000);
    assert!(matches!(world.line.beat(&theirs, world.now()), Standing::Ready { .. }));
    ended(&mut world);
    assert!(matches!(world.enter(&theirs), Standing::Entered { .. }));
    ended(&mut world);
}

/// A person who joined again after a loss, before their page showed the old ticket.
#[test]
fn of_two_tickets_of_one_person_the_first_counts() {
    let mut world = World::new(1, 1);
    let old = world.join("one").unwrap();
    let now = world.now();
    world.line = Line::new(2, world.line.rules, Patience::default(), now.plus(Duration::from_secs(1)));
    let new = world.join("one").unwrap();
    assert_eq!(world.line.beat(&old, world.now()), Standing::Waiting);
    assert_eq!(world.line.beat(&new, world.now()), Standing::Left);
    assert_eq!(world.join("one").unwrap().number, old.number);
    world.check();
}

#[test]
fn a_ticket_that_was_forgotten_is_not_taken_back() {
    let mut world = World::new(1, 1);
    let gone = world.join("gone").unwrap();
    world.line.leave(&gone, world.now());
    world.wait(30 * 60_000 + 1);
    assert_eq!(world.line.people.len(), 0);
    assert_eq!(world.line.beat(&gone, world.now()), Standing::Expired);
    assert_eq!(world.line.leave(&gone, world.now()), Standing::Expired);
    world.line.lost(2, world.line.rules, world.now());
    assert_eq!(world.line.beat(&gone, world.now()), Standing::Expired, "nor by a loss of what came later");
}

/// The target: at least 98 % of the rate is used while 30 % of the people never use their turn.
#[test]
fn no_shows_cost_no_more_than_two_hundredths_of_the_rate() {
    for seed in 0..4 {
        let mut dice = SplitMix64::new(seed);
        let mut world = World::new(100, 100);
        world.wait(1_000);
        let people: Vec<_> = (0..6_000).map(|who| world.join(&who.to_string()).unwrap()).collect();
        let comes: Vec<_> = people.iter().map(|_| dice.below(10) >= 3).collect();
        for step in 0..300u64 {
            world.wait(100);
            for (index, ticket) in people.iter().enumerate() {
                // Each person asks once a second, at a moment of their own.
                if (step + index as u64).is_multiple_of(10) {
                    if comes[index] {
                        world.enter(ticket);
                    } else {
                        world.line.beat(ticket, world.now());
                    }
                }
            }
        }
        let given = world.passes.iter().filter(|(_, at)| *at <= ms(31_000)).count();
        assert!(given >= 98 * 30, "seed {seed}: {given} of 3,000");
        assert!(densest(&world.passes, 1_000) <= 200);
    }
}

/// People who all come at the last moment of their turn get their passes at the rate, and within
/// the time of a turn.
#[test]
fn a_crowd_that_comes_at_once_is_let_in_at_the_rate() {
    let mut world = World::new(50, 50);
    let people: Vec<_> = (0..5_000).map(|who| world.join(&who.to_string()).unwrap()).collect();
    for _ in 0..149 {
        world.wait(100);
    }
    let ready = world.ready();
    assert!(ready.len() > 400, "tokens came back all the while: {}", ready.len());
    let now = world.now();
    for ticket in people.iter().filter(|ticket| ready.contains(&ticket.number)) {
        assert!(matches!(world.enter(ticket), Standing::Entered { .. }));
    }
    assert!(densest(&world.passes, 1_000) <= 100);
    let last = world.passes.last().unwrap().1;
    assert!(last.since(now) <= Patience::default().ready_for, "{:?}", last.since(now));
}

#[test]
fn one_tick_does_a_bounded_amount_of_work() {
    let mut world = World::new(1_000_000, 1_000_000);
    for who in 0..5_000 {
        world.join(&who.to_string()).unwrap();
    }
    let (mut ticks, mut before) = (1, 0);
    while world.line.tick(ms(1_000)) {
        ticks += 1;
        let ready = world.line.totals.ready;
        assert!(ready - before <= STEPS_MAX as u64);
        before = ready;
    }
    assert_eq!(ticks, 10);
    assert_eq!(world.line.totals.ready, 5_000);
    let snapshot = world.line.snapshot(None, ms(1_000));
    assert!(snapshot.blocks.len() <= BLOCKS_MAX);
}
