//! The JSON protocol itself, as a client that is not ours sees it.

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use standin::{Depth, Journal, Push, QueueSpec, Sqs};
use std::sync::Arc;
use std::time::Duration;

/// A queue server, a client on kept-alive connections, and the URL of a queue `events`.
pub(crate) struct Server {
    pub(crate) sqs: Sqs,
    pub(crate) journal: Arc<Journal>,
    pub(crate) url: String,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

/// An answer: its status, its headers, its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Server {
    pub(crate) async fn new() -> Result<Self> {
        let journal = Arc::new(Journal::new());
        let sqs = Sqs::start(journal.clone()).await?;
        sqs.create(spec("letters", None));
        let url = sqs.create(spec("events", Some(("letters".to_owned(), 2))));
        Ok(Self { sqs, journal, url, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Calls an action about the queue `events`.
    pub(crate) async fn call(&self, action: &str, mut body: Value) -> Result<Answer> {
        if body["QueueUrl"].is_null() {
            body["QueueUrl"] = self.url.clone().into();
        }
        let request = http::Request::post(self.sqs.endpoint())
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .header("x-amz-date", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string())
            .header("content-type", "application/x-amz-json-1.0")
            .body(Full::new(body.to_string().into()))?;
        let answer = self.client.request(request).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, headers, body: serde_json::from_slice(&body)? })
    }

    pub(crate) fn push(&self, body: &str) -> Result<String> {
        self.sqs.push("events", Push { body: body.to_owned(), ..Push::default() }).context("it is sent")
    }

    /// Receives up to ten messages; returns bodies and receipts.
    pub(crate) async fn receive(&self) -> Result<Vec<(String, String)>> {
        let answer = self.call("ReceiveMessage", json!({"MaxNumberOfMessages": 10})).await?;
        ensure!(answer.status == 200, "{}", answer.body);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = answer.body["Messages"].as_array().cloned().unwrap_or_default();
        Ok(messages.iter().map(|message| (text(&message["Body"]), text(&message["ReceiptHandle"]))).collect())
    }
}

fn spec(name: &str, redrive: Option<(String, u32)>) -> QueueSpec {
    QueueSpec { name: name.to_owned(), visibility: Duration::from_secs(30), redrive }
}

#[tokio::test]
async fn a_receive_returns_the_requested_attributes_and_no_more() -> Result<()> {
    let server = Server::new().await?;
    let sent = json!({
        "MessageBody": "\"좌석\"\n",
        "MessageAttributes": {
            "traceparent": {"DataType": "String", "StringValue": "00-5b8aa5a2d2c872e8321cf37308d69df2-051581bf3cb55c13-01"},
            "n": {"DataType": "Number", "StringValue": "7"},
        },
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}},
    });
    let sent = server.call("SendMessage", sent).await?.body;
    let bare = server.call("ReceiveMessage", json!({"VisibilityTimeout": 0})).await?.body;
    let bare = &bare["Messages"][0];
    ensure!(bare["MessageId"] == sent["MessageId"] && bare["Body"] == "\"좌석\"\n", "{bare}");
    ensure!(bare["Attributes"].is_null() && bare["MessageAttributes"].is_null(), "{bare}");
    let names = json!({"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["trace*"]});
    let full = server.call("ReceiveMessage", names).await?.body;
    let full = &full["Messages"][0];
    ensure!(full["Attributes"]["ApproximateReceiveCount"] == "2", "{full}");
    ensure!(full["Attributes"]["AWSTraceHeader"] == "Root=1-5759e988-bd862e3fe1be46a994272793", "{full}");
    let attributes = full["MessageAttributes"].as_object().context("attributes")?;
    ensure!(attributes.len() == 1 && attributes["traceparent"]["DataType"] == "String", "{full}");
    Ok(())
}

#[tokio::test]
async fn a_batch_answers_for_each_entry() -> Result<()> {
    let server = Server::new().await?;
    for body in ["a", "b"] {
        server.push(body)?;
    }
    let received = server.receive().await?;
    let entries = json!([
        {"Id": "x", "ReceiptHandle": received[0].1},
        {"Id": "y", "ReceiptHandle": "nonsense"},
        {"Id": "z", "ReceiptHandle": received[1].1},
    ]);
    let answer = server.call("DeleteMessageBatch", json!({"Entries": entries})).await?.body;
    ensure!(answer["Successful"] == json!([{"Id": "x"}, {"Id": "z"}]), "{answer}");
    ensure!(answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid", "{answer}");
    ensure!(server.sqs.depth("events") == Depth { in_flight_max: 2, ..Depth::default() });
    ensure!(server.sqs.deleted() == 2);
    let twice = json!([{"Id": "x", "ReceiptHandle": "r"}, {"Id": "x", "ReceiptHandle": "r"}]);
    let answer = server.call("DeleteMessageBatch", json!({"Entries": twice})).await?;
    ensure!(answer.status == 400 && answer.body["__type"] == "com.amazonaws.sqs#BatchEntryIdsNotDistinct");
    Ok(())
}

#[tokio::test]
async fn a_message_received_too_often_is_moved_with_its_attributes() -> Result<()> {
    let server = Server::new().await?;
    let attributes = vec![("traceparent".to_owned(), "t".to_owned())];
    let push = Push { body: "poison".to_owned(), attributes, ..Push::default() };
    server.sqs.push("events", push.clone()).context("it is sent")?;
    for _ in 0..2 {
        ensure!(server.receive().await?.len() == 1);
        server.sqs.advance(Duration::from_secs(31));
    }
    ensure!(server.receive().await?.is_empty());
    ensure!(server.sqs.messages("letters") == [push]);
    Ok(())
}

#[tokio::test]
async fn attributes_name_the_queue_its_depth_and_its_policy() -> Result<()> {
    let server = Server::new().await?;
    server.push("a")?;
    let answer = server.call("GetQueueAttributes", json!({"AttributeNames": ["All"]})).await?.body;
    let attributes = &answer["Attributes"];
    ensure!(attributes["ApproximateNumberOfMessages"] == "1", "{answer}");
    let policy: Value = serde_json::from_str(attributes["RedrivePolicy"].as_str().context("a policy")?)?;
    ensure!(policy["maxReceiveCount"] == 2, "{policy}");
    let url = server.call("GetQueueUrl", json!({"QueueName": "events"})).await?.body;
    ensure!(url["QueueUrl"] == server.url, "{url}");
    let none = server.call("GetQueueUrl", json!({"QueueName": "nobody"})).await?;
    ensure!(none.status == 400);
    ensure!(none.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender");
    Ok(())
}

/// An engine that slows down with its number of groups could not carry a measurement.
#[tokio::test]
async fn two_hundred_thousand_waiting_groups_cost_no_more_than_one() -> Result<()> {
    let server = Server::new().await?;
    server.sqs.create(spec("many.fifo", None));
    for n in 0..200_000 {
        let text = n.to_string();
        let push =
            Push { body: text.clone(), group: Some(text.clone()), dedup_id: Some(text), ..Push::default() };
        server.sqs.push("many.fifo", push).context("it is sent")?;
    }
    let url = server.url.replace("events", "many.fifo");
    let began = server.journal.now();
    for _ in 0..100 {
        let asked = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
        let got = server.call("ReceiveMessage", asked).await?.body;
        ensure!(got["Messages"].as_array().is_some_and(|messages| messages.len() == 10), "{got}");
    }
    let took = server.journal.now() - began;
    ensure!(took < Duration::from_secs(5), "100 receives took {took:?}");
    ensure!(server.sqs.depth("many.fifo").in_flight == 1_000);
    Ok(())
}
