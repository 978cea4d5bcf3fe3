//! The identity provider's keys, over HTTPS.
//!
//! The server that answers decides which tokens are accepted. So the answer must come over TLS, and
//! the system's roots must trust the server's certificate. Plain HTTP is allowed only to a provider
//! on the same machine. Redirects are not followed, because they lead away from the configured
//! server.

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;
use http::header::{ACCEPT, LOCATION, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use identity::{KEY_SET_BYTES_MAX, KeySource};
use ports::clock::timeout;
use ports::{Clock, Fault};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use std::sync::Arc;
use std::time::Duration;

/// The limit of a fetch, from name resolution to the last byte. It is below
/// [`identity::FETCH_LIMIT`], so that the error message is the one made here.
const LIMIT: Duration = Duration::from_secs(5);

/// The URL of a provider's keys: `https://`, or `http://` to this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct KeysUrl(Uri);

impl FromStr for KeysUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || {
            "a URL such as https://id.example/.well-known/jwks.json (http:// to localhost only)".to_owned()
        };
        let url: Uri = text.trim().parse().map_err(|_| expected())?;
        let host = url.host().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let scheme = match url.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(host),
            _ => false,
        };
        let port = authority == host || url.port_u16().is_some_and(|port| port > 0);
        // Credentials in the URL would be logged.
        if scheme && port && !authority.contains('@') { Ok(Self(url)) } else { Err(expected()) }
    }
}

impl fmt::Display for KeysUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeysUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// Fetches the keys from a URL.
pub struct HttpKeys {
    url: KeysUrl,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    clock: Arc<dyn Clock>,
}

impl HttpKeys {
    /// A source that trusts the system's certificates. It does not connect yet.
    ///
    /// # Errors
    /// When the URL needs roots of trust and the system has none.
    pub fn new(url: KeysUrl, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let tls = tls()?;
        let tls = if url.0.scheme_str() == Some("https") {
            let missing = || {
                format!(
                    "{url} needs CA certificates, and this system has none; install them (package ca-certificates)"
                )
            };
            tls.with_native_roots().with_context(missing)?
        } else {
            tls.with_root_certificates(RootCertStore::empty())
        };
        Ok(Self::trusting(tls.with_no_client_auth(), url, clock))
    }

    fn trusting(tls: ClientConfig, url: KeysUrl, clock: Arc<dyn Clock>) -> Self {
        // Plain HTTP is possible here; `KeysUrl` limits it to this machine.
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // Fetches are minutes apart; a pooled connection would be dead by then.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { url, client, clock }
    }

    async fn answer(&self) -> Result<Bytes, Fault> {
        let url = &self.url;
        let request = Request::get(url.0.clone())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, "traffic-tacos")
            .body(Empty::new())
            .map_err(|error| Fault::permanent(format!("cannot request {url}")).because(error))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| Fault::unavailable(format!("no answer from {url}")).because(error))?;
        let status = response.status();
        if status != StatusCode::OK {
            let message = match response.headers().get(LOCATION) {
                Some(_) if status.is_redirection() => {
                    format!("{url} answered {status}; redirects are not followed, set the final URL")
                }
                _ => format!("{url} answered {status}"),
            };
            // Not permanent: the provider may correct it while this process runs.
            return Err(if status.is_server_error() {
                Fault::unavailable(message)
            } else {
                Fault::transient(message)
            });
        }
        match Limited::new(response.into_body(), KEY_SET_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Fault::transient(format!("{url} answered with more than {KEY_SET_BYTES_MAX} bytes")))
            }
            Err(error) => Err(Fault::unavailable(format!("the answer of {url} was cut off")).because(error)),
        }
    }
}

/// TLS on ring, the one cryptography library that this process uses for connections.
fn tls() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().context("set up TLS")
}

#[async_trait]
impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<Bytes, Fault> {
        timeout(&*self.clock, LIMIT, self.answer()).await.unwrap_or_else(|_| {
            Err(Fault::unavailable(format!("{} did not answer within {LIMIT:?}", self.url)))
        })
    }
}

impl fmt::Debug for HttpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpKeys").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
