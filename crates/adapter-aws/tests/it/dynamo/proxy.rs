//! A proxy in front of DynamoDB Local with answers that DynamoDB Local never gives: throttling,
//! conflicts, broken connections before and after a call was applied.

use bytes::Bytes;
use core::pin::Pin;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use ports::Tasks;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// For a rule that never ends.
pub(crate) const FOREVER: usize = usize::MAX;

/// What happens between a call and its broken connection.
pub(crate) type Hook = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What the proxy does with a call.
pub(crate) enum Fate {
    /// Not forwarded; this is the answer.
    Answer(StatusCode, String),
    /// Not forwarded, and the connection breaks.
    Drop,
    /// Applied, and the connection breaks.
    ApplyThenDrop,
    /// Applied, then this happens, then the connection breaks.
    ApplyThenDropAfter(Hook),
    /// Applied, and no answer ever comes.
    ApplyThenHang,
    /// Not forwarded, this happens, then the connection breaks.
    DropAfter(Hook),
    /// Forwarded.
    Pass,
}

impl Fate {
    /// An error of the service, by its short name.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::Answer(
            StatusCode::from_u16(status).unwrap(),
            format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"words of {code}"}}"#),
        )
    }

    /// A transaction that was cancelled for these reasons, one per write.
    pub(crate) fn cancelled(codes: &[&str]) -> Self {
        let reasons: Vec<String> = codes.iter().map(|code| format!(r#"{{"Code":"{code}"}}"#)).collect();
        let reasons = reasons.join(",");
        Self::Answer(
            StatusCode::BAD_REQUEST,
            format!(
                r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled","CancellationReasons":[{reasons}]}}"#
            ),
        )
    }
}

/// One call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The operation, such as `PutItem`.
    pub(crate) operation: String,
    /// The request.
    pub(crate) body: Bytes,
}

struct Rule {
    operation: &'static str,
    make: Box<dyn FnMut() -> Fate + Send>,
    left: usize,
}

#[derive(Default)]
struct State {
    rules: Mutex<VecDeque<Rule>>,
    calls: Mutex<Vec<Call>>,
}

/// The proxy. Dropping it ends it.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    tasks: Tasks,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

impl Proxy {
    /// A proxy in front of a server.
    pub(crate) async fn before(endpoint: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, tasks) = (Arc::new(State::default()), Tasks::new());
        let server = Arc::new(Server {
            endpoint: endpoint.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            state: state.clone(),
        });
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| server.clone().serve(request));
                    // A call whose fate is a broken connection ends the connection with an error.
                    let connection = hyper::server::conn::http1::Builder::new();
                    drop(connection.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, state, tasks }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` calls of an operation have this fate; rules for one operation apply in the
    /// order in which they were added.
    pub(crate) fn rule(
        &self,
        operation: &'static str,
        times: usize,
        make: impl FnMut() -> Fate + Send + 'static,
    ) {
        let rule = Rule { operation, make: Box::new(make), left: times };
        self.state.rules.lock().push_back(rule);
    }

    /// The next call of an operation has this fate.
    pub(crate) fn once(&self, operation: &'static str, fate: Fate) {
        let mut fate = Some(fate);
        self.rule(operation, 1, move || fate.take().unwrap_or(Fate::Pass));
    }

    /// Every call of an operation so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Call> {
        let calls = self.state.calls.lock();
        calls.iter().filter(|call| call.operation == operation).cloned().collect()
    }

    /// How many rules are left.
    pub(crate) fn rules_left(&self) -> usize {
        self.state.rules.lock().len()
    }
}

/// The connection breaks without an answer.
#[derive(Debug)]
struct Broken;

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the connection breaks")
    }
}

impl std::error::Error for Broken {}

struct Server {
    endpoint: String,
    client: Client<HttpConnector, Full<Bytes>>,
    state: Arc<State>,
}

impl Server {
    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
        let fate = self.fate_of(&operation);
        self.state.calls.lock().push(Call { operation, body: body.clone() });
        match fate {
            Fate::Pass => Ok(self.pass(head, body).await),
            Fate::Answer(status, answer) => Ok(Response::builder()
                .status(status)
                .header(CONTENT_TYPE, "application/x-amz-json-1.0")
                .body(Full::from(answer))
                .unwrap()),
            Fate::Drop => Err(Broken),
            Fate::DropAfter(hook) => {
                hook().await;
                Err(Broken)
            }
            Fate::ApplyThenDrop => {
                self.pass(head, body).await;
                Err(Broken)
            }
            Fate::ApplyThenHang => {
                self.pass(head, body).await;
                core::future::pending().await
            }
            Fate::ApplyThenDropAfter(hook) => {
                self.pass(head, body).await;
                hook().await;
                Err(Broken)
            }
        }
    }

    fn fate_of(&self, operation: &str) -> Fate {
        let mut rules = self.state.rules.lock();
        let Some(at) = rules.iter().position(|rule| rule.operation == operation) else { return Fate::Pass };
        let rule = &mut rules[at];
        let fate = (rule.make)();
        rule.left = if rule.left == FOREVER { FOREVER } else { rule.left - 1 };
        if rule.left == 0 {
            rules.remove(at);
        }
        fate
    }

    async fn pass(&self, mut head: hyper::http::request::Parts, body: Bytes) -> Response<Full<Bytes>> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.endpoint).parse().unwrap();
        head.headers.remove(HOST);
        let answer = self.client.request(Request::from_parts(head, Full::from(body))).await.unwrap();
        let (head, body) = answer.into_parts();
        Response::from_parts(head, Full::from(body.collect().await.unwrap().to_bytes()))
    }
}
