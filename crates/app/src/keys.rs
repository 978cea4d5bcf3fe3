//! The identity provider's keys, over HTTPS.
//!
//! Whoever answers here decides whose tokens are believed, so the answer must come over TLS, from a server whose certificate
//! the system's roots vouch for. Plain HTTP is for a provider on the same machine only. A redirect is not followed: it would
//! lead to where the configuration does not.

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

/// How long a fetch may take, from the name's resolution to the last byte. Less than what [`identity::FETCH_LIMIT`] allows, so
/// that the words on what went wrong are these.
const LIMIT: Duration = Duration::from_secs(5);

/// Where a provider publishes its keys: an `https://` URL, or `http://` to this machine.
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
        // A name and a password would end up in the log.
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

/// The keys that a URL answers with.
pub struct HttpKeys {
    url: KeysUrl,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    clock: Arc<dyn Clock>,
}

impl HttpKeys {
    /// A source that has asked nobody yet, and believes the certificates that the system does.
    ///
    /// # Errors
    /// When the URL needs roots of trust and the system has none.
    pub fn new(url: KeysUrl, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let tls = tls()?;
        let tls = if url.0.scheme_str() == Some("https") {
            let missing = || format!("{url} needs the certificates of authorities, and this system has none");
            tls.with_native_roots().with_context(missing)?
        } else {
            tls.with_root_certificates(RootCertStore::empty())
        };
        Ok(Self::trusting(tls.with_no_client_auth(), url, clock))
    }

    fn trusting(tls: ClientConfig, url: KeysUrl, clock: Arc<dyn Clock>) -> Self {
        // Plain HTTP is possible here; the URL says where it is allowed.
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // Minutes pass between two fetches; a connection that is kept would be a dead one.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { url, client, clock }
    }

    async fn answer(&self) -> Result<Bytes, Fault> {
        let url = &self.url;
        let request = Request::get(url.0.clone())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, "traffic-tacos")
            .body(Empty::new())
            .map_err(|error| Fault::permanent(format!("{url} cannot be asked")).because(error))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| Fault::unavailable(format!("no answer from {url}")).because(error))?;
        let status = response.status();
        if status != StatusCode::OK {
            let told = match response.headers().get(LOCATION) {
                Some(_) if status.is_redirection() => {
                    format!("{url} answered {status}, which is not followed")
                }
                _ => format!("{url} answered {status}"),
            };
            // What is wrong with the request may be mended at the provider while this process runs.
            return Err(if status.is_server_error() {
                Fault::unavailable(told)
            } else {
                Fault::transient(told)
            });
        }
        match Limited::new(response.into_body(), KEY_SET_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Fault::transient(format!("{url} answered with more than {KEY_SET_BYTES_MAX} bytes")))
            }
            Err(error) => Err(Fault::unavailable(format!("the answer of {url} broke off")).because(error)),
        }
    }
}

/// TLS on the one cryptography that this process has for connections.
fn tls() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().context("set TLS up")
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
