//! The local folders of a tree: made as they are needed, and never left through a symbolic link.
//!
//! Whoever could put links into the folder while haul is at work has the user's rights already; what is guarded
//! against is a link that was there before, of an earlier tree or of somebody's making.

use std::{fs, io, path::Path};

use crate::{
    escape::escape,
    failure::{Failure, Kind},
};

/// Makes sure that `path`, which is below `base`, is a folder, and that every part of it below `base` is a folder of
/// its own and no link to elsewhere.
pub(super) fn stand(base: &Path, path: &Path) -> Result<(), Failure> {
    let mut at = base.to_path_buf();
    for part in path.strip_prefix(base).unwrap_or(path).components() {
        at.push(part);
        let seen = match at.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&at).map_err(|error| failed(&at, &format!("cannot be made: {error}")))?;
                continue;
            }
            seen => seen.map_err(|error| failed(&at, &format!("cannot be looked at: {error}")))?,
        };
        if seen.is_symlink() {
            return Err(failed(&at, "is a symbolic link, through which nothing is written")
                .advise("remove the link, or use -d to choose another folder"));
        }
        if !seen.is_dir() {
            return Err(failed(&at, "is there already and is no folder")
                .advise("remove it, or use -d to choose another folder"));
        }
    }
    Ok(())
}

fn failed(path: &Path, what: &str) -> Failure {
    let mut failure = Failure::new(Kind::Local, format!("{} {what}", escape(&path.to_string_lossy())));
    failure.target = Some(path.to_path_buf());
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_found_again() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a/b c");
        stand(home.path(), &deep).unwrap();
        stand(home.path(), &deep).unwrap();
        assert!(deep.is_dir());
        fs::write(home.path().join("a/f"), "").unwrap();
        assert!(stand(home.path(), &home.path().join("a/f/x")).unwrap_err().message.contains("is no folder"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_never_followed() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), home.path().join("a")).unwrap();
        let failure = stand(home.path(), &home.path().join("a/b")).unwrap_err();
        assert!(failure.message.contains("symbolic link"), "{failure}");
        assert!(fs::read_dir(elsewhere.path()).unwrap().next().is_none());
        // What the user calls the folder to save into may be a link.
        stand(&home.path().join("a"), &home.path().join("a/b")).unwrap();
    }
}
