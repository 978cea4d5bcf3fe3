//! Checks that an engine really answers: one request of its own protocol to each of its nodes.
//!
//! On plain sockets, so that this crate needs no client of an engine.

use crate::kind::Kind;
use anyhow::{Context, Result, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(1);
/// A virtual machine may need seconds for its first request.
const ANSWER: Duration = Duration::from_secs(10);
const SLOTS: u16 = 16_384;

/// The error says why it does not answer, or not yet.
pub(crate) fn answers(kind: Kind, ports: &[u16]) -> Result<()> {
    ports.iter().try_for_each(|port| match kind {
        Kind::ElasticMq => aws(*port, "sqs", "AmazonSQS.ListQueues", "1.0", "QueueUrls"),
        Kind::DynamoDb => aws(*port, "dynamodb", "DynamoDB_20120810.ListTables", "1.0", "TableNames"),
        Kind::MiniStack => aws(*port, "events", "AWSEvents.ListEventBuses", "1.1", "EventBuses"),
        Kind::Redis => redis(*port, &["PING"]).and_then(|answer| has(&answer, "+PONG")),
        Kind::RedisCluster => {
            let answer = redis(*port, &["CLUSTER", "INFO"])?;
            has(&answer, "cluster_state:ok")?;
            has(&answer, &format!("cluster_slots_ok:{SLOTS}\r"))?;
            has(&answer, &format!("cluster_known_nodes:{}\r", ports.len()))
        }
    })
}

/// Divides the slots among the nodes and introduces them to each other. The nodes need some seconds
/// to agree.
pub(crate) fn cluster(ports: &[u16]) -> Result<()> {
    let share = usize::from(SLOTS).div_ceil(ports.len());
    let slots: Vec<String> = (0..SLOTS).map(|slot| slot.to_string()).collect();
    for ((port, slots), epoch) in ports.iter().zip(slots.chunks(share)).zip(1..) {
        // One argument per slot, because ranges are new in Redis 7.
        let add: Vec<_> =
            ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
        redis(*port, &add).and_then(|answer| has(&answer, "+OK"))?;
        let epoch = i32::to_string(&epoch);
        redis(*port, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).and_then(|answer| has(&answer, "+OK"))?;
    }
    for port in &ports[1..] {
        let met = redis(ports[0], &["CLUSTER", "MEET", "127.0.0.1", &port.to_string()])?;
        has(&met, "+OK")?;
    }
    Ok(())
}

/// Sends a request of AWS's JSON protocol and looks for a member in the answer. The signature is a
/// dummy: DynamoDB Local requires some signature, MiniStack reads the service from it, and none of
/// them checks it.
fn aws(port: u16, service: &str, target: &str, version: &str, member: &str) -> Result<()> {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/x-amz-json-{version}\r\nX-Amz-Target: {target}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let answer = exchange(port, request.as_bytes())?;
    let first = answer.lines().next().unwrap_or_default();
    ensure!(first.starts_with("HTTP/1.1 200"), "port {port} answers `{first}` to {target}");
    has(&answer, member)
}

/// Sends one command, and QUIT, which closes the connection.
fn redis(port: u16, command: &[&str]) -> Result<String> {
    let mut request = String::new();
    for command in [command, &["QUIT"]] {
        request += &format!("*{}\r\n", command.len());
        for word in command {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
    }
    exchange(port, request.as_bytes())
}

/// Everything that the server sends until it closes the connection.
fn exchange(port: u16, request: &[u8]) -> Result<String> {
    let silent = || format!("port {port} does not answer");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, CONNECT).with_context(silent)?;
    stream.set_read_timeout(Some(ANSWER)).with_context(silent)?;
    stream.write_all(request).with_context(silent)?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Some servers close with a reset after their answer.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error).with_context(silent),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

fn has(answer: &str, wanted: &str) -> Result<()> {
    let shown: String = answer.chars().take(200).collect();
    ensure!(answer.contains(wanted), "the answer lacks `{wanted}`: {shown}");
    Ok(())
}
