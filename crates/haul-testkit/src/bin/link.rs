//! `haul-link`: a [`Link`] for scripts. It prints `listening 127.0.0.1:PORT` and relays until it is stopped.
//! With `--up-to` it is what goes to the server that is paced and cut, for uploads; with `--ftp-up-to` the same of each
//! data connection of an FTP server.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program for scripts, not a library

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use haul_testkit::{Cut, FtpLink, Link};

const USAGE: &str = "haul-link --to|--up-to|--ftp-up-to HOST:PORT [--rate BYTES] [--rate-first N:BYTES] [--cut BYTES] [--cut-rst BYTES] \
                     [--stall BYTES] [--latency MILLISECONDS]";

fn main() -> ExitCode {
    match start(std::env::args().skip(1)) {
        Ok(link) => {
            let addr = match &link {
                Started::Link(link) => link.addr(),
                Started::Ftp(link) => link.addr(),
            };
            println!("listening {addr}");
            loop {
                std::thread::park();
            }
        }
        Err(why) => {
            eprintln!("haul-link: {why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What relays.
enum Started {
    Link(Link),
    Ftp(FtpLink),
}

fn start(mut args: impl Iterator<Item = String>) -> Result<Started, String> {
    let kind = args.next();
    let up = match kind.as_deref() {
        Some("--to") => false,
        Some("--up-to") => true,
        Some("--ftp-up-to") => return ftp(args).map(Started::Ftp),
        _ => return Err("--to, --up-to or --ftp-up-to comes first".into()),
    };
    let to = address(args.next())?;
    let link = if up { Link::up_to(to) } else { Link::to(to) };
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--rate" => link.rate(Some(number(&value)?)),
            "--rate-first" => {
                let (count, rate) = value.split_once(':').ok_or("--rate-first needs N:BYTES")?;
                link.rate_of_first(number(count)? as usize, number(rate)?)
            }
            "--cut" => link.cut_after(number(&value)?, Cut::Fin),
            "--cut-rst" => link.cut_after(number(&value)?, Cut::Rst),
            "--stall" => link.stall_after(number(&value)?),
            "--latency" => link.latency(Duration::from_millis(number(&value)?)),
            _ => return Err(format!("unknown option {option}")),
        };
    }
    Ok(Started::Link(link))
}

fn ftp(mut args: impl Iterator<Item = String>) -> Result<FtpLink, String> {
    let link = FtpLink::up_to(address(args.next())?);
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--rate" => link.rate(Some(number(&value)?)),
            "--rate-first" => {
                let (count, rate) = value.split_once(':').ok_or("--rate-first needs N:BYTES")?;
                link.rate_of_first(number(count)? as usize, number(rate)?)
            }
            "--cut" => link.cut_after(number(&value)?, Cut::Fin),
            "--cut-rst" => link.cut_after(number(&value)?, Cut::Rst),
            _ => return Err(format!("unknown option {option}")),
        };
    }
    Ok(link)
}

fn address(to: Option<String>) -> Result<SocketAddr, String> {
    let to = to.ok_or("it needs HOST:PORT")?;
    let found = to.to_socket_addrs().map_err(|e| format!("{to}: {e}"))?.next();
    found.ok_or_else(|| "an unknown host".to_owned())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}
