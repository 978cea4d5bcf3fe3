//! Creates shows.

use super::{Service, contended};
use crate::rows;
use domain::limits::{CONFLICT_RETRIES_MAX, ROWS_PER_COMMIT_MAX};
use domain::show::{InvalidShow, Show};
use ports::Fault;
use ports::store::{Attributes, CommitError, Expect, Key, Write};

/// The result of creating a show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The show is on sale now.
    Now,
    /// The same show was already on sale.
    Before,
}

/// Why a show was not created.
#[derive(Debug)]
pub enum CreateShowError {
    /// The definition is wrong in these ways.
    Invalid(Vec<InvalidShow>),
    /// Another show has that id.
    Different,
    /// A technical failure.
    Failed(Fault),
}

impl From<Fault> for CreateShowError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl Service {
    /// Creates a show. The rows of its sections come first; the show exists once its own row does.
    pub async fn create_show(&self, show: &Show) -> Result<Created, CreateShowError> {
        show.check().map_err(CreateShowError::Invalid)?;
        if let Some(present) = self.read_show(&show.id).await? {
            return same(&present, show);
        }
        let sections = rows::section_rows(show);
        for batch in sections.chunks(ROWS_PER_COMMIT_MAX) {
            self.write_sections(batch).await?;
        }
        match self.commit_rows(vec![rows::show_put(show)]).await {
            Ok(()) => {
                // Read the seats now, so that the first buyer does not have to wait for it.
                if let Err(fault) = self.loaded(&show.id).await {
                    tracing::warn!(
                        error = fault.chain(),
                        "new show not read ahead; it is read at its first request"
                    );
                }
                Ok(Created::Now)
            }
            Err(CommitError::Failed(fault)) => Err(fault.into()),
            Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => {
                match self.read_show(&show.id).await? {
                    Some(present) => same(&present, show),
                    None => Err(contended().into()),
                }
            }
        }
    }

    /// Writes section rows. An earlier try that was cut short may have written some of them: these
    /// are identical, because their partition names the definition.
    async fn write_sections(&self, batch: &[(Key, Attributes)]) -> Result<(), Fault> {
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let keys: Vec<_> = batch.iter().map(|(key, _)| key.clone()).collect();
            let present = self.inner.table.rows(&keys).await?;
            let missing = batch.iter().zip(present).filter(|(_, row)| row.is_none());
            let writes: Vec<Write> = missing
                .map(|((key, attributes), _)| Write::Put {
                    key: key.clone(),
                    expect: Expect::Absent,
                    attributes: attributes.clone(),
                    indexes: Vec::new(),
                })
                .collect();
            if writes.is_empty() {
                return Ok(());
            }
            match self.commit_rows(writes).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Failed(fault)) => return Err(fault),
                Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => {}
            }
        }
        Err(contended())
    }
}

fn same(present: &Show, wanted: &Show) -> Result<Created, CreateShowError> {
    if present == wanted { Ok(Created::Before) } else { Err(CreateShowError::Different) }
}
