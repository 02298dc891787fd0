//! `haul get`: arguments become a plan, and the plan is run.

use std::io::{self, IsTerminal as _};

use haul_transfer::{Job, folder, is_text};

use crate::args::GetArgs;
use crate::plan::{self, GetPlan};
use crate::run::{self, Task};
use crate::screen::Screen;
use crate::{exit, log, world};

/// Runs the command; the result is the exit code.
pub(crate) fn run(args: GetArgs) -> u8 {
    let screen = Screen::new(plan::style(args.quiet, args.progress, io::stderr().is_terminal()));
    let verbose = args.verbose;
    let plan = match world::real(|world| plan::get(args, world)) {
        Ok(plan) => plan,
        Err(usage) => {
            screen.refused(&format!("{usage} (see haul get --help)"), exit::USAGE);
            return exit::USAGE;
        }
    };
    log::start(verbose, screen.say());
    let GetPlan { jobs, recursive, ascii, at_once, client } = plan;
    let task = |job: Job| match folder::is_folder(&job.url) {
        _ if recursive => Task::Tree(Box::new(job)),
        true => Task::List(Box::new(job)),
        false if ascii || is_text(&job.url) => Task::Text(Box::new(job)),
        false => Task::Get(Box::new(job)),
    };
    let tasks = jobs.into_iter().map(task).collect();
    run::tasks(tasks, at_once, client, &screen)
}
