//! The queue against a model that is too simple to be wrong: a list of messages that is searched
//! from the front.
//!
//! Random commands run on both; every answer must be the same: which messages came, in which order,
//! with which counts, which receipts still worked, the depth, and the messages in the dead-letter
//! queue.

use adapter_embedded::{EmbeddedQueue, Engine, EngineOptions, QueueOptions};
use core::time::Duration;
use ports::Queue as _;
use ports::queue::{Outgoing, QueueKind, Receipt, Receive};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use testkit::ManualClock;

const VISIBILITY: u64 = 30;
const RECEIVES_MAX: u32 = 3;
const WINDOW: u64 = 300;

#[derive(Debug, Clone)]
enum Command {
    Send {
        group: u8,
        dedup: u8,
        delay: u64,
    },
    Receive {
        max: usize,
        visibility: u64,
    },
    /// Deletes by the receipt handed out that many receives ago.
    Delete {
        ago: usize,
    },
    Extend {
        ago: usize,
        visibility: u64,
    },
    Advance {
        seconds: u64,
    },
    Reopen,
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        8 => (0u8..4, 0u8..40, 0u64..20).prop_map(|(group, dedup, delay)| Command::Send { group, dedup, delay }),
        8 => (1usize..=10, prop_oneof![Just(VISIBILITY), 0u64..60])
            .prop_map(|(max, visibility)| Command::Receive { max, visibility }),
        6 => (0usize..12).prop_map(|ago| Command::Delete { ago }),
        4 => (0usize..12, 0u64..60).prop_map(|(ago, visibility)| Command::Extend { ago, visibility }),
        5 => prop_oneof![1u64..40, Just(WINDOW)].prop_map(|seconds| Command::Advance { seconds }),
        1 => Just(Command::Reopen),
    ]
}

#[derive(Debug, Clone)]
struct Kept {
    name: u64,
    group: u8,
    received: u32,
    hidden: Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Hidden {
    No,
    Delayed { until: u64 },
    Leased { until: u64, lease: u64 },
}

/// The queue as a list. A message is named by the number of its send.
struct Model {
    fifo: bool,
    now: u64,
    kept: Vec<Kept>,
    buried: Vec<u64>,
    window: BTreeMap<u8, (u64, u64)>,
    leases: u64,
}

impl Model {
    fn expire(&mut self) {
        for message in &mut self.kept {
            match message.hidden {
                Hidden::Delayed { until } | Hidden::Leased { until, .. } if until <= self.now => {
                    message.hidden = Hidden::No;
                }
                _ => {}
            }
        }
    }

    /// Returns the name of the stored message, which is an earlier one for a repetition.
    fn send(&mut self, name: u64, group: u8, dedup: u8, delay: u64) -> u64 {
        if self.fifo {
            if let Some((first, end)) = self.window.get(&dedup)
                && self.now < *end
            {
                return *first;
            }
            self.window.insert(dedup, (name, self.now + WINDOW));
        }
        let hidden =
            if delay == 0 || self.fifo { Hidden::No } else { Hidden::Delayed { until: self.now + delay } };
        self.kept.push(Kept { name, group, received: 0, hidden });
        name
    }

    fn receive(&mut self, max: usize, visibility: u64) -> Vec<(u64, u32, u64)> {
        self.expire();
        let mut taken: Vec<(u64, u32, u64)> = Vec::new();
        let mut shut: Vec<u8> = Vec::new();
        if self.fifo {
            let out = self.kept.iter().filter(|message| message.hidden != Hidden::No);
            shut = out.map(|message| message.group).collect();
        }
        while taken.len() < max {
            let open = |message: &Kept| {
                message.hidden == Hidden::No && !(self.fifo && shut.contains(&message.group))
            };
            let Some(head) = self.kept.iter().position(open) else { break };
            if self.kept[head].received >= RECEIVES_MAX {
                let spent = self.kept.remove(head);
                self.buried.push(spent.name);
                if self.fifo {
                    // Its group continues once it is moved: at the next receive, or in this one if
                    // it returned nothing.
                    shut.push(spent.group);
                }
                continue;
            }
            let group = self.kept[head].group;
            for message in &mut self.kept[head..] {
                let same = !self.fifo || message.group == group;
                if !same || message.hidden != Hidden::No {
                    continue;
                }
                if taken.len() == max || message.received >= RECEIVES_MAX {
                    break;
                }
                message.received += 1;
                self.leases += 1;
                message.hidden = Hidden::Leased { until: self.now + visibility, lease: self.leases };
                taken.push((message.name, message.received, self.leases));
            }
            if self.fifo {
                shut.push(group);
            }
        }
        taken
    }

    /// Whether a delete by this receipt is accepted.
    fn delete(&mut self, name: u64, lease: u64) -> bool {
        self.expire();
        let Some(place) = self.kept.iter().position(|message| message.name == name) else { return true };
        let mine =
            matches!(self.kept[place].hidden, Hidden::Leased { lease: current, .. } if current == lease);
        if self.fifo && !mine {
            return false;
        }
        self.kept.remove(place);
        true
    }

    fn extend(&mut self, name: u64, lease: u64, visibility: u64) -> bool {
        self.expire();
        let now = self.now;
        let Some(message) = self.kept.iter_mut().find(|message| message.name == name) else { return false };
        match &mut message.hidden {
            Hidden::Leased { until, lease: current } if *current == lease => {
                *until = now + visibility;
                true
            }
            _ => false,
        }
    }

    fn restart(&mut self) {
        for message in &mut self.kept {
            if matches!(message.hidden, Hidden::Leased { .. }) {
                message.hidden = Hidden::No;
            }
        }
    }

    fn depth(&mut self) -> (u64, u64, u64) {
        self.expire();
        let count =
            |wanted: fn(&Hidden) -> bool| self.kept.iter().filter(|m| wanted(&m.hidden)).count() as u64;
        (
            count(|hidden| *hidden == Hidden::No),
            count(|hidden| matches!(hidden, Hidden::Leased { .. })),
            count(|hidden| matches!(hidden, Hidden::Delayed { .. })),
        )
    }
}

struct Pair {
    model: Model,
    engine: Option<Engine>,
    queue: Option<Arc<EmbeddedQueue>>,
    dead: Option<Arc<EmbeddedQueue>>,
    clock: Arc<ManualClock>,
    /// Receipts as the queue issued them, with the model's name and lease of each.
    receipts: Vec<(Receipt, u64, u64)>,
    ids: BTreeMap<u64, Arc<str>>,
    sends: u64,
}

impl Pair {
    fn open(&mut self, folder: &Path) {
        let engine = Engine::open(folder, EngineOptions::default(), self.clock.clone()).unwrap();
        let kind = if self.model.fifo { QueueKind::Fifo } else { QueueKind::Standard };
        let dead = engine.queue("dead", QueueOptions::new(kind)).unwrap();
        let visibility = Duration::from_secs(VISIBILITY);
        let options =
            QueueOptions { visibility, ..QueueOptions::new(kind) }.with_redrive(dead.clone(), RECEIVES_MAX);
        self.queue = Some(engine.queue("queue", options).unwrap());
        (self.engine, self.dead) = (Some(engine), Some(dead));
    }

    async fn run(&mut self, command: Command, folder: &Path) {
        let queue = self.queue.clone().unwrap();
        match command {
            Command::Send { group, dedup, delay } => {
                self.sends += 1;
                let name = self.sends;
                let delay = if self.model.fifo { 0 } else { delay };
                let entry = Outgoing {
                    body: name.to_string(),
                    group: Some(format!("g{group}")),
                    dedup_id: Some(format!("d{dedup}")),
                    delay: Duration::from_secs(delay),
                    attributes: Vec::new(),
                };
                let sent = queue.send(vec![entry]).await.unwrap().pop().unwrap().unwrap();
                let stands_for = self.model.send(name, group, dedup, delay);
                assert_eq!(sent.deduplicated, Some(stands_for != name));
                assert_eq!(&sent.message_id, self.ids.entry(stands_for).or_insert(sent.message_id.clone()));
            }
            Command::Receive { max, visibility } => {
                let visibility_asked = Some(Duration::from_secs(visibility));
                let request = Receive { max, wait: Duration::ZERO, visibility: visibility_asked };
                let messages = queue.receive(request).await.unwrap();
                let mut buried = self.model.buried.len();
                let mut expected = self.model.receive(max, visibility);
                // The engine looks again when a spent message has been moved out of the way.
                while expected.is_empty() && self.model.buried.len() > buried {
                    buried = self.model.buried.len();
                    expected = self.model.receive(max, visibility);
                }
                // The receive does not wait for a move beside messages that it hands out.
                let dead = self.dead.clone().unwrap();
                while dead.stats().depth.visible < self.model.buried.len() as u64 {
                    tokio::task::yield_now().await;
                }
                let got: Vec<(u64, u32)> =
                    messages.iter().map(|m| (m.body.parse().unwrap(), m.receive_count)).collect();
                assert_eq!(got, expected.iter().map(|(name, count, _)| (*name, *count)).collect::<Vec<_>>());
                for (message, (name, _, lease)) in messages.iter().zip(expected) {
                    assert_eq!(&message.id, &self.ids[&name]);
                    self.receipts.push((message.receipt.clone(), name, lease));
                }
            }
            Command::Delete { ago } => {
                let Some((receipt, name, lease)) = self.receipts.iter().rev().nth(ago).cloned() else {
                    return;
                };
                let result = queue.delete(vec![receipt]).await.unwrap().pop().unwrap();
                assert_eq!(result.is_ok(), self.model.delete(name, lease), "{result:?}");
            }
            Command::Extend { ago, visibility } => {
                let Some((receipt, name, lease)) = self.receipts.iter().rev().nth(ago).cloned() else {
                    return;
                };
                let change = vec![(receipt, Duration::from_secs(visibility))];
                let result = queue.change_visibility(change).await.unwrap().pop().unwrap();
                assert_eq!(result.is_ok(), self.model.extend(name, lease, visibility), "{result:?}");
            }
            Command::Advance { seconds } => {
                self.clock.advance(Duration::from_secs(seconds));
                self.model.now += seconds;
            }
            Command::Reopen => {
                drop(queue);
                (self.queue, self.dead, self.engine) = (None, None, None);
                self.model.restart();
                self.open(folder);
            }
        }
        let depth = self.queue.as_ref().unwrap().depth().await.unwrap();
        assert_eq!((depth.visible, depth.in_flight, depth.delayed), self.model.depth());
    }
}

fn agree(fifo: bool, commands: Vec<Command>) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let model =
            Model { fifo, now: 0, kept: Vec::new(), buried: Vec::new(), window: BTreeMap::new(), leases: 0 };
        let mut pair = Pair {
            model,
            engine: None,
            queue: None,
            dead: None,
            clock: Arc::new(ManualClock::default()),
            receipts: Vec::new(),
            ids: BTreeMap::new(),
            sends: 0,
        };
        pair.open(folder.path());
        for command in commands {
            pair.run(command, folder.path()).await;
        }
        let dead = pair.dead.as_ref().unwrap().peek(None, usize::MAX).unwrap();
        assert_eq!(dead.iter().map(|m| m.body.parse().unwrap()).collect::<Vec<u64>>(), pair.model.buried);
        for (message, name) in dead.iter().zip(&pair.model.buried) {
            assert_eq!(&message.id, &pair.ids[name], "a dead letter keeps its id");
        }
        let left = pair.queue.as_ref().unwrap().peek(None, usize::MAX).unwrap();
        let names: Vec<u64> = left.iter().map(|m| m.body.parse().unwrap()).collect();
        assert_eq!(names, pair.model.kept.iter().map(|m| m.name).collect::<Vec<_>>());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_fifo_queue_agrees_with_its_model(commands in proptest::collection::vec(command(), 1..120)) {
        agree(true, commands);
    }

    #[test]
    fn a_standard_queue_agrees_with_its_model(commands in proptest::collection::vec(command(), 1..120)) {
        agree(false, commands);
    }
}
