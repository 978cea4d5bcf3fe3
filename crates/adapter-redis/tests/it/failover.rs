//! Servers that are demoted, silent, slow or gone behind one address.

use crate::cluster::Cluster;
use crate::proxy::Proxy;
use crate::server::{Redis, until};
use adapter_redis::{RedisOptions, RedisWaitingRoom};
use core::time::Duration;
use domain::id::ShowId;
use domain::waiting_room::{Patience, Rules, Standing, Ticket};
use ports::{Fault, FaultClass, PortError, WaitingRoomStore};
use redis::Value;
use std::sync::Arc;
use std::time::Instant;
use testkit::SeededEntropy;

/// Calls within which it must continue.
const TRIES: usize = 50;

fn show() -> ShowId {
    ShowId::parse("show").unwrap()
}

/// Impatient, so that the test is short.
fn impatient(options: RedisOptions) -> RedisOptions {
    let timeout = Duration::from_millis(300);
    RedisOptions { connect_timeout: timeout, response_timeout: timeout, ..options }
}

async fn gateway(options: RedisOptions, shows: &[&ShowId]) -> Arc<RedisWaitingRoom> {
    let room = RedisWaitingRoom::connect(
        &impatient(options),
        Patience::default(),
        Arc::new(SeededEntropy::unique()),
    )
    .await;
    let room = Arc::new(room.unwrap());
    for show in shows {
        continues(TRIES, async || room.open(show, Rules::at(1_000)).await).await;
    }
    room
}

/// Waits for an answer, for that many calls. The others failed in the way of calls that may be
/// repeated.
async fn continues<T>(tries: usize, call: impl AsyncFn() -> Result<T, Fault>) -> T {
    for _ in 0..tries {
        match call().await {
            Ok(answer) => return answer,
            Err(fault) => assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain()),
        }
    }
    panic!("{tries} calls, and no answer");
}

async fn join(room: &RedisWaitingRoom, show: &ShowId, key: &str) -> Result<Ticket, Fault> {
    match room.join(show, key).await {
        Ok(ticket) => Ok(ticket),
        Err(PortError::Failed(fault)) => Err(fault),
        Err(PortError::Rejected(refusal)) => panic!("{refusal:?}"),
    }
}

/// A primary, a replica with the same data, and a gateway by an address that leads to the primary.
struct Pair {
    first: Redis,
    second: Redis,
    proxy: Proxy,
    room: Arc<RedisWaitingRoom>,
    ticket: Ticket,
}

impl Pair {
    async fn start() -> Self {
        let (first, second) = (Redis::start().await, Redis::start().await);
        let proxy = Proxy::to(first.port).await;
        let room = gateway(RedisOptions::single(proxy.url()), &[&show()]).await;
        let ticket = continues(TRIES, async || join(&room, &show(), "one").await).await;
        second.follow(&first).await;
        Self { first, second, proxy, room, ticket }
    }

    /// The replica takes over, whatever the primary does.
    async fn fail_over(&self) {
        self.second.run(&["REPLICAOF", "NO", "ONE"]).await;
        self.proxy.lead_to(self.second.port);
    }

    /// The gateway uses the second server, and everybody has their earlier position.
    async fn is_over(&self, tries: usize) {
        assert_eq!(continues(tries, async || join(&self.room, &show(), "one").await).await, self.ticket);
        let two = continues(TRIES, async || join(&self.room, &show(), "two").await).await;
        assert!(two.number > self.ticket.number);
        let people = self.second.run(&["HLEN", "wr:{show}:people"]).await;
        assert_eq!(people, Value::Int(2));
    }
}

/// It answers each call that it may not write. The connection is fine.
#[tokio::test]
async fn a_server_that_was_demoted_is_left() {
    let pair = Pair::start().await;
    pair.fail_over().await;
    pair.first.follow(&pair.second).await;
    pair.is_over(TRIES).await;
}

/// The same if the address leads to the demoted one for a while.
#[tokio::test]
async fn a_server_that_was_demoted_is_asked_until_the_address_leads_to_another() {
    let pair = Pair::start().await;
    pair.second.run(&["REPLICAOF", "NO", "ONE"]).await;
    pair.first.follow(&pair.second).await;
    let (began, before) = (Instant::now(), pair.proxy.commands().len());
    for _ in 0..10 {
        let fault = join(&pair.room, &show(), "one").await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
    }
    let made = pair.proxy.commands().len() - before;
    let most = 1 + began.elapsed().as_millis() as usize / 100;
    assert!((1..=most).contains(&made), "{made} connections were made, not {most}");
    assert!(pair.proxy.most_open() <= 3, "{} connections", pair.proxy.most_open());
    pair.proxy.lead_to(pair.second.port);
    pair.is_over(TRIES).await;
}

/// A host that is gone sends nothing, not even a refusal.
#[tokio::test]
async fn a_silent_server_is_left() {
    let pair = Pair::start().await;
    pair.first.freeze();
    let fault = join(&pair.room, &show(), "one").await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
    pair.fail_over().await;
    pair.is_over(TRIES).await;
}

/// No caller waits as long as the store would, so no call of the store is ever too late.
#[tokio::test]
async fn a_silent_server_is_left_also_by_callers_that_wait_for_less() {
    let pair = Pair::start().await;
    pair.first.freeze();
    pair.fail_over().await;
    for _ in 0..TRIES {
        let briefly = Duration::from_millis(100);
        if let Ok(Ok(ticket)) = tokio::time::timeout(briefly, join(&pair.room, &show(), "one")).await {
            assert_eq!(ticket, pair.ticket);
            return;
        }
    }
    panic!("still with the first");
}

/// No server took over: it was only away for a while.
#[tokio::test]
async fn a_server_that_resumes_is_found_again() {
    let pair = Pair::start().await;
    let last = continues(TRIES, async || join(&pair.room, &show(), "two").await).await;
    pair.first.freeze();
    for _ in 0..3 {
        let fault = join(&pair.room, &show(), "one").await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
    }
    pair.first.thaw();
    let back =
        continues(TRIES, async || pair.room.beat(&show(), &[pair.ticket.clone(), last.clone()]).await).await;
    assert_eq!(back.answer, vec![Standing::Waiting; 2]);
    let three = continues(TRIES, async || join(&pair.room, &show(), "three").await).await;
    assert_eq!(three.number, last.number + 1, "nothing was lost");
}

/// However many callers there are: the calls on their way to a server that does not answer, and the
/// memory for them, are bounded.
#[tokio::test]
async fn a_slow_server_is_not_flooded_and_takes_no_gateway_down() {
    let redis = Redis::start().await;
    let proxy = Proxy::to(redis.port).await;
    let room = gateway(RedisOptions::single(proxy.url()), &[&show()]).await;
    let ticket = continues(TRIES, async || join(&room, &show(), "one").await).await;
    proxy.hold(true);
    let before = proxy.commands();
    for round in 0..3 {
        let calls: Vec<_> = (0..1_000)
            .map(|who| {
                let room = Arc::clone(&room);
                tokio::spawn(async move { join(&room, &show(), &format!("{round}-{who}")).await })
            })
            .collect();
        for call in calls {
            let fault = call.await.unwrap().unwrap_err();
            assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
        }
    }
    let commands = proxy.commands();
    let sent: usize = commands.iter().sum::<usize>() - before.iter().sum::<usize>();
    assert!((1..=256).contains(&sent), "{commands:?} after {before:?}");
    assert!(proxy.most_open() <= 3, "{} connections", proxy.most_open());
    proxy.hold(false);
    assert_eq!(continues(TRIES, async || join(&room, &show(), "one").await).await, ticket);
}

/// Even if the other nodes answer. Its follower is found; if there is none, the fault is clear and
/// the others continue, also for a gateway that knew no other node.
#[tokio::test]
async fn a_silent_node_of_a_cluster_is_left_for_its_follower() {
    let mut cluster = Cluster::start().await;
    let [here, there] = [cluster.show_on(0).await, cluster.show_on(1).await];
    let [here, there] = [here, there].map(|name| ShowId::parse(&name).unwrap());
    let room = gateway(RedisOptions::cluster(cluster.urls()), &[&here, &there]).await;
    let narrow = gateway(RedisOptions::cluster([cluster.nodes[0].url()]), &[&here, &there]).await;
    let ticket = continues(TRIES, async || join(&room, &here, "one").await).await;
    cluster.holds(3, &here).await;
    cluster.nodes[0].freeze();
    for _ in 0..5 {
        if let Err(fault) = join(&narrow, &here, "two").await {
            assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
        }
        continues(TRIES, async || narrow.tick(&there, None).await).await;
    }
    let others = tokio::spawn({
        let (room, there) = (Arc::clone(&room), there.clone());
        async move {
            loop {
                let _ = room.tick(&there, None).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    assert_eq!(continues(TRIES, async || join(&room, &here, "one").await).await, ticket);
    others.abort();
    cluster.nodes[3].kill();
    let fault = join(&room, &here, "one").await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable, "{}", fault.chain());
    continues(TRIES, async || room.tick(&there, None).await).await;
}

/// The system notices a host that went away while idle: it probes idle connections.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_connections_are_probed() {
    let redis = Redis::start().await;
    let _room = gateway(RedisOptions::single(redis.url()), &[&show()]).await;
    let there = format!(":{:04X}", redis.port);
    // Of each connection: its number, source, target, state (1: open), queued bytes, and timer (2:
    // probing).
    until(async || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        sockets.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words[2].ends_with(&there) && words[3] == "01" && words[5].starts_with("02:")
        })
    })
    .await;
}
