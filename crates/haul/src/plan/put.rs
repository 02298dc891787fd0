//! The resolved plan of a `haul put`: which local file goes to which URL.
//!
//! A URL with a slash at its end is a folder, and what is sent keeps its name in it; else it is the file's own URL, or
//! with `-r` that of the folder itself.

use std::collections::HashSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use haul_store::UploadRecords;
use haul_transfer::put::{From, IfExists, MakeFolders, Protocol, PutJob, Tree, Verify, url_in_folder};
use haul_transfer::{ClientOptions, is_text};
use url::Url;

use super::{PER_HOST, ftp, needs_password, reach};
use crate::args::put::{IfExistsChoice, ProtocolChoice, PutArgs, VerifyChoice};
use crate::args::{ProgressChoice, TlsChoice};
use crate::screen::text::safe;
use crate::usage::Usage;
use crate::value;
use crate::world::World;

/// Bytes that wait on this side in each of several connections that share a file: what waits on a slow one cannot be given
/// to a fast one any more.
const UNSENT: u32 = 128 << 10;

/// What each of several connections keeps of a file in memory on its way, at most about twice.
const BUFFER: usize = 256 << 10;

/// What `haul put` will do.
#[derive(Debug)]
pub(crate) struct PutPlan {
    /// One for each file.
    pub(crate) jobs: Vec<PutJob>,
    /// What is in the folders and will not be sent.
    pub(crate) left_out: Vec<PathBuf>,
    /// How many files at a time.
    pub(crate) at_once: NonZeroUsize,
    /// What all of them share.
    pub(crate) client: ClientOptions,
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum Unplanned {
    /// The command cannot be carried out as it stands.
    Usage(Usage),
    /// What is to be sent can't be read.
    Local(String),
}

impl std::convert::From<Usage> for Unplanned {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

/// The plan that `args` ask for.
pub(crate) fn put(args: PutArgs, world: &mut World<'_>) -> Result<PutPlan, Unplanned> {
    let (url, files) = operands(&args.operands)?;
    check(&args, &url)?;
    if args.verify != VerifyChoice::Auto && (args.ascii || is_text(&url)) {
        return no(
            "--verify speaks of what is compared, but what a server makes of text is another file than ours",
        );
    }
    if args.verbose > 0 && args.progress == Some(ProgressChoice::Json) {
        return no("-v writes lines to standard error, where --progress json has only JSON");
    }
    let stdin = files.iter().any(|file| file == Path::new("-"));
    if stdin && needs_password(&args.reach, world) {
        return no(
            "-u without a password cannot be asked for while standard input is sent; set HAUL_PASSWORD",
        );
    }
    let into_folder = url.path().ends_with('/');
    if files.len() > 1 && !into_folder {
        return no(format!("{} files cannot all become one; a folder's URL ends in a slash", files.len()));
    }
    let mut jobs = Vec::new();
    let mut left_out = Vec::new();
    for file in files {
        if file == Path::new("-") {
            if into_folder {
                return no("standard input has no name; the URL has to end in one");
            }
            if args.checksum.is_some() {
                return no("--checksum is checked before a byte is sent, but standard input comes once");
            }
            if args.restart || args.verify != VerifyChoice::Auto {
                return no("--restart and --verify speak of what can be resumed, but standard input cannot");
            }
            jobs.push(job(&args, From::Stdin, url.clone(), 0));
        } else if file.is_dir() {
            let root = if into_folder { url_in_folder(&url, &name(file)?) } else { url.clone() };
            left_out.extend(tree(&args, file, &root, &mut jobs)?);
        } else {
            let url = if into_folder { url_in_folder(&url, &name(file)?) } else { url.clone() };
            jobs.push(job(&args, From::File(file.clone()), url, 0));
        }
    }
    if args.checksum.is_some() && jobs.len() > 1 {
        return no(format!("--checksum speaks of one file, but there are {}", jobs.len()));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = jobs.iter().find(|job| !seen.insert(job.url.as_str())) {
        return no(format!("two files would become {}", haul_transfer::place(&twice.url)));
    }
    let mut client = ClientOptions {
        ftp: ftp(args.ftp, args.timeout),
        limit_rate: args.limit_rate,
        per_host: args.connections.map_or(PER_HOST, NonZeroUsize::get),
        ..reach(args.reach, world)?
    };
    if client.per_host > 1 && args.connections.is_some() {
        client.connect.unsent = Some(UNSENT);
        client.connect.read_buffer = client.connect.read_buffer.min(BUFFER);
    }
    Ok(PutPlan { jobs, left_out, at_once: args.jobs, client })
}

/// What goes with the scheme of a URL, and what does not.
fn check(args: &PutArgs, url: &Url) -> Result<(), Unplanned> {
    let http = matches!(url.scheme(), "http" | "https");
    if http && args.ascii {
        return no("--ascii speaks of FTP: HTTP sends files as they are");
    }
    if http && (args.ftp.ftp_active || !args.ftp.quote.is_empty()) {
        let option = if args.ftp.ftp_active { "--ftp-active" } else { "--quote" };
        return no(format!("{option} speaks of FTP"));
    }
    if url.scheme() == "http" && matches!(args.ftp.tls, TlsChoice::Required) {
        return no("--tls required speaks of ftp://, and http:// is never encrypted: use https://");
    }
    if !http && args.protocol != ProtocolChoice::Auto {
        return no("--protocol speaks of HTTP");
    }
    if args.checksum.is_some() && args.ascii {
        return no("--checksum speaks of the file, but what a server makes of text is another one");
    }
    Ok(())
}

/// Where to, and what.
fn operands(operands: &[PathBuf]) -> Result<(Url, &[PathBuf]), Unplanned> {
    let Some((last, files)) = operands.split_last().filter(|(_, files)| !files.is_empty()) else {
        return no("say what to send, and behind it the URL to send it to");
    };
    let text = last.to_str().unwrap_or_default();
    Ok((value::url(text).map_err(Usage)?, files))
}

/// The files of a folder, whose own URL is `root`; returns what is left out of it.
fn tree(
    args: &PutArgs,
    folder: &Path,
    root: &Url,
    jobs: &mut Vec<PutJob>,
) -> Result<Vec<PathBuf>, Unplanned> {
    if !args.recursive {
        return no(format!("{} is a folder; use -r to send it", safe(&folder.to_string_lossy())));
    }
    if is_text(root) {
        return no(";type=a speaks of one file; --ascii sends what is in a folder as text");
    }
    let tree = Tree::of(folder).map_err(|(path, error)| unreadable(&path, &error))?;
    for leaf in tree.files {
        let url = leaf.names.iter().fold(root.clone(), |url, name| url_in_folder(&url, name));
        jobs.push(job(args, From::File(leaf.path), url, leaf.names.len()));
    }
    Ok(tree.left_out)
}

/// The name of what a path leads to.
fn name(path: &Path) -> Result<Vec<u8>, Unplanned> {
    let of = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_vec());
    match of(path) {
        Some(name) => Ok(name),
        // `.` and `..` have names too.
        None => {
            let whole = path.canonicalize().map_err(|error| unreadable(path, &error))?;
            of(&whole).ok_or_else(|| {
                Unplanned::Usage(Usage(format!("{} has no name", safe(&path.to_string_lossy()))))
            })
        }
    }
}

/// A job; the last `own` folders of its URL are those of the tree that is sent.
fn job(args: &PutArgs, from: From, url: Url, own: usize) -> PutJob {
    PutJob {
        verify: match args.verify {
            VerifyChoice::Auto => Verify::Auto,
            VerifyChoice::Tail => Verify::Tail,
            VerifyChoice::Full => Verify::Full,
            VerifyChoice::None => Verify::None,
        },
        if_exists: args.if_exists.map(|choice| match choice {
            IfExistsChoice::Overwrite => IfExists::Overwrite,
            IfExistsChoice::Skip => IfExists::Skip,
            IfExistsChoice::Fail => IfExists::Fail,
        }),
        text: args.ascii,
        protocol: match args.protocol {
            ProtocolChoice::Auto => Protocol::Auto,
            ProtocolChoice::Draft => Protocol::Draft,
            ProtocolChoice::Tus => Protocol::Tus,
            ProtocolChoice::Put => Protocol::Put,
        },
        lanes: args.connections.map_or(1, NonZeroUsize::get),
        checksum: args.checksum.clone(),
        restart: args.restart,
        temporary: args.temp_name,
        make_folders: match own {
            _ if args.mkdir => MakeFolders::All,
            0 => MakeFolders::Never,
            own => MakeFolders::Last(own),
        },
        retries: args.retries.0,
        timeout: args.timeout,
        state: UploadRecords::of_user(|name| std::env::var_os(name)),
        ..PutJob::new(from, url)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Unplanned {
    Unplanned::Local(format!("cannot read {}: {error}", safe(&path.to_string_lossy())))
}

fn no<T>(reason: impl Into<String>) -> Result<T, Unplanned> {
    Err(Unplanned::Usage(Usage(reason.into())))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn plan(line: &str) -> Result<PutPlan, String> {
        let args = match Cli::try_parse_from(format!("haul put {line}").split_whitespace()).unwrap().command {
            Command::Put(put) => *put,
            other => panic!("{other:?}"),
        };
        let ask = |_: &str| Err(io::ErrorKind::NotFound.into());
        let mut stdin = io::empty();
        let mut world = World { stdin: &mut stdin, password: None, ask: &ask };
        put(args, &mut world).map_err(|refused| match refused {
            Unplanned::Usage(usage) => usage.0,
            Unplanned::Local(message) => message,
        })
    }

    fn urls(line: &str) -> Vec<String> {
        plan(line).unwrap().jobs.iter().map(|job| job.url.to_string()).collect()
    }

    #[test]
    fn a_folder_keeps_names_and_a_file_gets_the_urls_own() {
        assert_eq!(urls("a.iso ftp://h/b"), ["ftp://h/b"]);
        assert_eq!(urls("a.iso --mkdir b.iso --restart ftp://h/d/"), ["ftp://h/d/a.iso", "ftp://h/d/b.iso"]);
        assert_eq!(urls("x/a.iso ftp://h/d/"), ["ftp://h/d/a.iso"]);
        assert_eq!(urls("a b%c ftp://h/"), ["ftp://h/a", "ftp://h/b%25c"]);
        assert_eq!(urls("- ftp://h/d/name"), ["ftp://h/d/name"]);
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (line, said) in [
            ("a b ftp://h/x", "2 files cannot all become one"),
            ("ftp://h/x", "say what to send"),
            ("a b", "has no scheme"),
            ("a gopher://h/x", "no scheme that haul speaks"),
            ("--ascii a http://h/x", "--ascii speaks of FTP"),
            ("--quote NOOP a http://h/x", "--quote speaks of FTP"),
            ("--ftp-active a https://h/x", "--ftp-active speaks of FTP"),
            ("--tls required a http://h/x", "use https://"),
            ("--protocol tus a ftp://h/x", "--protocol speaks of HTTP"),
            ("--checksum md5=d41d8cd98f00b204e9800998ecf8427e - http://h/x", "comes once"),
            ("--checksum md5=d41d8cd98f00b204e9800998ecf8427e a b http://h/", "speaks of one file"),
            ("- ftp://h/d/", "standard input has no name"),
            ("- --restart ftp://h/d", "standard input cannot"),
            ("a x/a ftp://h/", "two files would become ftp://h/a"),
            (". ftp://h/", "is a folder; use -r"),
            ("-r . ftp://h/x;type=a", "speaks of one file"),
            ("-u me - ftp://h/x", "set HAUL_PASSWORD"),
            ("--ascii --verify full a ftp://h/x", "another file than ours"),
            ("--verify tail a ftp://h/x;type=a", "another file than ours"),
            ("-v --progress json a ftp://h/x", "only JSON"),
        ] {
            let error = plan(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn options_reach_the_job() {
        let plan = plan(
            "--verify full --if-exists overwrite --restart --mkdir --temp-name --retries 3 --timeout 5 \
             --limit-rate 1M -n 2 -j 4 --tls required --ftp-active a ftps://h/x",
        )
        .unwrap();
        let [job] = &plan.jobs[..] else { panic!("one job") };
        assert_eq!((job.verify, job.if_exists), (Verify::Full, Some(IfExists::Overwrite)));
        assert!(job.restart && job.temporary);
        assert_eq!(job.make_folders, MakeFolders::All);
        assert_eq!((job.retries, job.timeout.as_secs()), (Some(3), 5));
        assert_eq!((plan.client.per_host, plan.at_once.get()), (2, 4));
        assert_eq!(plan.client.limit_rate.map(|rate| rate.get()), Some(1 << 20));
        assert!(plan.client.ftp.active);
        assert_eq!(plan.client.ftp.patience.as_secs(), 5);
    }

    #[test]
    fn text_is_told_by_the_option_or_by_the_url() {
        let [job] = &plan("--ascii --restart a ftp://h/x").unwrap().jobs[..] else { panic!("one job") };
        assert!(job.text && job.restart);
        assert!(plan("--ascii --if-exists skip - ftp://h/x").unwrap().jobs[0].text);
        assert_eq!(urls("a ftp://h/x;type=a"), ["ftp://h/x;type=a"]);
    }

    #[test]
    fn a_tree_goes_below_its_name_or_to_the_url_itself() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("tree");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("a"), "a").unwrap();
        std::fs::write(root.join("sub/b"), "b").unwrap();
        let shown = root.display();
        assert_eq!(urls(&format!("-r {shown} ftp://h/x/")), ["ftp://h/x/tree/a", "ftp://h/x/tree/sub/b"]);
        assert_eq!(urls(&format!("-r {shown} ftp://h/x")), ["ftp://h/x/a", "ftp://h/x/sub/b"]);
        let jobs = plan(&format!("-r {shown} ftp://h/x/")).unwrap().jobs;
        assert_eq!(jobs[0].make_folders, MakeFolders::Last(1));
        assert_eq!(jobs[1].make_folders, MakeFolders::Last(2));
    }
}
