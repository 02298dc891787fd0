//! HAProxy, which hands TCP on and tells by the PROXY protocol for whom.

use std::{net::SocketAddr, process::Command};

use super::running::{Running, write};

/// HAProxy.
#[derive(Debug)]
pub struct Haproxy;

impl Haproxy {
    /// Starts it before a server, telling by this version of the protocol; None where it is not installed. It listens at
    /// its port on two addresses of loopback, and hands `data` on as well, where that is at 127.0.0.3, port for port.
    #[track_caller]
    pub fn start(to: SocketAddr, version: u8, data: Option<u16>) -> Option<Running> {
        let program = super::peer("haproxy")?;
        let send = if version == 1 { "send-proxy" } else { "send-proxy-v2" };
        let data = data.map_or_else(String::new, |port| {
            format!(
                "frontend data\n    bind 127.0.0.3:{port}\n    default_backend data\n\
                 backend data\n    server one {}:{port} {send}\n",
                to.ip()
            )
        });
        let running = Running::start("haproxy", |addr, scratch| {
            let port = addr.port();
            let text = format!(
                "global\n    maxconn 100\ndefaults\n    mode tcp\n    timeout connect 10s\n    timeout client 60s\n    \
                 timeout server 60s\nfrontend control\n    bind {addr}\n    bind 127.0.0.3:{port}\n    \
                 default_backend control\nbackend control\n    server one {to} {send}\n{data}"
            );
            let mut command = Command::new(program);
            command.args(["-db", "-f"]).arg(write(scratch, "haproxy.cfg", &text));
            command
        });
        Some(running)
    }
}
