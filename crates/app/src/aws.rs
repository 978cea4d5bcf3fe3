//! The settings of every process on AWS: region, credentials and queues; and the check at the start
//! that they can be reached.

use crate::exit::Failure;
use adapter_aws::{Aws, QueueUrl, Unusable};
use core::time::Duration;
use ports::Clock;
use runtime::config::Env;

pub(crate) mod events;
pub(crate) mod platform;
pub(crate) mod secret;
pub(crate) mod tables;

/// The default region, as in earlier versions (docs/configuration.md).
const REGION: &str = "ap-northeast-2";
/// At the start, a silent service is asked this often before the process gives up.
const TRIES: u32 = 5;
/// The rest between two tries.
const REST: Duration = Duration::from_secs(1);

/// The variables that name queues.
pub(crate) struct QueueSetting;

impl QueueSetting {
    pub(crate) const EVENTS: &'static str = "SQS_QUEUE_URL";
    pub(crate) const LETTERS: &'static str = "SQS_DLQ_URL";
}

/// The region. The SDK itself reads credentials and endpoints; they are named here for `--help`.
#[derive(Debug, Clone)]
pub(crate) struct AwsSettings {
    region: String,
}

impl AwsSettings {
    pub(crate) fn read(env: &mut Env) -> Self {
        let region = env.or("AWS_REGION", "region of every AWS service", REGION.to_owned());
        for (name, doc) in [
            ("AWS_PROFILE", "named profile, for local use; unset on EKS (web identity, pod identity)"),
            ("AWS_ENDPOINT_URL", "URL of another server for all AWS services: LocalStack, MiniStack"),
            (
                "AWS_ENDPOINT_URL_SQS",
                "URL of another server for SQS: ElasticMQ; _DYNAMODB, _EVENTBRIDGE, … likewise",
            ),
            ("AWS_ACCESS_KEY_ID", "static or STS credentials; default: the SDK's credential chain"),
            ("AWS_SECRET_ACCESS_KEY", "secret that belongs to AWS_ACCESS_KEY_ID"),
            ("AWS_SESSION_TOKEN", "session token of STS credentials"),
        ] {
            env.optional::<String>(name, doc);
        }
        Self { region }
    }

    /// Reads the URL of a queue and checks that it is in our region.
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
            env.problem("AWS_REGION", &format!("is {own}, but {name} is in {region}; correct one of them"));
        }
        Some(url)
    }

    pub(crate) async fn connect(&self) -> Aws {
        Aws::from_environment(&self.region).await
    }
}

/// Repeats the check a few times until it answers, because the parts of a platform start in any
/// order.
pub(crate) async fn reach<F>(clock: &dyn Clock, mut check: impl FnMut() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Unusable>>,
{
    for attempt in 1.. {
        match check().await {
            Ok(()) => break,
            Err(Unusable::Silent(why)) if attempt < TRIES => {
                tracing::warn!(attempt, why, "waiting for a service at the start");
                clock.sleep(REST).await;
            }
            Err(unusable) => return Err(failure(unusable)),
        }
    }
    Ok(())
}

/// The error of a process that cannot use an engine.
pub(crate) fn failure(unusable: Unusable) -> Failure {
    match unusable {
        Unusable::Setting(why) | Unusable::Denied(why) => Failure::configuration(why),
        Unusable::Silent(why) => Failure::unavailable(why),
    }
}
