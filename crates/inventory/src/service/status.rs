//! Availability: the counts of a show, the seats of a section. A status includes every write that
//! was answered before the request.

use super::look::Wanted;
use super::{LoadedShow, Service};
use domain::hold::Rejection;
use domain::id::{SeatId, SectionId, ShowId};
use domain::invariant::Counts;
use domain::seat::{SeatStatus, SeatView};
use domain::show::Show;
use ports::{Fault, PortError};
use std::sync::Arc;

/// A show with the counts of its sections, in their order.
#[derive(Debug, Clone)]
pub struct ShowStatus {
    /// The show.
    pub show: Arc<Show>,
    /// Seats by status, for each section.
    pub counts: Vec<Counts>,
}

impl Service {
    /// A show with its counts; with `section`, only that section is certain to be fresh.
    pub async fn status(
        &self,
        id: &ShowId,
        section: Option<&SectionId>,
    ) -> Result<ShowStatus, PortError<Rejection>> {
        let loaded = self.loaded(id).await?.ok_or(PortError::Rejected(Rejection::NoSuchShow))?;
        let wanted = match section {
            None => 0..loaded.show.sections.len(),
            Some(_) => {
                let one =
                    loaded.show.section_for(section).ok_or(PortError::Rejected(Rejection::NoSuchSection))?;
                one..one + 1
            }
        };
        self.freshen(&loaded, wanted).await?;
        let seat_map = loaded.seat_map();
        let counts = (0..loaded.show.sections.len()).map(|section| seat_map.counts(section)).collect();
        drop(seat_map);
        Ok(ShowStatus { show: loaded.show.clone(), counts })
    }

    /// The definition of a show, which never changes. `None` if no show has that id.
    pub async fn definition(&self, id: &ShowId) -> Result<Option<Arc<Show>>, Fault> {
        Ok(self.loaded(id).await?.map(|loaded| loaded.show.clone()))
    }

    /// Every seat of a section with its status.
    pub async fn seats(
        &self,
        id: &ShowId,
        section: &SectionId,
    ) -> Result<Vec<SeatView>, PortError<Rejection>> {
        let loaded = self.loaded(id).await?.ok_or(PortError::Rejected(Rejection::NoSuchShow))?;
        let section =
            loaded.show.section_for(Some(section)).ok_or(PortError::Rejected(Rejection::NoSuchSection))?;
        self.freshen(&loaded, section..section + 1).await?;
        let statuses: Vec<SeatStatus> =
            loaded.seat_map().seats(section).iter().map(|seat| seat.state.status()).collect();
        let definition = &loaded.show.sections[section];
        let views = statuses.iter().enumerate();
        Ok(views
            .filter_map(|(index, status)| definition.view(index as u32, &loaded.show.currency, *status))
            .collect())
    }

    /// Some seats by name: the existing ones with their status, and the unknown ones.
    pub async fn look_up(
        &self,
        id: &ShowId,
        seats: &[SeatId],
    ) -> Result<(Vec<SeatView>, Vec<SeatId>), PortError<Rejection>> {
        let loaded = self.loaded(id).await?.ok_or(PortError::Rejected(Rejection::NoSuchShow))?;
        let places: Vec<_> = seats.iter().filter_map(|seat| loaded.show.locate(seat)).collect();
        self.look_closer(&loaded, &Wanted::Named(places.clone())).await?;
        let unknown = seats.iter().filter(|seat| loaded.show.locate(seat).is_none()).cloned().collect();
        let statuses: Vec<_> = {
            let seat_map = loaded.seat_map();
            places.iter().map(|place| (*place, seat_map.seat(*place).state.status())).collect()
        };
        let show = &loaded.show;
        let views = statuses.into_iter();
        let view = |(place, status): (domain::show::Place, SeatStatus)| {
            show.sections[place.section].view(place.index, &show.currency, status)
        };
        Ok((views.filter_map(view).collect(), unknown))
    }

    /// Every show, by id.
    pub async fn shows(&self) -> Result<Vec<ShowStatus>, Fault> {
        let mut shows = Vec::new();
        for row in self.list_all(crate::rows::SHOWS).await? {
            let Ok(id) = ShowId::parse(&row.key.sort) else { continue };
            match self.status(&id, None).await {
                Ok(status) => shows.push(status),
                Err(PortError::Rejected(_)) => {}
                Err(PortError::Failed(fault)) => return Err(fault),
            }
        }
        Ok(shows)
    }

    /// Makes memory of these sections at least as new as this call.
    async fn freshen(&self, loaded: &LoadedShow, sections: core::ops::Range<usize>) -> Result<(), Fault> {
        for section in sections {
            if !self.inner.options.sole_writer {
                self.read_again(loaded, section).await?;
            }
            let unsure = loaded.seat_map().unsure(section, self.inner.clock.elapsed());
            self.refresh(loaded, &unsure).await?;
        }
        Ok(())
    }

    /// Reads every show's seats into memory, so that the first buyer does not have to wait for it.
    pub async fn warm(&self) -> Result<usize, Fault> {
        let rows = self.list_all(crate::rows::SHOWS).await?;
        for row in &rows {
            if let Ok(id) = ShowId::parse(&row.key.sort) {
                self.loaded(&id).await?;
            }
        }
        Ok(rows.len())
    }
}
