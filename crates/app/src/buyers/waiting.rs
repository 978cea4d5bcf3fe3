//! The waiting room as a buyer sees it: join, ask for the status now and then, enter in turn.

use super::{Crowd, is_no_answer};
use crate::client::Answer;
use anyhow::{Result, bail};
use domain::id::PersonId;
use http::{Method, StatusCode};
use identity::{Claims, mint};
use serde_json::json;
use std::time::Duration;

/// How long a buyer's token is valid: longer than any crowd lasts.
const TOKEN_FOR: Duration = Duration::from_secs(6 * 3_600);

impl Crowd {
    /// The header of a signed-in person.
    pub(super) fn bearer(&self, person: &PersonId) -> Result<String> {
        let now = self.clock.now();
        let claims = Claims::new(person.clone(), gateway::ISSUER, now, TOKEN_FOR);
        Ok(format!("Bearer {}", mint(&self.options.jwt_secret, &claims)))
    }

    /// Waits in line until it is this person's turn, and enters. Returns the pass. Every call is
    /// repeated until `give_up`: the ticket is valid at any gateway, also at one that has lost the
    /// line.
    pub(super) async fn pass(&self, bearer: &str, give_up: Duration) -> Result<String> {
        let mut ticket = self.join(bearer, give_up).await?;
        loop {
            let path = format!("/api/v1/queue/status?token={ticket}");
            let status = self.asked(Method::GET, &path, bearer, None, give_up).await?;
            match status.text("status") {
                "ready" => {
                    let body = json!({"waiting_token": ticket});
                    let entered =
                        self.asked(Method::POST, "/api/v1/queue/enter", bearer, Some(&body), give_up).await?;
                    match entered.status {
                        StatusCode::OK => return Ok(entered.text("reservation_token").to_owned()),
                        StatusCode::GONE => ticket = self.join(bearer, give_up).await?,
                        StatusCode::FORBIDDEN if entered.code() == "NOT_READY" => {}
                        other => bail!("enter: {other} {}", entered.message()),
                    }
                }
                "waiting" => {
                    let wait = status.body["poll_after_ms"].as_u64().unwrap_or(1_000);
                    self.clock.sleep(Duration::from_millis(wait)).await;
                }
                "expired" | "left" => ticket = self.join(bearer, give_up).await?,
                _ => bail!("status: {} {}", status.status, status.message()),
            }
            if self.clock.elapsed() >= give_up {
                bail!("still in line: {}", status.body);
            }
        }
    }

    async fn join(&self, bearer: &str, give_up: Duration) -> Result<String> {
        let body = json!({"event_id": self.options.show});
        let joined = self.asked(Method::POST, "/api/v1/queue/join", bearer, Some(&body), give_up).await?;
        if joined.status != StatusCode::ACCEPTED {
            bail!("join: {} {}", joined.status, joined.message());
        }
        Ok(joined.text("waiting_token").to_owned())
    }

    /// One call, made again until there is an answer that is final.
    async fn asked(
        &self,
        method: Method,
        path: &str,
        bearer: &str,
        body: Option<&serde_json::Value>,
        give_up: Duration,
    ) -> Result<Answer> {
        let mut unanswered = 0;
        loop {
            let url = self.gateway_url(path);
            let answer = self.http.call(method.clone(), &url, &[("authorization", bearer)], body).await;
            match answer {
                Ok(answer) if !is_no_answer(answer.status) => return Ok(answer),
                answer if self.clock.elapsed() >= give_up => return answer,
                _ => self.rest(&mut unanswered).await,
            }
        }
    }
}
