//! `haul probe`: what a server was found to do, line by line, and the verdict at the end.

mod ftp;
mod http;

use std::io::{self, Write as _};
use std::process;

use haul_transfer::probe::{Report, Resume, Verdict};
use haul_transfer::{Client, Failure, Kind, Stop};
use serde::Serialize;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::probe::ProbeArgs;
use crate::plan::probe::ProbePlan;
use crate::screen::text::{safe, safe_json};
use crate::screen::{Screen, Style};
use crate::{exit, human, log, plan, world};

/// Runs the command; the exit code is 0 whenever there is a verdict.
pub(crate) fn run(args: ProbeArgs) -> u8 {
    let screen = Screen::new(Style::Plain);
    let (json, verbose) = (args.json, args.verbose);
    let plan = match world::real(|world| plan::probe::probe(args, world)) {
        Ok(plan) => plan,
        Err(usage) => {
            screen.refused(&format!("{usage} (see haul probe --help)"), exit::USAGE);
            return exit::USAGE;
        }
    };
    log::start(verbose, screen.say());
    let place = haul_transfer::place(&plan.url);
    match found(plan, &screen) {
        Ok(report) => {
            let text = match (&report, json) {
                (Report::Http(report), true) => http::machine(report),
                (Report::Http(report), false) => http::people(report),
                (Report::Ftp(report), true) => ftp::machine(report),
                (Report::Ftp(report), false) => ftp::people(report),
            };
            // Nobody may be listening any more; the verdict stands all the same.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            exit::DONE
        }
        Err(failure) => {
            let advice = failure.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
            screen.refused(&format!("{place}: {}{advice}", failure.message), exit::code(failure.kind));
            exit::code(failure.kind)
        }
    }
}

/// What is found out, unless a signal ends it.
fn found(plan: ProbePlan, screen: &Screen) -> Result<Report, Failure> {
    let ProbePlan { url, limits, client } = plan;
    let client = Client::new(client)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Kind::Unexpected, format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let stop = Stop::new();
        let probing = Box::pin(haul_transfer::probe::probe(&client, &url, limits, &stop));
        // Without them a signal ends the process, as it would anyway.
        let signals = Signals::new();
        tokio::select! {
            report = probing => report,
            () = heed(signals, limits.write, &stop, screen) => {
                Err(Failure::new(Kind::Interrupted, "stopped"))
            }
        }
    })
}

/// The signals that ask to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends at the first signal, or hands it on where something has to be deleted first; the second one leaves at once.
async fn heed(signals: io::Result<Signals>, write: bool, stop: &Stop, screen: &Screen) {
    let Ok(mut signals) = signals else { return std::future::pending().await };
    signals.next().await;
    if write {
        screen.remark("stopping: what was uploaded is deleted first; once more leaves at once");
        stop.stop();
        signals.next().await;
        process::exit(exit::INTERRUPTED.into());
    }
}

fn word(resume: Resume) -> &'static str {
    match resume {
        Resume::Yes => "yes",
        Resume::No => "no",
        Resume::Unsafe => "unsafe",
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1024 { human::size(bytes) } else { format!("{} ({bytes} bytes)", human::size(bytes)) }
}

/// A label and what was found.
type Line = (&'static str, String);

/// Longer values are cut: a server may be very talkative.
const LONGEST: usize = 1500;

fn lines(found: &[Line]) -> String {
    let line = |(label, value): &Line| {
        let cut: String = value.chars().take(LONGEST).collect();
        let more = if cut.len() < value.len() { "…" } else { "" };
        format!("{label:<9} {}{more}\n", safe(&cut))
    };
    found.iter().map(line).collect()
}

fn verdict(of: &str, verdict: &Verdict) -> String {
    format!("{of}: {} — {}\n", word(verdict.resume), safe(&verdict.why))
}

fn json(findings: &impl Serialize) -> String {
    // Serialising such a shape has no way to fail.
    let json = serde_json::to_string(findings).unwrap_or_default();
    format!("{}\n", safe_json(&json))
}
