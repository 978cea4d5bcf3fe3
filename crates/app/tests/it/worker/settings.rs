//! Wrong settings: the worker names the setting to change and ends with 64, or with 69 if a service
//! does not answer, and binds no port. In all of these tests its port is taken, so a worker that
//! tried to bind it would report that.

use super::process::{command, environment};
use super::stand_ins::{Kind, Setting, StandIns};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::http::StatusCode;
use ports::Tasks;
use standin::{Action, Failure};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

const CONFIGURATION: i32 = 64;
const UNAVAILABLE: i32 = 69;

/// Stand-ins, with the worker's port taken by another listener.
struct Refusing {
    stand_ins: StandIns,
    taken: TcpListener,
}

impl Refusing {
    async fn new(kind: Kind) -> Result<Self> {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { stand_ins: StandIns::new(Setting::of(kind, 1)).await?, taken })
    }

    /// Runs the worker with these settings (an empty one counts as unset) and checks how it ends.
    async fn ends(&self, env: &[(&str, &str)], code: i32, names: &[&str]) -> Result<()> {
        let port = self.taken.local_addr()?.port().to_string();
        let mut command = command(&environment(&self.stand_ins), &[("SERVER_PORT", &port)]);
        let output = command.envs(env.iter().copied()).output().await.context("run the worker")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(code), "{env:?}: {}: {said}", output.status);
        for name in names {
            ensure!(said.contains(name), "{env:?}: {name} is not named: {said}");
        }
        ensure!(!said.contains("cannot listen"), "{env:?}: {said}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_is_named_before_any_call() -> Result<()> {
    let worker = Refusing::new(Kind::Standard).await?;
    let letters = worker.stand_ins.letters_url.clone() + ".fifo";
    for (env, names) in [
        (&[("SQS_QUEUE_URL", "")][..], &["SQS_QUEUE_URL"][..]),
        (&[("SQS_QUEUE_URL", "events")], &["SQS_QUEUE_URL"]),
        (&[("SQS_QUEUE_URL", "https://sqs.ap-northeast-2.amazonaws.com/")], &["SQS_QUEUE_URL"]),
        (&[("SQS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q")], &["AWS_REGION", "SQS_QUEUE_URL"]),
        (&[("SQS_DLQ_URL", "letters")], &["SQS_DLQ_URL"]),
        (&[("SQS_DLQ_URL", &letters)], &["SQS_DLQ_URL", "FIFO"]),
        (
            &[("INVENTORY_GRPC_ADDR", "inventory"), ("ADMIN_ADDR", "0.0.0.0:1")],
            &["INVENTORY_GRPC_ADDR", "ADMIN_ADDR"],
        ),
        (&[("RESERVATION_API_BASE", "ftp://reservations")], &["RESERVATION_API_BASE"]),
    ] {
        worker.ends(env, CONFIGURATION, names).await?;
    }
    let calls: u64 = Action::ALL.into_iter().map(|action| worker.stand_ins.sqs.calls(action)).sum();
    ensure!(calls == 0, "the queue got {calls} calls");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_queue_names_the_setting_to_change() -> Result<()> {
    let worker = Refusing::new(Kind::Standard).await?;
    let nowhere = worker.stand_ins.queue_url.replace(Kind::Standard.queue(), "nowhere");
    worker.ends(&[("SQS_QUEUE_URL", &nowhere)], CONFIGURATION, &["SQS_QUEUE_URL", "AWS_REGION"]).await?;
    worker.ends(&[("SQS_DLQ_URL", &nowhere)], CONFIGURATION, &["SQS_DLQ_URL"]).await?;
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    worker.ends(&nobody, CONFIGURATION, &["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]).await?;
    let profile = [nobody[0], nobody[1], ("AWS_PROFILE", "nobody")];
    worker.ends(&profile, CONFIGURATION, &["AWS_PROFILE"]).await?;

    worker.stand_ins.sqs.misbehave(|faults| faults.credentials_expired = true);
    worker.ends(&[], CONFIGURATION, &["AWS_SESSION_TOKEN", "expired"]).await?;
    worker.stand_ins.sqs.misbehave(|faults| {
        (faults.credentials_expired, faults.allowed) = (false, Some(Vec::new()));
    });
    worker
        .ends(&[], CONFIGURATION, &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
        .await
}

/// The stand-in accepts every key, so a server of this test answers like AWS to an unknown key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_and_a_wrong_secret_are_reported() -> Result<()> {
    let worker = Refusing::new(Kind::Standard).await?;
    for (shape, names) in [
        (
            "com.amazon.coral.service#UnrecognizedClientException",
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        ),
        ("com.amazonaws.sqs#InvalidSecurity", ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]),
        ("com.amazon.coral.service#SignatureDoesNotMatch", ["AWS_SECRET_ACCESS_KEY", "AWS_REGION"]),
    ] {
        let server = Saying::start(StatusCode::FORBIDDEN, &format!(r#"{{"__type":"{shape}"}}"#)).await?;
        worker.ends(&[("AWS_ENDPOINT_URL_SQS", &server.url)], CONFIGURATION, &names).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_exits_with_69_when_a_service_does_not_answer() -> Result<()> {
    let worker = Refusing::new(Kind::Fifo).await?;
    let (closed, _socket) = closed()?;
    let endpoint = [("AWS_ENDPOINT_URL_SQS", closed.as_str())];
    worker.ends(&endpoint, UNAVAILABLE, &["SQS_QUEUE_URL", "AWS_ENDPOINT_URL"]).await?;
    worker.stand_ins.sqs.misbehave(|faults| (faults.failing, faults.failure) = (1.0, Failure::Unavailable));
    worker.ends(&[], UNAVAILABLE, &["SQS_QUEUE_URL"]).await?;
    let secret = [("USE_SECRET_MANAGER", "true"), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", closed.as_str())];
    worker.ends(&secret, UNAVAILABLE, &["SECRET_NAME"]).await
}

/// Trap T-O2: a secret that cannot be read ends the worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_cannot_be_read_is_not_guessed() -> Result<()> {
    let worker = Refusing::new(Kind::Standard).await?;
    for (status, body, names) in [
        (
            StatusCode::BAD_REQUEST,
            r#"{"__type":"ResourceNotFoundException"}"#,
            &["SECRET_NAME", "AWS_REGION"][..],
        ),
        (
            StatusCode::BAD_REQUEST,
            r#"{"__type":"AccessDeniedException"}"#,
            &["secretsmanager:GetSecretValue"],
        ),
        (StatusCode::OK, r#"{"SecretString":"hunter2"}"#, &["SECRET_NAME", "JSON"]),
        (StatusCode::OK, r#"{"SecretString":"{\"sqs_queue_url\":\"no url\"}"}"#, &["SQS_QUEUE_URL"]),
    ] {
        let server = Saying::start(status, body).await?;
        let secret =
            [("USE_SECRET_MANAGER", "true"), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url.as_str())];
        worker.ends(&secret, CONFIGURATION, names).await?;
    }
    Ok(())
}

/// A URL that refuses connections as long as the socket lives: it is bound and does not listen.
fn closed() -> Result<(String, TcpSocket)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok((format!("http://{}", socket.local_addr()?), socket))
}

/// A server that gives the same answer to every request.
struct Saying {
    url: String,
    tasks: Tasks,
}

impl Saying {
    async fn start(status: StatusCode, body: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (url, body, tasks) =
            (format!("http://{}", listener.local_addr()?), body.to_owned(), Tasks::new());
        let answer = move || {
            let body = body.clone();
            async move { (status, [("content-type", "application/x-amz-json-1.1")], body) }
        };
        let router = Router::new().fallback(answer);
        tasks.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, tasks })
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}
