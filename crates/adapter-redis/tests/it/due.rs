//! When something is due: as in [`Line`], to the millisecond, also if everything is due at once or
//! more than one call may move.

use adapter_redis::{RedisOptions, RedisWaitingRoom};
use core::time::Duration;
use domain::id::ShowId;
use domain::random::{Random, SplitMix64};
use domain::waiting_room::{Line, Patience, Rules, Snapshot, Ticket};
use ports::{Clock, Entropy, PortError, WaitingRoomStore};
use std::sync::Arc;
use testkit::{ManualClock, SeededEntropy};

/// A store and the line that it must equal.
struct Pair {
    show: ShowId,
    room: RedisWaitingRoom,
    line: Line,
    clock: Arc<ManualClock>,
    known: Option<(u64, u64)>,
}

impl Pair {
    async fn new(patience: Patience, rules: Rules) -> Self {
        let (show, clock) = (ShowId::parse("show").unwrap(), Arc::<ManualClock>::default());
        let prefix = format!("test-{}", SeededEntropy::unique().next_u64());
        let options = RedisOptions { prefix, ..RedisOptions::single(engines::redis()) };
        let room =
            RedisWaitingRoom::connect(&options, patience, Arc::new(SeededEntropy::unique())).await.unwrap();
        let room = room.on_clock(clock.clone());
        room.open(&show, rules).await.unwrap();
        Self { show, room, line: Line::new(1, rules, patience, clock.now()), clock, known: None }
    }

    async fn join(&mut self, key: &str) -> Ticket {
        let is = self.line.join(key, self.clock.now()).unwrap();
        match self.room.join(&self.show, key).await {
            Ok(ticket) => assert_eq!(ticket, is),
            Err(PortError::Rejected(refusal)) => panic!("{refusal:?}"),
            Err(PortError::Failed(fault)) => panic!("{}", fault.chain()),
        }
        is
    }

    async fn tick(&mut self) -> bool {
        let answer = self.room.tick(&self.show, self.known).await.unwrap();
        let is_busy = self.line.tick(self.clock.now());
        let is = self.line.snapshot(self.known.map(|(_, version)| (1, version)), self.clock.now());
        let incarnation = answer.snapshot.incarnation;
        self.known = Some((incarnation, answer.snapshot.version));
        assert_eq!((answer.snapshot, answer.is_busy), (Snapshot { incarnation, ..is }, is_busy));
        is_busy
    }
}

#[tokio::test]
async fn it_is_due_to_the_millisecond() {
    for [grace, prompt, ready_for, pass_for, memory] in [[5, 3, 7, 4, 9], [9, 4, 2, 8, 1], [0; 5]] {
        let [grace, prompt, ready_for, pass_for, memory] =
            [grace, prompt, ready_for, pass_for, memory].map(Duration::from_millis);
        let patience = Patience { grace, prompt, ready_for, pass_for, memory };
        let mut pair = Pair::new(patience, Rules { burst: 3, ..Rules::at(300) }).await;
        let mut dice = SplitMix64::new(0x7AC0);
        let mut tickets = Vec::new();
        for step in 0..1_200 {
            // Sometimes everybody leaves.
            for _ in 0..if step % 100 < 80 { dice.below(3) } else { 0 } {
                tickets.push(pair.join(&dice.below(12).to_string()).await);
            }
            if !tickets.is_empty() {
                let one = &tickets[tickets.len() - 1 - dice.below(tickets.len().min(8) as u64) as usize];
                let now = pair.clock.now();
                match dice.below(4) {
                    0 => {
                        let answer = pair.room.beat(&pair.show, std::slice::from_ref(one)).await.unwrap();
                        assert_eq!(answer.answer, [pair.line.beat(one, now)]);
                    }
                    1 => {
                        let answer = pair.room.enter(&pair.show, one).await.unwrap().answer;
                        assert_eq!(answer, pair.line.enter(one, now));
                    }
                    _ => {}
                }
            }
            pair.clock.advance(Duration::from_millis(dice.below(3)));
            pair.tick().await;
        }
    }
}

#[tokio::test]
async fn more_is_due_than_one_call_may_move() {
    let patience = Patience { grace: Duration::from_secs(1), ..Patience::default() };
    let mut pair = Pair::new(patience, Rules { paused: true, ..Rules::at(1_000) }).await;
    for who in 0..1_001 {
        pair.join(&who.to_string()).await;
    }
    pair.tick().await;
    pair.clock.advance(patience.grace + Duration::from_millis(1));
    let mut busy = Vec::new();
    for _ in 0..4 {
        busy.push(pair.tick().await);
    }
    assert_eq!(busy, [true, true, false, false]);
}
