//! haul: the binary. Arguments become a plan, the plan becomes transfers, and how they went becomes an exit code.
//!
//! Nothing here moves a byte; a program that wants what haul does uses haul-transfer.

mod args;
mod demo;
mod exit;
mod get;
mod human;
mod listing;
mod log;
mod manual;
mod passwd;
mod plan;
mod probe;
mod put;
mod run;
mod screen;
mod serve;
mod signals;
mod status;
mod sys;
mod usage;
mod value;
mod world;

use std::env;
use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use screen::{Screen, Style};
use usage::Answer;

fn main() -> ExitCode {
    let code = match Cli::try_parse() {
        Ok(Cli { command: Command::Get(args) }) => get::run(*args),
        Ok(Cli { command: Command::Put(args) }) => put::run(*args),
        Ok(Cli { command: Command::Status(args) }) => status::run(&args),
        Ok(Cli { command: Command::Probe(args) }) => probe::run(*args),
        Ok(Cli { command: Command::Serve(args) }) => serve::run(*args),
        Ok(Cli { command: Command::Passwd(args::PasswdArgs {}) }) => passwd::run(),
        Ok(Cli { command: Command::Demo(args) }) => demo::run(&args),
        Ok(Cli { command: Command::Man(args) }) => manual::man(&args),
        Ok(Cli { command: Command::Completions(args) }) => manual::completions(&args),
        Err(error) => not_run(&error),
    };
    ExitCode::from(code)
}

/// Help, the version, or what is wrong with the command line.
fn not_run(error: &clap::Error) -> u8 {
    let words: Vec<_> = env::args_os().skip(1).collect();
    let command = words.first().and_then(|word| word.to_str());
    let known = Cli::command();
    let command = command.filter(|word| known.find_subcommand(word).is_some());
    match usage::answer(error, command) {
        Answer::Help => {
            // Whoever reads it may stop reading.
            let _ = error.print();
            exit::DONE
        }
        Answer::Wrong(usage) => {
            // Even where the command line cannot be read: a program that asked for JSON gets only JSON.
            let json = words.windows(2).any(|pair| pair == [OsStr::new("--progress"), OsStr::new("json")])
                || words.iter().any(|word| word == "--progress=json");
            let style = if json { Style::Json } else { Style::Plain };
            Screen::new(style).refused(&usage.0, exit::USAGE);
            exit::USAGE
        }
    }
}
