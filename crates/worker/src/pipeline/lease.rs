//! Watches the leases: each delivery is looked at when its time comes (trap T-T6).
//!
//! - A waiting message is handed back while its lease still allows it.
//! - A run's lease is renewed, in batches, until the handler's own limit; then the run is cut off.
//!   A lease that ends under a run cuts it off too.
//! - A lease under settlement is never renewed: the settlement is sent again, and left to the queue
//!   when the lease ends.

use super::signal::{Answers, Signal, per_entry};
use super::table::{Action, Cut, Settling, Stage, Ticket};
use super::{Pipeline, What};
use crate::telemetry::Operation;
use core::time::Duration;
use domain::limits::QUEUE_BATCH_MAX;
use ports::plant::{Plant, planted};
use ports::queue::Receipt;
use ports::{FaultClass, probe};

/// The next look at a delivery that waits for an answer which will come.
const LATER: Duration = Duration::from_secs(1);

enum Look {
    At(Duration),
    Renew,
    HandBackLane,
    SendAgain,
    CopyAgain,
    Over,
    LeaveLane,
    Leave,
}

impl Pipeline {
    pub(super) fn look_at_due(&mut self, now: Duration) {
        if self.table.next_look().is_none_or(|at| at > now) {
            return;
        }
        let mut renewals = Vec::new();
        for ticket in self.table.due(now) {
            self.look(ticket, &mut renewals, now);
        }
        if !renewals.is_empty() {
            self.join_renewal(&mut renewals, now);
            self.renew(renewals, now);
        }
    }

    fn look(&mut self, ticket: Ticket, renewals: &mut Vec<Ticket>, now: Duration) {
        let run_max = self.parts.handlers.run_max();
        let (to_start, to_renew) = (self.options.lease_to_start(), self.options.lease_to_renew());
        let Some(delivery) = self.table.get_mut(ticket) else { return };
        let ended = delivery.lease_until <= now;
        let lease_until = delivery.lease_until;
        let too_short = delivery.lease_left(now) <= to_start;
        let look = match &mut delivery.stage {
            Stage::Waiting if too_short => Look::HandBackLane,
            Stage::Waiting => Look::At(lease_until.saturating_sub(to_start)),
            Stage::Following if ended => Look::Leave,
            Stage::Following => Look::At(lease_until),
            Stage::Running(run) if run.cut.is_some() => Look::At(now + LATER),
            Stage::Running(run) if ended || now >= run.since + run_max => {
                run.cut_off(if ended { Cut::LeaseLost } else { Cut::TookTooLong });
                Look::At(now + LATER)
            }
            Stage::Running(run) if run.renewing => Look::At(lease_until),
            Stage::Running(run) if lease_until > now + to_renew => {
                Look::At((lease_until - to_renew).min(run.since + run_max))
            }
            Stage::Running(_) => Look::Renew,
            Stage::Copying(copying) if copying.in_air => Look::At(now + LATER),
            Stage::Copying(_) if ended => Look::LeaveLane,
            Stage::Copying(_) => Look::CopyAgain,
            Stage::Settling(settling) if settling.in_air => Look::At(now + LATER),
            Stage::Settling(_) if ended => Look::Over,
            Stage::Settling(_) => Look::SendAgain,
        };
        self.act(ticket, look, lease_until, renewals, now);
    }

    fn act(
        &mut self,
        ticket: Ticket,
        look: Look,
        lease_until: Duration,
        renewals: &mut Vec<Ticket>,
        now: Duration,
    ) {
        probe::hit(point(&look));
        match look {
            Look::At(at) => self.table.look_at(ticket, at),
            Look::Renew => renewals.push(ticket),
            Look::HandBackLane => {
                let lane = self.table.get(ticket).map(|delivery| delivery.lane.clone());
                let waiting = lane.map(|lane| self.lanes.take_waiting(&lane)).unwrap_or_default();
                if !waiting.contains(&ticket) {
                    // Unreachable: a waiting message is in a lane. Left alone it would keep the
                    // loop turning.
                    self.leave(ticket, now);
                }
                for ticket in waiting {
                    self.hand_back(ticket, Duration::ZERO, "too little lease left", now);
                }
            }
            Look::SendAgain => {
                self.table.look_at(ticket, lease_until);
                if let Some(Stage::Settling(settling)) =
                    self.table.get(ticket).map(|delivery| &delivery.stage)
                {
                    let action = settling.action;
                    self.queue_up(ticket, action, now);
                }
            }
            Look::CopyAgain => {
                self.table.look_at(ticket, lease_until);
                self.copies.push(ticket, now);
            }
            Look::Over => self.over(ticket, false, now),
            Look::LeaveLane => {
                self.note(ticket, What::LeaseLost);
                self.leave_with_lane(ticket, now);
            }
            Look::Leave => self.leave(ticket, now),
        }
    }

    /// Adds runs whose renewal is due soon: a call for ten costs the same as a call for one.
    fn join_renewal(&self, renewals: &mut Vec<Ticket>, now: Duration) {
        let soon = now + self.options.visibility / 10;
        for ticket in self.table.due(soon) {
            let Some(delivery) = self.table.get(ticket) else { continue };
            if let Stage::Running(run) = &delivery.stage
                && run.cut.is_none()
                && !run.renewing
                && !renewals.contains(&ticket)
            {
                renewals.push(ticket);
            }
        }
    }

    fn renew(&mut self, renewals: Vec<Ticket>, now: Duration) {
        for chunk in renewals.chunks(QUEUE_BATCH_MAX) {
            let mut entries = Vec::with_capacity(chunk.len());
            for &ticket in chunk {
                let Some(delivery) = self.table.get_mut(ticket) else { continue };
                let Stage::Running(run) = &mut delivery.stage else { continue };
                run.renewing = true;
                delivery.renewal_in_air = true;
                let lease_until = delivery.lease_until;
                entries.push((ticket, delivery.message.receipt.clone()));
                self.table.look_at(ticket, lease_until);
            }
            self.parts.telemetry.called(Operation::ChangeVisibility, entries.len());
            let visibility = self.options.visibility;
            let changes = entries.iter().map(|(_, receipt)| (receipt.clone(), visibility)).collect();
            let queue = self.parts.queue.clone();
            let call = self.limited(async move { queue.change_visibility(changes).await });
            let signals = self.signals.clone();
            self.parts.tasks.spawn(async move {
                let results = call.await;
                let _ = signals.send(Signal::Renewed { sent_at: now, entries, results });
            });
        }
    }

    pub(super) fn renewed(
        &mut self,
        sent_at: Duration,
        entries: Vec<(Ticket, Receipt)>,
        results: Answers<()>,
        now: Duration,
    ) {
        self.tell_denied(Operation::ChangeVisibility, results.as_ref().err());
        // Logged once and left to the queue's own timeout: without the permission every run has
        // only its first lease.
        let denied = results.as_ref().is_err_and(|fault| fault.class == FaultClass::Permanent);
        let results = per_entry(results, entries.len());
        let (until, to_renew) = (self.lease_from(sent_at), self.options.lease_to_renew());
        let run_max = self.parts.handlers.run_max();
        for ((ticket, receipt), result) in entries.into_iter().zip(results) {
            let Some(delivery) = self.table.get_mut(ticket) else { continue };
            delivery.renewal_in_air = false;
            let same = delivery.message.receipt == receipt;
            if let Stage::Settling(Settling { action: action @ Action::Hide(_), in_air: false, .. }) =
                delivery.stage
            {
                self.queue_up(ticket, action, now);
                continue;
            }
            let Stage::Running(run) = &mut delivery.stage else { continue };
            run.renewing = false;
            let result = if planted(Plant::LeaseBelieved) { Ok(()) } else { result };
            let look_at = match result {
                Ok(()) if same => {
                    delivery.lease_until = until;
                    until.saturating_sub(to_renew).min(run.since + run_max)
                }
                // A newer receipt has arrived meanwhile, and the lease belongs to it.
                _ if !same => now,
                Err(fault) if fault.class == FaultClass::Permanent && !denied && run.cut.is_none() => {
                    run.cut_off(Cut::LeaseLost);
                    now + LATER
                }
                _ if denied => {
                    run.renewing = true;
                    delivery.lease_until
                }
                _ => (now + to_renew / 10).min(delivery.lease_until),
            };
            self.table.look_at(ticket, look_at.max(now));
        }
    }
}

const fn point(look: &Look) -> &'static str {
    match look {
        Look::At(_) => "look.At",
        Look::Renew => "look.Renew",
        Look::HandBackLane => "look.HandBackLane",
        Look::SendAgain => "look.SendAgain",
        Look::CopyAgain => "look.CopyAgain",
        Look::Over => "look.Over",
        Look::LeaveLane => "look.LeaveLane",
        Look::Leave => "look.Leave",
    }
}
