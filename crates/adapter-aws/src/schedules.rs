//! EventBridge Scheduler as the backstop of expiry: one-time schedules that send an event to its
//! queue.
//!
//! A schedule is named after its event, so setting it twice makes one, and it is removed after it
//! has fired. AWS keeps its time to the minute. The target is a standard queue: Scheduler sends no
//! deduplication id, which a FIFO queue needs.

use crate::connect::Aws;
use crate::fault::Failure;
use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;
use aws_sdk_scheduler::operation::delete_schedule::DeleteScheduleError;
use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use domain::id::EventId;
use domain::time::Timestamp;
use ports::{Alarm, Backstop, Fault};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// The longest name of a schedule.
const NAME_BYTES_MAX: usize = 64;

/// Schedules in the default group, all with one target.
#[derive(Debug, Clone)]
pub struct Schedules {
    client: Client,
    target: Arc<str>,
    role: Arc<str>,
}

impl Schedules {
    /// Schedules that send to the queue with the ARN `target`. The role with the ARN `role` must
    /// allow that, and Scheduler must be allowed to assume it. Calls nothing.
    pub fn new(aws: &Aws, target: &str, role: &str) -> Self {
        Self { client: Client::new(aws.sdk()), target: target.into(), role: role.into() }
    }

    /// The name of an event's schedule: its id if Scheduler accepts it, else a digest of it.
    pub fn name_of(event_id: &EventId) -> String {
        let id = event_id.as_str();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if id.len() <= NAME_BYTES_MAX && id.bytes().all(plain) {
            return id.to_owned();
        }
        let digest = Sha256::digest(id.as_bytes());
        digest.iter().take(24).fold("digest-".to_owned(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }
}

#[async_trait]
impl Backstop for Schedules {
    async fn set(&self, alarm: &Alarm) -> Result<(), Fault> {
        let name = Self::name_of(&alarm.event_id);
        let target = Target::builder().arn(&*self.target).role_arn(&*self.role).input(&alarm.body);
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off);
        let call = self
            .client
            .create_schedule()
            .name(&name)
            .schedule_expression(at(alarm.at)?)
            .schedule_expression_timezone("UTC")
            .target(target.build().expect("ARN and role are set"))
            .flexible_time_window(window.build().expect("the mode is set"))
            .action_after_completion(ActionAfterCompletion::Delete);
        match call.send().await {
            Ok(_) => Ok(()),
            // It was made before: by another try, or by a call whose answer was lost.
            Err(error)
                if error.as_service_error().is_some_and(CreateScheduleError::is_conflict_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(Failure::from_sdk(&format!("scheduler:CreateSchedule {name}"), &error).into()),
        }
    }

    async fn cancel(&self, event_id: &EventId) -> Result<(), Fault> {
        let name = Self::name_of(event_id);
        match self.client.delete_schedule().name(&name).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteScheduleError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(Failure::from_sdk(&format!("scheduler:DeleteSchedule {name}"), &error).into()),
        }
    }
}

/// The expression of a point in time, in whole seconds that are never before it.
fn at(time: Timestamp) -> Result<String, Fault> {
    let seconds = i64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX);
    let text = DateTime::from_secs(seconds).fmt(Format::DateTime);
    let text = text.map_err(|error| Fault::permanent("an alarm at an impossible time").because(error))?;
    Ok(format!("at({})", text.trim_end_matches('Z')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: &str) -> String {
        Schedules::name_of(&EventId::parse(id).unwrap())
    }

    #[test]
    fn names_are_stable_valid_and_different() {
        assert_eq!(name("evt_bb815bbe7ee4eaf9784f36307f101455"), "evt_bb815bbe7ee4eaf9784f36307f101455");
        let long = "a".repeat(100);
        let others = ["evt 1", "evt/1", "좌석", &*long];
        for id in others {
            let name = name(id);
            assert_eq!(name, self::name(id));
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
        }
        let names: std::collections::BTreeSet<_> = others.map(name).into();
        assert_eq!(names.len(), others.len());
    }

    #[test]
    fn a_schedule_is_never_early() {
        assert_eq!(at(Timestamp::from_millis(1_737_626_400_000)).unwrap(), "at(2025-01-23T10:00:00)");
        assert_eq!(at(Timestamp::from_millis(1_737_626_400_001)).unwrap(), "at(2025-01-23T10:00:01)");
        assert!(at(Timestamp::MAX).is_err());
    }
}
