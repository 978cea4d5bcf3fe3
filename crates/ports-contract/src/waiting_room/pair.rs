//! A store and the line that it must equal, asked the same questions.

use super::{Harness, show};
use domain::random::{Random, SplitMix64};
use domain::waiting_room::{Line, RuleChange, Snapshot, Standing, Ticket};
use ports::waiting_room::WaitingRoomStore;
use ports::{Clock, PortError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A store and the line that it must equal, side by side.
pub(super) struct Pair<'h> {
    pub(super) harness: Harness<'h>,
    pub(super) room: Arc<dyn WaitingRoomStore>,
    pub(super) line: Line,
    pub(super) tickets: Vec<Ticket>,
    pub(super) known: [Option<(u64, u64)>; 2],
    /// The standings that were seen, so that a case can check that a run reached all of them.
    pub(super) seen: BTreeSet<&'static str>,
}

impl Pair<'_> {
    /// An issued ticket; sometimes with another person's name on it, as if its number had been
    /// given twice.
    pub(super) fn ticket(&self, dice: &mut SplitMix64) -> Ticket {
        let luck = dice.below(self.tickets.len() as u64) as usize;
        let ticket = self.tickets[luck].clone();
        if dice.below(12) == 0 { Ticket { key: "somebody else".into(), ..ticket } } else { ticket }
    }

    fn record(&mut self, standing: Standing) {
        self.seen.insert(match standing {
            Standing::Waiting => "waiting",
            Standing::Ready { .. } => "ready",
            Standing::Entered { .. } => "entered",
            Standing::Left => "left",
            Standing::Expired => "expired",
        });
    }

    pub(super) async fn join(&mut self, key: &str) {
        let is = self.line.join(key, self.harness.clock().now());
        match (self.room.join(&show(), key).await, is) {
            (Ok(ticket), Ok(is)) => {
                assert_eq!(ticket, is);
                if !self.tickets.contains(&ticket) {
                    self.tickets.push(ticket);
                }
            }
            (Err(PortError::Rejected(why)), Err(is)) => assert_eq!(why, is),
            (store, line) => panic!("{store:?}, but the line says {line:?}"),
        }
    }

    pub(super) async fn beat(&mut self, tickets: Vec<Ticket>) {
        let now = self.harness.clock().now();
        let answer = self.room.beat(&show(), &tickets).await.expect("beats");
        let is: Vec<_> = tickets.iter().map(|ticket| self.line.beat(ticket, now)).collect();
        assert_eq!((answer.at, &answer.answer), (now, &is));
        is.into_iter().for_each(|standing| self.record(standing));
    }

    pub(super) async fn enter(&mut self, ticket: &Ticket) {
        let now = self.harness.clock().now();
        let answer = self.room.enter(&show(), ticket).await.expect("entered or not");
        let is = self.line.enter(ticket, now);
        assert_eq!((answer.at, answer.answer), (now, is));
        self.record(is);
    }

    pub(super) async fn leave(&mut self, ticket: &Ticket) {
        let answer = self.room.leave(&show(), ticket).await.expect("left");
        assert_eq!(answer, self.line.leave(ticket, self.harness.clock().now()));
    }

    /// One of two gateways ticks.
    pub(super) async fn tick(&mut self, gateway: usize) {
        let now = self.harness.clock().now();
        let answer = self.room.tick(&show(), self.known[gateway]).await.expect("ticked");
        let is_busy = self.line.tick(now);
        let line_since = self.known[gateway].map(|(_, version)| (1, version));
        let is = self.line.snapshot(line_since, now);
        self.known[gateway] = Some((answer.snapshot.incarnation, answer.snapshot.version));
        let incarnation = answer.snapshot.incarnation;
        assert_eq!((answer.snapshot, answer.is_busy), (Snapshot { incarnation, ..is }, is_busy));
    }

    pub(super) async fn rule(&mut self, change: RuleChange) {
        let answer = self.room.rule(&show(), change).await.expect("ruled");
        assert_eq!(answer, self.line.rule(change, self.harness.clock().now()));
    }
}
