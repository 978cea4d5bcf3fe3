//! The backstop: releases holds that are long overdue, such as the hold of a request that died
//! before its reservation was written. It finds rows by the index and reads them again before it
//! acts.

use crate::rows;
use crate::service::Service;
use domain::id::ReservationId;
use ports::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

/// Index entries per page.
const PAGE: usize = 100;

impl Service {
    /// Sweeps at intervals until shutdown.
    pub async fn sweep_until(self, shutdown: CancellationToken) {
        let every = self.inner.options.sweep_every;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.inner.clock.sleep(every) => {}
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                swept = self.sweep() => match swept {
                    Ok(0) => {}
                    Ok(released) => tracing::info!(released, "released overdue holds"),
                    Err(fault) => tracing::warn!(error = fault.chain(), "sweep of overdue holds stopped early"),
                }
            }
        }
    }

    /// Releases every hold that is overdue by more than the grace. Returns how many this call
    /// released.
    pub async fn sweep(&self) -> Result<u64, Fault> {
        let grace = self.inner.options.sweep_grace;
        let now = self.inner.clock.now();
        let until =
            domain::time::Timestamp::from_millis(now.as_millis().saturating_sub(grace.as_millis() as u64));
        let mut released = 0;
        for shard in 0..rows::DUE_SHARDS {
            let mut after = None;
            loop {
                let page = self
                    .inner
                    .table
                    .due(rows::DUE_HOLDS, &shard.to_string(), after.as_ref(), until, PAGE)
                    .await?;
                for entry in &page {
                    let name = entry.key.partition.strip_prefix("hold#").unwrap_or_default();
                    let Ok(reservation) = ReservationId::parse(name) else { continue };
                    match self.release_due(&reservation).await {
                        Ok(now) => released += u64::from(now),
                        Err(fault) if fault.class == FaultClass::Unavailable => return Err(fault),
                        // A hold that cannot be released must not keep the others back.
                        Err(fault) => {
                            tracing::warn!(error = fault.chain(), "overdue hold not released");
                        }
                    }
                }
                if page.len() < PAGE {
                    break;
                }
                after = page.into_iter().next_back();
            }
        }
        Ok(released)
    }
}
