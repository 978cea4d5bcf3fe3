#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use core::net::SocketAddr;
use ports::Tasks;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::sync::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A certificate of `localhost` by itself, from 2000 to 2199, and its key, which opens nothing:
/// only this file trusts it.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBPjCB5aADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWxvY2FsaG9z
dDAgFw0wMDAxMDEwMDAwMDBaGA8yMTk5MDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ
bG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqUKC9L8zmoygF4om
ZsvtCNHUOqtLHGplWIIVuXZUZE9gx8wNKkY5H8zULhBG9XXgCWVMLkXnM6vq3e6E
oeDZ06MmMCQwFAYDVR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwEB/wQCMAAwCgYI
KoZIzj0EAwIDSAAwRQIgUw2D0PmeaFsyH1xHg+xdcY85YtpDkbeo5MjeSNKSFy4C
IQC2jivKUWbwofD+w+TeUEhHYo2D31AJ6Y4Purm6kIsHzg==
-----END CERTIFICATE-----
";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpg9iqJ8wHMo9Ry1L
7ILRfV2gwOh/sk//UTmC2yMjfuqhRANCAASpQoL0vzOajKAXiiZmy+0I0dQ6q0sc
amVYghW5dlRkT2DHzA0qRjkfzNQuEEb1deAJZUwuReczq+rd7oSh4NnT
-----END PRIVATE KEY-----
";

/// Answers every connection with these bytes, once it has read a request, and remembers the last
/// request.
struct Server {
    address: SocketAddr,
    request: Arc<Mutex<String>>,
    asked: Arc<Notify>,
    _tasks: Running,
}

struct Running(Tasks);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort_all();
    }
}

impl Server {
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (answer, address) = (answer.into(), listener.local_addr().unwrap());
        let (request, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(Notify::new()));
        let (seen, parsed, tasks) = (request.clone(), asked.clone(), Tasks::new());
        tasks.spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                // A client that does not like the start hangs up.
                let Ok(read) = read_request(&mut socket).await else { continue };
                *seen.lock().unwrap() = read;
                parsed.notify_one();
                if answer.is_empty() {
                    core::future::pending::<()>().await;
                }
                let _ = socket.write_all(&answer).await;
            }
        });
        Self { address, request, asked, _tasks: Running(tasks) }
    }

    fn url(&self) -> KeysUrl {
        format!("http://{}/keys?tenant=1", self.address).parse().unwrap()
    }

    async fn fetched(&self) -> Result<Bytes, Fault> {
        let clock = Arc::new(runtime::SystemClock::new());
        HttpKeys::new(self.url(), clock).unwrap().fetch().await
    }
}

async fn read_request(from: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(from.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn the_body_is_what_the_provider_publishes() {
    let server = Server::answering(response("200 OK", r#"{"keys":[]}"#)).await;
    assert_eq!(server.fetched().await.unwrap(), r#"{"keys":[]}"#);
    assert_eq!(server.fetched().await.unwrap(), r#"{"keys":[]}"#, "over another connection");
    let request = server.request.lock().unwrap().to_lowercase();
    assert!(request.starts_with("get /keys?tenant=1 http/1.1\r\n"), "{request}");
    assert!(request.contains("accept: application/jwk-set+json, application/json"), "{request}");
}

#[tokio::test]
async fn an_answer_other_than_keys_is_told() {
    let full = "x".repeat(KEY_SET_BYTES_MAX);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{0:x}\r\n{full}\r\n1\r\nx\r\n0\r\n\r\n",
        full.len()
    );
    for (answer, parsed) in [
        (response("404 Not Found", "no"), "answered 404"),
        (response("503 Service Unavailable", "no"), "answered 503"),
        (response("204 No Content", ""), "answered 204"),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "answered 302 Found; redirects are not followed",
        ),
        (response("200 OK", &format!("{full}x")), "more than 262144 bytes"),
        (chunked, "more than 262144 bytes"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_owned(), "was cut off"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), "no answer from"),
    ] {
        let server = Server::answering(answer).await;
        let fault = server.fetched().await.unwrap_err();
        assert!(fault.chain().contains(parsed), "{}", fault.chain());
        assert!(fault.chain().contains(&server.url().to_string()), "{}", fault.chain());
    }
    let server = Server::answering(response("200 OK", &full)).await;
    assert_eq!(server.fetched().await.unwrap().len(), KEY_SET_BYTES_MAX);
}

#[tokio::test]
async fn nobody_there_is_told() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let keys = HttpKeys::new(url.parse().unwrap(), Arc::new(runtime::SystemClock::new())).unwrap();
    let fault = keys.fetch().await.unwrap_err();
    assert!(fault.chain().contains("no answer from http://127.0.0.1"), "{}", fault.chain());
}

/// A clock whose time passes when the provider has been asked.
struct UntilAsked(Arc<Notify>);

#[async_trait]
impl Clock for UntilAsked {
    fn now(&self) -> domain::time::Timestamp {
        domain::time::Timestamp::EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, duration: Duration) {
        assert_eq!(duration, LIMIT);
        self.0.notified().await;
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up() {
    let server = Server::answering("").await;
    let keys = HttpKeys::new(server.url(), Arc::new(UntilAsked(server.asked.clone()))).unwrap();
    let fault = keys.fetch().await.unwrap_err();
    assert!(fault.message.ends_with("did not answer within 5s"), "{fault}");
}

/// A server with the certificate, for one connection. It blocks, so it has a thread of its own.
fn tls_server() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let (mut socket, _) = listener.accept().unwrap();
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        // A client that does not believe the certificate hangs up.
        if stream.read(&mut [0; 1_024]).is_ok_and(|bytes| bytes > 0) {
            stream.write_all(response("200 OK", "over tls").as_bytes()).unwrap();
        }
    };
    #[allow(clippy::disallowed_methods, reason = "it ends with its one connection")]
    std::thread::spawn(serve);
    address
}

#[tokio::test]
async fn a_certificate_is_believed_by_its_authority_and_its_name() {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()).unwrap();
    for (trusted, host, believed) in [
        (roots.clone(), "localhost", true),
        (roots, "127.0.0.1", false),
        (RootCertStore::empty(), "localhost", false),
    ] {
        let url = format!("https://{host}:{}/keys", tls_server().port()).parse().unwrap();
        let tls = tls().unwrap().with_root_certificates(trusted).with_no_client_auth();
        let fetched = HttpKeys::trusting(tls, url, Arc::new(runtime::SystemClock::new())).fetch().await;
        match fetched {
            Ok(body) => assert!(believed && body == "over tls", "{host}"),
            Err(fault) => {
                assert!(!believed && fault.chain().contains("certificate"), "{host}: {}", fault.chain());
            }
        }
    }
}

#[test]
fn a_url_is_https_or_of_this_machine() {
    for text in [
        "https://id.example/.well-known/jwks.json",
        "HTTPS://id.example:8443/keys?p=1",
        "https://id.example",
        "http://localhost:8080/keys",
        "http://LOCALHOST/keys",
        "http://127.0.0.1:80/",
        "http://127.9.9.9/",
        "http://[::1]:8080/keys",
        " https://id.example/keys\n",
    ] {
        assert!(text.parse::<KeysUrl>().is_ok(), "{text}");
    }
    for text in [
        "",
        "id.example",
        "id.example/keys",
        "/keys",
        "http://id.example/keys",
        "http://localhost.example/keys",
        "http://127.0.0.1.example/keys",
        "http://127.0.0.1@id.example/keys",
        "http://0.0.0.0/keys",
        "http://10.0.0.1/keys",
        "http://[::2]/keys",
        "http://[::ffff:10.0.0.1]/keys",
        "https://kim:secret@id.example/keys",
        "https:///keys",
        "https://:443/keys",
        "https://id.example:0/keys",
        "https://id.example:/keys",
        "https://id.example:99999/keys",
        "ftp://id.example/keys",
        "file:///etc/keys",
        "https://id example/keys",
    ] {
        let parsed = text.parse::<KeysUrl>().map(|url| url.to_string());
        assert!(parsed.as_ref().is_err_and(|words| words.contains("a URL such as")), "{text}: {parsed:?}");
    }
}
