//! The caller's identity and address, and their limits.

use super::Edge;
use crate::limits::Verdict;
use crate::proxies::subject;
use crate::refusal::Refusal;
use crate::service::sales::SalesService;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::error::Code;
use domain::id::PersonId;
use http::{Extensions, HeaderMap, HeaderValue, header};
use identity::Rejected;
use ports::Trace;
use runtime::PeerAddress;
use runtime::http::{Json, trace_of};
use runtime::refusal::{Reply, refused};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;

const FORWARDED: &str = "x-forwarded-for";

impl Edge {
    /// The signed-in user; `None` without the header. An invalid token is refused.
    pub(super) async fn signed_in(
        &self,
        headers: &HeaderMap,
        trace: &Trace,
    ) -> Result<Option<PersonId>, Refusal> {
        let Some(given) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
        let verified = match bearer(given) {
            Some(token) => self.verifier.authenticate(token).await,
            None => Err(Rejected::Missing),
        };
        match verified {
            Ok(person) => Ok(Some(person.id)),
            Err(why) => {
                self.metrics.rejected(why.as_str());
                tracing::info!(reason = why.as_str(), trace_id = trace.trace_id.as_deref(), "token rejected");
                // The exact reason would help to forge the next token; only the expiry helps its
                // owner.
                let message = match why {
                    Rejected::Missing => "the header Authorization must be: Bearer, a space, and a token",
                    Rejected::Expired => "the token has expired; sign in again",
                    _ => "the token is not valid; sign in again",
                };
                Err(Refusal::new(Code::Unauthenticated, message))
            }
        }
    }

    /// The refusal of a request that names another person than the signed-in user.
    pub(super) fn foreign_name(&self, trace: &Trace) -> Refusal {
        let refusal = Refusal::new(Code::Forbidden, "user_id is not the signed-in user; leave it out");
        self.waiting_room.record_foreign("name_foreign", &refusal, trace);
        refusal
    }

    /// The signed-in user, within their limit; without one the request is refused.
    pub(super) async fn person(&self, headers: &HeaderMap, trace: &Trace) -> Result<PersonId, Refusal> {
        let person = self.signed_in(headers, trace).await?.ok_or_else(|| {
            self.metrics.rejected(Rejected::Missing.as_str());
            Refusal::new(Code::Unauthenticated, "sign in: send a token as Authorization: Bearer")
        })?;
        self.within_limit(&key_of(&person))?;
        Ok(person)
    }

    /// The address whose limit a request counts against.
    pub(super) fn sender(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let PeerAddress(peer) = extensions.get()?;
        // Lossy, so that the proxies' entries at the end stay readable whatever the sender wrote
        // before them.
        let lines = headers.get_all(FORWARDED).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let forwarded: Vec<_> = lines.collect();
        Some(subject(self.proxies.sender(peer.ip(), forwarded.iter().map(|line| &**line))))
    }

    /// Counts one request of a person.
    pub(super) fn within_limit(&self, who: &Arc<str>) -> Result<(), Refusal> {
        let Some(limiter) = &self.per_person else { return Ok(()) };
        let verdict = limiter.take(who, self.waiting_room.clock().elapsed());
        if verdict.is_allowed {
            return Ok(());
        }
        self.metrics.dropped("person");
        Err(self.too_many(verdict))
    }

    /// Counts one request of an address. A server always knows its peer; a test that calls the
    /// routes has none.
    pub(super) fn within_address_limit(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<(), Refusal> {
        let Some(limiter) = &self.per_address else { return Ok(()) };
        let Some(sender) = self.sender(headers, extensions) else { return Ok(()) };
        let verdict = limiter.take(&sender, self.waiting_room.clock().elapsed());
        if verdict.is_allowed {
            return Ok(());
        }
        self.metrics.dropped("address");
        Err(self.too_many(verdict))
    }

    fn too_many(&self, verdict: Verdict) -> Refusal {
        let next_at = self.waiting_room.clock().now().plus(verdict.wait);
        Refusal::TooMany { verdict, next_at }
    }
}

/// The key of a signed-in user's limit. Their tickets have the same key, so a person has one limit.
pub(super) fn key_of(person: &PersonId) -> Arc<str> {
    format!("u:{person}").into()
}

fn bearer(given: &HeaderValue) -> Option<&str> {
    let (scheme, token) = given.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

/// Counts every request against its address's limit.
pub(super) async fn limit_address(
    State(edge): State<Edge>,
    request: Request,
    next: Next,
) -> Result<Response, Reply> {
    let allowed = edge.within_address_limit(request.headers(), request.extensions());
    allowed.map_err(|refusal| refused("limit", &trace_of(request.headers()))(refusal))?;
    Ok(next.run(request).await)
}

/// Answers in the name of the signed-in user; without one the answer is 401.
pub(super) async fn as_person<T: Serialize>(
    operation: &'static str,
    edge: &Edge,
    headers: &HeaderMap,
    ask: impl AsyncFnOnce(&SalesService, &PersonId, &Trace) -> Result<T, Refusal>,
) -> Result<Response, Reply> {
    let trace = trace_of(headers);
    let answer = async {
        let person = edge.person(headers, &trace).await?;
        ask(&edge.sales, &person, &trace).await
    };
    let answer = answer.await.map_err(refused(operation, &trace))?;
    Ok(Json(answer).into_response())
}
