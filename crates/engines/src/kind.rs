//! The kinds of engines.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// One engine. Its name in files and on the command line is [`Kind::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// SQS, standard and FIFO, with its limits enforced.
    ElasticMq,
    /// DynamoDB, by the maker of the real one.
    DynamoDb,
    /// EventBridge, Scheduler, Secrets Manager, and a second SQS.
    MiniStack,
    /// One Redis node.
    Redis,
    /// Three Redis nodes that share the slots, without replicas.
    #[serde(rename = "redis-cluster")]
    RedisCluster,
}

impl Kind {
    /// All of them, in the order of output.
    pub const ALL: [Self; 5] =
        [Self::ElasticMq, Self::DynamoDb, Self::MiniStack, Self::Redis, Self::RedisCluster];

    /// The name for `--only` and in the state file.
    pub fn name(self) -> &'static str {
        match self {
            Self::ElasticMq => "elasticmq",
            Self::DynamoDb => "dynamodb",
            Self::MiniStack => "ministack",
            Self::Redis => "redis",
            Self::RedisCluster => "redis-cluster",
        }
    }

    /// The variable that `cargo xtask engines up` prints for a shell.
    pub fn variable(self) -> &'static str {
        match self {
            Self::ElasticMq => "TACOS_SQS_URL",
            Self::DynamoDb => "TACOS_DYNAMODB_URL",
            Self::MiniStack => "TACOS_MINISTACK_URL",
            Self::Redis => "TACOS_REDIS_URL",
            Self::RedisCluster => "TACOS_REDIS_CLUSTER_URLS",
        }
    }

    /// How many servers it has.
    pub(crate) fn nodes(self) -> u16 {
        if self == Self::RedisCluster { 3 } else { 1 }
    }

    pub(crate) fn url(self, port: u16) -> String {
        match self {
            Self::ElasticMq | Self::DynamoDb | Self::MiniStack => format!("http://127.0.0.1:{port}"),
            Self::Redis | Self::RedisCluster => format!("redis://127.0.0.1:{port}"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("there is no engine `{name}`; known engines: {known}")
        })
    }
}
