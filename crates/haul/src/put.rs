//! `haul put`: arguments become a plan, and the plan is run.

use std::io::{self, IsTerminal as _};

use crate::args::put::PutArgs;
use crate::plan::{
    self,
    put::{PutPlan, Unplanned},
};
use crate::run::{self, Task};
use crate::screen::{Screen, text};
use crate::{exit, log, world};

/// Runs the command; the result is the exit code.
pub(crate) fn run(args: PutArgs) -> u8 {
    let screen = Screen::new(plan::style(args.quiet, args.progress, io::stderr().is_terminal()));
    let verbose = args.verbose;
    let plan = match world::real(|world| plan::put::put(args, world)) {
        Ok(plan) => plan,
        Err(Unplanned::Usage(usage)) => {
            screen.refused(&format!("{usage} (see haul put --help)"), exit::USAGE);
            return exit::USAGE;
        }
        Err(Unplanned::Local(message)) => {
            screen.refused(&message, exit::LOCAL);
            return exit::LOCAL;
        }
    };
    log::start(verbose, screen.say());
    let PutPlan { jobs, left_out, at_once, client } = plan;
    for path in left_out {
        let path = path.to_string_lossy();
        screen.remark(&format!("{} is left out: no regular file, or a symbolic link", text::safe(&path)));
    }
    let tasks = jobs.into_iter().map(|job| Task::Put(Box::new(job))).collect();
    run::tasks(tasks, at_once, client, &screen)
}
