//! `haul status`: what lies at some paths, and whether `haul get` would go on with it.
//!
//! It only looks: nothing is locked, changed or repaired, and no server is asked.

mod machine;
mod people;
mod resume;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use haul_store::{Inspection, StoreError};

use crate::args::StatusArgs;
use crate::exit;
use crate::screen::{Screen, Style};

/// What lies at a path.
enum Found {
    /// A download under way.
    Unfinished(Box<Inspection>),
    /// A file without a journal.
    Finished { path: PathBuf, size: u64 },
    /// A folder in which nothing is under way.
    Idle { dir: PathBuf },
}

/// Runs the command; the exit code is 7 where nothing could be said of a path.
pub(crate) fn run(args: &StatusArgs) -> u8 {
    let screen = Screen::new(Style::Plain);
    let mut code = exit::DONE;
    let mut begun = false;
    for found in args.paths.iter().flat_map(|path| look(path)) {
        let text = match found {
            Ok(found) if args.json => machine::text(&found),
            Ok(found) => {
                let text = people::text(&found);
                if begun { format!("\n{text}") } else { text }
            }
            Err(message) => {
                screen.refused(&message, exit::LOCAL);
                code = exit::LOCAL;
                continue;
            }
        };
        begun = true;
        if io::stdout().lock().write_all(text.as_bytes()).is_err() {
            // Nobody is listening any more.
            break;
        }
    }
    code
}

/// All that there is to say of one path; an error is a sentence.
fn look(path: &Path) -> Vec<Result<Found, String>> {
    if !path.is_dir() {
        return vec![look_at_file(path)];
    }
    match haul_store::journals_in(path) {
        Ok(journals) if journals.is_empty() => vec![Ok(Found::Idle { dir: path.to_path_buf() })],
        Ok(journals) => journals.iter().map(|journal| look_at_file(journal)).collect(),
        Err(error) => vec![Err(format!("{}: cannot read this folder: {error}", path.display()))],
    }
}

fn look_at_file(path: &Path) -> Result<Found, String> {
    let shown = path.display();
    match haul_store::inspect(path) {
        Ok(inspection) => Ok(Found::Unfinished(Box::new(inspection))),
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            match path.metadata() {
                Ok(seen) if seen.is_file() => {
                    Ok(Found::Finished { path: path.to_path_buf(), size: seen.len() })
                }
                Ok(_) => Err(format!("{shown}: neither a file nor a folder")),
                Err(_) => {
                    Err(format!("{shown}: nothing is there, and no download of that name is under way"))
                }
            }
        }
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(format!("{shown}: {error}{cause}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_unfinished_finished_idle_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(matches!(&look(folder.path())[..], [Ok(Found::Idle { .. })]));
        assert!(look_at_file(&at("a")).is_err_and(|told| told.contains("nothing is there")));
        std::fs::write(at("a"), "12345").unwrap();
        assert!(matches!(look_at_file(&at("a")), Ok(Found::Finished { size: 5, .. })));
        std::fs::write(at("b.part"), "123").unwrap();
        for name in ["b", "b.part"] {
            let Ok(Found::Unfinished(seen)) = look_at_file(&at(name)) else { panic!("{name}") };
            assert_eq!((seen.target, seen.part_len), (at("b"), Some(3)));
        }
    }
}
