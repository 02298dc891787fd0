//! The user that a server becomes once its doors are open: found in /etc/passwd and /etc/group, become for good.
//!
//! The system changes one thread's user at a time: so this happens while there is one.

use std::fs;

use haul_server::config::Process;
use rustix::process::{getegid, geteuid};

use crate::sys;

/// Somebody on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// What the settings call them.
    pub(super) name: String,
    user: u32,
    group: u32,
    /// Further groups.
    groups: Vec<u32>,
}

/// A key that names nobody of this machine, and why.
type Unknown = (&'static str, String);

/// Who the settings name, if anybody.
pub(super) fn of(process: &Process) -> Result<Option<Identity>, Unknown> {
    let Some(user) = &process.user else { return Ok(None) };
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|error| ("process.user", format!("cannot read {path}: {error}")))
    };
    find(user, process.group.as_deref(), &read("/etc/passwd")?, &read("/etc/group")?).map(Some)
}

fn find(user: &str, group: Option<&str>, passwd: &str, groups: &str) -> Result<Identity, Unknown> {
    let number = user.parse().ok();
    // name:password:uid:gid:…
    let known = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _) = (fields.next()?, fields.next()?);
        let (uid, gid): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (name == user || number == Some(uid)).then_some((name, uid, gid))
    });
    let uid = known.map(|(_, uid, _)| uid).or(number);
    let unknown = || ("process.user", format!("there is no user {user:?} in /etc/passwd"));
    let uid = uid.ok_or_else(unknown)?;
    if uid == 0 {
        return Err(("process.user", "that is root, who may do everything".to_owned()));
    }
    // name:password:gid:members
    let all = || {
        groups.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
            Some((name, gid, fields.next().unwrap_or_default()))
        })
    };
    let found = |wanted: &str| {
        let by_name = all().find(|(name, ..)| *name == wanted).map(|(_, gid, _)| gid);
        let gid = by_name.or_else(|| wanted.parse().ok());
        gid.ok_or_else(|| ("process.group", format!("there is no group {wanted:?} in /etc/group")))
    };
    let (gid, more) = match (group, known) {
        (Some(group), _) => (found(group)?, Vec::new()),
        (None, Some((name, _, gid))) => {
            let member = |members: &str| members.split(',').any(|member| member == name);
            (
                gid,
                all()
                    .filter(|(_, more, members)| *more != gid && member(members))
                    .map(|(_, gid, _)| gid)
                    .collect(),
            )
        }
        (None, None) => {
            return Err(("process.group", format!("{user} is not in /etc/passwd, so it must be named")));
        }
    };
    Ok(Identity { name: user.to_owned(), user: uid, group: gid, groups: more })
}

impl Identity {
    /// Becomes that one, with no way back. In words why not.
    pub(super) fn assume(&self) -> Result<(), String> {
        if geteuid().as_raw() == self.user && getegid().as_raw() == self.group {
            return Ok(());
        }
        let name = &self.name;
        if !geteuid().is_root() {
            return Err(format!("process.user: only root can become {name}"));
        }
        let groups: Vec<u32> = std::iter::once(&self.group).chain(&self.groups).copied().collect();
        sys::become_for_good(self.user, &groups)
            .map_err(|error| format!("process.user: cannot become {name}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nhaul:x:990:980::/:/bin/false\nann:x:1000:1000::/:/bin/sh\n";
    const GROUPS: &str =
        "root:x:0:\nhaul:x:980:\nfiles:x:500:ann,haul\ntls:x:501:haul\nother:x:502:haulier\n";

    fn identity(user: &str, group: Option<&str>) -> Result<(u32, u32, Vec<u32>), Unknown> {
        find(user, group, PASSWD, GROUPS).map(|it| (it.user, it.group, it.groups))
    }

    #[test]
    fn a_user_has_its_own_group_and_those_that_name_it() {
        assert_eq!(identity("haul", None), Ok((990, 980, vec![500, 501])));
        assert_eq!(identity("990", None), Ok((990, 980, vec![500, 501])));
        assert_eq!(identity("ann", None), Ok((1000, 1000, vec![500])));
    }

    #[test]
    fn a_group_that_is_named_is_the_only_one() {
        assert_eq!(identity("haul", Some("tls")), Ok((990, 501, vec![])));
        assert_eq!(identity("4711", Some("4712")), Ok((4711, 4712, vec![])));
    }

    #[test]
    fn who_is_not_there_or_is_root_is_nobody_to_become() {
        for (user, group) in
            [("bob", None), ("root", None), ("0", None), ("4711", None), ("haul", Some("none"))]
        {
            assert!(identity(user, group).is_err(), "{user} {group:?}");
        }
    }
}
