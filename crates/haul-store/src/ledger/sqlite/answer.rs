//! An answer that comes once, from another thread. It knows no runtime: whoever waits is woken by its own waker.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Where the answer is waited for; `None` when nobody will ever give it.
pub(super) struct Answer<T>(Arc<Mutex<Slot<T>>>);

/// Who gives it.
pub(super) struct Teller<T>(Arc<Mutex<Slot<T>>>);

struct Slot<T> {
    value: Option<T>,
    over: bool,
    waker: Option<Waker>,
}

/// The two ends.
pub(super) fn pair<T>() -> (Teller<T>, Answer<T>) {
    let slot = Arc::new(Mutex::new(Slot { value: None, over: false, waker: None }));
    (Teller(Arc::clone(&slot)), Answer(slot))
}

fn open<T>(slot: &Mutex<Slot<T>>) -> MutexGuard<'_, Slot<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Teller<T> {
    /// Gives it. Whether anybody still waits does not matter.
    pub(super) fn tell(self, value: T) {
        open(&self.0).value = Some(value);
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        let mut slot = open(&self.0);
        slot.over = true;
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = open(&self.0);
        if slot.over {
            return Poll::Ready(slot.value.take());
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
