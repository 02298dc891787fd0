//! Manual pages and completions, as the programs that read them have them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod scene;

use std::{
    path::Path,
    process::{Command, Output},
};

use haul_testkit::real::peer;

const BIN: &str = env!("CARGO_BIN_EXE_haul");
const PAGES: [&str; 12] = [
    "haul",
    "haul-get",
    "haul-put",
    "haul-status",
    "haul-probe",
    "haul-serve",
    "haul-serve-status",
    "haul-serve-uploads",
    "haul-passwd",
    "haul-demo",
    "haul-man",
    "haul-completions",
];

fn pages() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    scene::haul().args(["man", "--dir"]).arg(dir.path()).run().expect_code(0);
    dir
}

fn text(of: &Output) -> String {
    String::from_utf8_lossy(&of.stdout).into_owned()
}

#[test]
fn there_is_a_page_for_each_command_and_no_other() {
    let dir = pages();
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut wanted: Vec<_> = PAGES.iter().map(|name| format!("{name}.1")).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
    // One alone is the same.
    let alone = scene::haul().args(["man", "serve", "status"]).run().expect_code(0);
    assert_eq!(alone.stdout, std::fs::read(dir.path().join("haul-serve-status.1")).unwrap());
    scene::haul().args(["man", "fetch"]).run().expect_code(2);
    scene::haul().args(["man", "--dir", "/nowhere/at/all"]).run().expect_code(7);
}

#[test]
fn mandoc_finds_nothing_wrong_with_any_page() {
    let Some(mandoc) = peer("mandoc") else { return };
    let dir = pages();
    for page in PAGES {
        let mut command = Command::new(&mandoc);
        let seen =
            command.args(["-T", "lint", "-W", "warning"]).arg(dir.path().join(format!("{page}.1"))).output();
        let seen = seen.unwrap();
        let said = text(&seen) + &String::from_utf8_lossy(&seen.stderr);
        // The date of a page that is made by a program is none.
        let wrong: Vec<_> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn man_shows_a_page_with_every_option_of_the_help() {
    let Some(man) = peer("man") else { return };
    let dir = pages();
    for (page, command) in [("haul-get", &["get"][..]), ("haul-serve", &["serve"]), ("haul-put", &["put"])] {
        let mut shown = Command::new(&man);
        shown.args(["--warnings", "-l"]).arg(dir.path().join(format!("{page}.1")));
        let shown =
            shown.env("MANPAGER", "cat").env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8").output().unwrap();
        let read = text(&shown).replace('\u{2010}', "-");
        assert!(shown.status.success() && shown.stderr.is_empty(), "{shown:?}");
        let help = scene::haul().args(command).arg("--help").run().expect_code(0);
        let help = String::from_utf8(help.stdout).unwrap();
        let options: Vec<_> = help
            .split_whitespace()
            .filter(|word| word.starts_with("--") && word.len() > 2)
            .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_lowercase()))
            .collect();
        assert!(options.len() > 10, "{options:?}");
        for option in options {
            assert!(read.contains(option), "{page}: {option}");
        }
    }
}

#[test]
fn a_page_says_of_what_there_may_be_several_and_where_the_file_of_each_shell_belongs() {
    let page = |command: &[&str]| {
        let made = scene::haul().arg("man").args(command).run().expect_code(0);
        String::from_utf8(made.stdout).unwrap()
    };
    for (command, several) in [(&["get"][..], "[\\fIURL\\fR]..."), (&["man"], "[\\fICOMMAND\\fR]...")] {
        assert_eq!(page(command).matches(several).count(), 2, "{command:?}: above, and where it is told");
    }
    assert!(page(&["put"]).contains("<\\fIFILE... URL\\fR> \n"), "{}", page(&["put"]));
    // As in the manual for operators.
    let help = scene::haul().args(["completions", "--help"]).run().expect_code(0);
    let help = String::from_utf8(help.stdout).unwrap();
    let manual = include_str!("../../../docs/operating.md");
    let wanted: Vec<_> = manual.lines().filter(|line| line.starts_with("haul completions ")).collect();
    assert_eq!(wanted.len(), 3, "{wanted:?}");
    for (shell, line) in ["bash", "zsh", "fish"].into_iter().zip(wanted) {
        let (command, file) = line.rsplit_once(' ').unwrap();
        let command = command.replace(shell, "SHELL");
        for text in [&help, &page(&["completions"]).replace("\\-", "-")] {
            assert!(text.contains(&format!("{command} FILE\n")), "{command}: {text}");
            assert!(text.contains(&format!("{file} for {shell}")), "{file}: {text}");
        }
    }
}

/// What the shell says of a script that gets the completions' path.
#[track_caller]
fn shell(name: &str, script: &str) -> Option<Vec<String>> {
    let program = peer(name)?;
    let dir = tempfile::tempdir().unwrap();
    let made = scene::haul().args(["completions", name]).run().expect_code(0);
    let file = dir.path().join(if name == "zsh" { "_haul" } else { "haul" });
    std::fs::write(&file, made.stdout).unwrap();
    let folder = Path::new(BIN).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(folder.to_path_buf())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut command = Command::new(program);
    if name == "zsh" {
        command.arg("-f");
    }
    command.args(["-c", script]).env("FILE", &file).env("DIR", dir.path()).env("HOME", dir.path());
    let said = command.env("PATH", path.unwrap()).current_dir(dir.path()).output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    Some(text(&said).split_whitespace().map(str::to_owned).collect())
}

#[test]
fn bash_completes_commands_options_and_values() {
    let complete = |line: &str| {
        let script = format!(
            "source \"$FILE\"; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _haul haul \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        shell("bash", &script)
    };
    let Some(commands) = complete("haul ''") else { return };
    assert!(
        ["get", "put", "serve", "completions"]
            .iter()
            .all(|wanted| commands.iter().any(|word| word == wanted))
    );
    assert_eq!(complete("haul serve up").unwrap(), ["uploads"]);
    assert_eq!(complete("haul get --limit").unwrap(), ["--limit-rate"]);
    assert_eq!(complete("haul get --on-change r").unwrap(), ["restart"]);
}

#[test]
fn zsh_takes_the_completions_for_its_own() {
    let script = "fpath=($DIR $fpath); autoload -Uz compinit; compinit -u -d $DIR/dump; \
                  print ${_comps[haul]}; autoload +X _haul && functions _haul | grep -o 'limit-rate' | head -1";
    let Some(said) = shell("zsh", script) else { return };
    assert_eq!(said, ["_haul", "limit-rate"]);
}

#[test]
fn fish_completes_commands_and_options() {
    let complete = |line: &str| shell("fish", &format!("source $FILE; complete -C '{line}' | cut -f 1"));
    let Some(commands) = complete("haul ") else { return };
    assert!(["get", "put", "serve", "man"].iter().all(|wanted| commands.iter().any(|word| word == wanted)));
    assert_eq!(complete("haul serve upl").unwrap(), ["uploads"]);
    assert!(complete("haul get --limit").unwrap().contains(&"--limit-rate".to_owned()));
}
