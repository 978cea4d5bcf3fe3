//! What every process that stands on AWS reads and does: region, credentials, queues, and reaching them at the start.

use crate::cli::Failure;
use adapter_aws::{Aws, QueueUrl, Unusable};
use core::time::Duration;
use ports::Clock;
use runtime::config::Env;

pub(crate) mod events;
pub(crate) mod platform;
pub(crate) mod secret;
pub(crate) mod tables;

/// The region unless AWS_REGION says otherwise (contracts section 5).
const REGION: &str = "ap-northeast-2";
/// How often a service that does not answer at the start is asked before the process gives up.
const TRIES: u32 = 5;
/// Between two tries.
const REST: Duration = Duration::from_secs(1);

/// The variables that name queues.
pub(crate) struct QueueSetting;

impl QueueSetting {
    pub(crate) const EVENTS: &'static str = "SQS_QUEUE_URL";
    pub(crate) const LETTERS: &'static str = "SQS_DLQ_URL";
}

/// Where AWS is. Credentials and endpoints are the SDK's own business; they are named here for `--help`.
#[derive(Debug, Clone)]
pub(crate) struct AwsSettings {
    region: String,
}

impl AwsSettings {
    pub(crate) fn read(env: &mut Env) -> Self {
        let region = env.or("AWS_REGION", "the region of every AWS service", REGION.to_owned());
        for (name, doc) in [
            ("AWS_PROFILE", "named profile for local use; unset on EKS (web identity, pod identity)"),
            ("AWS_ENDPOINT_URL", "another server for every AWS service: LocalStack, MiniStack"),
            (
                "AWS_ENDPOINT_URL_SQS",
                "another server for SQS: ElasticMQ; _DYNAMODB, _EVENTBRIDGE, … likewise",
            ),
            ("AWS_ACCESS_KEY_ID", "static or STS credentials; unset: the SDK's default chain"),
            ("AWS_SECRET_ACCESS_KEY", "with AWS_ACCESS_KEY_ID"),
            ("AWS_SESSION_TOKEN", "with STS credentials"),
        ] {
            env.optional::<String>(name, doc);
        }
        Self { region }
    }

    /// Reads the URL of a queue and checks that it lies in our region.
    pub(crate) fn queue_url(&self, env: &mut Env, name: &str, text: &str) -> Option<QueueUrl> {
        let url: QueueUrl = match text.parse() {
            Ok(url) => url,
            Err(expected) => {
                env.problem(name, &format!("is \"{text}\", which is not {expected}"));
                return None;
            }
        };
        if let Some(region) = url.region().filter(|region| *region != self.region) {
            let own = &self.region;
            env.problem("AWS_REGION", &format!("is {own}, but {name} is in {region}; set one of them right"));
        }
        Some(url)
    }

    pub(crate) async fn connect(&self) -> Aws {
        Aws::from_environment(&self.region).await
    }
}

/// Asks until there is an answer, a few times: whoever starts a platform does not start its parts in order.
pub(crate) async fn reach<F>(clock: &dyn Clock, mut check: impl FnMut() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Unusable>>,
{
    for attempt in 1.. {
        match check().await {
            Ok(()) => break,
            Err(Unusable::Silent(why)) if attempt < TRIES => {
                tracing::warn!(attempt, why, "not reached yet");
                clock.sleep(REST).await;
            }
            Err(unusable) => return Err(failure(unusable)),
        }
    }
    Ok(())
}

/// The last words of a process that cannot use an engine.
pub(crate) fn failure(unusable: Unusable) -> Failure {
    match unusable {
        Unusable::Setting(words) | Unusable::Denied(words) => Failure::configuration(words),
        Unusable::Silent(words) => Failure::unavailable(words),
    }
}
