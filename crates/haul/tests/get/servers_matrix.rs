//! docs/servers.md: its tables are what `haul probe` finds at the real servers, and this test keeps them so.
//!
//! With `HAUL_WRITE_DOCS=1` the tables are written instead of compared. Columns of servers that are not installed here
//! are left as they are, unless peers are required; versions of servers stand in no cell.

use crate::scene;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use haul_testkit::{
    Content,
    real::{
        Apache, Caddy, FtpTls, Inetutils, Lighttpd, Nginx, ProFtpd, PureFtpd, Pyftpdlib, PythonHttp, Running,
        Vsftpd,
    },
    tls::Certificates,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{haul, upload::Start};

const NONE: &str = "–";

/// A table: labels down the side, a server to each column.
struct Table {
    marker: &'static str,
    labels: Vec<&'static str>,
    /// The cells of a server; `None` where it is not installed.
    columns: Vec<(&'static str, Option<Vec<String>>)>,
}

/// A folder with a file of long ago, so that no date is in doubt.
fn served() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.bin");
    Content::new(5, 300_000).write_to(&path);
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
    dir
}

/// What `haul probe --json` finds at a server that was started for it.
#[track_caller]
fn probed(start: impl FnOnce(&Path) -> Option<Running>, args: &[&str]) -> Option<Value> {
    let dir = served();
    let server = start(dir.path())?;
    let url = if args.contains(&"--write") { server.login_url("/f.bin") } else { server.url("/f.bin") };
    let end = haul().args(["probe", "--json"]).args(args).arg(url).run().expect_code(0);
    assert_eq!(scene::files(dir.path()), ["f.bin"], "a probe leaves nothing");
    Some(serde_json::from_slice(&end.stdout).unwrap())
}

/// A row of the FTP table: what it is called, and what is there of it.
type Row = (&'static str, fn(&Value) -> String);

const FTP_ROWS: [Row; 15] = [
    ("EPSV", |found| cell(&found["epsv"])),
    ("PASV", |found| cell(&found["pasv"])),
    ("SIZE", |found| cell(&found["size_told"])),
    ("MDTM", |found| cell(&found["mdtm"])),
    ("MLST", |found| cell(&found["mlst"])),
    ("REST + RETR", |found| cell(&found["rest"])),
    ("**downloads resume**", |found| found["resume"].as_str().unwrap().into()),
    ("REST + STOR at the end", |found| cell(&found["uploads"]["rest_stor"])),
    ("REST + STOR inside: what lies behind", |found| match found["uploads"]["behind"].as_str() {
        Some("kept") => "stays".into(),
        Some(_) => "is cut off".into(),
        None => NONE.into(),
    }),
    ("APPE", |found| cell(&found["uploads"]["appe"])),
    ("an upload that breaks off: what had come", |found| {
        match found["uploads"]["kept"]["outcome"].as_str() {
            Some("works") => "is kept".into(),
            Some("wrong") => "is lost".into(),
            other => panic!("{other:?}: {found}"),
        }
    }),
    ("checksums", checksums),
    ("MFMT", |found| cell(&found["uploads"]["mfmt"])),
    ("RNFR, RNTO", |found| cell(&found["uploads"]["rename"])),
    ("**uploads resume**", |found| found["uploads"]["resume"].as_str().unwrap().into()),
];

/// `yes`, `no (code)`, `wrong`.
fn cell(tried: &Value) -> String {
    match tried["outcome"].as_str() {
        Some("works") => "yes".into(),
        Some("refused") => {
            let why = tried["why"].as_str().unwrap();
            let code = why.split(" with ").nth(1).and_then(|rest| rest.get(..3));
            format!("no ({})", code.unwrap_or_else(|| panic!("no code in {why}")))
        }
        Some("wrong") => "wrong".into(),
        _ => NONE.into(),
    }
}

fn checksums(found: &Value) -> String {
    let names = found["uploads"]["checksums"].as_array().unwrap().iter();
    let (mut of_hash, mut others) = (Vec::new(), Vec::new());
    for name in names.map(|name| name.as_str().unwrap()) {
        match name.strip_prefix("HASH ") {
            Some(algorithm) => of_hash.push(algorithm),
            None => others.push(name),
        }
    }
    let hash = format!("HASH ({})", of_hash.join(", "));
    if !of_hash.is_empty() {
        others.insert(0, &hash);
    }
    if others.is_empty() { "none".into() } else { others.join(", ") }
}

type StartTls = fn(&Path, FtpTls) -> Option<Running>;

/// A server, and what of TLS can be asked of it.
struct Ftp {
    name: &'static str,
    plain: Start,
    tls: Option<StartTls>,
    implicit: bool,
    /// Whether it can insist on data connections that resume the session.
    insists: bool,
}

const FTP: [Ftp; 7] = [
    Ftp {
        name: "vsftpd",
        plain: |root| Vsftpd::serve(root),
        tls: Some(|root, tls| Vsftpd::over(root).tls(tls).start()),
        implicit: true,
        insists: true,
    },
    Ftp {
        name: "ProFTPD as it comes",
        plain: |root| ProFtpd::serve(root),
        tls: Some(|root, tls| ProFtpd::over(root).tls(tls).start()),
        implicit: true,
        insists: true,
    },
    Ftp {
        name: "ProFTPD, AllowStoreRestart, mod_digest",
        plain: |root| ProFtpd::over(root).allow_store_restart().digests().start(),
        tls: Some(|root, tls| ProFtpd::over(root).allow_store_restart().digests().tls(tls).start()),
        implicit: true,
        insists: true,
    },
    Ftp {
        name: "ProFTPD, AllowStoreRestart, HiddenStores",
        plain: |root| ProFtpd::over(root).allow_store_restart().hidden_stores().start(),
        tls: Some(|root, tls| ProFtpd::over(root).allow_store_restart().hidden_stores().tls(tls).start()),
        implicit: true,
        insists: true,
    },
    Ftp {
        name: "Pure-FTPd",
        plain: |root| PureFtpd::serve(root),
        tls: Some(|root, tls| PureFtpd::over(root).tls(tls).start()),
        implicit: false,
        insists: false,
    },
    Ftp {
        name: "pyftpdlib",
        plain: |root| Pyftpdlib::serve(root),
        tls: Some(|root, tls| Pyftpdlib::over(root).tls(tls).start()),
        implicit: true,
        insists: false,
    },
    Ftp {
        name: "inetutils-ftpd",
        plain: |root| Inetutils::serve(root),
        tls: None,
        implicit: false,
        insists: false,
    },
];

impl Ftp {
    /// Its column; `None` where it is not installed.
    fn column(&self, certificates: &Certificates) -> Option<Vec<String>> {
        let found = probed(self.plain, &["--write"])?;
        let active = probed(self.plain, &["--write", "--ftp-active"])?;
        let mut cells = vec![cell(&active["active"])];
        cells.extend(FTP_ROWS.iter().map(|(_, of)| of(&found)));
        let required = || FtpTls::required(certificates);
        let demands = || if self.insists { required().reuse_required() } else { required() };
        let versions = |tls: FtpTls| [(tls.clone().only_12(), "TLS 1.2"), (tls.only_13(), "TLS 1.3")];
        let over_tls = |tls, version| self.over_tls(certificates, tls, version, &found);
        for (tls, version) in versions(required()) {
            cells.push(over_tls(tls, version).unwrap_or_else(|| NONE.into()));
        }
        let yes = |works: Option<String>| works.map_or_else(|| NONE.into(), |_| "yes".into());
        let implicit = self.implicit.then(|| over_tls(FtpTls::implicit(certificates), "TLS 1.3"));
        cells.push(yes(implicit.flatten()));
        for (tls, version) in versions(demands()) {
            cells.push(yes(self.insists.then(|| over_tls(tls, version)).flatten()));
        }
        Some(cells)
    }

    /// Whether everything that works in the clear works over TLS, and whether data connections resume the session.
    fn over_tls(
        &self,
        certificates: &Certificates,
        tls: FtpTls,
        version: &str,
        plain: &Value,
    ) -> Option<String> {
        let start = self.tls?;
        let ca = certificates.ca_pem_path();
        let args = ["--write", "--tls", "required", "--cacert", ca.to_str().unwrap()];
        let found = probed(|root| start(root, tls), &args)?;
        assert_eq!(found["tls"]["version"], version, "{}: {found}", self.name);
        for key in ["rest", "last_byte", "mdtm", "epsv"] {
            assert_eq!(cell(&found[key]), cell(&plain[key]), "{}: {key}\n{found}", self.name);
        }
        for key in ["stor", "rest_stor", "appe", "kept", "dele"] {
            let (found, plain) = (&found["uploads"][key], &plain["uploads"][key]);
            assert_eq!(cell(found), cell(plain), "{}: {key}\n{found}", self.name);
        }
        let tls = &found["tls"];
        let (all, resumed) = (tls["connections"].as_u64().unwrap(), tls["resumed"].as_u64().unwrap());
        Some(match resumed {
            0 => "yes, a session for each".into(),
            _ if resumed == all => "yes, resumed".into(),
            _ => "yes, resumed now and then".into(),
        })
    }
}

fn ftp_table() -> Table {
    let certificates = Certificates::for_loopback();
    let mut labels = vec!["EPRT or PORT"];
    labels.extend(FTP_ROWS.iter().map(|(label, _)| *label));
    labels.extend([
        "AUTH TLS, TLS 1.2; data connections",
        "AUTH TLS, TLS 1.3; data connections",
        "ftps://",
        "insists on resumed sessions, TLS 1.2",
        "insists on resumed sessions, TLS 1.3",
    ]);
    let columns = thread::scope(|scope| {
        let certificates = &certificates;
        let started: Vec<_> =
            FTP.iter().map(|server| (server.name, scope.spawn(|| server.column(certificates)))).collect();
        started.into_iter().map(|(name, column)| (name, column.join().unwrap())).collect()
    });
    Table { marker: "ftp", labels, columns }
}

fn http_table() -> Table {
    let servers: [(&str, Start); 5] = [
        ("nginx", |root| Nginx::serve(root)),
        ("Apache", |root| Apache::serve(root)),
        ("lighttpd", |root| Lighttpd::serve(root)),
        ("caddy", |root| Caddy::serve(root)),
        ("python http.server", |root| PythonHttp::serve(root)),
    ];
    let labels = vec![
        "ranges",
        "ETag",
        "Last-Modified",
        "If-Range, the right one",
        "If-Range, a wrong one",
        "**downloads resume**",
    ];
    let yes = |found: &Value, yes: &str, no: &str| match found.as_bool() {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => NONE.to_owned(),
    };
    let column = |found: &Value| {
        let etag = match found["etag"].as_str() {
            None => "none",
            Some(_) if found["etag_weak"] == true => "weak",
            Some(_) => "strong",
        };
        let modified = match found["modified"].as_str() {
            None => "none",
            Some(_) if found["modified_strong"] == true => "strong",
            Some(_) => "weak",
        };
        vec![
            yes(&found["ranges"], "yes", "no"),
            etag.to_owned(),
            modified.to_owned(),
            yes(&found["if_range_right"], "the part", "the whole"),
            yes(&found["if_range_wrong"], "the whole", "the part"),
            found["resume"].as_str().unwrap().to_owned(),
        ]
    };
    let columns =
        servers.map(|(name, start)| (name, probed(start, &[]).as_ref().map(column))).into_iter().collect();
    Table { marker: "http", labels, columns }
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/servers.md")
}

impl Table {
    fn markers(&self) -> (String, String) {
        let Self { marker, .. } = self;
        (format!("<!-- made by servers_matrix: {marker} -->\n"), format!("<!-- end of {marker} -->"))
    }

    fn render(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
        for (row, label) in self.labels.iter().enumerate() {
            let cells: Vec<&str> =
                self.columns.iter().map(|(_, cells)| &*cells.as_ref().unwrap()[row]).collect();
            text += &format!("| {label} | {} |\n", cells.join(" | "));
        }
        text
    }

    /// The part of the document that is this table's.
    #[track_caller]
    fn part<'a>(&self, document: &'a str) -> (&'a str, &'a str, &'a str) {
        let (begin, end) = self.markers();
        let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("there is no {begin:?}"));
        let (inside, after) = rest.split_once(&end).unwrap_or_else(|| panic!("there is no {end:?}"));
        (before, inside, after)
    }

    /// Writes it, or compares the columns that there are.
    #[track_caller]
    fn settle(&self) {
        let path = document();
        let text = fs::read_to_string(&path).unwrap();
        let (before, inside, after) = self.part(&text);
        if std::env::var_os("HAUL_WRITE_DOCS").is_some_and(|value| value == "1") {
            let missing: Vec<_> =
                self.columns.iter().filter(|(_, cells)| cells.is_none()).map(|(name, _)| name).collect();
            assert!(missing.is_empty(), "the table cannot be made without {missing:?}");
            let (begin, end) = self.markers();
            fs::write(&path, format!("{before}{begin}{}{end}{after}", self.render())).unwrap();
            return;
        }
        let rows: Vec<Vec<&str>> = inside
            .lines()
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
            .collect();
        let labels: Vec<&str> = rows.iter().skip(2).map(|row| row[0]).collect();
        assert_eq!(labels, self.labels, "{HINT}");
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(rows[0][1..], names, "{HINT}");
        for (at, (name, cells)) in self.columns.iter().enumerate() {
            let Some(cells) = cells else { continue };
            for (row, label) in self.labels.iter().enumerate() {
                assert_eq!(rows[row + 2][at + 1], cells[row], "{name}: {label}: {HINT}");
            }
        }
    }
}

const HINT: &str =
    "docs/servers.md (left) is not what the servers do (right); HAUL_WRITE_DOCS=1 writes the tables anew";

#[test]
fn the_tables_are_what_real_servers_do() {
    // One after the other: both write one file.
    ftp_table().settle();
    http_table().settle();
}
