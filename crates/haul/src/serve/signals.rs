//! The signals of a server: to stop when what runs is done, to stop at once, to read the settings again.

use std::{io, time::Duration};

use haul_server::log::Event;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use super::{Told, house::Household, systemd::Notify};

/// Sessions that are ended have so long to put away what they have.
const LAST: Duration = Duration::from_secs(5);

/// The signals that are listened to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
enum Wish {
    Stop,
    Reload,
}

impl Signals {
    /// From now on they no longer end the process by themselves.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }

    /// Obeys them until nobody is left.
    pub(super) async fn obey(
        mut self,
        told: &Told,
        household: &Household,
        notify: &Notify,
        mut grace: Duration,
    ) {
        let house = &household.house;
        while let Wish::Reload = self.next().await {
            notify.reloading();
            let changed = told.config().and_then(|config| household.change(&config).map(|()| config.drain));
            match changed {
                Ok(drain) => grace = drain,
                Err(error) => {
                    let why = error.to_string().replace('\n', "; ");
                    house.log.tell(Event::NotReloaded { why });
                }
            }
            notify.ready(house);
        }
        notify.stopping(grace + LAST * 4);
        house.stop.drain(grace);
        house.log.tell(Event::Stopping { sessions: house.sessions.count() + house.connections.count() });
        tokio::select! {
            // Beyond its grace a transfer is ended, and what it has is put away.
            _ = timeout(grace + LAST, house.empty()) => {}
            () = self.again() => {
                house.stop.now();
                let _ = timeout(LAST, house.empty()).await;
            }
        }
        // What a session that is gone has left is put away beside.
        let _ = timeout(LAST, house.depot.at_rest()).await;
        household.rest(LAST).await;
    }

    async fn again(&mut self) {
        while let Wish::Reload = self.next().await {}
    }
}
