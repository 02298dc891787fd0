//! The command lines of `haul man` and `haul completions`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print the manual page of a command, made from its help.
///
/// To read one: haul man get | man -l -
///
/// Exit codes: 0 done, 2 there is no such command, 7 DIR cannot be written to.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The command, as get or serve status [default: haul itself]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Vec<String>,

    /// Write the pages of all commands into DIR instead, as haul.1 and haul-get.1
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Print what has a shell complete haul's command lines.
///
/// As root: haul completions SHELL | install -D -m 644 /dev/stdin FILE
///
/// FILE is /etc/bash_completion.d/haul for bash, /usr/local/share/zsh/site-functions/_haul for zsh,
/// /etc/fish/completions/haul.fish for fish.
///
/// Exit codes: 0 done, 2 usage.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Shells that haul is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU bash, with bash-completion or without
    Bash,
    /// The Z shell
    Zsh,
    /// fish
    Fish,
}
