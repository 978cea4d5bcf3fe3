//! Not for the repository: what a tick costs.
use crate::contract::Counter;
use crate::server::Redis;
use adapter_redis::{RedisOptions, RedisWaitingRoom};
use core::time::Duration;
use domain::id::ShowId;
use domain::waiting_room::{Patience, Rules};
use ports::WaitingRoomStore;
use ports::contract::waiting_room::SuiteClock;
use std::sync::Arc;

async fn cost(redis: &Redis, room: &RedisWaitingRoom, show: &ShowId, clock: &SuiteClock, what: &str) {
    let mut since = None;
    for _ in 0..200 {
        let t = room.tick(show, since).await.unwrap();
        since = Some((t.snapshot.incarnation, t.snapshot.version));
    }
    let mut rounds = Vec::new();
    for _ in 0..5 {
        redis.run(&["CONFIG", "RESETSTAT"]).await;
        let began = std::time::Instant::now();
        for _ in 0..2_000 {
            clock.pass(Duration::from_millis(1));
            let t = room.tick(show, since).await.unwrap();
            since = Some((t.snapshot.incarnation, t.snapshot.version));
        }
        let round = began.elapsed().as_micros() / 2_000;
        let redis::Value::BulkString(told) = redis.run(&["INFO", "commandstats"]).await else { panic!() };
        let told = String::from_utf8(told).unwrap();
        let line = told.lines().find(|l| l.starts_with("cmdstat_evalsha:")).unwrap().to_owned();
        let usec = line.split(',').find_map(|p| p.strip_prefix("usec_per_call=")).unwrap().to_owned();
        rounds.push(format!("{usec}/{round}"));
    }
    println!("{what}: server us / round trip us: {rounds:?}");
}

#[tokio::test]
#[ignore]
async fn measure() {
    let redis = Redis::start().await;
    let clock = SuiteClock::new();
    let options = RedisOptions::single(redis.url());
    let room = RedisWaitingRoom::connect(&options, Patience::default(), Arc::new(Counter)).await.unwrap();
    let room = room.on_clock(clock.clone());
    let show = ShowId::parse("empty").unwrap();
    room.open(&show, Rules::at(1)).await.unwrap();
    cost(&redis, &room, &show, &clock, "nobody").await;
    let show = ShowId::parse("full").unwrap();
    room.open(&show, Rules { burst: 2000, ..Rules::at(1000) }).await.unwrap();
    let mut tickets = Vec::new();
    for who in 0..40_000 {
        tickets.push(room.join(&show, &who.to_string()).await.unwrap());
        if who % 20 == 0 {
            clock.pass(Duration::from_millis(1));
        }
    }
    // 2,000 enter, 1,000 stay ready
    for _ in 0..6 {
        clock.pass(Duration::from_millis(1000));
        room.tick(&show, None).await.unwrap();
    }
    let mut entered = 0;
    for t in tickets.iter().take(2_000) {
        if matches!(
            room.enter(&show, t).await.unwrap().answer,
            domain::waiting_room::Standing::Entered { .. }
        ) {
            entered += 1;
        }
    }
    for some in tickets.chunks(500) {
        room.beat(&show, some).await.unwrap();
    }
    room.rule(&show, domain::waiting_room::RuleChange { paused: Some(true), ..Default::default() })
        .await
        .unwrap();
    loop {
        if !room.tick(&show, None).await.unwrap().is_busy {
            break;
        }
    }
    println!("entered {entered} {:?}", room.tick(&show, None).await.unwrap().snapshot.totals);
    cost(&redis, &room, &show, &clock, "40,000 in line").await;
    println!("{:?}", room.tick(&show, None).await.unwrap().snapshot.totals);
}
