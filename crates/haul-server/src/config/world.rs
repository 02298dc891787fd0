//! What a configuration speaks of and what is really there: folders, files, and what lies in what.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use haul_core::TreePath;

use super::{
    Certificate, Config, Mount, Problem, Problems, Tls,
    fit::{is_served, lies_open},
    hooks,
};
use crate::{accounts::Anonymous, hooks::To};

impl Config {
    /// Looks at the world: whether the folders and files are there that this speaks of.
    pub fn check(&self) -> Result<(), Problems> {
        let mut list = Vec::new();
        if !self.dir.is_dir() {
            list.push(Problem::of("dir", format!("{} is no folder", self.dir.display())));
        }
        self.check_what_lies_open(&mut list);
        self.check_mounts(&mut list);
        self.check_certificates(&mut list);
        for (key, file) in self.logs() {
            let folder = match file.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            if !folder.is_dir() {
                list.push(Problem::of(key, format!("{} is no folder", folder.display())));
            }
        }
        let unfit = self.hooks.iter().enumerate().filter_map(|(number, hook)| {
            let problem = hooks::unfit(hook)?;
            let line = self.lines.nth(problem.key.as_deref()?, number);
            Some(problem.at(line))
        });
        list.extend(unfit);
        if list.is_empty() { Ok(()) } else { Err(self.lines.told(list)) }
    }

    /// The files that lines are added to.
    fn logs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let logs = [("log.xferlog", &self.log.xferlog), ("log.audit", &self.log.audit)];
        logs.into_iter().filter_map(|(key, file)| Some((key, file.as_deref()?)))
    }

    /// What nobody else is to read: state, logs, keys, secrets, and the file that all this stands in. Each with its key and,
    /// in tables that may be several, its line.
    fn own(&self) -> Vec<(&'static str, Option<usize>, &Path)> {
        let key = match self.tls.as_ref().map(|tls| &tls.certificate) {
            Some(Certificate::Files { key, .. }) => Some(("tls.key", None, key.as_path())),
            Some(Certificate::SelfSigned) | None => None,
        };
        let hosts = self.hosts.iter().enumerate().filter_map(|(number, host)| {
            let (_, key) = host.certificate.as_ref()?;
            Some(("host.key", self.lines.nth("host.key", number), key.as_path()))
        });
        let secrets = self.hooks.iter().enumerate().filter_map(|(number, hook)| match &hook.to {
            To::Post { secret, .. } => {
                Some(("hook.secret_file", self.lines.nth("hook.secret_file", number), secret.as_deref()?))
            }
            To::Command { .. } => None,
        });
        let file = self.lines.file.as_deref().map(|file| ("--config", None, file));
        let logs = self.logs().map(|(key, file)| (key, None, file));
        let first = [("state", None, self.state.as_path())].into_iter();
        first.chain(logs).chain(key).chain(hosts).chain(secrets).chain(file).collect()
    }

    /// What is this server's own and lies where clients could fetch it.
    fn check_what_lies_open(&self, list: &mut Vec<Problem>) {
        let served = std::iter::once(("dir", None, &self.dir));
        let mounts = self.mounts.iter().enumerate();
        let served = served.chain(
            mounts.map(|(number, mount)| ("mount.dir", self.lines.nth("mount.dir", number), &mount.dir)),
        );
        let served: Vec<_> = served
            .filter_map(|(key, line, dir)| Some((key, line, real(dir).filter(|dir| dir.is_dir())?)))
            .collect();
        for (key, own, path) in self.own() {
            let Some(really) = real(path) else { continue };
            if let Some((dir, line, _)) = served.iter().find(|(.., dir)| is_served(dir, &really)) {
                list.push(lies_open(key, path).at(own).beside_at(dir, *line));
            }
        }
    }

    fn check_certificates(&self, list: &mut Vec<Problem>) {
        let own = match &self.tls {
            Some(Tls { certificate: Certificate::Files { cert, key }, .. }) => {
                vec![("tls.cert", None, cert), ("tls.key", None, key)]
            }
            Some(_) | None => Vec::new(),
        };
        let hosts = self.hosts.iter().enumerate().filter_map(|(number, host)| {
            let (cert, key) = host.certificate.as_ref()?;
            let line = |name| self.lines.nth(name, number);
            Some([("host.cert", line("host.cert"), cert), ("host.key", line("host.key"), key)])
        });
        let clients = self.tls.as_ref().and_then(|tls| tls.clients.as_ref());
        let clients = clients.map(|clients| ("tls.client_ca", None, clients));
        for (key, line, file) in own.into_iter().chain(hosts.flatten()).chain(clients) {
            if let Err(why) = File::open(file) {
                list.push(Problem::of(key, format!("{}: {why}", file.display())).at(line));
            }
        }
    }

    /// Folders that are served twice would have two that stage and sweep in them.
    fn check_mounts(&self, list: &mut Vec<Problem>) {
        let mut served: Vec<_> = real(&self.dir).map(|dir| (dir, ("dir", None))).into_iter().collect();
        for (number, Mount { path, dir }) in self.mounts.iter().enumerate() {
            let wrong = |key: &str, what: String| Problem::of(key, what).at(self.lines.nth(key, number));
            let Some(folder) = real(dir).filter(|folder| folder.is_dir()) else {
                list.push(wrong("mount.dir", format!("{} is no folder", dir.display())));
                continue;
            };
            let twice = |(other, _): &&(PathBuf, _)| folder.starts_with(other) || other.starts_with(&folder);
            if let Some((other, (key, line))) = served.iter().find(twice) {
                let what = format!("{} and {} lie in each other", dir.display(), other.display());
                list.push(wrong("mount.dir", what).beside_at(key, *line));
            }
            served.push((folder, ("mount.dir", self.lines.nth("mount.dir", number))));
            let above = path.parent().unwrap_or_default();
            if !self.folder_of(&above).is_some_and(|folder| folder.is_dir()) {
                let what = format!("there is no folder {above} for {path} to be shown in");
                list.push(wrong("mount.path", what));
            }
        }
    }

    /// The folder of this machine that is served there.
    fn folder_of(&self, path: &TreePath) -> Option<PathBuf> {
        let around = self.mounts.iter().filter(|mount| path.is_within(&mount.path));
        let (at, dir) = around
            .max_by_key(|mount| mount.path.as_bytes().len())
            .map_or((TreePath::ROOT, &self.dir), |mount| (mount.path.clone(), &mount.dir));
        let inside = path.moved(&at, &TreePath::ROOT)?;
        Some(dir.join(inside.to_string().trim_start_matches('/')))
    }

    /// Homes that are not there. Whose home it is comes in all the same, finds nothing, and may be helped by whoever
    /// makes the folder; nobody else is concerned.
    pub fn absent_homes(&self) -> Problems {
        let anonymous = match &self.anonymous {
            Anonymous::On { home, .. } => Some(("anonymous.home", None, home)),
            Anonymous::Off => None,
        };
        let users = self.users.iter();
        let users = users.map(|user| ("user.home", Some(("user.name", &user.name)), &user.home));
        let hosts = self.hosts.iter();
        let hosts =
            hosts.map(|host| ("host.home", host.names.first().map(|name| ("host.names", name)), &host.home));
        let absent = users.chain(anonymous).chain(hosts).filter(|(_, _, home)| {
            !self.folder_of(home).is_some_and(|folder| folder.is_dir()) && self.dir.is_dir()
        });
        let told = absent.map(|(key, called, home)| {
            let whose = called.map(|(_, name)| format!("{name:?}: ")).unwrap_or_default();
            let dir = self.dir.display();
            let line = called.and_then(|(other, name)| self.lines.of(key, other, name));
            Problem::of(key, format!("{whose}there is no folder {home} in {dir}")).at(line)
        });
        self.lines.told(told.collect())
    }
}

/// Where a path leads, though the end of it may not be there yet.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|there| {
        let rest = path.strip_prefix(there).ok()?;
        let there = there.canonicalize().ok()?;
        // With nothing behind it a slash would be.
        Some(if rest == Path::new("") { there } else { there.join(rest) })
    })
}
