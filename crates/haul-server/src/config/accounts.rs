//! What the file says of accounts: `[anonymous]` and `[[user]]`, and what each is kept to.

use std::sync::Arc;

use haul_core::TreePath;

use super::{
    document::{Document, Table},
    file::rates,
    value::{self, AnonymousAccess},
};
use crate::{
    account::{Completion, Permissions},
    accounts::{Bounds, Folders, Networks, Password, Quota, User},
    pace::UserRates,
};

/// Those who have no name.
pub(super) fn anonymous<'a>(
    document: &mut Document<'a>,
    root: &mut Table<'a>,
) -> (AnonymousAccess, TreePath, Arc<Bounds>) {
    let mut table = document.table(root, "anonymous");
    let access = document.text(&mut table, "access", str::parse).unwrap_or_default();
    let home = document.text(&mut table, "home", value::home).unwrap_or_default();
    let bounds = bounds(document, &mut table);
    document.finish(table);
    (access, home, bounds)
}

/// What an account is kept to.
fn bounds<'a>(document: &mut Document<'a>, table: &mut Table<'a>) -> Arc<Bounds> {
    Arc::new(Bounds {
        folders: Folders(folders(document, table)),
        networks: Networks(document.texts(table, "networks", str::parse)),
        expires: document.date(table, "expires", value::until),
        quota: Quota {
            bytes: document.text(table, "quota_bytes", value::size),
            files: document.number(table, "quota_files", &(1..u32::MAX)).map(u64::from),
        },
        rates: UserRates { user: rates(document, table, ""), session: rates(document, table, "session_") },
        sessions: document.number(table, "sessions", &(1..1_000_001)),
        certificates: Vec::new(),
    })
}

/// What may be done in which folder.
fn folders<'a>(document: &mut Document<'a>, table: &mut Table<'a>) -> Vec<(TreePath, Permissions)> {
    let mut folders: Vec<(TreePath, Permissions)> = Vec::new();
    // Each account has its own.
    document.anew(table, "folder.path");
    for mut folder in document.tables(table, "folder") {
        document.demand(&folder, "path");
        document.demand(&folder, "permissions");
        let path = document.once(&mut folder, "path", |text| {
            let path = value::home(text)?;
            let words = "is the home itself, which has the permissions beside its name";
            if path.is_root() { Err(words.to_owned()) } else { Ok(path) }
        });
        let may = document.text(&mut folder, "permissions", value::permissions);
        document.finish(folder);
        folders.extend(path.zip(may));
    }
    folders
}

/// Those who have one.
pub(super) fn users<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Vec<User> {
    document.tables(root, "user").into_iter().filter_map(|table| user(document, table)).collect()
}

fn user<'a>(document: &mut Document<'a>, mut table: Table<'a>) -> Option<User> {
    const COMPLETION: [(&str, Completion); 2] =
        [("strict", Completion::Strict), ("lenient", Completion::Lenient)];
    document.demand(&table, "name");
    document.demand(&table, "password");
    let name = document.once(&mut table, "name", value::user_name);
    let password = document.secret(&mut table, "password", |text| {
        Password::hashed(text).ok_or_else(|| "is no argon2 hash: let `haul passwd` make one".to_owned())
    });
    let home = document.text(&mut table, "home", value::home).unwrap_or_default();
    let may = document.text(&mut table, "permissions", value::permissions).unwrap_or(value::ALL);
    let completion =
        document.text(&mut table, "completion", |text| value::one_of(text, &COMPLETION)).unwrap_or_default();
    let bounds = bounds(document, &mut table);
    let certificates = document.texts(&mut table, "certificates", str::parse);
    let bounds = Arc::new(Bounds { certificates, ..Arc::unwrap_or_clone(bounds) });
    document.finish(table);
    Some(User { name: name?, password: password?, home, may, completion, bounds })
}
