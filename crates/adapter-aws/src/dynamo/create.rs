//! Creates a table if it does not exist. Running it again changes nothing: an existing table is
//! compared, and refused if it does not fit.

use super::ask::ask;
use super::check::{compare, describe, unready};
use super::definition::{Keys, TableDefinition};
use super::faults::fault;
use super::with_our_limits;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification, TimeToLiveStatus,
};
use core::time::Duration;
use ports::{Clock, Entropy, Fault};

/// A table is ready within seconds; an index of a table with rows may take minutes.
const LOOKS_MAX: u32 = 300;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether a table had to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    Now,
    /// It existed and fits.
    WasThere,
}

impl TableDefinition {
    /// Creates the table with its indexes if it does not exist, waits until it is usable, and turns
    /// the removal of expired rows on. An existing table is compared and not changed, except that
    /// the removal is turned on if it is off: then an earlier run ended before that step.
    pub async fn create_if_absent(
        &self,
        client: &Client,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Created, Fault> {
        let client = &with_our_limits(client);
        let created = match describe(client, self, clock, entropy).await? {
            Some(there) => {
                compare(self, &there)?;
                Created::WasThere
            }
            None => self.create(client, clock, entropy).await?,
        };
        self.ready(client, clock, entropy).await?;
        self.let_rows_expire(client, clock, entropy).await?;
        Ok(created)
    }

    /// Whether the table exists; an existing table that does not fit is an error.
    pub async fn is_there(
        &self,
        client: &Client,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<bool, Fault> {
        match describe(&with_our_limits(client), self, clock, entropy).await? {
            Some(there) => compare(self, &there).map(|()| true),
            None => Ok(false),
        }
    }

    async fn create(
        &self,
        client: &Client,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Created, Fault> {
        let request = self.create_request(client).map_err(|error| {
            Fault::permanent(format!("the table {} cannot be described", self.name)).because(error)
        })?;
        match ask(clock, entropy, || request.clone().send()).await {
            Ok(_) => Ok(Created::Now),
            // Another process created it meanwhile, or a try of ours whose answer was lost.
            Err((_, refusal)) if refusal.is("ResourceInUseException") => Ok(Created::WasThere),
            Err((class, refusal)) => Err(fault("CreateTable", &self.name, class, refusal)),
        }
    }

    fn create_request(&self, client: &Client) -> Result<CreateTableFluentBuilder, BuildError> {
        let mut request = client
            .create_table()
            .table_name(&*self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema(&self.keys)?));
        for name in self.key_attributes() {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            request =
                request.attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build()?);
        }
        for index in &self.indexes {
            let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
            let index = GlobalSecondaryIndex::builder()
                .index_name(&index.name)
                .set_key_schema(Some(schema(&index.keys)?))
                .projection(keys_only);
            request = request.global_secondary_indexes(index.build()?);
        }
        Ok(request)
    }

    async fn ready(&self, client: &Client, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<(), Fault> {
        for _ in 0..LOOKS_MAX {
            // A table that was just created may not be described for a moment.
            if let Some(there) = describe(client, self, clock, entropy).await? {
                compare(self, &there)?;
                if unready(self, &there).is_none() {
                    return Ok(());
                }
            }
            clock.sleep(LOOK_EVERY).await;
        }
        let waited = LOOK_EVERY.as_secs() * u64::from(LOOKS_MAX);
        Err(Fault::unavailable(format!("the table {} was not ready after {waited} s", self.name)))
    }

    async fn let_rows_expire(
        &self,
        client: &Client,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<(), Fault> {
        let name = &*self.name;
        let request = client.describe_time_to_live().table_name(name);
        let answer = ask(clock, entropy, || request.clone().send())
            .await
            .map_err(|(class, refusal)| fault("DescribeTimeToLive", name, class, refusal))?;
        let there = answer.time_to_live_description();
        let status = there.and_then(|there| there.time_to_live_status());
        if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
            let attribute = there.and_then(|there| there.attribute_name()).unwrap_or_default();
            if attribute == self.expires {
                return Ok(());
            }
            return Err(Fault::permanent(format!(
                "the table {name} lets rows expire by {attribute}: turn its time to live off, or set it to {}",
                self.expires
            )));
        }
        let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(&self.expires);
        let specification = specification.build().map_err(|error| {
            Fault::permanent(format!("the expiry of the table {name} cannot be described")).because(error)
        })?;
        let request = client.update_time_to_live().table_name(name).time_to_live_specification(specification);
        ask(clock, entropy, || request.clone().send())
            .await
            .map(drop)
            .map_err(|(class, refusal)| fault("UpdateTimeToLive", name, class, refusal))
    }
}

fn schema(keys: &Keys) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![element(&keys.partition, KeyType::Hash)?, element(&keys.sort, KeyType::Range)?])
}
