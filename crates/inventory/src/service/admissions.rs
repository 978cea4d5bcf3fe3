//! The port [`ports::Admissions`], for a reservation-api in the same process.

use super::Service;
use async_trait::async_trait;
use domain::id::ShowId;
use ports::admissions::NoSuchShow;
use ports::{Admissions, CallContext, PortError};

#[async_trait]
impl Admissions for Service {
    async fn requires_pass(&self, _: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        let definition = self.definition(show).await?;
        definition.map(|show| show.requires_pass()).ok_or(PortError::Rejected(NoSuchShow))
    }
}
