//! The engines of a demo: created before it, removed after it.

use super::DemoArgs;
use crate::engines::{self, Engines};
use anyhow::{Context, Result};
use ports::Clock;
use std::sync::Arc;
use tempfile::TempDir;

/// The engines of a demo, and how they are removed.
pub(super) struct TemporaryEngines {
    pub(super) engines: Engines,
    kind: Kind,
}

enum Kind {
    Folder(TempDir),
    #[cfg(feature = "aws")]
    Aws(Box<crate::aws::platform::OwnEngines>),
}

impl TemporaryEngines {
    pub(super) async fn make(args: &DemoArgs, clock: &Arc<dyn Clock>) -> Result<Self> {
        #[cfg(feature = "aws")]
        if args.engines == super::EngineKind::Aws {
            return Self::on_aws(clock).await;
        }
        let _ = args;
        let folder = tempfile::tempdir().context("make a temporary folder")?;
        let engine = engines::open(folder.path(), clock.clone()).await?;
        Ok(Self { engines: Engines::embedded(&engine)?, kind: Kind::Folder(folder) })
    }

    #[cfg(feature = "aws")]
    async fn on_aws(clock: &Arc<dyn Clock>) -> Result<Self> {
        use crate::aws::platform::OwnEngines;
        use ports::Entropy;
        let entropy: Arc<dyn Entropy> = Arc::new(runtime::SystemEntropy::new());
        let prefix = format!("tacos-demo-{:08x}", entropy.next_u64() >> 32);
        let (own, engines) = OwnEngines::make(prefix, clock, &entropy).await?;
        Ok(Self { engines, kind: Kind::Aws(Box::new(own)) })
    }

    /// Removes the engines. It is called after a failure too, so that nothing is left behind.
    pub(super) async fn remove(self) -> Result<()> {
        match self.kind {
            Kind::Folder(folder) => {
                drop(self.engines);
                folder.close().context("remove the temporary folder")
            }
            #[cfg(feature = "aws")]
            Kind::Aws(own) => Ok(own.remove().await?),
        }
    }
}
