//! `haul-ftpd`: an FTP server of the tests for scripts. It prints the URL of what it serves, login included, and in
//! a second line the file with the authority to trust, if it speaks TLS; it serves until its standard input ends.
//!
//! vsftpd and ProFTPD are the real ones, over a folder; `cut` is the scripted one, with one file, and ends each data
//! connection after so many bytes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for scripts, not a library")]

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use haul_testkit::{
    Cut, FtpBehaviour, FtpPeer,
    hostile::Which,
    real::{FtpTls, ProFtpd, Vsftpd},
    tls::Certificates,
};

const USAGE: &str = "haul-ftpd vsftpd|proftpd FOLDER [--tls]\n\
                     haul-ftpd cut FILE BYTES fin|rst";

/// What has to live as long as the server does.
struct Serving {
    url: String,
    /// Where it speaks TLS.
    authority: Option<PathBuf>,
    _alive: Box<dyn std::any::Any>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match start(&args) {
        Ok(serving) => {
            println!("{}", serving.url);
            println!("{}", serving.authority.as_deref().unwrap_or(Path::new("")).display());
            // Whoever started this is gone, or has had enough, when this ends.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("haul-ftpd: {why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn start(args: &[String]) -> Result<Serving, String> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [server @ ("vsftpd" | "proftpd"), root] => real(server, Path::new(root), false),
        [server @ ("vsftpd" | "proftpd"), root, "--tls"] => real(server, Path::new(root), true),
        ["cut", file, bytes, how @ ("fin" | "rst")] => {
            let bytes = bytes.parse().map_err(|_| format!("{bytes} is not a number"))?;
            let how = if how == "fin" { Cut::Fin } else { Cut::Rst };
            scripted(Path::new(file), bytes, how)
        }
        _ => Err("what is to be served?".into()),
    }
}

fn real(server: &str, root: &Path, encrypted: bool) -> Result<Serving, String> {
    let certificates = Certificates::for_loopback();
    let tls = encrypted.then(|| FtpTls::required(&certificates));
    let running = if server == "vsftpd" {
        // As many sessions as the others take, and no log of every command.
        let server = Vsftpd::over(root).directive("max_per_ip=0\nmax_clients=0\nlog_ftp_protocol=NO");
        if let Some(tls) = tls { server.tls(tls) } else { server }.start()
    } else {
        let server = ProFtpd::over(root).allow_store_restart();
        if let Some(tls) = tls { server.tls(tls) } else { server }.start()
    };
    let running = running.ok_or_else(|| format!("{server} is not installed"))?;
    let (url, authority) = (running.login_url("/"), encrypted.then(|| certificates.ca_pem_path()));
    Ok(Serving { url, authority, _alive: Box::new((running, certificates)) })
}

fn scripted(file: &Path, bytes: u64, how: Cut) -> Result<Serving, String> {
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("the file has no name")?;
    let content = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let peer = FtpPeer::start(FtpBehaviour::proper().cut(Which::Every, bytes, how));
    peer.put_bytes(name, &content);
    Ok(Serving { url: peer.url(""), authority: None, _alive: Box::new(peer) })
}
