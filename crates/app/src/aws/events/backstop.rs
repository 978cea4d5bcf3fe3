//! The settings of EventBridge Scheduler as the backstop of expiry.

use adapter_aws::{Aws, Schedules};
use ports::Backstop;
use runtime::config::Env;
use std::sync::Arc;

const ROLE: &str = "SCHEDULER_ROLE_ARN";
const TARGET: &str = "SCHEDULER_TARGET_ARN";

/// The target of the schedules, and the role that they send as.
pub(crate) struct BackstopSetting {
    target: String,
    role: String,
}

impl BackstopSetting {
    /// Reads both variables: `None` if neither is set, a problem if one is.
    pub(crate) fn read(env: &mut Env) -> Option<Self> {
        let (role, target) = (env.optional::<String>(ROLE, "ARN of the role that EventBridge Scheduler sends as; with SCHEDULER_TARGET_ARN each expiry is also scheduled, \
             60 s late"), env.optional::<String>(TARGET, "ARN of the standard event queue that the schedules send to"));
        let (role, target) = match (role, target) {
            (Some(role), Some(target)) => (role, target),
            (None, None) => return None,
            (Some(_), None) => {
                env.problem(TARGET, "is not set, but SCHEDULER_ROLE_ARN is; set both or none");
                return None;
            }
            (None, Some(_)) => {
                env.problem(ROLE, "is not set, but SCHEDULER_TARGET_ARN is; set both or none");
                return None;
            }
        };
        if service_of(&role) != Some("iam") {
            let text =
                format!("is \"{role}\", which is not the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME");
            env.problem(ROLE, &text);
        }
        if service_of(&target) != Some("sqs") {
            let text =
                format!("is \"{target}\", which is not the ARN of a queue, arn:aws:sqs:REGION:ACCOUNT:NAME");
            env.problem(TARGET, &text);
        } else if target.ends_with(".fifo") {
            env.problem(
                TARGET,
                "is a FIFO queue, which requires deduplication ids, and Scheduler sends none; set it to a \
                 standard queue, or unset it and SCHEDULER_ROLE_ARN",
            );
        }
        Some(Self { target, role })
    }

    /// The backstop. AWS is not asked here, because the service works without it.
    pub(crate) fn open(&self, aws: &Aws) -> Arc<dyn Backstop> {
        Arc::new(Schedules::new(aws, &self.target, &self.role))
    }
}

/// The service that an ARN names.
fn service_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next()? == "arn").then_some(())?;
    let service = parts.nth(1)?;
    // Region, account, and the resource.
    parts.nth(2).filter(|resource| !resource.is_empty()).map(|_| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: &str = "arn:aws:iam::137406935518:role/scheduler";
    const QUEUE: &str = "arn:aws:sqs:ap-northeast-2:137406935518:events";

    fn problems(pairs: &[(&str, &str)]) -> Result<bool, String> {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let setting = BackstopSetting::read(&mut env);
        env.finish().map(|()| setting.is_some()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn both_variables_are_set_or_none() {
        assert_eq!(problems(&[]), Ok(false));
        assert_eq!(problems(&[(ROLE, SENDER), (TARGET, QUEUE)]), Ok(true));
        for one in [(ROLE, SENDER), (TARGET, QUEUE)] {
            let problems = problems(&[one]).unwrap_err();
            assert!(problems.contains(ROLE) && problems.contains(TARGET), "{problems}");
        }
    }

    #[test]
    fn an_unusable_target_is_reported() {
        for (role, target, blamed) in [
            ("scheduler", QUEUE, ROLE),
            (SENDER, "https://sqs/1/events", TARGET),
            (SENDER, "arn:aws:sqs:ap-northeast-2:137406935518:", TARGET),
            (SENDER, "arn:aws:sqs:ap-northeast-2:137406935518:events.fifo", TARGET),
        ] {
            let problems = problems(&[(ROLE, role), (TARGET, target)]).unwrap_err();
            assert!(problems.contains(blamed), "{problems}");
        }
    }
}
