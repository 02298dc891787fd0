//! A file of lines that only grows. It knows nothing of what they say.
//!
//! Each line is one write to a file that is opened for appending: it is there whole, or not at all. One that was cut off,
//! by a full disk or with the machine's power, in this run or before it, is ended before the next one.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::ServerError;

/// Where lines are added.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    mode: u32,
    file: File,
    /// The last line has no end.
    torn: bool,
}

impl Lines {
    /// Opens the file, or makes it, with these permissions.
    pub(super) fn open(path: &Path, mode: u32) -> Result<Self, ServerError> {
        let opened = File::options().append(true).create(true).mode(mode).open(path);
        let file =
            opened.map_err(|why| ServerError::Other(format!("cannot open {}: {why}", path.display())))?;
        Ok(Self { path: path.to_owned(), mode, file, torn: is_torn(path) })
    }

    /// Opens it again: it was moved away. After an error it is the one that it was.
    pub(super) fn reopen(&mut self) -> Result<(), ServerError> {
        *self = Self::open(&self.path, self.mode)?;
        Ok(())
    }

    /// Adds a line, which has its end.
    pub(super) fn add(&mut self, line: &str) -> Result<(), ServerError> {
        let added = self.write(line.as_bytes());
        added.map_err(|why| ServerError::Other(format!("cannot write {}: {why}", self.path.display())))
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.torn = false;
        }
        let written = self.file.write(line)?;
        if written == line.len() {
            return Ok(());
        }
        self.torn = true;
        self.file.write_all(line.get(written..).unwrap_or_default())?;
        self.torn = false;
        Ok(())
    }
}

/// Whether the last line of a file has no end. Where that cannot be seen, it is taken to have one.
fn is_torn(path: &Path) -> bool {
    let file = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let Some(last) = file.and_then(|file| file.len().checked_sub(1)) else { return false };
    let mut end = [b'\n'];
    let seen = File::open(path).and_then(|file| file.read_exact_at(&mut end, last));
    seen.is_ok() && end != *b"\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_another_run_has_cut_off_is_ended_before_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for (before, after) in [("", "new\n"), ("old\n", "old\nnew\n"), ("ol", "ol\nnew\n")] {
            fs::write(&path, before).unwrap();
            Lines::open(&path, 0o600).unwrap().add("new\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
            // And where it is only opened anew.
            fs::write(&path, "").unwrap();
            let mut lines = Lines::open(&path, 0o600).unwrap();
            fs::write(&path, before).unwrap();
            lines.reopen().unwrap();
            lines.add("new\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }
}
