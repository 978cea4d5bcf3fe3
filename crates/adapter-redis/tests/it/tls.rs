//! Servers with certificates.

use crate::server::{Certificates, Redis};
use adapter_redis::{RedisOptions, RedisWaitingRoom};
use domain::id::ShowId;
use domain::waiting_room::{Patience, Rules};
use ports::{Fault, FaultClass, WaitingRoomStore};
use std::sync::Arc;
use testkit::SeededEntropy;

async fn open(options: RedisOptions) -> Result<Rules, Fault> {
    let room =
        RedisWaitingRoom::connect(&options, Patience::default(), Arc::new(SeededEntropy::unique())).await?;
    room.open(&ShowId::parse("show").unwrap(), Rules::at(1)).await
}

async fn assert_refused(options: RedisOptions, word: &str) {
    let fault = open(options).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Permanent, "{}", fault.chain());
    assert!(fault.chain().contains(word), "{}", fault.chain());
}

#[tokio::test]
async fn a_server_shows_a_certificate_of_a_trusted_ca() {
    let certificates = Certificates::new();
    let redis = Redis::start_with_tls(&certificates, &[]).await;
    let ours = |url: String, authorities: Vec<u8>| RedisOptions {
        authorities: Some(authorities),
        ..RedisOptions::single(url)
    };
    open(ours(redis.url(), certificates.authority())).await.unwrap();
    assert_refused(ours(redis.url(), Certificates::new().authority()), "certificate").await;
    assert_refused(RedisOptions::single(redis.url()), "certificate").await;
    let elsewhere = redis.url().replace("127.0.0.1", "localhost");
    assert_refused(ours(elsewhere, certificates.authority()), "certificate").await;
    // A missing letter in the URL must not lead to a connection without TLS.
    let plain = redis.url().replace("rediss", "redis");
    assert_refused(ours(plain, certificates.authority()), "without TLS").await;
}

#[tokio::test]
async fn each_node_of_a_cluster_shows_a_certificate_of_a_trusted_ca() {
    let certificates = Certificates::new();
    let redis =
        Redis::start_with_tls(&certificates, &["--cluster-enabled", "yes", "--tls-cluster", "yes"]).await;
    redis.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    crate::server::until(async || redis.text(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok")).await;
    let ours = |authorities: Vec<u8>| RedisOptions {
        authorities: Some(authorities),
        ..RedisOptions::cluster([redis.url()])
    };
    open(ours(certificates.authority())).await.unwrap();
    assert_refused(ours(Certificates::new().authority()), "certificate").await;
}
