//! The waiting room suite on one node and on a cluster.

use adapter_redis::{RedisOptions, RedisWaitingRoom};
use async_trait::async_trait;
use domain::waiting_room::Patience;
use ports::{Entropy, WaitingRoomStore};
use ports_contract::waiting_room::WaitingRoomHarness;
use std::sync::Arc;
use testkit::{ManualClock, SeededEntropy};

struct Server {
    clock: Arc<ManualClock>,
    options: RedisOptions,
}

impl Server {
    fn new(options: RedisOptions) -> Self {
        let prefix = format!("test-{}", SeededEntropy::unique().next_u64());
        Self { clock: Arc::default(), options: RedisOptions { prefix, ..options } }
    }
}

#[async_trait]
impl WaitingRoomHarness for Server {
    async fn room(&self) -> Arc<dyn WaitingRoomStore> {
        let room =
            RedisWaitingRoom::connect(&self.options, Patience::default(), Arc::new(SeededEntropy::unique()))
                .await;
        Arc::new(room.unwrap().on_clock(self.clock.clone()))
    }

    async fn emptied(&self, room: Arc<dyn WaitingRoomStore>) -> Arc<dyn WaitingRoomStore> {
        let pattern = format!("{}:*", self.options.prefix);
        for url in &self.options.urls {
            let client = redis::Client::open(url.as_str()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let keys: Vec<String> =
                redis::cmd("KEYS").arg(&pattern).query_async(&mut connection).await.unwrap();
            if !keys.is_empty() {
                let _: () = redis::cmd("DEL").arg(keys).query_async(&mut connection).await.unwrap();
            }
        }
        room
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

mod single {
    use super::*;
    ports_contract::waiting_room_contract!(Server::new(RedisOptions::single(engines::redis())));
}

mod cluster {
    use super::*;
    ports_contract::waiting_room_contract!(Server::new(RedisOptions::cluster(engines::redis_cluster())));
}
