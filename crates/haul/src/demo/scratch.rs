//! The folder in which the demo happens, and the files in it: every eight bytes follow from a seed and their place, so
//! that a piece in the wrong place, or of another version, shows when the bytes are compared.
//!
//! The folder is removed when it is dropped, unless it is to be kept.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process;

use super::Trouble;

const PIECE: usize = 1 << 20;

/// The scratch folder: `served` is what the server has, `here` is where the client is at work, `home` holds what haul
/// remembers.
pub(super) struct Scratch {
    root: PathBuf,
    keep: bool,
}

impl Scratch {
    /// A new folder below the system's own for temporary files, for nobody else.
    pub(super) fn new(keep: bool) -> Result<Self, Trouble> {
        let above = std::env::temp_dir();
        let failed = |path: &Path, error: io::Error| {
            Trouble(format!("cannot make the scratch folder {}: {error}", path.display()))
        };
        let mut number = 0;
        let root = loop {
            let path = above.join(format!("haul-demo-{}-{number}", process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
                Err(error) => return Err(failed(&path, error)),
            }
        };
        let scratch = Self { root, keep };
        for path in [scratch.served(), scratch.here(), scratch.home()] {
            fs::create_dir(&path).map_err(|error| failed(&path, error))?;
        }
        Ok(scratch)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn served(&self) -> PathBuf {
        self.root.join("served")
    }

    pub(super) fn here(&self) -> PathBuf {
        self.root.join("here")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// A step is over: room for the next one.
    pub(super) fn done_with(&self, path: &Path) {
        if !self.keep {
            // What cannot be removed now is removed with the folder, or reported then.
            let _ = fs::remove_file(path);
        }
    }

    /// Removes it, and says what is left where that fails.
    pub(super) fn remove(mut self) -> Result<(), Trouble> {
        if self.keep {
            return Ok(());
        }
        self.keep = true;
        let root = &self.root;
        fs::remove_dir_all(root)
            .map_err(|error| Trouble(format!("cannot remove {}: {error}", root.display())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Makes a file, new or in the place of another one: whoever has that one open goes on reading it.
pub(super) fn make(path: &Path, seed: u64, size: u64) -> Result<(), Trouble> {
    let new = path.with_extension("new");
    let pour = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < size {
            let now = (size - at).min(PIECE as u64) as usize;
            fill(&mut piece[..now], seed, at);
            file.write_all(&piece[..now])?;
            at += now as u64;
        }
        fs::rename(&new, path)
    };
    pour().map_err(|error| Trouble(format!("cannot make {}: {error}", path.display())))
}

/// `at` is a multiple of eight.
fn fill(out: &mut [u8], seed: u64, at: u64) {
    for (index, word) in out.chunks_mut(8).enumerate() {
        let bytes = mix(seed ^ mix(at / 8 + index as u64)).to_le_bytes();
        word.copy_from_slice(&bytes[..word.len()]);
    }
}

/// The end of SplitMix64: neighbouring numbers become strangers.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The first byte in which two files differ, by their bytes; where one is shorter, its end.
pub(super) fn difference(one: &Path, other: &Path) -> Result<Option<u64>, Trouble> {
    let open = |path: &Path| {
        File::open(path).map_err(|error| Trouble(format!("cannot read {}: {error}", path.display())))
    };
    let (mut first, mut second) = (open(one)?, open(other)?);
    let mut compare = || -> io::Result<Option<u64>> {
        let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
        let mut at = 0;
        loop {
            let (a, b) = (read_full(&mut first, &mut ours)?, read_full(&mut second, &mut theirs)?);
            // Equal pieces, which nearly all are, are known as such much faster than by looking for where they differ.
            if ours[..a] != theirs[..b] {
                let place = ours[..a].iter().zip(&theirs[..b]).position(|(a, b)| a != b);
                return Ok(Some(at + place.unwrap_or(a.min(b)) as u64));
            }
            if a == 0 {
                return Ok(None);
            }
            at += a as u64;
        }
    };
    compare().map_err(|error| Trouble(format!("cannot compare {} with the original: {error}", one.display())))
}

fn read_full(from: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < out.len() {
        match from.read(&mut out[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_differ_everywhere_and_the_first_difference_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let size = (PIECE + 12_345) as u64;
        make(&at("a"), 1, size).unwrap();
        make(&at("b"), 1, size).unwrap();
        make(&at("c"), 2, size).unwrap();
        assert_eq!(difference(&at("a"), &at("b")).unwrap(), None);
        assert!(difference(&at("a"), &at("c")).unwrap().is_some_and(|at| at < 8));
        let mut bytes = fs::read(at("a")).unwrap();
        assert_ne!(bytes[..8], bytes[8..16]);
        assert_ne!(bytes[..PIECE / 2], bytes[PIECE / 2..PIECE], "no two pieces are alike");
        bytes[PIECE + 7] ^= 1;
        fs::write(at("b"), &bytes).unwrap();
        assert_eq!(difference(&at("a"), &at("b")).unwrap(), Some(PIECE as u64 + 7));
        fs::write(at("b"), &bytes[..100]).unwrap();
        assert_eq!(difference(&at("a"), &at("b")).unwrap(), Some(100));
        assert!(difference(&at("a"), &at("none")).is_err_and(|trouble| trouble.0.contains("none")));
    }

    #[test]
    fn the_folder_is_ours_alone_and_gone_in_the_end() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = Scratch::new(false).unwrap();
        let root = scratch.root().to_path_buf();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(scratch.here().join("a"), "1").unwrap();
        scratch.remove().unwrap();
        assert!(!root.exists());
        let dropped = Scratch::new(false).unwrap().root().to_path_buf();
        assert!(!dropped.exists());
        let kept = Scratch::new(true).unwrap();
        let root = kept.root().to_path_buf();
        kept.remove().unwrap();
        assert!(root.exists());
        fs::remove_dir_all(root).unwrap();
    }
}
