//! FTP clients that nobody here wrote, by their command lines: how each gets and puts one file, at a pace, and how each
//! goes on with what is there.

use std::path::PathBuf;

use haul_testkit::{
    Haul, Served,
    real::peer,
    served::{PASSWORD, USER},
};

/// Bytes a second of a run that is to be caught in the middle.
const RATE: u64 = 2 << 20;

/// What a client is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// All of it, as fast as may be.
    Whole,
    /// All of it, so slowly that it can be caught in the middle (or stopping there).
    Slowly,
    /// What is missing: so many bytes are there.
    From(u64),
}

/// A client.
pub(crate) struct Client {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The program.
    program: &'static str,
    /// What it is told to fetch REMOTE to LOCAL; none where it can't.
    get: fn(&Job<'_>) -> Option<Vec<String>>,
    /// What it is told to send LOCAL as REMOTE; none where it can't.
    put: fn(&Job<'_>) -> Option<Vec<String>>,
    /// What is typed to it.
    typed: fn(&Job<'_>, Verb) -> String,
    /// Whether it goes on where a download was killed.
    pub(crate) resumes_get: bool,
    /// Whether it goes on where an upload was killed.
    pub(crate) resumes_put: bool,
    /// How much it can be told to send slowly: none at all where it has no such option.
    pub(crate) paced: bool,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
}

/// One file, and where.
struct Job<'a> {
    host: String,
    port: u16,
    local: &'a str,
    remote: &'a str,
    how: How,
}

impl Job<'_> {
    fn url(&self) -> String {
        format!("ftp://{USER}:{PASSWORD}@{}:{}/{}", self.host, self.port, percent(self.remote))
    }

    fn resumes(&self) -> bool {
        matches!(self.how, How::From(_))
    }

    fn slowly(&self) -> bool {
        self.how == How::Slowly
    }

    /// What the scripts take: see with_ftplib.py.
    fn script(&self, script: &str, verb: &str) -> Vec<String> {
        let script = format!("{}/tests/scene/clients/{script}", env!("CARGO_MANIFEST_DIR"));
        let from = if let How::From(offset) = self.how { offset } else { 0 };
        let stop = if self.slowly() { RATE } else { 0 };
        let words =
            [&script, verb, &self.host, &self.port.to_string(), USER, PASSWORD, self.local, self.remote];
        let mut words = words.map(str::to_owned).to_vec();
        words.extend([from.to_string(), stop.to_string()]);
        words
    }
}

/// Bytes of a name as a URL has them.
fn percent(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A word of lftp's command language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn nothing_typed(_: &Job<'_>, _: Verb) -> String {
    String::new()
}

fn never(_: &Job<'_>) -> Option<Vec<String>> {
    None
}

fn curl(job: &Job<'_>, file: [&str; 2]) -> Vec<String> {
    let mut command = words(["-sS", file[0], file[1], "--globoff"]);
    if job.resumes() {
        command.extend(words(["-C", "-"]));
    }
    if job.slowly() {
        command.extend(words(["--limit-rate", &RATE.to_string()]));
    }
    command.push(job.url());
    command
}

fn lftp(job: &Job<'_>, verb: &str, file: &str, option: &str, to: &str) -> Vec<String> {
    let pace = if job.slowly() {
        format!("set net:limit-rate {RATE}:{RATE}; set net:limit-max 65536;")
    } else {
        String::new()
    };
    let resume = if job.resumes() { "-c" } else { "" };
    let (host, port) = (&job.host, job.port);
    // Without TLS here: it would ask for it, and trust nobody.
    let script = format!(
        "set ftp:ssl-allow no; set net:max-retries 2; {pace} open -u {USER},{PASSWORD} -p {port} {host}; \
         {verb} {resume} {} {option} {}",
        quoted(file),
        quoted(to)
    );
    words(["--norc", "-c", &script])
}

fn ncftp(job: &Job<'_>) -> Vec<String> {
    words(["-V", "-u", USER, "-p", PASSWORD, "-P", &job.port.to_string()])
}

fn tnftp_pace(job: &Job<'_>, way: &str) -> Vec<String> {
    if job.slowly() { words(["-T", &format!("{way},{RATE}")]) } else { Vec::new() }
}

fn aria2(job: &Job<'_>) -> Vec<String> {
    let mut command = words(["--no-conf", "-q", "--file-allocation=none", "--allow-overwrite=true"]);
    command.extend(words(["-c", "-x1", "-s1", "-d", ".", "-o", job.local]));
    if job.slowly() {
        command.push(format!("--max-download-limit={RATE}"));
    }
    command.push(job.url());
    command
}

fn rclone(job: &Job<'_>) -> (Vec<String>, String) {
    // The password as rclone wants it: `rclone obscure secret`.
    const OBSCURED: &str = "7sKdwNEIlykS0Qv6Ltkeg3cmam3EVQ";
    let remote =
        format!(":ftp,host={},port={},user={USER},pass={OBSCURED}:{}", job.host, job.port, job.remote);
    let mut command = words(["--config", "", "-q", "--retries", "1", "copyto"]);
    if job.slowly() {
        command.push(format!("--bwlimit={RATE}B"));
    }
    (command, remote)
}

/// All of them but haul.
pub(crate) const CLIENTS: [Client; 12] = [
    Client {
        name: "curl",
        program: "curl",
        get: |job| Some(curl(job, ["-o", job.local])),
        put: |job| Some(curl(job, ["-T", job.local])),
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: true,
        paced: true,
    },
    Client {
        name: "lftp",
        program: "lftp",
        // What begins with a dash would be an option.
        get: |job| Some(lftp(job, "get", &format!("./{}", job.remote), "-o", job.local)),
        put: |job| Some(lftp(job, "put", job.local, "-o", job.remote)),
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: true,
        paced: true,
    },
    Client {
        name: "wget",
        program: "wget",
        get: |job| {
            let mut command = words(["-q", "-O", job.local]);
            if job.resumes() {
                // With -O and -c it goes on in the file as well, as long as that is there.
                command.push("-c".into());
            }
            if job.slowly() {
                command.push(format!("--limit-rate={RATE}"));
            }
            command.push(job.url());
            Some(command)
        },
        put: never,
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: false,
        paced: true,
    },
    Client {
        name: "ncftpget",
        program: "ncftpget",
        get: |job| {
            let mut command = ncftp(job);
            command.push(if job.resumes() { "-z" } else { "-Z" }.into());
            command.extend(words(["-C", &job.host, &format!("/{}", job.remote), job.local]));
            Some(command)
        },
        put: never,
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: false,
        paced: false,
    },
    // ncftpput 3.2.6 with -z sends REST and then the whole file: it spoils files at every server, and is not asked to.
    Client {
        name: "ncftpput",
        program: "ncftpput",
        get: never,
        put: |job| {
            let mut command = ncftp(job);
            command.extend(words(["-Z", "-C", &job.host, job.local, &format!("/{}", job.remote)]));
            Some(command)
        },
        typed: nothing_typed,
        resumes_get: false,
        resumes_put: false,
        paced: false,
    },
    Client {
        name: "tnftp",
        program: "tnftp",
        get: |job| {
            let mut command = tnftp_pace(job, "get");
            command.extend(words(["-V", "-n", &job.host, &job.port.to_string()]));
            Some(command)
        },
        put: |job| {
            let mut command = tnftp_pace(job, "put");
            command.extend(words(["-V", "-n", &job.host, &job.port.to_string()]));
            Some(command)
        },
        typed: |job, verb| {
            let (local, remote) = (quoted(job.local), quoted(job.remote));
            let transfer = match (verb, job.how) {
                (Verb::Get, How::From(_)) => format!("reget {remote} {local}"),
                (Verb::Get, _) => format!("get {remote} {local}"),
                (Verb::Put, How::From(offset)) => format!("restart {offset}\nput {local} {remote}"),
                (Verb::Put, _) => format!("put {local} {remote}"),
            };
            format!("user {USER} {PASSWORD}\nbinary\n{transfer}\nquit\n")
        },
        resumes_get: true,
        resumes_put: true,
        paced: true,
    },
    Client {
        name: "aria2",
        program: "aria2c",
        get: |job| Some(aria2(job)),
        put: never,
        typed: nothing_typed,
        // It saves where it is once a minute: what a kill leaves it may fetch again.
        resumes_get: false,
        resumes_put: false,
        paced: true,
    },
    Client {
        name: "axel",
        program: "axel",
        get: |job| {
            let mut command = words(["-q", "-n", "1", "-o", job.local]);
            if job.slowly() {
                command.extend(words(["-s", &RATE.to_string()]));
            }
            command.push(job.url());
            Some(command)
        },
        put: never,
        typed: nothing_typed,
        resumes_get: false,
        resumes_put: false,
        paced: true,
    },
    Client {
        name: "rclone",
        program: "rclone",
        get: |job| {
            let (mut command, remote) = rclone(job);
            command.extend([remote, job.local.to_owned()]);
            Some(command)
        },
        put: |job| {
            let (mut command, remote) = rclone(job);
            command.extend([job.local.to_owned(), remote]);
            Some(command)
        },
        typed: nothing_typed,
        resumes_get: false,
        resumes_put: false,
        paced: true,
    },
    Client {
        name: "ftplib",
        program: "python3",
        get: |job| Some(job.script("with_ftplib.py", "get")),
        put: |job| Some(job.script("with_ftplib.py", "put")),
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: true,
        paced: true,
    },
    Client {
        name: "aioftp",
        program: "aioftp",
        get: |job| Some(job.script("with_aioftp.py", "get")),
        put: |job| Some(job.script("with_aioftp.py", "put")),
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: true,
        paced: true,
    },
    Client {
        name: "basic-ftp",
        program: "basic-ftp",
        get: |job| Some(job.script("with_basic_ftp.js", "get")),
        put: |job| Some(job.script("with_basic_ftp.js", "put")),
        typed: nothing_typed,
        resumes_get: true,
        resumes_put: true,
        paced: true,
    },
];

/// The client of this name.
pub(crate) fn client(name: &str) -> &'static Client {
    CLIENTS.iter().find(|client| client.name == name).expect("a client")
}

impl Client {
    /// The program with its command line, to be started in the folder that has LOCAL; none where the client does not
    /// do that, or is missing.
    #[track_caller]
    pub(crate) fn command(
        &self,
        served: &Served,
        verb: Verb,
        local: &str,
        remote: &str,
        how: How,
    ) -> Option<Haul> {
        let addr = served.addr();
        let job = Job { host: addr.ip().to_string(), port: addr.port(), local, remote, how };
        let arguments = match verb {
            Verb::Get => (self.get)(&job),
            Verb::Put => (self.put)(&job),
        };
        let program: PathBuf = peer(self.program)?;
        let started = Haul::new(program).args(arguments?).input((self.typed)(&job, verb));
        Some(started.env("PYTHONDONTWRITEBYTECODE", "1").env("LC_ALL", "C.UTF-8"))
    }
}
