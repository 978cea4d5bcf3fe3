//! Messages that are not events, and events that fail for good, in the middle of groups. They are
//! buried with their reason, their lanes continue, and no other lane is affected. A redrive puts
//! them back in the order of their groups.

use super::fickle::{Fronts, Share};
use super::process::Worker;
use super::stand_ins::{Kind, Setting, StandIns};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use standin::{Journal, Lane, Ledger, Push, Step, Tag};
use std::collections::BTreeMap;

/// Trap T-T4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_message_is_buried_with_its_reason_and_its_lane_continues() -> Result<()> {
    let mut stand_ins = StandIns::new(Setting::of(Kind::Fifo, 1)).await?;
    let group = "rsv_000000000000";
    let poison = Push {
        body: r#"{"type":"reservation.renamed","detail":{}}"#.to_owned(),
        group: Some(group.to_owned()),
        dedup_id: Some("poison".to_owned()),
        attributes: vec![("colour".to_owned(), "green".to_owned())],
        ..Push::default()
    };
    // Three reservations with three events each; the poison is the third message of the first one.
    let mut messages = super::events::Events::new(true, 3, 1, stand_ins.clock.now()).take(9)?;
    messages.insert(6, poison.clone());
    let (sent, of_group) = (messages.len(), |push: &&Push| push.group.as_deref() == Some(group));
    ensure!(
        messages.iter().filter(of_group).nth(2) == Some(&poison),
        "the poison is in the middle of its group"
    );
    for message in messages {
        stand_ins.send(message)?;
    }
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    stand_ins.emptied(&mut worker).await?;
    worker.stop(&stand_ins).await?;

    let letters = stand_ins.sqs.messages(Kind::Fifo.letters());
    let [letter] = &letters[..] else { anyhow::bail!("buried: {letters:#?}") };
    let attributes: BTreeMap<&str, &str> =
        letter.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ensure!(letter.body == poison.body && letter.group.as_deref() == Some(group), "{letter:?}");
    ensure!(attributes["reason"] == "undecodable" && attributes["attempts"] == "0", "{attributes:?}");
    ensure!(attributes["error"].contains("reservation.renamed"), "{attributes:?}");
    for name in ["first_seen", "last_seen", "original_message_id", "original_dedup_id", "original_group"] {
        ensure!(attributes.contains_key(name), "no {name} in {attributes:?}");
    }
    let ledger = Ledger::read(&stand_ins.journal);
    let settled = ledger.settled();
    // The delete of the poison is one of them, and the only one without an effect.
    ensure!(settled == sent, "{settled} of {sent} are off the queue");
    ensure!(
        super::order::overtaken(&stand_ins.journal).is_empty(),
        "{:?}",
        super::order::overtaken(&stand_ins.journal)
    );
    Ok(())
}

/// Trap T-T13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_puts_dead_letters_back_in_the_order_of_their_groups() -> Result<()> {
    let mut stand_ins = StandIns::new(Setting { per_reservation: 4, ..Setting::of(Kind::Fifo, 2) }).await?;
    let share = Share::new(1.0, 2);
    let fronts = Fronts::start(stand_ins.inventory.address(), &stand_ins.reservations.base(), &share).await?;
    stand_ins.push(20)?;
    let env = [
        ("INVENTORY_GRPC_ADDR", &*fronts.inventory),
        ("RESERVATION_API_BASE", &fronts.reservations),
        ("MAX_RETRIES", "0"),
    ];
    let mut worker = Worker::start(&stand_ins, &env).await?;
    stand_ins.emptied(&mut worker).await?;
    let letters = stand_ins.sqs.messages(Kind::Fifo.letters());
    ensure!(letters.len() == 20, "{letters:#?}");
    let reason = |letter: &Push| letter.attributes.contains(&("reason".into(), "retries_exhausted".into()));
    ensure!(letters.iter().all(reason), "{letters:#?}");

    share.set(0.0);
    let dry_run = worker.tell(&stand_ins, "/admin/dlq/redrive", &json!({"dry_run": true})).await?;
    // Browsing SQS means receiving. SQS shows no more of a group while one of it is received, so a
    // dry run may see fewer.
    ensure!(dry_run["entries"].as_array().is_some_and(|entries| !entries.is_empty()), "{dry_run}");
    ensure!(stand_ins.sqs.messages(Kind::Fifo.letters()).len() == 20, "a dry run changes nothing");
    let done = worker.tell(&stand_ins, "/admin/dlq/redrive", &json!({"rate": 1_000})).await?;
    ensure!(done["entries"].as_array().map(Vec::len) == Some(20), "{done}");
    stand_ins.emptied(&mut worker).await?;
    worker.stop(&stand_ins).await?;

    ensure!(stand_ins.sqs.messages(Kind::Fifo.letters()).is_empty(), "a dead letter was left behind");
    let sends = sends(&stand_ins.journal).context("sends")?;
    for (lane, sends) in sends {
        let (first, again) = sends.split_at(sends.len() / 2);
        ensure!(first == again, "{lane:?} was sent as {first:?} and put back as {again:?}");
    }
    let ledger = Ledger::read(&stand_ins.journal);
    ensure!(ledger.settled() == 20, "{} were settled", ledger.settled());
    Ok(())
}

/// The events of each group in the order in which they entered the event queue, the second of the
/// queues.
fn sends(journal: &Journal) -> Option<BTreeMap<Lane, Vec<Tag>>> {
    let mut lanes: BTreeMap<Lane, Vec<Tag>> = BTreeMap::new();
    journal.read(|entries| {
        for entry in entries {
            if matches!(entry.step, Step::Sent { queue: 1, .. }) {
                lanes.entry(entry.lane).or_default().push(entry.tag);
            }
        }
    });
    (lanes.len() == 5).then_some(lanes)
}
