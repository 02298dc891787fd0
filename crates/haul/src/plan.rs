//! The resolved plan of a `haul get`: everything that was asked for is checked here, before anything is touched.
//!
//! Single values were read in [`crate::value`]; here are the rules that join them, and the looks at the world that
//! they need: the list of URLs, the netrc file, the password. The password is asked for last, so that nobody types
//! one for a command that is wrong anyway.

mod folders;
pub(crate) mod probe;
pub(crate) mod put;
mod text;

use std::collections::HashSet;
use std::io::{self, BufRead};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_core::transfer::OnChange;
use haul_transfer::connect::{self, ProxyChoice};
use haul_transfer::credentials::{Credentials, Secrets};
use haul_transfer::netrc::Netrc;
use haul_transfer::{ClientOptions, Connections, FtpOptions, FtpTls, Job, Target};
use http::HeaderMap;
use url::Url;

use crate::args::{self, FtpArgs, GetArgs, ProgressChoice, ReachArgs, TlsChoice};
use crate::screen::Style;
use crate::usage::Usage;
use crate::value::{self, Login};
use crate::world::World;

/// Connections to one host where `-n` does not say.
const PER_HOST: usize = 8;

/// What `haul get` will do.
#[derive(Debug)]
pub(crate) struct GetPlan {
    /// One for each URL.
    pub(crate) jobs: Vec<Job>,
    /// Whether they are folders, to be fetched with all that is in them.
    pub(crate) recursive: bool,
    /// Whether files are text, whose line ends become those of this system.
    pub(crate) ascii: bool,
    /// How many of them at a time.
    pub(crate) at_once: NonZeroUsize,
    /// What all of them share.
    pub(crate) client: ClientOptions,
}

/// Which screen is asked for.
pub(crate) fn style(quiet: bool, progress: Option<ProgressChoice>, terminal: bool) -> Style {
    match progress {
        _ if quiet => Style::Quiet,
        Some(ProgressChoice::None) => Style::Quiet,
        Some(ProgressChoice::Json) => Style::Json,
        Some(ProgressChoice::Plain) => Style::Plain,
        Some(ProgressChoice::Bar) | None if terminal => Style::Bar,
        Some(ProgressChoice::Bar) | None => Style::Plain,
    }
}

/// The plan that `args` ask for.
pub(crate) fn get(args: GetArgs, world: &mut World<'_>) -> Result<GetPlan, Usage> {
    if args.verbose > 0 && args.progress == Some(ProgressChoice::Json) {
        return no("-v writes lines to standard error, where --progress json has only JSON");
    }
    if args.input_file.as_deref() == Some(Path::new("-")) && needs_password(&args.reach, world) {
        return no("-u without a password cannot be asked for while URLs come from standard input; \
                   set HAUL_PASSWORD");
    }
    let mut urls = args.urls.clone();
    if let Some(file) = &args.input_file {
        urls.extend(listed(file, world.stdin)?);
    }
    // The same URL twice is the same file twice, and the second would find the first one in its way.
    let mut seen = HashSet::new();
    urls.retain(|url| seen.insert(url.clone()));
    if urls.len() > 1 {
        for (given, option) in [
            (args.output.is_some(), "--output"),
            (args.checksum.is_some(), "--checksum"),
            (!args.mirrors.is_empty(), "--mirror"),
        ] {
            if given {
                return no(format!("{option} speaks of one file, but there are {} URLs", urls.len()));
            }
        }
    }
    folders::check(&args, &urls)?;
    text::check(&args, &urls)?;
    let target = target(&args)?;
    let jobs = urls.into_iter().map(|url| job(&args, url, target.clone())).collect();
    let client = ClientOptions {
        ftp: ftp(args.ftp, args.timeout),
        limit_rate: args.limit_rate,
        per_host: args.connections.map_or(PER_HOST, NonZeroUsize::get),
        ..reach(args.reach, world)?
    };
    Ok(GetPlan { jobs, recursive: args.recursive, ascii: args.ascii, at_once: args.jobs, client })
}

/// How FTP servers are spoken to.
fn ftp(args: FtpArgs, patience: Duration) -> FtpOptions {
    let tls = match args.tls {
        TlsChoice::Required => FtpTls::Required,
        TlsChoice::IfOffered => FtpTls::IfOffered,
        TlsChoice::Off => FtpTls::Off,
    };
    FtpOptions { tls, active: args.ftp_active, quote: args.quote, patience }
}

/// What connections are made with, and the secrets they carry.
pub(crate) fn reach(args: ReachArgs, world: &World<'_>) -> Result<ClientOptions, Usage> {
    if let Some(file) = &args.cacert {
        std::fs::File::open(file)
            .map_err(|error| Usage(format!("--cacert: cannot read {}: {error}", file.display())))?;
    }
    let netrc = match &args.netrc {
        Some(file) => Some(Netrc::load(file.as_deref()).map_err(|error| Usage(format!("--netrc: {error}")))?),
        None => None,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in args.headers {
        headers.append(name, value);
    }
    let explicit = match args.user {
        None => None,
        Some(Login::Whole(credentials)) => Some(credentials),
        Some(Login::Name(user)) => Some(Credentials { password: password(&user, &netrc, world)?, user }),
    };
    let connect = connect::Options {
        connect_timeout: args.connect_timeout,
        proxy: args.proxy.unwrap_or(ProxyChoice::Environment),
        ca_file: args.cacert,
        insecure: args.insecure,
        ..connect::Options::default()
    };
    let secrets = Secrets::new(explicit, netrc, headers);
    let ftp = FtpOptions::default();
    Ok(ClientOptions { connect, ftp, secrets, limit_rate: None, per_host: PER_HOST })
}

fn needs_password(reach: &ReachArgs, world: &World<'_>) -> bool {
    matches!(reach.user, Some(Login::Name(_))) && world.password.is_none() && reach.netrc.is_none()
}

/// HAUL_PASSWORD, else whatever netrc will have for that name (an empty one asks it), else the user.
fn password(user: &str, netrc: &Option<Netrc>, world: &World<'_>) -> Result<String, Usage> {
    if let Some(password) = &world.password {
        return Ok(password.clone());
    }
    if netrc.is_some() {
        return Ok(String::new());
    }
    let asked = (world.ask)(&format!("haul: password of {}: ", crate::screen::text::safe(user)));
    asked.map_err(|_no_terminal| {
        Usage(
            "-u has no password and there is no terminal to ask at; write -u NAME:PASSWORD or set \
               HAUL_PASSWORD"
                .to_owned(),
        )
    })
}

fn target(args: &GetArgs) -> Result<Target, Usage> {
    let Some(output) = &args.output else {
        return Ok(Target::Folder(args.dir.clone().unwrap_or_else(|| PathBuf::from("."))));
    };
    if output == Path::new("-") {
        for (given, option) in [
            (args.dir.is_some(), "--dir"),
            (args.overwrite, "--overwrite"),
            (args.adopt, "--continue"),
            (args.restart, "--restart"),
        ] {
            if given {
                return no(format!("{option} speaks of a file, but the output is standard output"));
            }
        }
        return Ok(Target::Stdout);
    }
    let path = args.dir.as_deref().unwrap_or(Path::new("")).join(output);
    let ends_like_a_folder =
        path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.file_name().is_none();
    if ends_like_a_folder || path.is_dir() {
        return no(format!("--output: {} is a folder; to save into it, use --dir", output.display()));
    }
    Ok(Target::File(path))
}

fn job(args: &GetArgs, url: Url, target: Target) -> Job {
    Job {
        mirrors: args.mirrors.clone(),
        connections: args.connections.map_or(Connections::AsPays, Connections::Exactly),
        checksum: args.checksum.clone(),
        on_change: match args.on_change {
            args::OnChange::Restart => OnChange::Restart,
            args::OnChange::Fail => OnChange::Fail,
        },
        restart: args.restart,
        overwrite: args.overwrite,
        adopt: args.adopt,
        retries: args.retries.0,
        timeout: args.timeout,
        ..Job::new(url, target)
    }
}

/// The URLs in `file`, one a line.
fn listed(file: &Path, stdin: &mut dyn BufRead) -> Result<Vec<Url>, Usage> {
    let unreadable =
        |error: io::Error| Usage(format!("--input-file: cannot read {}: {error}", file.display()));
    let mut opened;
    let lines: &mut dyn BufRead = if file == Path::new("-") {
        stdin
    } else {
        opened = io::BufReader::new(std::fs::File::open(file).map_err(unreadable)?);
        &mut opened
    };
    let mut urls = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let line = line.map_err(unreadable)?;
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let url = value::url(text).map_err(|reason| {
            Usage(format!("--input-file: {}, line {}: {reason}", file.display(), index + 1))
        })?;
        urls.push(url);
    }
    if urls.is_empty() {
        return no(format!("--input-file: there is no URL in {}", file.display()));
    }
    Ok(urls)
}

fn no<T>(reason: impl Into<String>) -> Result<T, Usage> {
    Err(Usage(reason.into()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    struct Given<'a> {
        stdin: &'a str,
        password: Option<&'a str>,
        typed: Option<&'a str>,
    }

    const NOTHING: Given<'_> = Given { stdin: "", password: None, typed: None };

    fn args(line: &str) -> GetArgs {
        match Cli::try_parse_from(format!("haul get {line}").split_whitespace()).unwrap().command {
            Command::Get(get) => *get,
            other => panic!("{other:?}"),
        }
    }

    fn plan_in(line: &str, given: &Given<'_>) -> Result<GetPlan, String> {
        let ask = |_: &str| given.typed.map(str::to_owned).ok_or(io::ErrorKind::NotFound.into());
        let mut stdin = given.stdin.as_bytes();
        let mut world = World { stdin: &mut stdin, password: given.password.map(str::to_owned), ask: &ask };
        get(args(line), &mut world).map_err(|usage| usage.0)
    }

    pub(super) fn plan(line: &str) -> Result<GetPlan, String> {
        plan_in(line, &NOTHING)
    }

    fn authorization(plan: &GetPlan) -> String {
        let url = &plan.jobs[0].url;
        plan.client.secrets.headers_for(url, url, url)["authorization"].to_str().unwrap().to_owned()
    }

    #[test]
    fn options_reach_the_job() {
        let plan = plan(
            "-o a.iso -n 4 --mirror http://m/a --checksum md5=d41d8cd98f00b204e9800998ecf8427e --limit-rate 1M \
             --on-change fail --retries inf --timeout 5 --connect-timeout 2 --overwrite --restart -j 2 http://h/a",
        )
        .unwrap();
        let [job] = &plan.jobs[..] else { panic!("one job") };
        assert_eq!(job.target, Target::File("a.iso".into()));
        assert_eq!(job.connections, Connections::Exactly(NonZeroUsize::new(4).unwrap()));
        assert_eq!(job.mirrors.len(), 1);
        assert!(job.checksum.is_some() && job.overwrite && job.restart && !job.adopt);
        assert_eq!(job.on_change, OnChange::Fail);
        assert_eq!((job.retries, job.timeout.as_secs()), (None, 5));
        assert_eq!(plan.client.limit_rate.map(|rate| rate.get()), Some(1 << 20));
        assert_eq!((plan.client.per_host, plan.at_once.get()), (4, 2));
        assert_eq!(plan.client.connect.connect_timeout.as_secs(), 2);
    }

    #[test]
    fn what_is_said_of_ftp_reaches_the_client() {
        let ftp = plan("--ftp-active --tls required --timeout 7 --quote NOOP ftp://h/a").unwrap().client.ftp;
        assert_eq!((ftp.active, ftp.tls, ftp.patience.as_secs()), (true, FtpTls::Required, 7));
        assert_eq!(ftp.quote.iter().map(ToString::to_string).collect::<Vec<_>>(), ["NOOP"]);
        assert_eq!(plan("--tls off ftps://h/a").unwrap().client.ftp.tls, FtpTls::Off);
        let ftp = plan("ftp://h/a").unwrap().client.ftp;
        assert_eq!(format!("{ftp:?}"), format!("{:?}", FtpOptions::default()));
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let plan = plan("http://h/a").unwrap();
        let expected = Job::new("http://h/a".parse().unwrap(), Target::Folder(".".into()));
        assert_eq!(format!("{:?}", plan.jobs[0]), format!("{expected:?}"));
        let connect = connect::Options::default();
        assert_eq!(format!("{:?}", plan.client.connect), format!("{connect:?}"));
    }

    #[test]
    fn what_speaks_of_one_file_does_not_go_with_several() {
        let md5 = "--checksum md5=d41d8cd98f00b204e9800998ecf8427e";
        for option in ["-o a", md5, "--mirror http://m/a"] {
            let error = plan(&format!("{option} http://h/a http://h/b")).unwrap_err();
            assert!(error.contains("speaks of one file, but there are 2 URLs"), "{error}");
        }
        assert_eq!(plan("http://h/a http://h/b http://h/a").unwrap().jobs.len(), 2, "the same one is one");
    }

    #[test]
    fn the_target_is_joined_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display();
        let target =
            |line: String| plan(&format!("{line} http://h/a")).map(|plan| plan.jobs[0].target.clone());
        assert_eq!(target(format!("-d {dir}")).unwrap(), Target::Folder(folder.path().into()));
        assert_eq!(target(format!("-d {dir} -o x")).unwrap(), Target::File(folder.path().join("x")));
        assert_eq!(target("-o -".into()).unwrap(), Target::Stdout);
        for (bad, said) in [
            (format!("-o {dir}"), "is a folder; to save into it, use --dir"),
            ("-o x/".into(), "is a folder"),
            ("-o ..".into(), "is a folder"),
            ("-o - --overwrite".into(), "--overwrite speaks of a file"),
            ("-o - -c".into(), "--continue speaks of a file"),
            (format!("-o - -d {dir}"), "--dir speaks of a file"),
        ] {
            let error = target(bad).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn lines_of_the_list_are_urls_blank_or_comments() {
        let list = "# two files\nhttp://h/a\n\n  http://h/b  \r\n";
        let given = Given { stdin: list, ..NOTHING };
        let found = plan_in("-i - http://h/first", &given).unwrap();
        let urls: Vec<_> = found.jobs.iter().map(|job| job.url.as_str()).collect();
        assert_eq!(urls, ["http://h/first", "http://h/a", "http://h/b"]);
        let bad = Given { stdin: "\nhttp://h/a\nnonsense\n", ..NOTHING };
        let error = plan_in("-i -", &bad).unwrap_err();
        assert!(error.starts_with("--input-file: -, line 3: \"nonsense\" has no scheme"), "{error}");
        assert!(plan("-i -").unwrap_err().contains("there is no URL in -"));
        assert!(plan("-i /nonexistent/list").unwrap_err().contains("cannot read /nonexistent/list"));
    }

    #[test]
    fn the_password_is_given_in_the_environment_or_typed() {
        let whole = plan("-u me:pw http://h/a").unwrap();
        let environment = Given { password: Some("pw"), ..NOTHING };
        let typed = Given { typed: Some("pw"), ..NOTHING };
        for given in [environment, typed] {
            let found = plan_in("-u me http://h/a", &given).unwrap();
            assert_eq!(authorization(&found), authorization(&whole));
        }
        let error = plan("-u me http://h/a").unwrap_err();
        assert!(error.contains("no terminal to ask at"), "{error}");
        let list = Given { stdin: "http://h/a", typed: Some("pw"), ..NOTHING };
        assert!(plan_in("-u me -i -", &list).unwrap_err().contains("HAUL_PASSWORD"));
    }

    #[test]
    fn files_that_are_named_must_be_readable() {
        assert!(plan("--cacert /nonexistent http://h/a").unwrap_err().starts_with("--cacert: cannot read"));
        assert!(plan("--netrc=/nonexistent http://h/a").unwrap_err().starts_with("--netrc: cannot read"));
    }

    #[test]
    fn the_screen_is_a_bar_on_a_terminal_only() {
        let style = |line, terminal| {
            let args = args(line);
            style(args.quiet, args.progress, terminal)
        };
        assert_eq!(style("http://h/a", true), Style::Bar);
        assert_eq!(style("http://h/a", false), Style::Plain);
        assert_eq!(style("--progress bar http://h/a", false), Style::Plain);
        assert_eq!(style("--progress json http://h/a", true), Style::Json);
        assert_eq!(style("-q http://h/a", true), Style::Quiet);
        assert_eq!(style("--progress none http://h/a", true), Style::Quiet);
        assert!(plan("-v --progress json http://h/a").unwrap_err().contains("only JSON"));
    }
}
