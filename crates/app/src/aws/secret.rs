//! Settings from Secrets Manager, with `USE_SECRET_MANAGER` and `SECRET_NAME`
//! (docs/configuration.md).

use super::{AwsSettings, failure};
use crate::exit::Failure;
use adapter_aws::Secret;
use runtime::config::Env;

/// The keys of the secret, and the variable that each one sets.
const KEYS: [(&str, &str); 4] = [
    ("sqs_queue_url", "SQS_QUEUE_URL"),
    ("inventory_grpc_addr", "INVENTORY_GRPC_ADDR"),
    ("reservation_api_base", "RESERVATION_API_BASE"),
    ("otel_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
];

/// Reads the two variables; `Some` if a secret must be read.
pub(crate) fn describe(env: &mut Env) -> Option<String> {
    let doc = "read sqs_queue_url, inventory_grpc_addr, reservation_api_base and otel_endpoint from a secret; \
               its values override variables";
    let wanted = env.flag("USE_SECRET_MANAGER", doc, false);
    let doc = "name or ARN of that secret, one flat JSON object";
    let name = env.or("SECRET_NAME", doc, "traffictacos/reservation-worker".to_owned());
    wanted.then_some(name)
}

/// Copies the values of the secret into the environment. If the secret cannot be read, the process
/// ends: its values are never guessed (trap T-O2).
pub(crate) async fn prepare(env: &mut Env) -> Result<(), Failure> {
    let Some(name) = describe(env) else { return Ok(()) };
    let aws = AwsSettings::read(env).connect().await;
    let secret = Secret::read(&aws, &name, "SECRET_NAME").await.map_err(failure)?;
    for (key, variable) in KEYS {
        if let Some(value) = secret.get(key) {
            env.set(variable, value);
        }
    }
    Ok(())
}
