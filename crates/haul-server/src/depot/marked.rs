//! Places of an upload that its client has marked, to go on from there if need be: what is before them is made safe soon,
//! and then told. However many are marked, what is not waited for is made safe now and then only.

use haul_store::StoreError;

use super::upload::Upload;

impl Upload {
    /// The client has marked this place. How much may be told, of which the mark is to be a part soon: with `wait` it is.
    pub(super) async fn safe_mark(&mut self, mark: u64, wait: bool) -> Result<u64, StoreError> {
        self.marked = self.marked.max(mark);
        loop {
            let Some(begun) = &mut self.begun else { return Ok(self.start()) };
            begun.look_beside(false).await?;
            let told = if begun.lease.is_some() { self.seat.told().unwrap_or(0) } else { begun.durable };
            if told >= self.marked {
                return Ok(told);
            }
            if begun.beside.is_none() && (wait || !begun.was_just_synced()) {
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
