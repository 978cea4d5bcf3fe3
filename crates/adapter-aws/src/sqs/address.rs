//! What a queue's URL and ARN contain: its name, kind, account and region, and the endpoint to
//! call.

use core::fmt;
use core::str::FromStr;
use ports::Fault;
use ports::queue::{QueueKind, RedrivePolicy};
use std::error::Error;

/// The URL of a queue: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, or the same path at a local
/// server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrl {
    text: String,
    /// Byte ranges of the text.
    origin: usize,
    name: usize,
}

/// The text is not the URL of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidQueueUrl;

impl fmt::Display for InvalidQueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the URL of a queue, such as https://sqs.ap-northeast-2.amazonaws.com/137406935518/events.fifo",
        )
    }
}

impl Error for InvalidQueueUrl {}

impl FromStr for QueueUrl {
    type Err = InvalidQueueUrl;

    fn from_str(text: &str) -> Result<Self, InvalidQueueUrl> {
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
        let scheme = scheme.ok_or(InvalidQueueUrl)?.len();
        let path = text[scheme..].find('/').map(|at| scheme + at).ok_or(InvalidQueueUrl)?;
        let name = text.rfind('/').map(|at| at + 1).filter(|at| *at > path).ok_or(InvalidQueueUrl)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_name = |name: &str| {
            let stem = name.strip_suffix(".fifo").unwrap_or(name);
            !stem.is_empty() && name.len() <= 80 && stem.chars().all(plain)
        };
        let is_good = path > scheme && is_name(&text[name..]);
        if is_good { Ok(Self { text: text.to_owned(), origin: path, name }) } else { Err(InvalidQueueUrl) }
    }
}

impl QueueUrl {
    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.text[self.name..]
    }

    /// FIFO if the name ends in `.fifo`, which SQS demands of FIFO queues and allows for no other.
    pub fn kind(&self) -> QueueKind {
        if self.name().ends_with(".fifo") { QueueKind::Fifo } else { QueueKind::Standard }
    }

    /// The region in the host name, if the host is one of AWS.
    pub fn region(&self) -> Option<&str> {
        let host = self.host();
        let rest = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
        // `sqs.REGION`, in older URLs `REGION.queue`.
        rest.strip_prefix("sqs.").or_else(|| rest.strip_suffix(".queue"))
    }

    /// The endpoint of this queue: the configured one, else the URL's own server if it is not AWS;
    /// `None`: at AWS.
    pub(crate) fn endpoint<'u>(&'u self, configured: Option<&'u str>) -> Option<&'u str> {
        configured.or_else(|| (!self.is_aws()).then(|| &self.text[..self.origin]))
    }

    /// The URL of another queue, given by its ARN, at the same server.
    pub fn sibling(&self, arn: &str) -> Option<Self> {
        let mut parts = arn.split(':');
        let (_, _, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
        if service != "sqs" || parts.next().is_some() || self.region().is_some_and(|own| own != region) {
            return None;
        }
        format!("{}/{account}/{name}", &self.text[..self.origin]).parse().ok()
    }

    fn is_aws(&self) -> bool {
        let host = self.host();
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    }

    fn host(&self) -> &str {
        let origin = &self.text[..self.origin];
        let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads the attribute `RedrivePolicy`. The count is a number or, from some tools, a text.
pub(super) fn redrive_policy(text: &str) -> Result<RedrivePolicy, Fault> {
    let read = || {
        let policy: serde_json::Value = serde_json::from_str(text).ok()?;
        let count = &policy["maxReceiveCount"];
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        Some(RedrivePolicy {
            dead_letter_queue: policy["deadLetterTargetArn"].as_str()?.to_owned(),
            max_receive_count: u32::try_from(count).ok()?,
        })
    };
    read().ok_or_else(|| Fault::transient(format!("the redrive policy {text:?} cannot be read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> QueueUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_url_says_name_kind_and_region() {
        let aws = url("https://sqs.ap-northeast-2.amazonaws.com/137406935518/events.fifo");
        assert_eq!(
            (aws.name(), aws.kind(), aws.region()),
            ("events.fifo", QueueKind::Fifo, Some("ap-northeast-2"))
        );
        assert_eq!(aws.endpoint(None), None);
        let old = url("https://eu-west-1.queue.amazonaws.com/1/events");
        assert_eq!((old.kind(), old.region()), (QueueKind::Standard, Some("eu-west-1")));
        let local = url("http://localhost:9324/000000000000/events");
        assert_eq!((local.region(), local.endpoint(None)), (None, Some("http://localhost:9324")));
        assert_eq!(local.endpoint(Some("http://elsewhere")), Some("http://elsewhere"));
    }

    #[test]
    fn a_text_that_is_no_queue_url_is_refused() {
        for text in
            ["", "events", "http://host", "http://host/", "ftp://host/1/q", "http:///q", "https://h/1/a b"]
        {
            assert_eq!(text.parse::<QueueUrl>(), Err(InvalidQueueUrl), "{text}");
        }
    }

    #[test]
    fn a_dead_letter_queue_is_found_by_its_arn() {
        let aws = url("https://sqs.ap-northeast-2.amazonaws.com/1/events.fifo");
        let dead = aws.sibling("arn:aws:sqs:ap-northeast-2:1:dead.fifo").unwrap();
        assert_eq!(dead.as_str(), "https://sqs.ap-northeast-2.amazonaws.com/1/dead.fifo");
        assert_eq!(aws.sibling("arn:aws:sqs:eu-west-1:1:dead.fifo"), None);
        assert_eq!(aws.sibling("arn:aws:sns:ap-northeast-2:1:dead"), None);
        let local = url("http://localhost:9324/000000000000/q");
        let dead = local.sibling("arn:aws:sqs:elasticmq:000000000000:dead").unwrap();
        assert_eq!(dead.as_str(), "http://localhost:9324/000000000000/dead");
    }

    #[test]
    fn a_redrive_policy_is_read_however_its_count_is_written() {
        for count in ["100", "\"100\""] {
            let text = format!("{{\"deadLetterTargetArn\":\"arn:x\",\"maxReceiveCount\":{count}}}");
            let policy = redrive_policy(&text).unwrap();
            assert_eq!((policy.dead_letter_queue.as_str(), policy.max_receive_count), ("arn:x", 100));
        }
        assert!(redrive_policy("{}").is_err());
    }
}
