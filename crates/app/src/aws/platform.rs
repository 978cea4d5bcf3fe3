//! What a whole platform has on AWS: three tables, an event queue and its dead-letter queue, by one prefix.

use super::tables::{INVENTORY, PAYMENT, RESERVATION, Table};
use super::{AwsSettings, failure};
use crate::cli::Failure;
use crate::engines::{Engines, RECEIVES_MAX, Tally};
use adapter_aws::dynamo::table_definition;
use adapter_aws::setup::{self, Done, Mode, Queue, QueueDefinition};
use adapter_aws::{Aws, LetterBox, SqsQueue, Unusable};
use core::time::Duration;
use ports::queue::QueueKind;
use ports::{Clock, Entropy, Store};
use std::sync::Arc;

/// How long a message is hidden after its receive; the worker asks for the same.
const VISIBILITY: Duration = Duration::from_secs(60);

/// The names of a platform.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) prefix: String,
    pub(crate) kind: QueueKind,
}

/// Everything of a blueprint that there is, and what became of each: its kind, its name.
pub(crate) struct Built {
    pub(crate) told: Vec<(&'static str, String, Done)>,
    pub(crate) events: Option<Queue>,
    pub(crate) letters: Option<Queue>,
}

impl Blueprint {
    /// The tables, each with its name.
    pub(crate) fn tables(&self) -> [(&'static Table, String); 3] {
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

    /// Makes what is missing, or only says so.
    pub(crate) async fn build(
        &self,
        aws: &Aws,
        mode: Mode,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Built, Unusable> {
        let mut told = Vec::new();
        for (table, name) in self.tables() {
            let definition = table_definition(name.as_str(), table.indexes);
            let done = setup::table(aws, &definition, mode, clock, entropy).await?;
            told.push(("table", name, done));
        }
        let definition = self.letters();
        let (done, letters) = definition.ensure(aws, mode).await?;
        told.push(("dead-letter queue", definition.name(), done));
        let arn = letters.as_ref().map_or("", |queue| &queue.arn);
        let definition = self.events(arn);
        let (done, events) = match (&letters, mode) {
            // Without its dead-letter queue there is nothing to compare it by.
            (None, Mode::DryRun) => (Done::Missing, None),
            _ => definition.ensure(aws, mode).await?,
        };
        told.push(("queue", definition.name(), done));
        Ok(Built { told, events, letters })
    }

    /// Removes all of it, with everything that is stored there.
    pub(crate) async fn remove(&self, aws: &Aws) -> Result<(), Unusable> {
        self.events("").remove(aws).await?;
        self.letters().remove(aws).await?;
        for (_, name) in self.tables() {
            setup::remove_table(aws, &name).await?;
        }
        Ok(())
    }
}

/// A platform's engines on AWS, made for it and removed after it.
pub(crate) struct OwnEngines {
    aws: Aws,
    blueprint: Blueprint,
}

impl OwnEngines {
    /// Makes tables and queues under a prefix that nobody has, wherever the SDK's variables say that AWS is.
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
            return Err(Failure::unavailable("the queues were made and are not there"));
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

    /// Removes them.
    pub(crate) async fn remove(self) -> Result<(), Failure> {
        self.blueprint.remove(&self.aws).await.map_err(failure)
    }
}
