//! A server that is killed, and restarts with less data than it had.

use crate::server::Redis;
use adapter_redis::{RedisOptions, RedisWaitingRoom};
use core::time::Duration;
use domain::id::ShowId;
use domain::waiting_room::{Patience, RuleChange, Rules, Snapshot, Standing, Ticket};
use ports::{FaultClass, PortError, WaitingRoomStore};
use redis::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use testkit::{ManualClock, SeededEntropy};

fn show() -> ShowId {
    ShowId::parse("show").unwrap()
}

async fn connect(url: String) -> RedisWaitingRoom {
    let options = RedisOptions::single(url);
    RedisWaitingRoom::connect(&options, Patience::default(), Arc::new(SeededEntropy::unique())).await.unwrap()
}

/// One of several gateways, on the clock of the server.
async fn gateway(redis: &Redis) -> RedisWaitingRoom {
    let room = connect(redis.url()).await;
    room.open(&show(), Rules::at(1_000)).await.unwrap();
    room
}

async fn join(room: &RedisWaitingRoom, key: &str) -> Ticket {
    loop {
        match room.join(&show(), key).await {
            Ok(ticket) => return ticket,
            // The old connection; the next call makes a new one.
            Err(PortError::Failed(fault)) if fault.class == FaultClass::Unavailable => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

async fn snapshot(room: &RedisWaitingRoom) -> Snapshot {
    room.tick(&show(), None).await.unwrap().snapshot
}

/// Invariant W1, trap T-W10: numbers given after the last save are lost. Whichever gateway asks
/// first, no number is given twice, and a lost ticket is ahead of people who join now.
#[tokio::test]
async fn a_server_that_lost_its_last_second_gives_no_number_twice() {
    let mut redis = Redis::start().await;
    let (one, two) = (gateway(&redis).await, gateway(&redis).await);
    let kept = join(&one, "kept").await;
    redis.run(&["SAVE"]).await;
    let mut lost = Vec::new();
    for who in 0..50 {
        lost.push(join(&two, &format!("lost-{who}")).await);
    }
    let before = snapshot(&two).await;
    let change = RuleChange { rate: Some(7), ..RuleChange::default() };
    one.rule(&show(), change).await.unwrap();
    redis.crash(false).await;
    // This gateway has seen nothing of the lost data, and many of its calls meet the loss at once.
    let one = Arc::new(one);
    let joins = (0..50).map(|who| {
        let one = Arc::clone(&one);
        tokio::spawn(async move { join(&one, &format!("new-{who}")).await })
    });
    let mut new = Vec::new();
    for join in joins.collect::<Vec<_>>() {
        new.push(join.await.unwrap());
    }
    new.sort_by_key(|ticket| ticket.number);
    assert_eq!(new[49].number - new[0].number, 49, "the loss was noticed once");
    let given: BTreeSet<_> = lost.iter().chain(&new).chain([&kept]).map(|ticket| ticket.number).collect();
    assert_eq!(given.len(), 101);
    assert_eq!(join(&two, "kept").await, kept);
    let back = two.beat(&show(), &lost).await.unwrap().answer;
    assert_eq!(back, vec![Standing::Waiting; 50]);
    let after = snapshot(&two).await;
    assert_ne!(after.incarnation, before.incarnation);
    assert_eq!((after.totals.waiting, after.head), (101, kept.number));
    assert_eq!(after.totals.ready, 0, "nobody gets a turn for a moment");
    assert_eq!(after.rules.rate, 7, "the last decision that a gateway knows");
    assert!(lost.iter().all(|ticket| ticket.number < new[0].number));
}

/// The first ticket from before the loss arrives just before the line would continue: that does not
/// hold entry twice as long.
#[tokio::test]
async fn after_a_loss_entry_continues_within_five_seconds() {
    let mut redis = Redis::start().await;
    let clock = Arc::<ManualClock>::default();
    let room = connect(redis.url()).await.on_clock(clock.clone());
    room.open(&show(), Rules::at(1_000)).await.unwrap();
    join(&room, "kept").await;
    redis.run(&["SAVE"]).await;
    let lost = join(&room, "lost").await;
    redis.crash(false).await;
    join(&room, "new").await;
    clock.advance(Duration::from_millis(2_900));
    assert_eq!(room.beat(&show(), &[lost]).await.unwrap().answer, [Standing::Waiting]);
    clock.advance(Duration::from_millis(1_500));
    assert_eq!(snapshot(&room).await.totals.ready, 0, "those in front have the time to come");
    clock.advance(Duration::from_millis(200));
    assert_eq!(snapshot(&room).await.totals.ready, 3);
}

/// Writes that a replica did not have yet are lost when it takes over, and it has never run our
/// script.
#[tokio::test]
async fn a_replica_that_takes_over_gives_no_number_twice() {
    let (first, second) = (Redis::start().await, Redis::start().await);
    let port = first.port.to_string();
    let room = gateway(&first).await;
    let ticket = join(&room, "one").await;
    let before = snapshot(&room).await;
    second.run(&["REPLICAOF", "127.0.0.1", &port]).await;
    for _ in 0..1_000 {
        if second.run(&["EXISTS", "wr:{show}:line"]).await == Value::Int(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    second.run(&["REPLICAOF", "NO", "ONE"]).await;
    drop(first);
    let room = gateway(&second).await;
    assert_eq!(join(&room, "one").await, ticket, "this much had arrived");
    let after = snapshot(&room).await;
    assert_ne!(after.incarnation, before.incarnation);
    assert!(join(&room, "two").await.number > ticket.number + 100_000);
}

/// Killed and emptied: the line begins anew behind everybody with a ticket.
#[tokio::test]
async fn a_server_that_lost_everything_takes_everybody_back() {
    let mut redis = Redis::start().await;
    let room = gateway(&redis).await;
    let old = [join(&room, "one").await, join(&room, "two").await];
    redis.crash(true).await;
    let new = join(&room, "three").await;
    assert!(new.number > old[1].number);
    assert_eq!(room.beat(&show(), &old).await.unwrap().answer, vec![Standing::Waiting; 2]);
    let after = snapshot(&room).await;
    assert_eq!((after.totals.waiting, after.head), (3, old[0].number));
    assert_eq!(after.rules, Rules::at(1_000), "as the gateway knew them");
}

/// Invariant W2 across a restart: kept tokens may have been spent since.
#[tokio::test]
async fn a_server_that_was_restarted_keeps_no_tokens() {
    let mut redis = Redis::start().await;
    let clock = Arc::<ManualClock>::default();
    let room = connect(redis.url()).await.on_clock(clock.clone());
    room.open(&show(), Rules { burst: 10, ..Rules::at(1) }).await.unwrap();
    for who in 0..20 {
        join(&room, &who.to_string()).await;
    }
    clock.advance(Duration::from_secs(60));
    redis.run(&["SAVE"]).await;
    redis.crash(false).await;
    join(&room, "one more").await;
    for (seconds, turns) in [(0, 0), (2, 0), (1, 3), (1, 4)] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(snapshot(&room).await.totals.turns, turns);
    }
}

/// The keys that a sale leaves behind.
#[tokio::test]
async fn the_keys_of_a_line_have_an_end() {
    let redis = Redis::start().await;
    let clock = Arc::<ManualClock>::default();
    let room = connect(redis.url()).await.on_clock(clock.clone());
    room.open(&show(), Rules::at(10)).await.unwrap();
    join(&room, "one").await;
    // Not a tick: no gateway looks at this line any more.
    clock.advance(Duration::from_secs(1));
    join(&room, "two").await;
    let Value::Array(keys) = redis.run(&["KEYS", "*"]).await else { panic!("no list") };
    assert!(keys.len() >= 5, "{keys:?}");
    for key in keys {
        let Value::BulkString(key) = key else { panic!("{key:?}") };
        let key = String::from_utf8(key).unwrap();
        assert!(key.starts_with("wr:{show}:"), "{key}");
        let Value::Int(left) = redis.run(&["PTTL", &key]).await else { panic!("no number") };
        assert!(left > 23 * 3_600_000, "{key}: {left}");
    }
}

/// A server that evicts when its memory is full: whichever key is missing, the line does not stop,
/// and no absent person is counted.
#[tokio::test]
async fn a_line_that_lacks_some_of_its_keys_begins_anew() {
    for key in ["line", "people", "numbers", "waiting", "seen", "blocks", "changes", "known"] {
        evicted(key).await;
    }
}

async fn evicted(key: &str) {
    let redis = Redis::start().await;
    let clock = Arc::<ManualClock>::default();
    let room = connect(redis.url()).await.on_clock(clock.clone());
    room.open(&show(), Rules::at(10)).await.unwrap();
    let evicted = join(&room, "evicted").await;
    redis.run(&["DEL", &format!("wr:{{show}}:{key}")]).await;
    clock.advance(Duration::from_secs(1));
    let stays = join(&room, "stays").await;
    clock.advance(Duration::from_secs(1));
    let after = snapshot(&room).await;
    assert_eq!((after.totals.turns, after.totals.joined, after.totals.waiting), (1, 1, 0), "without {key}");
    let entered = room.enter(&show(), &stays).await.unwrap().answer;
    assert!(matches!(entered, Standing::Entered { .. }), "{entered:?}");
    assert!(join(&room, "evicted").await.number > evicted.number);
    // Until they would be absent.
    for _ in 0..40 {
        clock.advance(Duration::from_secs(1));
        snapshot(&room).await;
    }
}

/// The same gateway, the same server: nothing was lost, nothing changes.
#[tokio::test]
async fn a_gateway_that_restarts_changes_nothing() {
    let redis = Redis::start().await;
    let ticket = join(&gateway(&redis).await, "one").await;
    let before = snapshot(&gateway(&redis).await).await;
    let room = gateway(&redis).await;
    assert_eq!(join(&room, "one").await, ticket);
    let after = snapshot(&room).await;
    assert_eq!((after.incarnation, after.last), (before.incarnation, before.last));
}

/// Each call fails by itself, with a message for the operator and without the password.
#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let redis = Redis::start().await;
    let room = gateway(&redis).await;
    let url = redis.url();
    drop(redis);
    let fault = room.tick(&show(), None).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
    let room = connect(url.replace("//", "//user:hunter2@")).await;
    let fault = room.open(&show(), Rules::at(1)).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
    assert!(!fault.chain().contains("hunter2"), "{}", fault.chain());
}

/// Failures that no retry can fix.
#[tokio::test]
async fn a_wrong_password_and_a_wrong_address_are_permanent() {
    let redis = Redis::start().await;
    redis.run(&["CONFIG", "SET", "requirepass", "secret"]).await;
    for url in [redis.url(), redis.url().replace("//", "//:wrong@")] {
        let fault = connect(url).await.open(&show(), Rules::at(1)).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Permanent, "{}", fault.chain());
    }
    let room = connect(redis.url().replace("//", "//:secret@")).await;
    room.open(&show(), Rules::at(1)).await.unwrap();
    let options = RedisOptions::single("127.0.0.1:6379/x y");
    let fault = RedisWaitingRoom::connect(&options, Patience::default(), Arc::new(SeededEntropy::unique()))
        .await
        .err()
        .unwrap();
    assert_eq!(fault.class, FaultClass::Permanent, "{}", fault.chain());
}
