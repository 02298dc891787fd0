//! `haul demo`: what haul is for, shown on this machine with nothing else installed.
//!
//! A real `haul serve`, real `haul get` and `haul put` processes and real kills; only the bad link between them is made
//! for the purpose. Nothing is simulated and no figure is worked out beforehand.
//!
//! ```text
//! mod       the demo: one step after the other, the table, the exit code, and an end at any moment
//! steps     what happens in each step, and what makes its verdict
//! client    one run of haul over the link
//! children  haul as processes              link, passive   the link
//! scratch   the folder and its files       show, table     what is seen
//! ```

mod children;
mod client;
mod link;
mod passive;
mod scratch;
mod show;
mod steps;
mod table;

use std::fmt;
use std::io;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::demo::DemoArgs;
use crate::exit;
use crate::screen::{Screen, Style};

use scratch::Scratch;
use show::Show;
use steps::{STEPS, Stage};

/// Why the demo could not go on, in plain words.
#[derive(Debug)]
struct Trouble(String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How it came out.
enum Outcome {
    /// Every verdict was good.
    Well,
    /// So many were not.
    Wrong(usize),
    /// A signal ended it.
    Interrupted,
}

/// Runs the command; the result is the exit code.
pub(crate) fn run(args: &DemoArgs) -> u8 {
    let screen = Screen::new(Style::Plain);
    match demo(args) {
        Ok(Outcome::Well) => exit::DONE,
        Ok(Outcome::Wrong(steps)) => {
            let what = if steps == 1 { "a step".to_owned() } else { format!("{steps} steps") };
            screen.refused(
                &format!("{what} did not come out as it should; the table says why"),
                exit::UNEXPECTED,
            );
            exit::UNEXPECTED
        }
        Ok(Outcome::Interrupted) => {
            screen.refused("interrupted; what the demo had started and made is gone", exit::INTERRUPTED);
            exit::INTERRUPTED
        }
        Err(trouble) => {
            screen.refused(&trouble.to_string(), exit::UNEXPECTED);
            exit::UNEXPECTED
        }
    }
}

fn demo(args: &DemoArgs) -> Result<Outcome, Trouble> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Trouble(format!("cannot start: {error}")))?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(|error| Trouble(format!("cannot listen to signals: {error}")))?
    };
    let scratch = Scratch::new(args.keep)?;
    let show = Show::new();
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = story(args, &scratch, &show) => outcome,
            () = signals.any() => Ok(Outcome::Interrupted),
        }
    });
    // Whatever came of it, no process of ours is there any more, and now the folder goes.
    show.live(None);
    if matches!(outcome, Ok(Outcome::Interrupted)) {
        // The terminal has written ^C where the line was.
        show.lines("\n");
    }
    if args.keep {
        show.lines(&format!("\nKept: {}\n", scratch.root().display()));
    }
    let removed = scratch.remove();
    let outcome = outcome?;
    removed.map(|()| outcome)
}

async fn story(args: &DemoArgs, scratch: &Scratch, show: &Show) -> Result<Outcome, Trouble> {
    let stage = Stage::set(scratch, show, args.size.get()).await?;
    let mut rows = Vec::new();
    for (step, seed) in STEPS.iter().zip(1..) {
        rows.push(stage.play(step, seed).await?);
    }
    show.heading("What it came to");
    show.lines(&table::table(&rows));
    Ok(match rows.iter().filter(|row| row.verdict.is_err()).count() {
        0 => Outcome::Well,
        wrong => Outcome::Wrong(wrong),
    })
}

/// What asks us to stop. From its making on such a signal no longer ends the process by itself.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn any(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
