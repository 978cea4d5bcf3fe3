//! The resources of a platform on AWS: three tables, an event queue and its dead-letter queue,
//! under one prefix.

use super::tables::{INVENTORY, PAYMENT, RESERVATION, ServiceTable};
use super::{AwsSettings, failure};
use crate::engines::{Engines, RECEIVES_MAX, Tally};
use crate::exit::Failure;
use adapter_aws::dynamo::table_definition;
use adapter_aws::setup::{self, Done, ExistingQueue, Mode, QueueDefinition};
use adapter_aws::{Aws, LetterBox, SqsQueue, Unusable};
use core::time::Duration;
use ports::queue::QueueKind;
use ports::{Clock, Entropy, Store};
use std::sync::Arc;

/// The lease of a received message; the worker requests the same.
const VISIBILITY: Duration = Duration::from_secs(60);

/// The prefix of all names, and the kind of the queues.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) prefix: String,
    pub(crate) kind: QueueKind,
}

/// The existing resources of a blueprint. `resources` has the kind, name and outcome of each.
pub(crate) struct Built {
    pub(crate) resources: Vec<(&'static str, String, Done)>,
    pub(crate) events: Option<ExistingQueue>,
    pub(crate) letters: Option<ExistingQueue>,
}

impl Blueprint {
    /// The tables, each with its name.
    pub(crate) fn tables(&self) -> [(&'static ServiceTable, String); 3] {
        [&INVENTORY, &RESERVATION, &PAYMENT]
            .map(|table| (table, format!("{}-{}", self.prefix, table.service)))
    }

    fn letters(&self) -> QueueDefinition {
        let stem = format!("{}-events-dlq", self.prefix);
        QueueDefinition { stem, kind: self.kind, visibility: VISIBILITY, redrive: None }
    }

    fn events(&self, letters: &str) -> QueueDefinition {
        QueueDefinition {
            stem: format!("{}-events", self.prefix),
            kind: self.kind,
            visibility: VISIBILITY,
            redrive: Some((letters.to_owned(), RECEIVES_MAX)),
        }
    }

    /// Creates the missing resources, or only lists them.
    pub(crate) async fn build(
        &self,
        aws: &Aws,
        mode: Mode,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Built, Unusable> {
        let mut resources = Vec::new();
        for (table, name) in self.tables() {
            let definition = table_definition(name.as_str(), table.indexes);
            let done = setup::table(aws, &definition, mode, clock, entropy).await?;
            resources.push(("table", name, done));
        }
        let definition = self.letters();
        let (done, letters) = definition.ensure(aws, mode).await?;
        resources.push(("dead-letter queue", definition.name(), done));
        let arn = letters.as_ref().map_or("", |queue| &queue.arn);
        let definition = self.events(arn);
        let (done, events) = match (&letters, mode) {
            // Its settings name the dead-letter queue, so without that there is nothing to compare.
            (None, Mode::DryRun) => (Done::Missing, None),
            _ => definition.ensure(aws, mode).await?,
        };
        resources.push(("queue", definition.name(), done));
        Ok(Built { resources, events, letters })
    }

    /// Removes all resources, with the stored data.
    pub(crate) async fn remove(&self, aws: &Aws) -> Result<(), Unusable> {
        self.events("").remove(aws).await?;
        self.letters().remove(aws).await?;
        for (_, name) in self.tables() {
            setup::remove_table(aws, &name).await?;
        }
        Ok(())
    }
}

/// Engines on AWS that are created for one platform and removed after it.
pub(crate) struct OwnEngines {
    aws: Aws,
    blueprint: Blueprint,
}

impl OwnEngines {
    /// Creates tables and queues under a unique prefix. The SDK's variables say where AWS is.
    pub(crate) async fn make(
        prefix: String,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<(Self, Engines), Failure> {
        let mut env = runtime::config::Env::process();
        let aws = AwsSettings::read(&mut env).connect().await;
        let blueprint = Blueprint { prefix, kind: QueueKind::Fifo };
        let built = blueprint.build(&aws, Mode::Make, &**clock, &**entropy).await.map_err(failure)?;
        let (Some(events), Some(letters)) = (built.events, built.letters) else {
            return Err(Failure::unavailable(
                "the queues were created, but AWS does not list them; run the command again",
            ));
        };
        let tables = blueprint.tables().map(|(table, name)| {
            let store = aws.table(&name, table.indexes, clock.clone(), entropy.clone());
            Arc::new(store) as Arc<dyn Store>
        });
        let events = Tally::new(Arc::new(SqsQueue::new(&aws, &events.url)));
        let letters = SqsQueue::new(&aws, &letters.url);
        let look = Arc::new(LetterBox::new(letters.clone(), clock.clone()));
        let engines = Engines::aws(tables, events, Arc::new(letters), look);
        Ok((Self { aws, blueprint }, engines))
    }

    /// Removes the tables and queues.
    pub(crate) async fn remove(self) -> Result<(), Failure> {
        self.blueprint.remove(&self.aws).await.map_err(failure)
    }
}
