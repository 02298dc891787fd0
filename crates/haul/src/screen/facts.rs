//! What every screen knows of one job: its name, where it comes from, how large it is, what was kept.

use std::path::{Path, PathBuf};

use haul_proto::http::name::name_from_url_path;
use haul_transfer::put::{From, PutJob};
use haul_transfer::{Job, Notice, Target};

use super::text::safe;

/// The facts of one job as they come in.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// What the job is called in messages; harmless for a terminal.
    pub(crate) name: String,
    /// The URL that it comes from or goes to, without userinfo, query and fragment, any of which may hold a secret.
    pub(crate) url: String,
    /// Where the file will be, once that is known; `-` is standard output.
    pub(crate) file: Option<PathBuf>,
    /// The file's size, where known.
    pub(crate) size: Option<u64>,
    /// Bytes of an earlier run that are used.
    pub(crate) kept: u64,
    /// Whether it is sent, not fetched.
    pub(crate) sends: bool,
}

impl Facts {
    /// What is known before anything was asked.
    pub(crate) fn of(job: &Job) -> Self {
        let file = match &job.target {
            Target::File(path) => Some(path.clone()),
            Target::Folder(_) => None,
            Target::Stdout => Some(PathBuf::from("-")),
        };
        let name = match &job.target {
            Target::File(path) => last(path),
            Target::Folder(_) | Target::Stdout => match name_from_url_path(job.url.path()) {
                Some(name) => safe(&name).into_owned(),
                None => safe(job.url.host_str().unwrap_or("?")).into_owned(),
            },
        };
        Self { name, url: haul_transfer::place(&job.url), file, size: None, kept: 0, sends: false }
    }

    /// The same of an upload.
    pub(crate) fn of_put(job: &PutJob) -> Self {
        let (name, file) = match &job.from {
            From::File(path) => (last(path), path.clone()),
            From::Stdin => ("standard input".to_owned(), PathBuf::from("-")),
        };
        let url = haul_transfer::place(&job.url);
        Self { name, url, file: Some(file), size: None, kept: 0, sends: true }
    }

    /// Takes from a notice what stays true.
    pub(crate) fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Start { size, target } => {
                self.size = *size;
                self.is_at(target.as_deref());
            }
            Notice::Resumed { kept } => self.kept = *kept,
            Notice::Changed { .. } => {
                self.kept = 0;
                self.size = None;
            }
            Notice::Progress(progress) => self.size = progress.size.or(self.size),
            Notice::Remark(_) | Notice::Retry { .. } => {}
        }
    }

    /// The file has this path now.
    pub(crate) fn is_at(&mut self, target: Option<&Path>) {
        if let Some(target) = target {
            self.name = last(target);
            // `./a` is what a user calls `a`.
            self.file = Some(target.strip_prefix(".").unwrap_or(target).to_path_buf());
        }
    }
}

fn last(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    safe(&name.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn facts(url: &str, target: Target) -> Facts {
        Facts::of(&Job::new(Url::parse(url).unwrap(), target))
    }

    #[test]
    fn the_name_comes_from_the_target_else_the_url_else_the_host() {
        let here = || Target::Folder(".".into());
        assert_eq!(facts("http://h/a/my%20file.iso?x=1", here()).name, "my file.iso");
        assert_eq!(facts("http://h/", here()).name, "h");
        assert_eq!(facts("http://h/a", Target::File("/tmp/b.iso".into())).name, "b.iso");
        let mut facts = facts("http://h/a", here());
        facts.note(&Notice::Start { size: Some(5), target: Some("d/real\x1b.iso".into()) });
        assert_eq!(facts.name, "real\\u{1b}.iso");
        assert_eq!(facts.size, Some(5));
        facts.is_at(Some(Path::new("./a")));
        assert_eq!(facts.file.as_deref(), Some(Path::new("a")));
    }

    #[test]
    fn a_shown_url_holds_no_secret() {
        let facts = facts("https://user:pw@h:8443/p/f?sig=secret#frag", Target::Stdout);
        assert_eq!(facts.url, "https://h:8443/p/f?…");
        assert_eq!(facts.file.as_deref(), Some(Path::new("-")));
    }

    #[test]
    fn a_change_drops_what_was_kept() {
        let mut facts = facts("http://h/a", Target::Stdout);
        facts.note(&Notice::Resumed { kept: 7 });
        assert_eq!(facts.kept, 7);
        facts.note(&Notice::Changed { what: "etag".into(), dropped: 7 });
        assert_eq!((facts.kept, facts.size), (0, None));
    }
}
