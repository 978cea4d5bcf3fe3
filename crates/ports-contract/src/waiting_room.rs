//! The contract suite of the [`WaitingRoomStore`] port.
//!
//! The rules of a line are tested in `domain::waiting_room`. The suite checks that a store answers
//! as the line does, to any commands in any order, that its steps are atomic, and what it does
//! after it has lost data. [`crate::waiting_room_contract!`] turns every case into a test.

mod pair;

use super::together::together;
use async_trait::async_trait;
use core::pin::Pin;
use core::time::Duration;
use domain::id::ShowId;
use domain::random::{Random, SplitMix64};
use domain::waiting_room::{
    BLOCK, BLOCKS_MAX, Line, Patience, Places, Refusal, RuleChange, Rules, Snapshot, Standing, Ticket,
};
use pair::Pair;
use ports::waiting_room::{BEATS_MAX, PERSON_KEY_BYTES_MAX, WaitingRoomStore};
use ports::{Clock, FaultClass, PortError};
use std::collections::BTreeSet;
use std::sync::Arc;
use testkit::ManualClock;

/// What an engine's tests give to the suite. Each case gets a new one.
#[async_trait]
pub trait WaitingRoomHarness: Send + Sync {
    /// The store, without any line, with [`Patience::default`], on the clock of the harness.
    async fn room(&self) -> Arc<dyn WaitingRoomStore>;
    /// The store after it has lost everything.
    async fn emptied(&self, room: Arc<dyn WaitingRoomStore>) -> Arc<dyn WaitingRoomStore>;
    /// The clock that the store decides by.
    fn clock(&self) -> &ManualClock;
}

/// Turns every case into a test. The argument makes a harness; the calling crate needs tokio with
/// `macros`.
#[macro_export]
macro_rules! waiting_room_contract {
    ($harness:expr) => {
        $crate::waiting_room_contract!(@cases $harness;
            a_store_answers_as_the_line_does,
            a_long_line_is_sent_page_by_page,
            everybody_gets_a_different_number_when_all_join_at_once,
            a_ticket_gets_one_pass_from_many_entries_at_once,
            over_many_gateways_no_more_enter_than_the_rate_and_the_burst,
            an_existing_line_keeps_its_rules,
            a_line_is_found_once_it_was_opened,
            a_rule_is_changed_alone,
            shows_share_nothing,
            a_show_that_was_not_opened_is_refused,
            an_empty_or_an_oversized_request_is_refused,
            keys_may_be_any_unicode,
            an_emptied_store_takes_everybody_back_in_order,
            an_emptied_store_keeps_the_rules_it_received,
            a_notice_is_shown_until_the_operator_removes_it,
        );
    };
    (@cases $harness:expr; $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::waiting_room::$case(&$harness).await;
            }
        )*
    };
}

type Harness<'h> = &'h dyn WaitingRoomHarness;

fn show() -> ShowId {
    ShowId::parse("show").expect("an id")
}

async fn opened(harness: Harness<'_>, rules: Rules) -> Arc<dyn WaitingRoomStore> {
    let room = harness.room().await;
    room.open(&show(), rules).await.expect("opened");
    room
}

fn assert_permanent<T>(answer: Result<T, ports::Fault>) {
    assert_eq!(answer.err().expect("refused").class, FaultClass::Permanent);
}

/// For [`together`].
fn at_once<'f, T>(
    future: impl Future<Output = T> + Send + 'f,
) -> Pin<Box<dyn Future<Output = T> + Send + 'f>> {
    Box::pin(future)
}

/// Any commands in any order: every answer is the one that [`Line`] gives.
pub async fn a_store_answers_as_the_line_does(harness: &dyn WaitingRoomHarness) {
    let mut dice = SplitMix64::new(0x7AC0);
    let rules = Rules { burst: 3, ..Rules::at(4) };
    let room = opened(harness, rules).await;
    let line = Line::new(1, rules, Patience::default(), harness.clock().now());
    let (tickets, known, seen) = (Vec::new(), [None; 2], BTreeSet::new());
    let mut pair = Pair { harness, room, line, tickets, known, seen };
    pair.join("first").await;
    for _ in 0..1_500 {
        match dice.below(20) {
            0..=4 => pair.join(&dice.below(120).to_string()).await,
            5..=7 => {
                let tickets = (0..=dice.below(20)).map(|_| pair.ticket(&mut dice)).collect();
                pair.beat(tickets).await;
            }
            8..=10 => {
                let ticket = pair.ticket(&mut dice);
                pair.enter(&ticket).await;
            }
            11 => {
                let ticket = pair.ticket(&mut dice);
                pair.leave(&ticket).await;
            }
            12 => {
                let is_paused = dice.below(3) == 0;
                let change = RuleChange {
                    rate: (dice.below(2) == 0).then(|| 1 + dice.below(8) as u32),
                    burst: (dice.below(4) == 0).then(|| 1 + dice.below(5) as u32),
                    paused: Some(is_paused),
                    closed: Some(dice.below(8) == 0),
                    capacity: (dice.below(8) == 0).then(|| 1 + dice.below(60)),
                };
                pair.rule(change).await;
            }
            13 if dice.below(6) == 0 => harness.clock().advance(Duration::from_millis(dice.below(1_900_000))),
            13..=16 => {
                harness.clock().advance(Duration::from_millis(dice.below(2_500)));
                pair.tick(0).await;
            }
            _ => pair.tick(dice.below(2) as usize).await,
        }
    }
    assert_eq!(pair.seen.len(), 5, "not everything happened: {:?}", pair.seen);
}

/// More blocks than one snapshot holds.
pub async fn a_long_line_is_sent_page_by_page(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(1)).await;
    // One person in each of so many blocks: tickets from before the line began.
    let first = harness.clock().now().as_millis() * BLOCK - (BLOCKS_MAX as u64 * 2 + 10) * BLOCK;
    let old = |block: u64| Ticket {
        number: first + block * BLOCK + 1,
        key: format!("old-{block}").into(),
        joined_at: harness.clock().now(),
    };
    let count = BLOCKS_MAX as u64 * 2 + 3;
    let tickets: Vec<_> = (0..count).map(old).collect();
    for tickets in tickets.chunks(BEATS_MAX) {
        room.beat(&show(), tickets).await.expect("restored");
    }
    let (mut places, mut since, mut pages) = (Places::default(), None, 0);
    loop {
        let Snapshot { incarnation, version, head, cleared, blocks, more, .. } =
            room.tick(&show(), since).await.expect("ticked").snapshot;
        pages += 1;
        assert!(blocks.len() <= BLOCKS_MAX);
        places.update(head, cleared, blocks);
        since = Some((incarnation, version));
        if !more {
            break;
        }
    }
    assert_eq!((pages, places.total()), (3, count));
    for (ahead, ticket) in tickets.iter().enumerate() {
        assert_eq!(places.ahead_of(ticket.number), ahead as u64);
    }
}

/// Invariant W1.
pub async fn everybody_gets_a_different_number_when_all_join_at_once(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(1_000)).await;
    // Each person joins twice.
    let joins = (0..200).map(|who| {
        let room = &room;
        at_once(async move { room.join(&show(), &format!("who-{}", who / 2)).await.expect("joined").number })
    });
    let numbers = together(joins.collect()).await;
    for twice in numbers.chunks(2) {
        assert_eq!(twice[0], twice[1]);
    }
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(numbers.iter().max(), numbers.iter().min().map(|first| first + 99).as_ref());
}

/// Trap T-W8.
pub async fn a_ticket_gets_one_pass_from_many_entries_at_once(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(1_000)).await;
    let ticket = room.join(&show(), "one").await.expect("joined");
    harness.clock().advance(Duration::from_secs(1));
    room.tick(&show(), None).await.expect("ticked");
    let enters = (0..20).map(|_| {
        let (room, ticket) = (&room, &ticket);
        at_once(async move { room.enter(&show(), ticket).await.expect("entered").answer })
    });
    let at = harness.clock().now();
    let entered = Standing::Entered { at, until: at.plus(Patience::default().pass_for) };
    assert_eq!(together(enters.collect()).await, vec![entered; 20]);
    let totals = room.tick(&show(), None).await.expect("ticked").snapshot.totals;
    assert_eq!((totals.entered, totals.ready), (1, 0));
}

/// Invariant W2, with four gateways that let people in.
pub async fn over_many_gateways_no_more_enter_than_the_rate_and_the_burst(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules { burst: 10, ..Rules::at(50) }).await;
    let mut tickets = Vec::new();
    for who in 0..300 {
        tickets.push(room.join(&show(), &who.to_string()).await.expect("joined"));
    }
    let began = harness.clock().now();
    let mut passes = BTreeSet::new();
    for _ in 0..40 {
        harness.clock().advance(Duration::from_millis(100));
        let gateways = (0..4).map(|gateway| {
            let (room, tickets) = (&room, &tickets);
            at_once(async move {
                room.tick(&show(), None).await.expect("ticked");
                let mut entered = Vec::new();
                for ticket in tickets.iter().skip(gateway).step_by(4) {
                    if let Standing::Entered { at, .. } =
                        room.enter(&show(), ticket).await.expect("an answer").answer
                    {
                        entered.push((at, ticket.number));
                    }
                }
                entered
            })
        });
        passes.extend(together(gateways.collect()).await.into_iter().flatten());
    }
    assert!(passes.len() >= 190, "{} of 200", passes.len());
    for (from, _) in &passes {
        let within = passes.iter().filter(|(at, _)| at >= from && at.since(*from) < Duration::from_secs(1));
        assert!(within.count() <= 60, "from {:?} on", from.since(began));
    }
}

/// It makes no difference which of several gateways opens a line first.
pub async fn an_existing_line_keeps_its_rules(harness: &dyn WaitingRoomHarness) {
    let room = harness.room().await;
    assert_eq!(room.open(&show(), Rules::at(10)).await.expect("opened"), Rules::at(10));
    let ticket = room.join(&show(), "one").await.expect("joined");
    assert_eq!(room.open(&show(), Rules::at(99)).await.expect("opened"), Rules::at(10));
    assert_eq!(room.join(&show(), "one").await.expect("joined"), ticket);
}

/// `find` opens no line and changes none; it finds the rules that the operator last set.
pub async fn a_line_is_found_once_it_was_opened(harness: &dyn WaitingRoomHarness) {
    let room = harness.room().await;
    assert_eq!(room.find(&show()).await.expect("looked"), None);
    assert_permanent(room.tick(&show(), None).await);
    room.open(&show(), Rules::at(10)).await.expect("opened");
    assert_eq!(room.find(&show()).await.expect("looked"), Some(Rules::at(10)));
    let before = room.tick(&show(), None).await.expect("ticked").snapshot;
    let change = RuleChange { rate: Some(20), paused: Some(true), ..RuleChange::default() };
    let rules = room.rule(&show(), change).await.expect("ruled");
    assert_eq!(room.find(&show()).await.expect("looked"), Some(rules));
    let after = room.tick(&show(), None).await.expect("ticked").snapshot;
    assert_eq!((after.incarnation, after.last), (before.incarnation, before.last));
    let room = harness.emptied(room).await;
    assert_eq!(room.find(&show()).await.expect("looked"), None);
}

/// Two operators who change different things do not undo each other.
pub async fn a_rule_is_changed_alone(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(10)).await;
    let change = RuleChange { paused: Some(true), ..RuleChange::default() };
    let rules = room.rule(&show(), change).await.expect("ruled");
    assert_eq!(rules, Rules { paused: true, ..Rules::at(10) });
    let change = RuleChange { rate: Some(20), capacity: Some(1), ..RuleChange::default() };
    let rules = room.rule(&show(), change).await.expect("ruled");
    assert_eq!(rules, Rules { rate: 20, capacity: 1, ..rules });
    assert_eq!(room.tick(&show(), None).await.expect("ticked").snapshot.rules, rules);
    room.join(&show(), "one").await.expect("joined");
    let two = room.join(&show(), "two").await;
    assert!(matches!(two, Err(PortError::Rejected(Refusal::Full))), "{two:?}");
}

/// Trap T-W7: also two shows whose names begin alike, or contain a separator.
pub async fn shows_share_nothing(harness: &dyn WaitingRoomHarness) {
    let room = harness.room().await;
    let names = ["show", "show:2", "{show}", "}", "show}2", "a{", "쇼"];
    for (index, name) in names.iter().enumerate() {
        let show = ShowId::parse(name).expect("an id");
        room.open(&show, Rules::at(1_000 + index as u32)).await.expect("opened");
        for who in 0..=index {
            room.join(&show, &who.to_string()).await.expect("joined");
        }
    }
    for (index, name) in names.iter().enumerate() {
        let show = ShowId::parse(name).expect("an id");
        let snapshot = room.tick(&show, None).await.expect("ticked").snapshot;
        assert_eq!((snapshot.rules.rate, snapshot.totals.joined), (1_000 + index as u32, index as u64 + 1));
    }
}

/// A mistake of ours, which no retry can fix.
pub async fn a_show_that_was_not_opened_is_refused(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(1)).await;
    let ticket = room.join(&show(), "one").await.expect("joined");
    let other = ShowId::parse("another").expect("an id");
    assert_permanent(room.tick(&other, None).await);
    assert_permanent(room.beat(&other, std::slice::from_ref(&ticket)).await);
    assert_permanent(room.enter(&other, &ticket).await);
    assert_permanent(room.leave(&other, &ticket).await);
    assert_permanent(room.rule(&other, RuleChange::default()).await);
    let join = room.join(&other, "one").await;
    assert!(
        matches!(&join, Err(PortError::Failed(fault)) if fault.class == FaultClass::Permanent),
        "{join:?}"
    );
}

/// The limits of the port.
pub async fn an_empty_or_an_oversized_request_is_refused(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(1)).await;
    let ticket = room.join(&show(), &"k".repeat(PERSON_KEY_BYTES_MAX)).await.expect("joined");
    assert_permanent(room.beat(&show(), &[]).await);
    room.beat(&show(), &vec![ticket.clone(); BEATS_MAX]).await.expect("as many as may");
    assert_permanent(room.beat(&show(), &vec![ticket; BEATS_MAX + 1]).await);
    for key in [String::new(), "k".repeat(PERSON_KEY_BYTES_MAX + 1)] {
        let join = room.join(&show(), &key).await;
        assert!(
            matches!(&join, Err(PortError::Failed(fault)) if fault.class == FaultClass::Permanent),
            "{join:?}"
        );
    }
}

/// A key may contain what a store uses as a separator.
pub async fn keys_may_be_any_unicode(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(1)).await;
    let keys = ["|", "w|1|2", "a\nb", "손님", "\u{1F32E}", "%d", "'; --", " ", "1", "01"];
    let mut tickets = Vec::new();
    for key in keys {
        tickets.push(room.join(&show(), key).await.expect("joined"));
    }
    for (key, ticket) in keys.iter().zip(&tickets) {
        assert_eq!(&*ticket.key, *key);
        assert_eq!(&room.join(&show(), key).await.expect("joined"), ticket);
    }
    room.beat(&show(), &tickets).await.expect("beats");
    assert_eq!(room.tick(&show(), None).await.expect("ticked").snapshot.totals.waiting, keys.len() as u64);
}

/// Trap T-W10.
pub async fn an_emptied_store_takes_everybody_back_in_order(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(10)).await;
    let mut old = Vec::new();
    for who in 0..50 {
        old.push(room.join(&show(), &format!("old-{who}")).await.expect("joined"));
    }
    let before = room.tick(&show(), None).await.expect("ticked").snapshot;
    harness.clock().advance(Duration::from_millis(500));
    let room = harness.emptied(room).await;
    room.open(&show(), Rules::at(10)).await.expect("opened");
    let new = room.join(&show(), "new").await.expect("joined");
    assert!(new.number > old[49].number, "behind everybody from before");
    let back: Vec<_> = old.iter().rev().cloned().collect();
    assert_eq!(room.beat(&show(), &back).await.expect("beats").answer, vec![Standing::Waiting; 50]);
    let after =
        room.tick(&show(), Some((before.incarnation, before.version))).await.expect("ticked").snapshot;
    assert_ne!(after.incarnation, before.incarnation);
    assert_eq!((after.totals.waiting, after.totals.ready), (51, 0), "nobody gets a turn for a moment");
    let mut entered = Vec::new();
    for _ in 0..100 {
        harness.clock().advance(Duration::from_millis(100));
        room.tick(&show(), None).await.expect("ticked");
        for ticket in old.iter().chain([&new]) {
            let standing = room.enter(&show(), ticket).await.expect("an answer").answer;
            if matches!(standing, Standing::Entered { .. }) && !entered.contains(&ticket.number) {
                entered.push(ticket.number);
            }
        }
    }
    assert_eq!(entered, old.iter().chain([&new]).map(|ticket| ticket.number).collect::<Vec<_>>());
}

/// An operator's decision outlives the store.
pub async fn an_emptied_store_keeps_the_rules_it_received(harness: &dyn WaitingRoomHarness) {
    let room = opened(harness, Rules::at(10)).await;
    let change = RuleChange { rate: Some(3), closed: Some(true), ..RuleChange::default() };
    let rules = room.rule(&show(), change).await.expect("ruled");
    let room = harness.emptied(room).await;
    // As a gateway does that has seen the rules in its last snapshot.
    assert_eq!(room.open(&show(), rules).await.expect("opened"), rules);
    assert_eq!(room.tick(&show(), None).await.expect("ticked").snapshot.rules, rules);
}

/// The notice of one show is not shown in another.
pub async fn a_notice_is_shown_until_the_operator_removes_it(harness: &dyn WaitingRoomHarness) {
    let room = harness.room().await;
    let (show, other) = (show(), ShowId::parse("silent").expect("an id"));
    for show in [&show, &other] {
        room.open(show, Rules::at(10)).await.expect("an answer");
    }
    assert_eq!(room.notice(&show).await.expect("an answer"), None);
    for notice in ["곧 시작합니다", "We begin soon, \"thank you\"\n{}"] {
        room.announce(&show, Some(notice)).await.expect("an answer");
        assert_eq!(room.notice(&show).await.expect("an answer").as_deref(), Some(notice));
    }
    assert_eq!(room.notice(&other).await.expect("an answer"), None);
    room.announce(&show, None).await.expect("an answer");
    assert_eq!(room.notice(&show).await.expect("an answer"), None);
}
