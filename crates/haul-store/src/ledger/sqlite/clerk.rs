//! The one thread that writes the database: it takes every order that waits, and commits them together.
//!
//! So concurrent uploads share a sync. What is answered is committed, and what is in memory is committed too: an
//! order changes memory only after its transaction. Only what is forgotten or published is forgotten here in any case:
//! its staged bytes are gone, and should its record come back with the next server, that one finds it without them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError},
    },
    time::Instant,
};

use haul_core::TreePath;

use super::super::records::{Leases, Records};
use super::answer::Teller;
use super::tables::{self, Tables};
use super::{letters, published};
use crate::{Durability, Lease, Letter, Published, StoreError, Unfinished, UploadKey, Watch};

/// The most orders of one transaction.
const BATCH: usize = 512;

/// What is known, shared with those who ask.
#[derive(Default)]
pub(super) struct State {
    pub(super) records: Records,
    pub(super) leases: Leases,
    /// How many orders are not carried out yet.
    pub(super) waiting: usize,
}

/// Something to do, in order. Whether a lease is good was looked at when the order was given.
pub(super) enum Order {
    Claim(Lease, Teller<(Lease, Option<Unfinished>)>),
    Save(UploadKey, Box<Unfinished>, Durability, Teller<Result<(), StoreError>>),
    Forget(UploadKey, Teller<Result<(), StoreError>>),
    Publish(Box<Published>, Teller<Result<(), StoreError>>),
    Published(Teller<Result<Vec<Published>, StoreError>>),
    Moved(Box<Move>, Teller<Result<(), StoreError>>),
    Post(Vec<Letter>, Durability, Teller<Result<(), StoreError>>),
    Unpost(Vec<u64>, Teller<Result<(), StoreError>>),
    /// Nothing: somebody wants to know that the thread comes to it.
    Turn(Teller<()>),
}

/// A move of a folder's or of one owner's uploads.
pub(super) struct Move {
    pub(super) owner: Option<String>,
    pub(super) from: TreePath,
    pub(super) to: TreePath,
}

/// Carries out orders until nobody gives any; somebody may want to hear how long that takes.
pub(super) fn work(
    mut tables: Tables,
    state: &Arc<Mutex<State>>,
    watch: Option<&dyn Watch>,
    orders: &Receiver<Order>,
) {
    while let Ok(first) = orders.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match orders.try_recv() {
                Ok(next) => batch.push(next),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        carry_out(&mut tables, state, watch, batch);
    }
}

fn carry_out(tables: &mut Tables, state: &Mutex<State>, watch: Option<&dyn Watch>, batch: Vec<Order>) {
    let mut done = commit(tables, watch, &batch);
    if done.is_err() && batch.len() > 1 {
        // One of them may be what fails: each for itself.
        for order in batch {
            done = commit(tables, watch, std::slice::from_ref(&order));
            conclude(tables, state, watch, vec![order], done);
        }
        return;
    }
    conclude(tables, state, watch, batch, done);
}

fn commit(tables: &mut Tables, watch: Option<&dyn Watch>, batch: &[Order]) -> Result<(), StoreError> {
    let writes = |order: &Order| !matches!(order, Order::Claim(..) | Order::Turn(_) | Order::Published(_));
    if !batch.iter().any(writes) {
        return Ok(());
    }
    let full = |order: &Order| {
        matches!(
            order,
            Order::Save(_, _, Durability::Full, _) | Order::Post(_, Durability::Full, _) | Order::Moved(..)
        )
    };
    let how = if batch.iter().any(full) { Durability::Full } else { Durability::Relaxed };
    let began = Instant::now();
    let written = tables.write(how, |transaction| {
        batch.iter().try_for_each(|order| match order {
            Order::Claim(..) | Order::Turn(_) | Order::Published(_) => Ok(()),
            Order::Save(key, record, ..) => tables::save(transaction, key, record),
            Order::Forget(key, _) => tables::forget(transaction, key).map(drop),
            Order::Publish(what, _) => published::publish(transaction, what),
            Order::Moved(what, _) => tables::moved(transaction, what.owner.as_deref(), &what.from, &what.to),
            Order::Post(letters, ..) => letters::post(transaction, letters),
            Order::Unpost(numbers, _) => letters::unpost(transaction, numbers),
        })
    });
    if let Some(watch) = watch {
        watch.committed(began.elapsed(), written.is_ok());
    }
    written
}

/// Takes into memory what is committed, and answers. A failure concerns one order only: there is no other in its batch.
fn conclude(
    tables: &Tables,
    state: &Mutex<State>,
    watch: Option<&dyn Watch>,
    batch: Vec<Order>,
    mut done: Result<(), StoreError>,
) {
    let mut answers: Vec<Box<dyn FnOnce()>> = Vec::with_capacity(batch.len());
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.waiting = state.waiting.saturating_sub(batch.len());
    if let Some(watch) = watch {
        watch.waiting(state.waiting);
    }
    for order in batch {
        let done = std::mem::replace(&mut done, Ok(()));
        match order {
            Order::Claim(lease, teller) => {
                let known = state.records.get(&lease.key).cloned();
                answers.push(Box::new(move || teller.tell((lease, known))));
            }
            Order::Save(key, record, _, teller) => {
                if done.is_ok() {
                    state.records.put(key, *record);
                }
                answers.push(Box::new(move || teller.tell(done)));
            }
            Order::Forget(key, teller) => {
                state.records.take(&key);
                answers.push(Box::new(move || teller.tell(done)));
            }
            Order::Publish(what, teller) => {
                state.records.take(&what.key);
                answers.push(Box::new(move || teller.tell(done)));
            }
            Order::Published(teller) => {
                let all = tables.published();
                answers.push(Box::new(move || teller.tell(all)));
            }
            Order::Moved(what, teller) => {
                if done.is_ok() {
                    state.records.moved(what.owner.as_deref(), &what.from, &what.to);
                }
                answers.push(Box::new(move || teller.tell(done)));
            }
            Order::Post(letters, _, teller) => {
                if done.is_ok() {
                    state.records.post(letters);
                }
                answers.push(Box::new(move || teller.tell(done)));
            }
            Order::Unpost(numbers, teller) => {
                if done.is_ok() {
                    state.records.unpost(&numbers);
                }
                answers.push(Box::new(move || teller.tell(done)));
            }
            Order::Turn(teller) => answers.push(Box::new(move || teller.tell(()))),
        }
    }
    drop(state);
    answers.into_iter().for_each(|answer| answer());
}
