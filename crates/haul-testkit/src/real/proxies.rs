//! Proxies: tinyproxy for HTTP (absolute targets and CONNECT), microsocks for SOCKS5.

use std::process::Command;

use super::running::{Running, write};

/// tinyproxy.
#[derive(Debug)]
pub struct Tinyproxy;

impl Tinyproxy {
    /// Starts it; None where it is not installed. With a name and a password, it asks for them.
    #[track_caller]
    pub fn start(auth: Option<(&str, &str)>) -> Option<Running> {
        let program = super::peer("tinyproxy")?;
        let running = Running::start("tinyproxy", |addr, scratch| {
            let auth =
                auth.map_or_else(String::new, |(name, password)| format!("BasicAuth {name} {password}\n"));
            let (port, dir) = (addr.port(), scratch.display());
            let text = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\nLogLevel Connect\n\
                 LogFile \"{dir}/access.log\"\n{auth}"
            );
            let mut command = Command::new(program);
            command.arg("-d").arg("-c").arg(write(scratch, "tinyproxy.conf", &text));
            command
        });
        Some(running)
    }
}

/// microsocks.
#[derive(Debug)]
pub struct Microsocks;

impl Microsocks {
    /// Starts it; None where it is not installed. With a name and a password, it asks for them.
    #[track_caller]
    pub fn start(auth: Option<(&str, &str)>) -> Option<Running> {
        let program = super::peer("microsocks")?;
        let running = Running::start("microsocks", |addr, _| {
            let mut command = Command::new(program);
            command.args(["-i", "127.0.0.1", "-p", &addr.port().to_string()]);
            if let Some((name, password)) = auth {
                command.args(["-u", name, "-P", password]);
            }
            command
        });
        Some(running.with_scheme("socks5"))
    }
}
