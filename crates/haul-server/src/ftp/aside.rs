//! What costs the processor its time is done beside the session's thread, on those that wait for disks: whoever else is
//! at home on that thread is heard meanwhile, and so is what the client itself says.
//!
//! One piece at a time for each transfer. However many there are, only so many pieces are at work at once, so that
//! threads are left for disks. It does not know what is done.

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::ServerError;

/// So many pieces are at work at a time, of all sessions: half of the threads that one worker has for disks.
const AT_ONCE: usize = 8;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Does it there. It is done to its end also where nobody waits for it any more, so it has to be soon done.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServerError> {
    let turn = TURNS.acquire().await;
    let done = spawn_blocking(move || {
        let done = work();
        // It goes along, so that it is had as long as the thread is at it.
        drop(turn);
        done
    });
    done.await.map_err(|error| ServerError::Other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn only_so_much_is_at_work_and_the_thread_that_waits_is_free() {
        let here = std::thread::current().id();
        assert_ne!(aside(|| std::thread::current().id()).await.unwrap(), here);
        let all = TURNS.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        assert!(timeout(Duration::from_millis(50), aside(|| ())).await.is_err(), "no turn is free");
        drop(all);
        aside(|| ()).await.unwrap();
    }
}
