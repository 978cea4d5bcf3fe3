//! An IAM policy that allows only ReceiveMessage, DeleteMessage and GetQueueAttributes: the worker
//! works, logs once which permission is missing, and leaves failed messages to the queue's own
//! timeout and redrive.

use super::process::Worker;
use super::stage::{Kind, LEASE, Setting, Stage};
use anyhow::{Result, ensure};
use standin::{Action, Ledger, Push};

const EVENTS: u64 = 60;
const POISON: u64 = 3;
const RECEIVES_MAX: u32 = 3;
const LOGGED_ONCE: &str = "logged once";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_permissions_are_enough_and_a_missing_one_is_logged_once() -> Result<()> {
    let mut stage =
        Stage::new(Setting { receives_max: RECEIVES_MAX, ..Setting::of(Kind::Standard, 1) }).await?;
    let allowed = vec![Action::ReceiveMessage, Action::DeleteMessage, Action::GetQueueAttributes];
    stage.sqs.misbehave(|faults| faults.allowed = Some(allowed));
    stage.push(EVENTS)?;
    let mut worker = Worker::start(&stage, &[]).await?;
    stage.emptied(&mut worker).await?;
    ensure!(
        worker.log().count(LOGGED_ONCE) == 0,
        "no permission was missing: {:#?}",
        worker.log().lines(LOGGED_ONCE)
    );
    stage.all_is_well(super::stage::Runs::Once)?;

    for n in 0..POISON {
        stage.send(Push { body: format!("poison {n}"), ..Push::default() })?;
    }
    let log = worker.log();
    for receive in 1..=u64::from(RECEIVES_MAX) {
        let seen = || log.count("undecodable message") as u64 >= receive * POISON;
        worker.until(&stage, "each poison message was received", seen).await?;
        let kept = stage.depth().in_flight as u64;
        ensure!(kept == POISON, "{kept} are left to the queue's own timeout");
        stage.sqs.advance(LEASE);
    }
    stage.emptied(&mut worker).await?;
    let buried = Ledger::read(&stage.journal).buried();
    ensure!(stage.sqs.messages(Kind::Standard.letters()).len() as u64 == POISON, "moved by the policy");

    // A retry cannot be delayed either: the event waits for the end of its lease and is settled
    // then.
    stage.reservations.misbehave(|faults| faults.failing = 1.0);
    stage.push(1)?;
    worker.until(&stage, "a run failed", || log.count("downstream_error") > 0).await?;
    stage.reservations.misbehave(|faults| faults.failing = 0.0);
    stage.sqs.advance(LEASE);
    stage.emptied(&mut worker).await?;
    ensure!(Ledger::read(&stage.journal).buried() == buried, "an outage buries nothing");

    let log = worker.stop(&stage).await?;
    for lacking in ["ChangeMessageVisibility", "SendMessage"] {
        let logged = log.lines(LOGGED_ONCE).iter().filter(|line| line.contains(lacking)).count();
        ensure!(logged == 1, "{lacking}: logged {logged} times: {:#?}", log.lines(LOGGED_ONCE));
    }
    let logged = log.count("not authorized");
    ensure!(logged == 2, "denied calls are logged {logged} times: {:#?}", log.lines("not authorized"));
    Ok(())
}
