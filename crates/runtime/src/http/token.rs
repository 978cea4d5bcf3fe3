//! The header `X-Internal-Token` in front of `/internal` and `/admin`.
//!
//! Compared in constant time over the bytes, so that the time of a refusal does not tell
//! how much of a guess was right; its length may show. Without a token every call passes
//! (docs/contracts.md#http-apis).

use super::trace_of;
use crate::Reply;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use contracts::error::Code;
use core::convert::Infallible;
use core::task::{Context, Poll};
use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, Request};
use secrecy::{ExposeSecret, SecretString};
use std::hint::black_box;
use tower::{Layer, Service};

const HEADER: &str = "x-internal-token";

/// Asks for the token, if there is one: `Router::route_layer(internal_token(token))`.
/// Without one everybody on this machine may call, but no page in a browser of theirs may
/// make it call: the browser says so in `Origin` or `Sec-Fetch-Site`.
pub fn internal_token(token: Option<SecretString>) -> InternalTokenLayer {
    InternalTokenLayer { token }
}

/// See [`internal_token`].
#[derive(Debug, Clone)]
pub struct InternalTokenLayer {
    token: Option<SecretString>,
}

/// A service behind [`internal_token`].
#[derive(Debug, Clone)]
pub struct InternalToken<S> {
    token: Option<SecretString>,
    inner: S,
}

impl<S> Layer<S> for InternalTokenLayer {
    type Service = InternalToken<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InternalToken { token: self.token.clone(), inner }
    }
}

impl<S> Service<Request<Body>> for InternalToken<S>
where
    S: Service<Request<Body>, Error = Infallible, Response: IntoResponse>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<IntoReply<S::Future>, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let headers = request.headers();
        let no = match &self.token {
            Some(token) if !presents(headers, token) => {
                (Code::Unauthenticated, "the header X-Internal-Token is missing or wrong")
            }
            None if is_of_a_page(headers) => {
                (Code::Forbidden, "without a token this is not for pages in a browser")
            }
            Some(_) | None => return Either::Left(IntoReply(Box::pin(self.inner.call(request)))),
        };
        let reply = Reply::new(no.0, no.1, &trace_of(headers));
        Either::Right(ready(Ok(reply.into_response())))
    }
}

/// Turns the inner service's answer into a [`Response`].
pub struct IntoReply<F>(core::pin::Pin<Box<F>>);

impl<F, R> Future for IntoReply<F>
where
    F: Future<Output = Result<R, Infallible>>,
    R: IntoResponse,
{
    type Output = Result<Response, Infallible>;

    fn poll(mut self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(IntoResponse::into_response)
    }
}

/// `none` is a typed address or a bookmark, not a page.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(http::header::ORIGIN)
        || headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

fn presents(headers: &HeaderMap, token: &SecretString) -> bool {
    headers.get(HEADER).is_some_and(|given| equal(given.as_bytes(), token.expose_secret().as_bytes()))
}

fn equal(given: &[u8], token: &[u8]) -> bool {
    let differing = given.iter().zip(token).fold(0_u8, |all, (a, b)| black_box(all | (a ^ b)));
    black_box(differing) == 0 && given.len() == token.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_equal() {
        assert!(equal(b"secret", b"secret"));
        for other in [&b""[..], b"secre", b"secrets", b"Secret", b"secreT"] {
            assert!(!equal(other, b"secret"));
        }
    }
}
