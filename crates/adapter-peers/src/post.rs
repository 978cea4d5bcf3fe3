//! The port [`ports::WebhookPost`]: a plain HTTP POST.

use crate::address;
use crate::options::{InvalidPeer, PeerOptions};
use crate::rest::{Call, Http};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use ports::{Clock, Fault, WebhookPost, WebhookRequest};
use std::sync::Arc;

/// Posts to URLs that are not known beforehand. Redirects are not followed. The answer's body is
/// read, so that the connection can be used again, and dropped.
pub struct HttpPost {
    http: Http,
    options: PeerOptions,
}

impl HttpPost {
    /// A client with these settings.
    pub fn new(options: PeerOptions, clock: Arc<dyn Clock>) -> Result<Self, InvalidPeer> {
        match options.problems() {
            problems if problems.is_empty() => Ok(Self { http: Http::new(&options, clock), options }),
            problems => Err(InvalidPeer { peer: "webhook", problems }),
        }
    }

    /// Whether a POST to this URL could be made; the error says what is wrong with it.
    pub fn check(url: &str) -> Result<(), String> {
        target(url).map(drop)
    }
}

/// A URL or a header that cannot be sent is a permanent fault; no response within the client's
/// timeout is an unavailable one.
#[async_trait]
impl WebhookPost for HttpPost {
    async fn post(&self, request: WebhookRequest) -> Result<u16, Fault> {
        let url = target(&request.url).map_err(|why| Fault::permanent(format!("webhook POST: {why}")))?;
        let what = format!("webhook POST to {}", url.authority().map_or("", |authority| authority.as_str()));
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| {
                let odd = || Fault::permanent(format!("{what}: {name} is not a valid header"));
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| odd())?;
                Ok((name, HeaderValue::from_str(value).map_err(|_| odd())?))
            })
            .collect::<Result<HeaderMap, Fault>>()?;
        let body = Bytes::from(request.body.as_bytes().to_vec());
        let call = Call { method: Method::POST, url, headers, body };
        Ok(self.http.send_for_status(&what, self.options.timeout, call).await?.as_u16())
    }
}

/// The target of a webhook; unlike a peer's address it may have a query.
fn target(url: &str) -> Result<Uri, String> {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let base = address::parse(address)?;
    match query {
        None => Ok(base),
        Some(query) => {
            address::below(&base, &format!("?{query}")).ok_or_else(|| format!("{url:?} is no URL"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_may_have_a_path_and_a_query() {
        for (url, same) in [
            ("http://h:1/hook?a=1&b=/x", "http://h:1/hook?a=1&b=/x"),
            ("http://h:1/hook/", "http://h:1/hook/"),
            ("h:1", "http://h:1/"),
            ("http://h?x", "http://h/?x"),
        ] {
            assert_eq!(target(url).unwrap().to_string(), same);
        }
        for bad in ["", "https://h/hook", "http://h:1/ö?x y", "http://h:1/?x y"] {
            assert!(HttpPost::check(bad).is_err(), "{bad}");
        }
    }
}
