//! The netrc file: names and passwords by host, in the format that ftp(1) began and curl refined.
//!
//! ```text
//! machine HOST | default   begins an entry; the first that fits is taken, `default` fits every host
//! login NAME  password WORD  account WORD (for FTP)
//! macdef NAME              a macro: all up to the next empty line is skipped
//! # …                      a comment, to the end of the line
//! ```
//! Tokens are parted by blanks and line ends, or stand in double quotes with the escapes `\"`, `\\`, `\n`, `\r`, `\t`.
//! It knows nothing of URLs: who may have what is found here is settled in [`crate::credentials`].

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::credentials::Credentials;

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// Why there is no netrc.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetrcError {
    /// Neither `NETRC` nor `HOME` is set, and no file was named.
    #[error("no netrc file: neither NETRC nor HOME is set")]
    Nowhere,
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than any list of passwords: 1 MiB.
    #[error("{path} is longer than 1 MiB: this is no netrc file", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Its text is not what a netrc holds. The text itself is not told: it may be a password.
    #[error("{path}, line {line}: {reason}", path = path.as_deref().unwrap_or(Path::new("netrc")).display())]
    Malformed {
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

#[derive(Clone, Default)]
struct Entry {
    /// `None` is `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
    account: Option<String>,
}

/// The entries of one file, in its order.
#[derive(Clone, Default)]
pub struct Netrc {
    entries: Vec<Entry>,
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netrc({} entries)", self.entries.len())
    }
}

impl Netrc {
    /// The file `named`, else `$NETRC`, else `$HOME/.netrc`.
    ///
    /// # Errors
    /// All of [`NetrcError`].
    pub fn load(named: Option<&Path>) -> Result<Self, NetrcError> {
        let path = location(named, |name| std::env::var_os(name)).ok_or(NetrcError::Nowhere)?;
        let text = read(&path)?;
        Self::parse(&text).map_err(|error| match error {
            NetrcError::Malformed { line, reason, .. } => {
                NetrcError::Malformed { path: Some(path), line, reason }
            }
            other => other,
        })
    }

    /// The entries in `text`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Self, NetrcError> {
        let mut tokens = Tokens { rest: text, line: 1 };
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(keyword) = tokens.next()? {
            match keyword.as_str() {
                "machine" => {
                    entries.push(Entry { machine: Some(tokens.value("a host")?), ..Entry::default() });
                }
                "default" => entries.push(Entry::default()),
                "login" => tokens.entry(&mut entries)?.login = Some(tokens.value("a name")?),
                "password" => tokens.entry(&mut entries)?.password = Some(tokens.value("a password")?),
                "account" => tokens.entry(&mut entries)?.account = Some(tokens.value("an account")?),
                "macdef" => tokens.skip_macro(),
                _ => {
                    return Err(
                        tokens.malformed("expected machine, default, login, password, account or macdef")
                    );
                }
            }
        }
        Ok(Self { entries })
    }

    /// The account that the file has for `user` at `host`, in the entry that [`Netrc::lookup`] would find.
    pub(crate) fn account(&self, host: &str, user: &str) -> Option<String> {
        let entry = self.entries.iter().find(|entry| {
            let at_host = entry.machine.as_deref().is_none_or(|machine| machine.eq_ignore_ascii_case(host));
            at_host && entry.login.as_deref().is_none_or(|login| login == user)
        })?;
        entry.account.clone()
    }

    /// What the file has for `host` (an IPv6 address without brackets): the first entry that fits, by `user` too
    /// where one is asked for. An entry without a login fits any user; one without a login for nobody asked is none.
    ///
    /// `with_default`: whether the entry for all other hosts counts; not for hosts that only a redirect named.
    pub fn lookup(&self, host: &str, user: Option<&str>, with_default: bool) -> Option<Credentials> {
        self.entries.iter().find_map(|entry| {
            let named = |machine: &str| machine.eq_ignore_ascii_case(host);
            let at_host = entry.machine.as_deref().map_or(with_default, named);
            let for_user = user.is_none_or(|user| entry.login.as_deref().is_none_or(|login| login == user));
            let user = entry.login.as_deref().or(user)?;
            (at_host && for_user).then(|| Credentials {
                user: user.to_owned(),
                password: entry.password.clone().unwrap_or_default(),
            })
        })
    }
}

fn location(named: Option<&Path>, environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.map(Path::to_owned).or_else(|| set("NETRC")).or_else(|| Some(set("HOME")?.join(".netrc")))
}

fn read(path: &Path) -> Result<String, NetrcError> {
    let unreadable = |source| NetrcError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_SIZE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(NetrcError::TooLong { path: path.to_owned() });
    }
    Ok(text)
}

/// The words of the file, and the line that is being read.
struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl Tokens<'_> {
    /// The next word, past blanks, line ends and comments; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<String>, NetrcError> {
        loop {
            self.skip_blanks();
            match self.rest.chars().next() {
                None => return Ok(None),
                Some('#') => self.skip_line(),
                Some(_) => return self.word().map(Some),
            }
        }
    }

    /// The word that a keyword needs: a `#` there is part of it, since passwords begin with anything.
    fn value(&mut self, what: &'static str) -> Result<String, NetrcError> {
        self.skip_blanks();
        if self.rest.is_empty() {
            return Err(self.malformed(match what {
                "a host" => "the file ends where a host should follow",
                "a name" => "the file ends where a name should follow",
                "a password" => "the file ends where a password should follow",
                _ => "the file ends where a word should follow",
            }));
        }
        self.word()
    }

    fn word(&mut self) -> Result<String, NetrcError> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            self.rest = quoted;
            return self.quoted();
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn quoted(&mut self) -> Result<String, NetrcError> {
        let mut word = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => match chars.next() {
                    Some('n') => word.push('\n'),
                    Some('r') => word.push('\r'),
                    Some('t') => word.push('\t'),
                    Some('\n') | None => return Err(self.malformed("a quoted word has no end")),
                    Some(other) => word.push(other),
                },
                Some('\n') | None => return Err(self.malformed("a quoted word has no end")),
                Some(other) => word.push(other),
            }
        }
        self.rest = chars.as_str();
        Ok(word)
    }

    fn entry<'e>(&self, entries: &'e mut [Entry]) -> Result<&'e mut Entry, NetrcError> {
        entries.last_mut().ok_or_else(|| self.malformed("a login or password before any machine or default"))
    }

    /// A macro ends at an empty line or with the file.
    fn skip_macro(&mut self) {
        self.skip_line();
        while !self.rest.is_empty() && !self.rest.starts_with('\n') && !self.rest.starts_with("\r\n") {
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        match self.rest.split_once('\n') {
            Some((_, rest)) => {
                self.rest = rest;
                self.line += 1;
            }
            None => self.rest = "",
        }
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest.trim_start();
        let skipped = self.rest.len() - rest.len();
        self.line += self.rest[..skipped].matches('\n').count();
        self.rest = rest;
    }

    fn malformed(&self, reason: &'static str) -> NetrcError {
        NetrcError::Malformed { path: None, line: self.line, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, host: &str, user: Option<&str>) -> Option<(String, String)> {
        Netrc::parse(text).unwrap().lookup(host, user, true).map(|found| (found.user, found.password))
    }

    fn pair(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn the_first_entry_that_fits_is_taken_and_default_fits_all() {
        let text = "machine a.example login anna password one\n\
                    machine a.example\n\tlogin otto\n\tpassword two\n\
                    default login anonymous password me@\n";
        assert_eq!(found(text, "A.Example", None), pair("anna", "one"));
        assert_eq!(found(text, "a.example", Some("otto")), pair("otto", "two"));
        assert_eq!(found(text, "b.example", None), pair("anonymous", "me@"));
        assert_eq!(found(text, "b.example", Some("otto")), None);
        assert_eq!(found("", "a", None), None);
    }

    #[test]
    fn an_entry_without_login_serves_the_user_that_was_given() {
        assert_eq!(found("machine a password p", "a", Some("u")), pair("u", "p"));
        assert_eq!(found("machine a password p", "a", None), None);
    }

    #[test]
    fn quoted_words_have_escapes_and_blanks() {
        let text = r#"machine a login "an na" password "x\"\\y\tz #1""#;
        assert_eq!(found(text, "a", None), pair("an na", "x\"\\y\tz #1"));
    }

    #[test]
    fn comments_macros_and_accounts_are_skipped() {
        let text = "# machine a login no password no\n\
                    machine a account acc login u password #hash # a comment\n\
                    macdef init\n  machine z login x\n  \"\n\n\
                    machine b login v password w";
        assert_eq!(found(text, "a", None), pair("u", "#hash"));
        assert_eq!(found(text, "b", None), pair("v", "w"));
        assert_eq!(found(text, "z", None), None);
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_without_its_text() {
        for (text, line) in [
            ("machine a\nlogin u\nsecret", 3),
            ("\n\nlogin u", 3),
            ("machine a login \"u\n", 1),
            ("# x\nmachine a password", 2),
            ("macdef m\nx\n\nsecret", 4),
        ] {
            let error = Netrc::parse(text).unwrap_err();
            assert!(
                matches!(error, NetrcError::Malformed { line: at, .. } if at == line),
                "{text:?}: {error}"
            );
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn the_file_is_the_named_one_else_netrc_else_home() {
        let environment = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            }
        };
        let both = environment(&[("NETRC", "/n"), ("HOME", "/h")]);
        assert_eq!(location(Some(Path::new("/x")), both), Some("/x".into()));
        assert_eq!(location(None, both), Some("/n".into()));
        assert_eq!(location(None, environment(&[("NETRC", ""), ("HOME", "/h")])), Some("/h/.netrc".into()));
        assert_eq!(location(None, environment(&[])), None);
    }

    #[test]
    fn a_file_is_read_with_its_name_in_the_error_and_not_beyond_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netrc");
        std::fs::write(&path, "machine a login u password p").unwrap();
        assert!(Netrc::load(Some(&path)).unwrap().lookup("a", None, true).is_some());
        std::fs::write(&path, "nonsense").unwrap();
        let told = Netrc::load(Some(&path)).unwrap_err().to_string();
        assert!(told.starts_with(&format!("{}, line 1: expected", path.display())), "{told}");
        std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(matches!(Netrc::load(Some(&path)), Err(NetrcError::TooLong { .. })));
        assert!(matches!(Netrc::load(Some(&folder.path().join("none"))), Err(NetrcError::Unreadable { .. })));
    }
}
