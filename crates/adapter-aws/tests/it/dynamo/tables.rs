//! Creating a table and checking it: a repetition changes nothing, and every difference is named.

use super::local::{Local, client, fast_clock, opened};
use super::proxy::{Fate, Proxy};
use crate::ground::unique_name;
use adapter_aws::DynamoStore;
use adapter_aws::dynamo::{Created, TableDefinition, table_definition};
use ports::FaultClass;
use runtime::SystemEntropy;
use std::sync::Arc;

async fn create(local: &Local, definition: &TableDefinition) -> Result<Created, ports::Fault> {
    definition.create_if_absent(&local.client, &fast_clock(), &SystemEntropy::new()).await
}

#[tokio::test]
async fn a_table_is_made_once_and_then_fits() {
    let local = Local::default();
    let name = unique_name();
    let definition = table_definition(name.as_str(), &["due", "outbox"]);
    assert_eq!(create(&local, &definition).await.unwrap(), Created::Now);
    assert_eq!(create(&local, &definition).await.unwrap(), Created::WasThere);
    let described = local.client.describe_time_to_live().table_name(&name).send().await.unwrap();
    let expiry = described.time_to_live_description.unwrap();
    assert_eq!(expiry.attribute_name(), Some("expires_at_sec"));
    let there = local.client.describe_table().table_name(&name).send().await.unwrap().table.unwrap();
    assert_eq!(there.global_secondary_indexes().len(), 2);
    let store = store(&local, &name, &["due", "outbox"]);
    store.check().await.unwrap();
}

fn store(local: &Local, table: &str, indexes: &'static [&'static str]) -> DynamoStore {
    DynamoStore::new(&local.client, table, indexes, Arc::new(fast_clock()), Arc::new(SystemEntropy::new()))
}

#[tokio::test]
async fn a_table_may_have_no_indexes() {
    let local = Local::default();
    let name = unique_name();
    assert_eq!(create(&local, &table_definition(name.as_str(), &[])).await.unwrap(), Created::Now);
    store(&local, &name, &[]).check().await.unwrap();
}

#[tokio::test]
async fn a_missing_table_is_reported_with_the_setting_to_check() {
    let local = Local::default();
    let fault = opened(&local.client, "nowhere-at-all").check().await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Permanent);
    for words in ["no table nowhere-at-all", "AWS_REGION", "tacos aws create"] {
        assert!(fault.message.contains(words), "{fault}");
    }
}

#[tokio::test]
async fn everything_that_does_not_fit_is_named_at_once_and_nothing_is_changed() {
    let local = Local::default();
    let name = unique_name();
    let mut other = table_definition(name.as_str(), &["due"]);
    other.keys.sort = "range".to_owned();
    other.indexes[0].keys.sort = "due_time".to_owned();
    create(&local, &other).await.unwrap();
    let store = store(&local, &name, &["due", "outbox"]);
    let fault = store.check().await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Permanent);
    for words in [
        "primary key is not partition key pk and sort key sk",
        "index due has other keys",
        "index outbox is missing",
    ] {
        assert!(fault.message.contains(words), "{fault}");
    }
    let again = create(&local, &store.definition()).await.unwrap_err();
    assert_eq!(again.message, fault.message);
    let there = local.client.describe_table().table_name(&name).send().await.unwrap().table.unwrap();
    assert_eq!(there.global_secondary_indexes().len(), 1);
}

#[tokio::test]
async fn another_expiry_is_refused() {
    let local = Local::default();
    let name = unique_name();
    let mut other = table_definition(name.as_str(), &[]);
    other.expires = "gone_at".to_owned();
    create(&local, &other).await.unwrap();
    let fault = create(&local, &table_definition(name.as_str(), &[])).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Permanent);
    assert!(fault.message.contains("expire by gone_at"), "{fault}");
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_a_table() {
    let local = Local::default();
    let proxy = Proxy::before(&engines::dynamodb()).await;
    let through = Local { client: client(&proxy.endpoint()) };
    let name = unique_name();
    proxy.once("CreateTable", Fate::ApplyThenDrop);
    create(&through, &table_definition(name.as_str(), &["due"])).await.unwrap();
    store(&local, &name, &["due"]).check().await.unwrap();
}

#[tokio::test]
async fn a_forbidden_check_names_the_missing_permission() {
    let local = Local::default();
    let table = local.table().await;
    let proxy = Proxy::before(&engines::dynamodb()).await;
    proxy.once("DescribeTable", Fate::error(400, "AccessDeniedException"));
    let fault = opened(&client(&proxy.endpoint()), &table).check().await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Permanent);
    assert!(fault.message.contains("allow dynamodb:DescribeTable"), "{fault}");
}
