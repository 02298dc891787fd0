//! Places of an upload that its client has marked, to go on from there if need be: what is before them is made safe soon,
//! and then told.

use haul_store::StoreError;

use super::upload::Upload;

impl Upload {
    /// The client has marked the place where it is.
    pub(super) fn mark(&mut self) {
        self.marked = self.end();
    }

    /// How much may be told, of which the last mark is to be a part soon: with `wait` it is.
    pub(super) async fn safe_mark(&mut self, wait: bool) -> Result<u64, StoreError> {
        loop {
            let Some(begun) = &mut self.begun else { return Ok(self.start()) };
            begun.look_beside(false).await?;
            let told = if begun.lease.is_some() { self.seat.told().unwrap_or(0) } else { begun.durable };
            if told >= self.marked {
                return Ok(told);
            }
            if begun.beside.is_none() {
                let end = begun.staged.len();
                self.sync_beside(end);
            }
            match &mut self.begun {
                Some(begun) if wait => begun.look_beside(true).await?,
                _ => return Ok(told),
            }
        }
    }

    /// Up to here nothing is held back: the client knows of it.
    pub(super) fn known(&self) -> u64 {
        self.start().max(self.marked)
    }
}
