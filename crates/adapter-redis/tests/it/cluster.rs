//! A cluster of a test's own.

use crate::server::{Redis, free_port, until};
use domain::id::ShowId;
use redis::Value;

/// Three nodes with slots, and one that follows the first.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        for epoch in 1..=4 {
            let bus = free_port().to_string();
            let node = Redis::start_with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "1000",
            ])
            .await;
            node.run(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()]).await;
            if let Some(first) = nodes.first() {
                let first: &Redis = first;
                first.run(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &bus]).await;
            }
            nodes.push(node);
        }
        for (node, slots) in nodes.iter().zip([["0", "8191"], ["8192", "16382"], ["16383", "16383"]]) {
            node.run(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]).await;
        }
        let (first, follower) = (&nodes[0], &nodes[3]);
        let id = first.text(&["CLUSTER", "MYID"]).await;
        until(async || follower.text(&["CLUSTER", "NODES"]).await.contains(&id)).await;
        follower.run(&["CLUSTER", "REPLICATE", &id]).await;
        for node in &nodes {
            until(async || {
                let state = node.text(&["CLUSTER", "INFO"]).await;
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:4")
            })
            .await;
            // Every node must know who follows whom: without that no node votes for a follower.
            until(async || node.text(&["CLUSTER", "NODES"]).await.matches("slave").count() == 1).await;
        }
        until(async || follower.text(&["INFO", "replication"]).await.contains("master_link_status:up")).await;
        Self { nodes }
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// A show whose line is on the first node, or on the second.
    pub(crate) async fn show_on(&self, node: usize) -> String {
        for name in (0..).map(|number| format!("show-{number}")) {
            if (self.slot(&name).await < 8_192) == (node == 0) {
                return name;
            }
        }
        unreachable!("half of all names are there")
    }

    /// Waits until that node has keys of that show.
    pub(crate) async fn holds(&self, node: usize, show: &ShowId) {
        let slot = self.slot(show.as_str()).await.to_string();
        until(async || self.nodes[node].run(&["CLUSTER", "COUNTKEYSINSLOT", &slot]).await != Value::Int(0))
            .await;
    }

    async fn slot(&self, name: &str) -> i64 {
        let Value::Int(slot) = self.nodes[1].run(&["CLUSTER", "KEYSLOT", name]).await else {
            panic!("no slot");
        };
        slot
    }
}
