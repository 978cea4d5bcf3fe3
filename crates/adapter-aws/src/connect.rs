//! Connections to AWS, or to a local server that speaks its protocols: the SDK's default chains for
//! credentials, profiles and endpoints, one HTTP client with rustls, and no retries below ours.

use crate::dynamo::DynamoStore;
use crate::keys::Keys;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sqs::config::{SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use core::time::Duration;
use ports::{Clock, Entropy};
use std::sync::{Arc, OnceLock};

/// The time limit of connecting.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// The time limit of a call that does not wait for something.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: shorter than the idle limits of AWS and of load balancers,
/// so that this side closes first.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// The endpoints of AWS and our credentials. Clones share connections and credentials.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    keys: Arc<Keys>,
    connector: Arc<OnceLock<Connector>>,
}

impl Aws {
    /// By the SDK's default chains: credentials from the environment, the named profile, web
    /// identity (IRSA), the container or pod identity endpoint, or the instance; endpoints from
    /// `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`. Calls nothing until credentials are
    /// needed.
    pub async fn from_environment(region: &str) -> Self {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .http_client(https())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(CALL_MAX))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .load()
            .await;
        Self::new(config)
    }

    /// One server at `endpoint` for every service, with credentials that only local servers accept.
    /// For tests and tools.
    pub fn local(endpoint: &str, region: &str) -> Self {
        let credentials = Credentials::new("local", "local-secret", None, None, "local");
        let credentials = SharedCredentialsProvider::new(credentials);
        Self::new(Self::bare(region, credentials).endpoint_url(endpoint).build())
    }

    /// AWS itself, with these credentials.
    #[cfg(test)]
    pub(crate) fn with(region: &str, credentials: SharedCredentialsProvider) -> Self {
        Self::new(Self::bare(region, credentials).build())
    }

    fn bare(region: &str, credentials: SharedCredentialsProvider) -> aws_types::sdk_config::Builder {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(credentials)
            .http_client(https())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(CALL_MAX))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
    }

    fn new(config: SdkConfig) -> Self {
        let keys = Arc::new(Keys::new(config.credentials_provider()));
        Self { config, keys, connector: Arc::default() }
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.config.region().map_or("", |region| region.as_ref())
    }

    /// The endpoint of SQS if a variable or the profile sets one, for SQS alone or for every
    /// service; `None`: AWS's own.
    pub(crate) fn sqs_endpoint(&self) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id("SQS")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let own =
            self.config.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
        own.or_else(|| self.config.endpoint_url().map(str::to_owned))
    }

    /// The store on one table of DynamoDB with these indexes. Calls nothing; see
    /// [`DynamoStore::check`].
    pub fn table(
        &self,
        name: &str,
        indexes: &'static [&'static str],
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> DynamoStore {
        DynamoStore::new(&aws_sdk_dynamodb::Client::new(&self.config), name, indexes, clock, entropy)
    }

    /// The credentials, for calls that do not go through a client of the SDK.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Connections with the settings of [`https`], which is for clients of the SDK only. Made on
    /// first use.
    pub(crate) fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| {
            Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .pool_idle_timeout(Some(IDLE_MAX))
                .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_MAX).build())
                .build()
        })
    }

    /// The SDK's own form, from which its clients are made.
    pub const fn sdk(&self) -> &SdkConfig {
        &self.config
    }
}

/// Every retry is ours, because only the caller knows what a repetition means; so a call is one
/// attempt with one limit.
pub(crate) fn timeouts(call: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_MAX).operation_timeout(call).build()
}

/// TLS by default, and plain HTTP where an endpoint says `http://`.
fn https() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .pool_idle_timeout(Some(IDLE_MAX))
        .build_https()
}
