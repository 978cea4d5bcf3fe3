//! Every fault takes effect when it is set, and ends when it is cleared.

use crate::wire::Server;
use anyhow::{Result, ensure};
use serde_json::json;
use standin::{Action, Failure};
use std::time::Duration;

#[tokio::test]
async fn the_next_calls_fail_as_set() -> Result<()> {
    let server = Server::new().await?;
    for (failure, status, shape) in [
        (Failure::Internal, 500, "com.amazon.coral.service#InternalFailure"),
        (Failure::Unavailable, 503, "com.amazon.coral.service#ServiceUnavailable"),
        (Failure::Throttled, 400, "com.amazonaws.sqs#RequestThrottled"),
        (Failure::Throttling, 400, "com.amazon.coral.service#ThrottlingException"),
    ] {
        server.sqs.misbehave(|faults| {
            (faults.failing_next, faults.failure) = (2, failure);
            faults.only = vec![Action::ReceiveMessage];
        });
        ensure!(server.call("GetQueueAttributes", json!({})).await?.status == 200);
        for _ in 0..2 {
            let answer = server.call("ReceiveMessage", json!({})).await?;
            ensure!(answer.status == status && answer.body["__type"] == shape, "{}", answer.body);
        }
        server.push("a")?;
        ensure!(server.receive().await?.len() == 1, "a failed call received something");
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_follows_the_effect_and_a_reset_prevents_it() -> Result<()> {
    let server = Server::new().await?;
    for (failure, done) in [(Failure::Reset, 0), (Failure::AnswerLost, 1)] {
        server.sqs.misbehave(|faults| (faults.failing_next, faults.failure) = (1, failure));
        ensure!(server.call("SendMessage", json!({"MessageBody": "a"})).await.is_err());
        ensure!(server.sqs.depth("events").visible == done, "{failure:?}");
    }
    Ok(())
}

#[tokio::test]
async fn entries_of_a_batch_fail_alone() -> Result<()> {
    let server = Server::new().await?;
    server.push("a")?;
    let receipt = server.receive().await?[0].1.clone();
    server.sqs.misbehave(|faults| faults.failing_entries = 1.0);
    let entries = json!({"Entries": [{"Id": "x", "ReceiptHandle": receipt}]});
    let answer = server.call("DeleteMessageBatch", entries.clone()).await?;
    ensure!(answer.status == 200 && answer.body["Failed"][0]["SenderFault"] == false, "{}", answer.body);
    server.sqs.misbehave(|faults| faults.failing_entries = 0.0);
    ensure!(server.call("DeleteMessageBatch", entries).await?.body["Successful"][0]["Id"] == "x");
    Ok(())
}

/// As with an IAM policy of AWS: a batch needs the permission of its single action.
#[tokio::test]
async fn a_denied_action_is_named_in_the_answer() -> Result<()> {
    let server = Server::new().await?;
    let allowed = vec![Action::ReceiveMessage, Action::DeleteMessage, Action::GetQueueAttributes];
    server.sqs.misbehave(|faults| faults.allowed = Some(allowed));
    ensure!(server.call("ReceiveMessage", json!({})).await?.status == 200);
    let entry = json!({"Entries": [{"Id": "x", "ReceiptHandle": "r", "VisibilityTimeout": 0}]});
    ensure!(server.call("DeleteMessageBatch", entry.clone()).await?.status == 200);
    for (action, named) in [
        ("ChangeMessageVisibilityBatch", "sqs:changemessagevisibility"),
        ("SendMessageBatch", "sqs:sendmessage"),
        ("GetQueueUrl", "sqs:getqueueurl"),
    ] {
        let answer = server.call(action, entry.clone()).await?;
        let message = answer.body["message"].as_str().unwrap_or_default();
        ensure!(answer.status == 403 && message.contains(named), "{action}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_vanished_queue_returns_with_its_messages() -> Result<()> {
    let server = Server::new().await?;
    server.push("a")?;
    server.sqs.misbehave(|faults| faults.vanished = true);
    let answer = server.call("ReceiveMessage", json!({})).await?;
    ensure!(answer.body["__type"] == "com.amazonaws.sqs#QueueDoesNotExist", "{}", answer.body);
    server.sqs.misbehave(|faults| (faults.vanished, faults.credentials_expired) = (false, true));
    let answer = server.call("ReceiveMessage", json!({})).await?;
    ensure!(
        answer.status == 403 && answer.body["__type"] == "com.amazon.coral.service#ExpiredTokenException"
    );
    server.sqs.misbehave(|faults| faults.credentials_expired = false);
    ensure!(server.receive().await?.len() == 1);
    Ok(())
}

/// A client that learns the server's time from the answer signs with it from then on.
#[tokio::test]
async fn a_request_signed_at_another_time_is_refused_with_the_time() -> Result<()> {
    let server = Server::new().await?;
    server.sqs.misbehave(|faults| faults.clock_ahead_secs = 3_600);
    let answer = server.call("ReceiveMessage", json!({})).await?;
    ensure!(answer.status == 403, "{}", answer.body);
    ensure!(answer.body["__type"] == "com.amazon.coral.service#InvalidSignatureException", "{}", answer.body);
    let date = jiff::fmt::rfc2822::parse(answer.headers["date"].to_str()?)?.timestamp();
    let ahead = date.duration_since(jiff::Timestamp::now()).as_secs();
    ensure!((3_590..=3_600).contains(&ahead), "{ahead}");
    server.sqs.misbehave(|faults| faults.clock_ahead_secs = 240);
    ensure!(server.call("ReceiveMessage", json!({})).await?.status == 200);
    Ok(())
}

#[tokio::test]
async fn a_slow_queue_is_slow_and_a_hanging_one_answers_later() -> Result<()> {
    let server = Server::new().await?;
    let latency = Duration::from_millis(30);
    server.sqs.misbehave(|faults| faults.latency = latency);
    let began = server.journal.now();
    server.call("ReceiveMessage", json!({})).await?;
    ensure!(server.journal.now() - began >= latency);
    server.sqs.misbehave(|faults| (faults.latency, faults.hanging) = (Duration::ZERO, true));
    let call = server.call("ReceiveMessage", json!({}));
    tokio::pin!(call);
    tokio::select! {
        biased;
        answer = &mut call => anyhow::bail!("answered although it hangs: {}", answer?.body),
        () = tokio::time::sleep(latency) => {}
    }
    server.sqs.misbehave(|faults| faults.hanging = false);
    ensure!(call.await?.status == 200);
    Ok(())
}

#[tokio::test]
async fn a_closed_listener_refuses_and_opens_on_the_same_port() -> Result<()> {
    let server = Server::new().await?;
    for _ in 0..3 {
        ensure!(server.call("ReceiveMessage", json!({})).await?.status == 200);
        server.sqs.set_open(false);
        let mut refused = server.call("ReceiveMessage", json!({})).await.is_err();
        while !refused {
            refused = server.call("ReceiveMessage", json!({})).await.is_err();
        }
        server.sqs.set_open(true);
        while server.call("ReceiveMessage", json!({})).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
