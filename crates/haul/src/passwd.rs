//! `haul passwd`: a password becomes the hash that stands in the server's configuration.
//!
//! At a terminal it is asked for twice, without echo; else the first line of standard input is the password. It is
//! shown nowhere and kept nowhere.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use haul_server::accounts;

use crate::exit;
use crate::screen::{Screen, Style};
use crate::usage::Usage;
use crate::world::{self, World};

/// The most bytes of a password: what a server looks at.
const LONGEST: usize = accounts::LONGEST_PASSWORD;

/// Runs the command; the result is the exit code.
pub(crate) fn run() -> u8 {
    let screen = Screen::new(Style::Plain);
    let terminal = io::stdin().is_terminal();
    let password = match world::real(|world| read(world, terminal)) {
        Ok(password) => password,
        Err(usage) => {
            screen.refused(&usage.0, exit::USAGE);
            return exit::USAGE;
        }
    };
    match accounts::hash(&password) {
        Ok(hash) if writeln!(io::stdout().lock(), "{hash}").is_ok() => exit::DONE,
        Ok(_) => exit::LOCAL,
        Err(why) => {
            screen.refused(&why.to_string(), exit::UNEXPECTED);
            exit::UNEXPECTED
        }
    }
}

fn read(world: &mut World<'_>, terminal: bool) -> Result<Vec<u8>, Usage> {
    let password = if terminal { ask(world)? } else { first_line(world)? };
    match password.len() {
        0 => Err(Usage("the password is empty".to_owned())),
        length if length > LONGEST => Err(Usage(format!("the password has more than {LONGEST} bytes"))),
        _ => Ok(password),
    }
}

fn ask(world: &World<'_>) -> Result<Vec<u8>, Usage> {
    let ask =
        |prompt| (world.ask)(prompt).map_err(|why| Usage(format!("the password cannot be asked for: {why}")));
    let password = ask("haul: password: ")?;
    if ask("haul: the same again: ")? != password {
        return Err(Usage("these were two different passwords".to_owned()));
    }
    Ok(password.into_bytes())
}

fn first_line(world: &mut World<'_>) -> Result<Vec<u8>, Usage> {
    let mut line = Vec::new();
    // One more than there may be, and a line's end of two.
    let most = u64::try_from(LONGEST + 3).unwrap_or(u64::MAX);
    (&mut *world.stdin)
        .take(most)
        .read_until(b'\n', &mut line)
        .map_err(|why| Usage(format!("standard input cannot be read: {why}")))?;
    let password =
        line.strip_suffix(b"\n").map_or(line.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    Ok(password.to_vec())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn typed(answers: &[&str]) -> Result<Vec<u8>, Usage> {
        let answers = RefCell::new(answers.iter());
        let ask =
            |_: &str| answers.borrow_mut().next().map(|text| (*text).to_owned()).ok_or_else(no_terminal);
        read(&mut World { stdin: &mut io::empty(), password: None, ask: &ask }, true)
    }

    fn piped(text: &[u8]) -> Result<Vec<u8>, Usage> {
        read(&mut World { stdin: &mut &*text, password: None, ask: &|_| Err(no_terminal()) }, false)
    }

    fn no_terminal() -> io::Error {
        io::Error::other("no terminal")
    }

    #[test]
    fn at_a_terminal_it_is_typed_twice() {
        assert_eq!(typed(&["secret", "secret"]), Ok(b"secret".to_vec()));
        assert!(typed(&["secret", "Secret"]).is_err());
        assert!(typed(&["", ""]).is_err());
        assert!(typed(&["secret"]).is_err());
    }

    #[test]
    fn from_a_pipe_it_is_the_first_line() {
        for text in [&b"se cret\n"[..], b"se cret\r\n", b"se cret", b"se cret\nmore\n"] {
            assert_eq!(piped(text), Ok(b"se cret".to_vec()));
        }
        assert!(piped(b"").is_err() && piped(b"\n").is_err());
        assert!(piped(&[b'a'; LONGEST]).is_ok());
        assert!(piped(&[b'a'; LONGEST + 1]).is_err());
        assert!(piped(&[[b'a'; LONGEST + 9].as_slice(), b"\n"].concat()).is_err());
    }
}
