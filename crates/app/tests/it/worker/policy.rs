//! An IAM policy that allows only ReceiveMessage, DeleteMessage and GetQueueAttributes: the worker
//! works, logs once which permission is missing, and leaves failed messages to the queue's own
//! timeout and redrive.

use super::process::Worker;
use super::stand_ins::{Kind, LEASE, Setting, StandIns};
use anyhow::{Result, ensure};
use standin::{Action, Ledger, Push};

const EVENTS: u64 = 60;
const POISON: u64 = 3;
const RECEIVES_MAX: u32 = 3;
const LOGGED_ONCE: &str = "logged once";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_permissions_are_enough_and_a_missing_one_is_logged_once() -> Result<()> {
    let mut stand_ins =
        StandIns::new(Setting { receives_max: RECEIVES_MAX, ..Setting::of(Kind::Standard, 1) }).await?;
    let allowed = vec![Action::ReceiveMessage, Action::DeleteMessage, Action::GetQueueAttributes];
    stand_ins.sqs.misbehave(|faults| faults.allowed = Some(allowed));
    stand_ins.push(EVENTS)?;
    let mut worker = Worker::start(&stand_ins, &[]).await?;
    stand_ins.emptied(&mut worker).await?;
    ensure!(
        worker.log().count(LOGGED_ONCE) == 0,
        "no permission was missing: {:#?}",
        worker.log().lines(LOGGED_ONCE)
    );
    stand_ins.all_is_well(super::stand_ins::Runs::Once)?;

    for n in 0..POISON {
        stand_ins.send(Push { body: format!("poison {n}"), ..Push::default() })?;
    }
    let log = worker.log();
    for receive in 1..=u64::from(RECEIVES_MAX) {
        let seen = || log.count("undecodable message") as u64 >= receive * POISON;
        worker.until(&stand_ins, "each poison message was received", seen).await?;
        let kept = stand_ins.depth().in_flight as u64;
        ensure!(kept == POISON, "{kept} are left to the queue's own timeout");
        stand_ins.sqs.advance(LEASE);
    }
    stand_ins.emptied(&mut worker).await?;
    let buried = Ledger::read(&stand_ins.journal).buried();
    ensure!(stand_ins.sqs.messages(Kind::Standard.letters()).len() as u64 == POISON, "moved by the policy");

    // A retry cannot be delayed either: the event waits for the end of its lease and is settled
    // then.
    stand_ins.reservations.misbehave(|faults| faults.failing = 1.0);
    stand_ins.push(1)?;
    worker.until(&stand_ins, "a run failed", || log.count("downstream_error") > 0).await?;
    stand_ins.reservations.misbehave(|faults| faults.failing = 0.0);
    stand_ins.sqs.advance(LEASE);
    stand_ins.emptied(&mut worker).await?;
    ensure!(Ledger::read(&stand_ins.journal).buried() == buried, "an outage buries nothing");

    let log = worker.stop(&stand_ins).await?;
    for lacking in ["ChangeMessageVisibility", "SendMessage"] {
        let logged = log.lines(LOGGED_ONCE).iter().filter(|line| line.contains(lacking)).count();
        ensure!(logged == 1, "{lacking}: logged {logged} times: {:#?}", log.lines(LOGGED_ONCE));
    }
    let logged = log.count("not authorized");
    ensure!(logged == 2, "denied calls are logged {logged} times: {:#?}", log.lines("not authorized"));
    Ok(())
}
