//! `haul man` and `haul completions`: what clap knows of the command line, for man and for shells. Nothing of it is
//! written by hand, so that it cannot say something else than `--help`.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use clap::{Command, CommandFactory as _, builder::ValueRange};
use clap_mangen::Man;

use crate::{
    args::{
        Cli,
        manual::{CompletionsArgs, ManArgs, Shell},
    },
    exit,
    screen::{Screen, Style},
};

/// Runs `haul man`; the result is the exit code.
pub(crate) fn man(args: &ManArgs) -> u8 {
    let screen = Screen::new(Style::Plain);
    let root = whole();
    if let Some(dir) = &args.dir {
        return match write_all(&root, dir) {
            Ok(()) => exit::DONE,
            Err(error) => {
                screen.refused(&format!("{}: {error}", dir.display()), exit::LOCAL);
                exit::LOCAL
            }
        };
    }
    let found = args.command.iter().try_fold(&root, |command, name| command.find_subcommand(name));
    let Some(command) = found else {
        let what = format!("there is no command {}; see haul --help", args.command.join(" "));
        screen.refused(&what, exit::USAGE);
        return exit::USAGE;
    };
    print(&page(command))
}

/// Runs `haul completions`; the result is the exit code.
pub(crate) fn completions(args: &CompletionsArgs) -> u8 {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "haul", &mut text);
    print(&text)
}

/// The command line with everything that clap adds, each command called by its whole name.
fn whole() -> Command {
    let mut root = Cli::command();
    root.build();
    root
}

fn print(text: &[u8]) -> u8 {
    // Whoever reads it may stop reading.
    let _ = io::stdout().lock().write_all(text);
    exit::DONE
}

fn write_all(command: &Command, dir: &Path) -> io::Result<()> {
    fs::write(dir.join(format!("{}.1", name(command))), page(command))?;
    command.get_subcommands().try_for_each(|below| write_all(below, dir))
}

/// `haul-serve-status`.
fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or("haul").replace(' ', "-")
}

fn page(command: &Command) -> Vec<u8> {
    let (name, version) = (name(command), env!("CARGO_PKG_VERSION"));
    // Pages are found by this name, and speak of the command as it is typed.
    let titled = command.clone().display_name(name.clone());
    let man = Man::new(titled).title(name.to_uppercase()).manual("haul").source(format!("haul {version}"));
    let mut page = Vec::new();
    // Memory takes it all.
    let _ = man.render(&mut page);
    // A page that is made has no date: clap_mangen leaves its place out, where man looks for the source then. And an
    // empty line is written as such, not between two ends of lines.
    let page = String::from_utf8_lossy(&page);
    let page = page.replacen(" 1  \"", " 1 \"\" \"", 1).replace("\n.br\n\n.br\n", "\n.sp\n");
    // Nor does it say of what there may be several.
    let several = command.get_positionals().filter(|arg| arg.get_num_args().is_some_and(takes_several));
    let names = several.filter_map(|arg| arg.get_value_names()?.first());
    names
        .fold(page, |page, name| page.replace(&format!("[\\fI{name}\\fR]"), &format!("[\\fI{name}\\fR]...")))
        .into_bytes()
}

fn takes_several(values: ValueRange) -> bool {
    values.max_values() > 1
}
