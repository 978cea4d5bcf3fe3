//! The permissions of each service, as documents for its role. Each allows what the service calls
//! and no more.

use serde_json::{Value, json};

/// A service, as far as its permissions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// reservation-worker: consumes the queue, copies to the dead-letter queue, reads that for
    /// operators.
    Worker,
    /// reservation-api and payment-sim-api: one table, and events to the queue.
    Producer,
    /// inventory-api: one table.
    Inventory,
}

/// The policy document of a role. `table` is the ARN of the service's table, for roles that have
/// one.
pub fn policy(role: Role, queue: &str, dead_letter_queue: &str, table: &str, bus: Option<&str>) -> Value {
    let allow = |sid: &str, actions: &[&str], resources: Value| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources});
    let rows = || {
        let actions = [
            "dynamodb:BatchGetItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:DescribeTable",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
        ];
        allow("Rows", &actions, json!([table, format!("{table}/index/*")]))
    };
    let statements = match role {
        Role::Worker => vec![
            allow(
                "Consume",
                &[
                    "sqs:ChangeMessageVisibility",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ReceiveMessage",
                ],
                json!(queue),
            ),
            allow(
                "Bury",
                &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"],
                json!(dead_letter_queue),
            ),
            // A redrive puts dead letters back into the queue.
            allow("PutBack", &["sqs:SendMessage"], json!(queue)),
        ],
        Role::Producer => {
            let mut statements =
                vec![rows(), allow("Send", &["sqs:GetQueueAttributes", "sqs:SendMessage"], json!(queue))];
            statements.extend(
                bus.map(|bus| allow("Publish", &["events:DescribeEventBus", "events:PutEvents"], json!(bus))),
            );
            statements
        }
        Role::Inventory => vec![rows()],
    };
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_do_everything() {
        for role in [Role::Worker, Role::Producer, Role::Inventory] {
            let text = policy(role, "arn:q", "arn:d", "arn:t", Some("arn:b")).to_string();
            assert!(!text.contains(":*\""), "{text}");
            assert!(!text.contains("\"*\""), "{text}");
        }
    }
}
