//! A JSON secret of Secrets Manager.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::ground::{NOWHERE, REGION, ministack, unique_name};
use adapter_aws::{Aws, Secret, Unusable};
use aws_sdk_secretsmanager::Client;

async fn made(aws: &Aws, text: &str) -> (Client, String) {
    let (client, name) = (Client::new(aws.sdk()), unique_name());
    client.create_secret().name(&name).secret_string(text).send().await.unwrap();
    (client, name)
}

async fn read(aws: &Aws, name: &str) -> Result<Secret, Unusable> {
    Secret::read(aws, name, "SECRET_NAME").await
}

#[tokio::test]
async fn the_current_version_is_read() {
    let aws = ministack();
    let (client, name) = made(&aws, r#"{"sqs_queue_url":"http://old/1/q","otel_endpoint":""}"#).await;
    let before = read(&aws, &name).await.unwrap();
    assert_eq!(before.get("sqs_queue_url"), Some("http://old/1/q"));
    assert_eq!((before.get("otel_endpoint"), before.get("inventory_grpc_addr")), (None, None));

    let new = r#"{"sqs_queue_url":"http://new/1/q","inventory_grpc_addr":"inventory:8021"}"#;
    client.put_secret_value().secret_id(&name).secret_string(new).send().await.unwrap();
    let after = read(&aws, &name).await.unwrap();
    assert_eq!(after.get("sqs_queue_url"), Some("http://new/1/q"));
    assert_eq!(after.get("inventory_grpc_addr"), Some("inventory:8021"));
    let previous = client.get_secret_value().secret_id(&name).version_stage("AWSPREVIOUS").send().await;
    assert!(previous.unwrap().secret_string().unwrap().contains("old"), "the old one is kept beside it");

    // A pending version (a rotation) is not the current one.
    let pending = client.put_secret_value().secret_id(&name).version_stages("AWSPENDING");
    pending.secret_string(r#"{"sqs_queue_url":"http://next/1/q"}"#).send().await.unwrap();
    assert_eq!(read(&aws, &name).await.unwrap().get("sqs_queue_url"), Some("http://new/1/q"));
}

#[tokio::test]
async fn a_secret_is_found_by_its_arn_too() {
    let aws = ministack();
    let (client, name) = made(&aws, r#"{"sqs_queue_url":"http://q/1/q"}"#).await;
    let arn = client.describe_secret().secret_id(&name).send().await.unwrap().arn.unwrap();
    assert_eq!(read(&aws, &arn).await.unwrap().get("sqs_queue_url"), Some("http://q/1/q"));
}

#[tokio::test]
async fn a_missing_secret_names_the_setting() {
    match read(&ministack(), &unique_name()).await {
        Err(Unusable::Setting(words)) => {
            assert!(words.contains("SECRET_NAME") && words.contains(REGION), "{words}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_secret_of_another_shape_names_the_setting_and_shows_no_value() {
    let aws = ministack();
    for text in ["hunter2", r#"{"deep":{"hunter2":1}}"#, r#"["hunter2"]"#] {
        let (_, name) = made(&aws, text).await;
        match read(&aws, &name).await {
            Err(Unusable::Setting(words)) => {
                assert!(words.contains("SECRET_NAME") && !words.contains("hunter2"), "{words}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_reported() {
    let answer = read(&Aws::local(NOWHERE, REGION), "any").await;
    assert!(matches!(answer, Err(Unusable::Silent(words)) if words.contains("SECRET_NAME")));
}
