//! One JSON secret of Secrets Manager.

use crate::connect::Aws;
use crate::fault::{Failure, Unusable};
use aws_sdk_secretsmanager::Client;
use core::fmt;
use std::collections::BTreeMap;

/// The fields of a secret. Its `Debug` text contains only their names.
pub struct Secret(BTreeMap<String, String>);

impl Secret {
    /// Reads the current version of the secret `name`, which must be one flat JSON object.
    /// `setting` is the variable that named it.
    ///
    /// # Errors
    ///
    /// The text names the setting to change, or says that AWS does not answer; it contains no value
    /// of the secret.
    pub async fn read(aws: &Aws, name: &str, setting: &str) -> Result<Self, Unusable> {
        let client = Client::new(aws.sdk());
        let answer = client.get_secret_value().secret_id(name).send().await.map_err(|error| {
            let failure = Failure::from_sdk(&format!("secretsmanager:GetSecretValue of {name}"), &error);
            Unusable::from_failure(&failure, setting, "secretsmanager:GetSecretValue", aws.region())
        })?;
        let text = answer.secret_string.unwrap_or_default();
        Self::parse(&text).ok_or_else(|| {
            Unusable::Setting(format!("the secret {name} that {setting} names is not one flat JSON object"))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).ok()?;
        let flat = fields.into_iter().map(|(name, value)| match value {
            serde_json::Value::String(text) => Some((name, text)),
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Some((name, value.to_string())),
            serde_json::Value::Null => Some((name, String::new())),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        });
        flat.collect::<Option<_>>().map(Self)
    }

    /// The value of a field, if it is present and not empty.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_object_is_read_and_never_shown() {
        let secret =
            Secret::parse(r#"{"sqs_queue_url":"http://q/1/a","n":3,"empty":"","none":null}"#).unwrap();
        assert_eq!(secret.get("sqs_queue_url"), Some("http://q/1/a"));
        assert_eq!((secret.get("n"), secret.get("empty"), secret.get("none")), (Some("3"), None, None));
        assert!(!format!("{secret:?}").contains("http"));
        for bad in ["", "x", "[]", r#"{"a":{}}"#] {
            assert!(Secret::parse(bad).is_none(), "{bad}");
        }
    }
}
