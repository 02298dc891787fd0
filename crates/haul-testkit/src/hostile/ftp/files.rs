//! Commands that need no data connection: sizes, dates, digests, names, folders.

use super::behaviour::Sizes;
use super::date;
use super::digest::Algorithm;
use super::listing::{facts, told_date, told_size};
use super::session::Session;
use super::tree::{File, parent, resolve};

const READ_ONLY: &str = "550 nothing can be changed here";

impl Session {
    pub(super) fn path(&self, name: &str) -> String {
        resolve(&self.folder, name)
    }

    fn file(&self, name: &str) -> Option<File> {
        self.shared.lock().tree.file(&self.path(name)).cloned()
    }

    pub(super) fn file_command(&mut self, command: &str, argument: &str) -> String {
        match command {
            "PWD" => format!("257 \"{}\" is where you are", self.folder.replace('"', "\"\"")),
            "CWD" | "XCWD" => self.change_folder(argument),
            "CDUP" => self.change_folder(".."),
            "SIZE" => self.size(argument),
            "MDTM" => self.date(argument),
            "MLST" => self.facts_of(argument),
            "MFMT" => self.set_date(argument),
            "MKD" | "RMD" | "DELE" | "RNFR" | "RNTO" => self.change_tree(command, argument),
            "HASH" | "MD5" | "XCRC" | "XMD5" | "XSHA1" | "XSHA256"
                if self.behaviour.digests.iter().any(|name| name == command) =>
            {
                self.digest(command, argument)
            }
            _ => format!("500 {command} is not understood"),
        }
    }

    fn change_folder(&mut self, name: &str) -> String {
        let path = self.path(name);
        if !self.shared.lock().tree.is_folder(&path) {
            return format!("550 {name}: no such folder");
        }
        self.folder = path;
        "250 there".into()
    }

    fn size(&self, name: &str) -> String {
        let Some(file) = self.file(name) else { return format!("550 {name}: no such file") };
        let size = told_size(&file, &self.behaviour);
        // As if some of its bytes were line ends that would be sent as two.
        let size = if self.image { size } else { size + size / 64 + 1 };
        let in_blocks = self.in_blocks && self.behaviour.sizes == Sizes::OfMode;
        let size = if in_blocks { size + 3 * (size / 50_000 + 2) } else { size };
        format!("213 {size}")
    }

    fn date(&self, name: &str) -> String {
        let Some(file) = self.file(name) else { return format!("550 {name}: no such file") };
        let asked = {
            let mut state = self.shared.lock();
            state.dates_asked += 1;
            state.dates_asked
        };
        format!("213 {}", date::stamp(told_date(&file, &self.behaviour, asked)))
    }

    fn facts_of(&self, name: &str) -> String {
        let path = self.path(name);
        let state = self.shared.lock();
        if !state.tree.is_there(&path) {
            return format!("550 {name}: no such file");
        }
        format!("250-here:\r\n {}\r\n250 end", facts(&path, state.tree.file(&path), &self.behaviour))
    }

    fn set_date(&self, argument: &str) -> String {
        let Some((stamp, name)) = argument.split_once(' ') else { return "501 a date and a name".into() };
        let Some(modified) = date::parse(stamp) else { return "501 not a date".into() };
        if self.behaviour.read_only {
            return READ_ONLY.into();
        }
        let path = self.path(name);
        match self.shared.lock().tree.file_mut(&path) {
            Some(file) => {
                file.modified = modified;
                format!("213 Modify={stamp}; {name}")
            }
            None => format!("550 {name}: no such file"),
        }
    }

    fn change_tree(&mut self, command: &str, name: &str) -> String {
        if self.behaviour.read_only {
            return READ_ONLY.into();
        }
        let path = self.path(name);
        let shared = std::sync::Arc::clone(&self.shared);
        let tree = &mut shared.lock().tree;
        let there = tree.is_there(&path);
        match command {
            "MKD" if there => format!("550 {name} is there"),
            "MKD" if !tree.is_folder(parent(&path)) => format!("550 {name}: no folder to make it in"),
            "MKD" => {
                tree.make_folder(&path);
                format!("257 \"{}\" made", path.replace('"', "\"\""))
            }
            "RNTO" => {
                let Some(from) = self.rename_from.take() else { return "503 what?".into() };
                tree.rename(&from, &path);
                "250 renamed".into()
            }
            _ if !there => format!("550 {name} is not there"),
            "RMD" if !tree.is_folder(&path) || !tree.children(&path).is_empty() => {
                format!("550 {name} is not an empty folder")
            }
            "DELE" if tree.is_folder(&path) => format!("550 {name} is a folder"),
            "RNFR" => {
                self.rename_from = Some(path);
                "350 to what?".into()
            }
            _ => {
                tree.remove(&path);
                "250 gone".into()
            }
        }
    }

    fn digest(&self, command: &str, argument: &str) -> String {
        let (name, range) = self.digest_range(command, argument);
        let Some(file) = self.file(name) else { return format!("550 {name}: no such file") };
        let (start, end) = range.unwrap_or((0, file.size()));
        let end = end.min(file.size());
        if start > end {
            return "501 not a range of it".into();
        }
        let algorithm = match command {
            "XCRC" => Algorithm::Crc32,
            "MD5" | "XMD5" => Algorithm::Md5,
            "XSHA1" => Algorithm::Sha1,
            "XSHA256" => Algorithm::Sha256,
            _ => self.algorithm,
        };
        let mut digest = algorithm.of(&file, start..end);
        if self.behaviour.digests_lie {
            digest = digest.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
        }
        match command {
            "HASH" => format!("213 {} {start}-{end} {digest} {name}", algorithm.name()),
            "MD5" => format!("251 {name} {}", digest.to_uppercase()),
            _ => format!("250 {}", digest.to_uppercase()),
        }
    }

    /// `XCRC name 100 200`; the quotes that some clients put around the name are taken off.
    fn digest_range<'a>(&self, command: &str, argument: &'a str) -> (&'a str, Option<(u64, u64)>) {
        let plain = argument.trim_matches('"');
        let mut words = argument.rsplitn(3, ' ');
        let (last, first, name) = (words.next(), words.next(), words.next());
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
        match (name, number(first), number(last)) {
            (Some(name), Some(start), Some(end))
                if command.starts_with('X') && self.file(plain).is_none() =>
            {
                (name.trim_matches('"'), Some((start, end)))
            }
            _ => (plain, None),
        }
    }
}
