//! Putting dead letters back (trap T-T13): in their order, each with its message group, under a new
//! deduplication id, no faster than the given rate, and as a dry run on request.
//!
//! A dead letter is sent to the queue and, when that is confirmed, removed. The new deduplication
//! id is derived from the dead letter's own id. So a redrive that was cut off between the two steps
//! does not send it twice when it is repeated, and the original's deduplication window does not
//! swallow it. A letter that cannot be sent stops the redrive: those behind it may be of its group
//! and must not overtake it.

use crate::dead_letter::{DeadLetter, attribute};
use core::time::Duration;
use domain::valve::Valve;
use ports::plant::{Plant, planted};
use ports::queue::{Message, Outgoing, QueueKind};
use ports::{Clock, DeadLetters, Fault, Queue};
use serde::Serialize;
use std::sync::Arc;

/// Dead letters that are read at a time.
const PAGE: usize = 100;

/// Which dead letters are selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every one that exists when its turn comes.
    All,
    /// These, in the order of their burial.
    Ids(Vec<String>),
}

impl Selection {
    fn takes(&self, message: &Message) -> bool {
        match self {
            Self::All => true,
            Self::Ids(ids) => ids.iter().any(|id| **id == *message.id),
        }
    }
}

/// How dead letters are put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedriveOptions {
    /// The selected dead letters.
    pub selection: Selection,
    /// The most dead letters to move.
    pub limit: usize,
    /// The most messages per second; 0 counts as 1.
    pub rate: u32,
    /// Report what would be done, and change nothing.
    pub dry_run: bool,
}

/// The result of a redrive or a purge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// The dead letters that were put back or removed (in a dry run: that would be), in order.
    pub entries: Vec<DeadLetter>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Why it stopped before the selection was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Puts dead letters back on the queue.
pub async fn redrive(
    letters: &dyn DeadLetters,
    queue: &dyn Queue,
    clock: &dyn Clock,
    options: &RedriveOptions,
) -> Result<Report, Fault> {
    let mut report = Report { dry_run: options.dry_run, ..Report::default() };
    let mut valve = Valve::with_burst(options.rate, 1, clock.elapsed());
    let mut after: Option<Arc<str>> = None;
    loop {
        let page = letters.browse(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(report) };
        after = Some(last.id.clone());
        for message in page.iter().filter(|message| options.selection.takes(message)) {
            if report.entries.len() >= options.limit {
                return Ok(report);
            }
            if !options.dry_run {
                pass(&mut valve, clock).await;
                if let Err(fault) = put_back(letters, queue, message).await {
                    report.stopped = Some(format!("{}: {}", message.id, fault.chain()));
                    return Ok(report);
                }
            }
            report.entries.push(DeadLetter::read(message));
        }
    }
}

/// Removes dead letters for good.
pub async fn purge(letters: &dyn DeadLetters, selection: &Selection, dry_run: bool) -> Result<Report, Fault> {
    let mut report = Report { dry_run, ..Report::default() };
    let mut after: Option<Arc<str>> = None;
    loop {
        let page = letters.browse(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(report) };
        after = Some(last.id.clone());
        for message in page.iter().filter(|message| selection.takes(message)) {
            if dry_run || letters.remove(&message.id).await? {
                report.entries.push(DeadLetter::read(message));
            }
        }
    }
}

async fn pass(valve: &mut Valve, clock: &dyn Clock) {
    while let Err(wait) = valve.pass(clock.elapsed()) {
        clock.sleep(wait.max(Duration::from_millis(1))).await;
    }
}

async fn put_back(letters: &dyn DeadLetters, queue: &dyn Queue, message: &Message) -> Result<(), Fault> {
    let of = |name: &str| message.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let fifo = queue.kind() == QueueKind::Fifo;
    let letter = DeadLetter::read(message);
    let group = of(attribute::GROUP)
        .or_else(|| (!letter.reservation_id.is_empty()).then(|| letter.reservation_id.clone()))
        .or_else(|| message.group.as_deref().map(str::to_owned))
        .unwrap_or_else(|| message.id.to_string());
    let trace = of(attribute::TRACEPARENT).map(|value| (attribute::TRACEPARENT.to_owned(), value));
    let dedup_id = of(attribute::DEDUP_ID).filter(|_| planted(Plant::RedriveSameDedup));
    let outgoing = Outgoing {
        body: message.body.clone(),
        group: Some(group).filter(|_| fifo),
        dedup_id: dedup_id.or_else(|| Some(format!("redrive-{}", message.id))).filter(|_| fifo),
        delay: Duration::ZERO,
        attributes: trace.into_iter().collect(),
    };
    let mut results = queue.send(vec![outgoing]).await?;
    results.pop().unwrap_or_else(|| Err(Fault::transient("the queue's answer lacks the entry")))?;
    letters.remove(&message.id).await?;
    Ok(())
}
