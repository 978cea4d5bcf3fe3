//! The waiting room suite on the lines in memory.

use adapter_embedded::MemoryWaitingRoom;
use async_trait::async_trait;
use domain::waiting_room::Patience;
use ports::WaitingRoomStore;
use ports_contract::waiting_room::WaitingRoomHarness;
use std::sync::Arc;
use testkit::{ManualClock, SeededEntropy};

struct Memory {
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
}

impl Memory {
    fn new() -> Self {
        Self { clock: Arc::default(), entropy: Arc::default() }
    }
}

#[async_trait]
impl WaitingRoomHarness for Memory {
    async fn room(&self) -> Arc<dyn WaitingRoomStore> {
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        Arc::new(MemoryWaitingRoom::new(Patience::default(), clock, entropy))
    }

    async fn emptied(&self, room: Arc<dyn WaitingRoomStore>) -> Arc<dyn WaitingRoomStore> {
        drop(room);
        self.room().await
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

ports_contract::waiting_room_contract!(Memory::new());
