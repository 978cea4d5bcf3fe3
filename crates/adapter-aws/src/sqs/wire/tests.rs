//! Calls against a server that gives scripted answers and records its requests. No local server
//! checks signatures, so they are recomputed here from the bytes that arrived.

use super::*;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use core::sync::atomic::AtomicU32;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK";

/// A request as it arrived.
struct Seen {
    /// Its connection, counted from 1.
    connection: usize,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Answers one request after the other, on as many connections as the client makes.
async fn server(answers: Vec<(String, String)>) -> (String, tokio::task::JoinHandle<Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    #[allow(clippy::disallowed_methods, reason = "a server of this test, which waits for its end")]
    let served = tokio::spawn(async move {
        let mut seen: Vec<Seen> = Vec::new();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut connection = 1;
        for (head, body) in answers {
            let mut bytes = Vec::new();
            let (at, length) = loop {
                tokio::select! {
                    read = stream.read_buf(&mut bytes) => {
                        if read.unwrap() == 0 {
                            (stream, connection) = (listener.accept().await.unwrap().0, connection + 1);
                        }
                    }
                    accepted = listener.accept() => {
                        (stream, connection) = (accepted.unwrap().0, connection + 1);
                    }
                }
                let text = String::from_utf8_lossy(&bytes);
                let Some(at) = text.find("\r\n\r\n") else { continue };
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
                break (at, length.unwrap().parse::<usize>().unwrap());
            };
            while bytes.len() < at + 4 + length {
                stream.read_buf(&mut bytes).await.unwrap();
            }
            let text = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let headers = text.lines().skip(1).map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_lowercase(), value.to_owned())
            });
            seen.push(Seen { connection, headers: headers.collect(), body: bytes[at + 4..].to_vec() });
            let head = format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        seen
    });
    (endpoint, served)
}

fn answers<const N: usize>(answers: [(&str, &str); N]) -> Vec<(String, String)> {
    answers.into_iter().map(|(head, body)| (head.to_owned(), body.to_owned())).collect()
}

/// Credentials `key-0`, `key-1`, … for as many as are asked for.
#[derive(Debug, Default)]
struct Numbered(AtomicU32);

impl ProvideCredentials for Numbered {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let token = Some("token".to_owned());
        future::ProvideCredentials::ready(Ok(Credentials::new(
            format!("key-{number}"),
            "secret",
            token,
            None,
            "test",
        )))
    }
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nobody is logged in")))
    }
}

fn wire(endpoint: &str, provider: impl ProvideCredentials + 'static) -> Wire {
    Wire::new(&Aws::with("eu-west-3", SharedCredentialsProvider::new(provider)), Some(endpoint))
}

async fn call(wire: &Wire) -> Result<Bytes, Failure> {
    let body = serde_json::json!({"QueueUrl": "q"});
    wire.call(|| "sqs:Test on q".to_owned(), "ReceiveMessage", Duration::from_secs(20), &body).await
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks signature version 4 of the received request, after AWS's documentation.
fn assert_is_signed(seen: &Seen, key: &str, secret: &str, region: &str) {
    let authorization = &seen.headers["authorization"];
    let (_, fields) = authorization.split_once("AWS4-HMAC-SHA256 ").expect("the algorithm");
    let fields: BTreeMap<&str, &str> =
        fields.split(", ").map(|field| field.split_once('=').unwrap()).collect();
    let date = &seen.headers["x-amz-date"];
    let scope = format!("{}/{region}/sqs/aws4_request", &date[..8]);
    assert_eq!(fields["Credential"], format!("{key}/{scope}"));
    let signed = fields["SignedHeaders"];
    for name in ["host", "x-amz-date", "x-amz-target", "content-type", "x-amz-security-token"] {
        assert!(signed.split(';').any(|signed| signed == name), "{name} is not signed: {signed}");
    }
    let headers: String =
        signed.split(';').map(|name| format!("{name}:{}\n", seen.headers[name].trim())).collect();
    let body = hex(&Sha256::digest(&seen.body));
    let canonical = format!("POST\n/\n\n{headers}\n{signed}\n{body}");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut signing = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        signing = mac(&signing, part);
    }
    assert_eq!(fields["Signature"], hex(&mac(&signing, &to_sign)));
}

#[tokio::test]
async fn a_call_is_signed_and_named() {
    let (endpoint, served) = server(answers([(OK, "{}")])).await;
    assert_eq!(call(&wire(&endpoint, Numbered::default())).await.unwrap(), "{}");
    let seen = served.await.unwrap();
    assert_is_signed(&seen[0], "key-0", "secret", "eu-west-3");
    assert_eq!(seen[0].headers["x-amz-target"], "AmazonSQS.ReceiveMessage");
    assert_eq!(seen[0].headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(seen[0].headers["x-amz-security-token"], "token");
    assert_eq!(seen[0].body, br#"{"QueueUrl":"q"}"#);
}

#[tokio::test]
async fn a_refusal_has_its_kind_and_its_message() {
    let (by_header, by_body) = (
        "HTTP/1.1 400 Bad Request\r\nx-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender",
        "HTTP/1.1 400 Bad Request",
    );
    let cases = [
        (by_header, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#, Kind::Missing),
        (
            by_body,
            r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#,
            Kind::Denied,
        ),
        (by_body, r#"{"__type":"NeverHeardOf","message":"odd"}"#, Kind::Refused),
        (
            by_body,
            r#"{"__type":"x#ThrottlingException:http://aws","message":null,"Message":"slow"}"#,
            Kind::Throttled,
        ),
        ("HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: ExpiredTokenException:http://aws", "{}", Kind::Expired),
        ("HTTP/1.1 429 Too Many Requests", "", Kind::Throttled),
        ("HTTP/1.1 503 Service Unavailable", "<html>no JSON at all</html>", Kind::Silent),
    ];
    for (head, body, kind) in cases {
        let (endpoint, _served) = server(answers([(head, body)])).await;
        let failure = call(&wire(&endpoint, Numbered::default())).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.to_string().starts_with("sqs:Test on q: "), "{failure}");
    }
    let (endpoint, _served) = server(answers([(cases[0].0, cases[0].1)])).await;
    let failure = call(&wire(&endpoint, Numbered::default())).await.unwrap_err();
    assert_eq!(failure.to_string(), "sqs:Test on q: AWS.SimpleQueueService.NonExistentQueue: gone");
}

/// Only the host behind one connection may be ill.
#[tokio::test]
async fn a_connection_that_answers_5xx_is_not_used_again() {
    let (refused, ill) = ("HTTP/1.1 400 Bad Request", "HTTP/1.1 503 Service Unavailable");
    for (head, connections) in [(OK, [1, 1]), (refused, [1, 1]), (ill, [1, 2])] {
        let (endpoint, served) = server(answers([(head, "{}"), (OK, "{}")])).await;
        let wire = wire(&endpoint, Numbered::default());
        let _ = call(&wire).await;
        call(&wire).await.expect("the second is answered well");
        let seen: Vec<_> = served.await.unwrap().iter().map(|seen| seen.connection).collect();
        assert_eq!(seen, connections, "after {head}");
    }
}

#[tokio::test]
async fn no_answer_and_no_credentials_are_different_failures() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    assert_eq!(call(&wire(&endpoint, Numbered::default())).await.unwrap_err().kind, Kind::Silent);
    let failure = call(&wire(&endpoint, Nobody)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Credentials);
    assert!(failure.to_string().contains("nobody is logged in"), "{failure}");
}

#[tokio::test]
async fn credentials_that_expired_are_fetched_again() {
    let expired = ("HTTP/1.1 403 Forbidden", r#"{"__type":"ExpiredTokenException","message":"old"}"#);
    let (endpoint, served) = server(answers([expired, (OK, "{}")])).await;
    let wire = wire(&endpoint, Numbered::default());
    assert_eq!(call(&wire).await.unwrap_err().kind, Kind::Expired);
    call(&wire).await.expect("the new ones are taken");
    assert_is_signed(&served.await.unwrap()[1], "key-1", "secret", "eu-west-3");
}

/// A pod whose clock is a day off continues with the service's time.
#[tokio::test]
async fn a_signature_from_a_wrong_clock_is_renewed_with_the_servers_time() {
    let date = |ahead_secs: i64| {
        let now = real_now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        DateTime::from_secs(now + ahead_secs)
    };
    let codes = ["InvalidSignatureException", "RequestExpired", "AuthFailure"];
    for (code, ahead) in codes.into_iter().flat_map(|code| [(code, 86_400), (code, -86_400)]) {
        let server_date = date(ahead).fmt(Format::HttpDate).unwrap();
        let refused = (
            format!("HTTP/1.1 403 Forbidden\r\ndate: {server_date}"),
            format!(r#"{{"__type":"{code}","message":"Signature expired"}}"#),
        );
        let (endpoint, served) = server(vec![refused, (OK.to_owned(), "{}".to_owned())]).await;
        let wire = wire(&endpoint, Numbered::default());
        call(&wire).await.expect_err("signed by a wrong clock");
        call(&wire).await.expect("the server's own time is right");
        let seen = served.await.unwrap();
        let signed_on = &seen[1].headers["x-amz-date"][..8];
        let days = [date(ahead), date(ahead - 3_600)]
            .map(|date| date.fmt(Format::DateTime).unwrap()[..10].replace('-', ""));
        assert!(days.iter().any(|day| day == signed_on), "{signed_on}, not {days:?}");
    }
}

#[tokio::test]
async fn credentials_that_no_header_can_carry_are_refused() {
    let broken = Credentials::new("key\n", "secret", None, None, "test");
    let failure = call(&wire("http://127.0.0.1:1", broken)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused, "{failure}");
}

#[test]
fn the_endpoint_of_sqs_follows_from_the_region() {
    let aws = Aws::with("eu-west-3", SharedCredentialsProvider::new(Nobody));
    assert_eq!(Wire::new(&aws, None).endpoint.unwrap(), "https://sqs.eu-west-3.amazonaws.com/");
    assert_eq!(Wire::new(&aws, Some("http://127.0.0.1:1")).endpoint.unwrap(), "http://127.0.0.1:1/");
}

#[test]
fn an_answer_is_read_with_everything_and_with_nothing() {
    let nothing: ReceivedMessages<'_> = read("q", b"").unwrap();
    assert!(nothing.messages.is_none());
    let body = br#"{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"a \"quoted\" word","MD5OfBody":"x",
        "Attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"5","AWSTraceHeader":"t","New":"field"},
        "MessageAttributes":{"b":{"StringValue":"2","DataType":"String"},"a":{"BinaryValue":"AA==","DataType":"Binary"}}}]}"#;
    let answer: ReceivedMessages<'_> = read("q", body).unwrap();
    let message = crate::sqs::incoming::message(answer.messages.unwrap().pop().unwrap()).unwrap();
    assert_eq!((&*message.id, &*message.receipt.0, &*message.body), ("m", "r", "a \"quoted\" word"));
    assert_eq!((message.receive_count, message.sent_at.as_millis(), message.group), (3, 5, None));
    let attributes = [("b".to_owned(), "2".to_owned()), ("AWSTraceHeader".to_owned(), "t".to_owned())];
    assert_eq!(message.attributes, attributes);
    let nulls =
        br#"{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"b","Attributes":{"SentTimestamp":null,
        "AWSTraceHeader":null,"MessageGroupId":null},"MessageAttributes":null},{"MessageId":null}]}"#;
    let answer: ReceivedMessages<'_> = read("q", nulls).unwrap();
    let messages: Vec<_> =
        answer.messages.unwrap().into_iter().filter_map(crate::sqs::incoming::message).collect();
    assert_eq!((messages.len(), &messages[0].group, &*messages[0].body), (1, &None, "b"));
    let entries: Deleted = read("q", br#"{"Failed":[{"Id":"0","Code":null,"SenderFault":null}]}"#).unwrap();
    assert_eq!(entries.failed.unwrap()[0].id.as_deref(), Some("0"));
    assert_eq!(read::<Deleted>("q", b"[").unwrap_err().kind, Kind::Garbled);
}
