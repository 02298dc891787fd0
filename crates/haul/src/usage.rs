//! Input that cannot be used: one line that says what is wrong, and exit code 2.

use std::error::Error as _;
use std::fmt;

use clap::error::{ContextKind, ErrorKind};

/// Why the command line cannot be carried out, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What clap made of a command line that it did not take.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Help or the version was asked for; clap prints it, in colours where standard output is a terminal.
    Help,
    /// It is wrong.
    Wrong(Usage),
}

/// clap's error as an answer; `command` is the subcommand, where there was one.
pub(crate) fn answer(error: &clap::Error, command: Option<&str>) -> Answer {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Answer::Help;
    }
    let what = match (error.kind(), error.source(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::ValueValidation, Some(reason), Some(argument)) => {
            // Not clap's own sentence: that repeats the value, which may be a secret.
            match argument.to_string().split([' ', '=', '[']).next() {
                Some(option) if option.starts_with('-') => format!("{option}: {reason}"),
                _ => reason.to_string(),
            }
        }
        (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ..) => {
            "there is no command; say get, put, status, probe, serve, passwd, demo, man or completions"
                .to_owned()
        }
        _ => in_one_line(&error.render().to_string()),
    };
    let help = command.map_or_else(|| "haul --help".to_owned(), |command| format!("haul {command} --help"));
    Answer::Wrong(Usage(format!("{what} (see {help})")))
}

/// What clap says before it goes on about usage, without `error:` and line ends.
fn in_one_line(rendered: &str) -> String {
    let paragraphs = rendered.split("\n\n").take_while(|paragraph| {
        !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
    });
    let sentences: Vec<String> =
        paragraphs.map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let line = sentences.join("; ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn wrong(line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let error = Cli::try_parse_from(&words).unwrap_err();
        match answer(&error, words.get(1).copied()) {
            Answer::Wrong(usage) => usage.0,
            Answer::Help => panic!("{line}"),
        }
    }

    #[test]
    fn every_mistake_becomes_one_line_that_names_it() {
        for (line, begins) in [
            ("haul get", "the following required arguments were not provided: <URL>..."),
            (
                "haul",
                "there is no command; say get, put, status, probe, serve, passwd, demo, man or completions",
            ),
            ("haul get --limit-rat 5 http://h/a", "unexpected argument '--limit-rat' found; tip: a similar"),
            ("haul get --bogus http://h/a", "unexpected argument '--bogus' found"),
            ("haul get --limit-rate x http://h/a", "--limit-rate: \"x\" is no rate;"),
            ("haul get --limit-rate=x http://h/a", "--limit-rate: \"x\" is no rate;"),
            ("haul get -n 0 http://h/a", "--connections: \"0\" is not a number from 1"),
            ("haul get -H bad http://h/a", "--header: a header is written 'Name: value'"),
            ("haul get --on-change maybe http://h/a", "invalid value 'maybe' for '--on-change <WHAT>'"),
            ("haul get gopher://h/a", "\"gopher://h/a\": gopher is no scheme"),
            ("haul get -q --progress json http://h/a", "the argument '--quiet' cannot be used with"),
            ("haul get -o", "a value is required for '--output <FILE>'"),
            ("haul fetch", "unrecognized subcommand 'fetch'"),
        ] {
            let said = wrong(line);
            assert!(said.starts_with(begins), "{line}: {said}");
            assert!(!said.contains('\n') && said.ends_with("--help)"), "{line}: {said}");
        }
    }

    #[test]
    fn a_secret_is_not_repeated() {
        assert!(!wrong("haul get -H X-Key:hunter2\n http://h/a").contains("hunter2"));
        assert!(!wrong("haul get -u :hunter2 http://h/a").contains("hunter2"));
        assert!(!wrong("haul get http://u:hunter2@h:0x/").contains("hunter2"));
    }

    #[test]
    fn help_and_version_are_answers() {
        for line in [["haul", "--help"], ["haul", "--version"]] {
            let error = Cli::try_parse_from(line).unwrap_err();
            assert!(matches!(answer(&error, None), Answer::Help));
        }
    }
}
