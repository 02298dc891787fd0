//! nginx, with the limits that a resume client meets in the wild.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::{Running, is_root, write};
use crate::tls::Certificates;

/// An nginx that is about to be started over a folder.
#[derive(Debug)]
pub struct Nginx {
    root: PathBuf,
    server: String,
    password: Option<String>,
    tls: bool,
}

impl Nginx {
    /// Starts it over a folder, as it comes.
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), server: String::new(), password: None, tls: false }
    }

    /// At most so many bytes a second on each connection.
    #[must_use]
    pub fn limit_rate(self, rate: u64) -> Self {
        self.directive(&format!("limit_rate {rate};"))
    }

    /// At most so many requests at a time from one address; 503 beyond.
    #[must_use]
    pub fn limit_conn(self, count: usize) -> Self {
        self.directive(&format!("limit_conn clients {count};"))
    }

    /// Basic authentication.
    #[must_use]
    pub fn auth(self, name: &str, password: &str) -> Self {
        let password = Some(format!("{name}:{{PLAIN}}{password}\n"));
        Self { password, ..self.directive("auth_basic haul; auth_basic_user_file passwords;") }
    }

    /// WebDAV, to be written to: PUT of whole files (501 to Content-Range), DELETE, MKCOL, MOVE.
    #[must_use]
    pub fn dav(self) -> Self {
        // Its temporary files are in the scratch folder, on the same file system as other folders of tests.
        self.directive("dav_methods PUT DELETE MKCOL COPY MOVE; client_max_body_size 0;")
    }

    /// Behind TLS.
    #[must_use]
    pub fn tls(self, certificates: &Certificates) -> Self {
        let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
        let lines = format!("ssl_certificate {}; ssl_certificate_key {};", cert.display(), key.display());
        Self { tls: true, ..self.directive(&lines) }
    }

    /// Whatever else belongs into the `server` block.
    #[must_use]
    pub fn directive(mut self, text: &str) -> Self {
        let _ = writeln!(self.server, "        {text}");
        self
    }

    /// Starts it; None where nginx is not installed.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        let program = super::peer("nginx")?;
        let scheme = if self.tls { "https" } else { "http" };
        let running = Running::start("nginx", |addr, scratch| {
            let config = write(scratch, "nginx.conf", &self.config(addr, scratch));
            write(scratch, "passwords", self.password.as_deref().unwrap_or_default());
            let mut command = Command::new(program);
            command.arg("-e").arg(scratch.join("error.log")).arg("-p").arg(scratch).arg("-c").arg(config);
            command
        });
        Some(running.with_scheme(scheme))
    }

    fn config(&self, addr: SocketAddr, scratch: &Path) -> String {
        // Root's scratch folders are closed to everybody else, the workers' usual user included.
        let user = if is_root() { "user root;" } else { "" };
        let (root, scratch) = (self.root.display(), scratch.display());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path {scratch}/{kind};\n"))
            .concat();
        let ssl = if self.tls { " ssl" } else { "" };
        format!(
            "{user}\ndaemon off;\nworker_processes 1;\npid {scratch}/nginx.pid;\nerror_log {scratch}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n{temporary}    access_log {scratch}/access.log;\n    sendfile on;\n    \
             default_type application/octet-stream;\n    limit_conn_zone $binary_remote_addr zone=clients:1m;\n    \
             server {{\n        listen {addr}{ssl};\n        root {root};\n{}    }}\n}}\n",
            self.server
        )
    }
}
