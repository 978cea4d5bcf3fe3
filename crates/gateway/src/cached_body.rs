//! Bodies sent to many people: serialised and compressed once.

use bytes::Bytes;
use contracts::digest::hex;
use core::fmt;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::Write;

/// Shorter bodies are sent uncompressed: they fit one packet.
const COMPRESSED_FROM: usize = 1_000;

/// A body, plain and compressed.
pub(crate) struct CachedBody {
    kind: HeaderValue,
    plain: Bytes,
    gzip: Option<Bytes>,
    tag: HeaderValue,
}

impl fmt::Debug for CachedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedBody").field("bytes", &self.plain.len()).finish_non_exhaustive()
    }
}

impl CachedBody {
    /// A body of content type `kind`. `is_lasting`: it lives as long as the process, so it gets the
    /// best compression.
    pub(crate) fn new(kind: &'static str, plain: impl Into<Bytes>, is_lasting: bool) -> Self {
        let plain: Bytes = plain.into();
        let level = if is_lasting { Compression::best() } else { Compression::fast() };
        let gzip = (plain.len() >= COMPRESSED_FROM).then(|| {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(&plain).and_then(|()| encoder.finish()).map(Bytes::from)
        });
        let digest = Sha256::digest(&plain);
        let tag = HeaderValue::from_str(&format!("W/\"{}\"", hex(&digest[..8]))).expect("hexadecimal digits");
        // Writing to memory does not fail; if it did, the plain body would do.
        Self { kind: HeaderValue::from_static(kind), plain, gzip: gzip.and_then(Result::ok), tag }
    }

    /// A JSON body that is valid for a moment.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("texts and numbers");
        Self::new("application/json", bytes, false)
    }

    /// The answer to a request with these headers: 304 if the caller has this body, compressed if
    /// the caller accepts gzip.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> axum::response::Response {
        let mut response = Response::new(axum::body::Body::empty());
        if has(headers, &self.tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            let gzip = self.gzip.as_ref().filter(|_| takes_gzip(headers));
            if gzip.is_some() {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            *response.body_mut() = gzip.unwrap_or(&self.plain).clone().into();
            response.headers_mut().insert(header::CONTENT_TYPE, self.kind.clone());
        }
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    }
}

fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|known| known.to_str().ok());
    let tag = tag.to_str().map(bare).unwrap_or_default();
    known.flat_map(|known| known.split(',')).any(|known| bare(known) == tag)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    all.flat_map(|line| line.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').map_or((coding, ""), |(name, weight)| (name, weight));
        let is_refused =
            weight.replace(' ', "").trim_start_matches("q=").parse().is_ok_and(|q: f32| q == 0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_long_body_is_compressed_for_callers_that_accept_gzip() {
        let long = CachedBody::new("text/plain", "x".repeat(5_000), true);
        for (takes, is) in [
            ("gzip, br", true),
            ("br;q=1, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let answer = long.answer(&headers(header::ACCEPT_ENCODING, takes));
            assert_eq!(answer.headers().contains_key(header::CONTENT_ENCODING), is, "{takes}");
        }
        let short = CachedBody::new("text/plain", "x", true);
        let answer = short.answer(&headers(header::ACCEPT_ENCODING, "gzip"));
        assert!(!answer.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn a_body_that_the_caller_has_is_not_sent_again() {
        let body = CachedBody::json(&[1, 2, 3]);
        let tag = body.answer(&HeaderMap::new()).headers()[header::ETAG].clone();
        let mut known = HeaderMap::new();
        known.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(body.answer(&known).status(), StatusCode::NOT_MODIFIED);
        let other = CachedBody::json(&[1, 2, 4]);
        assert_eq!(other.answer(&known).status(), StatusCode::OK);
    }
}
