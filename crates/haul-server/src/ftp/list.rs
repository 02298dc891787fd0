//! Names on their way to the client: a page at a time, in order as far as memory may be spent on it.
//!
//! How a line looks is the writers' business (`haul_proto::ftp::server::listing`). Nothing here grows with a folder
//! beyond [`SORTED`] entries.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use haul_core::TreePath;
use haul_proto::ftp::server::{
    Form as Character, Listed as Entry, Mode, Scope, Shape, Structure, Style, Transferred, Trouble,
    glob::Pattern, listing::Form,
};

use super::{
    data::{Ending, Stream},
    entry::entry,
    figures::Figures,
    retrieve::words,
    shaping::Outward,
    trouble::trouble,
};
use crate::{
    ServerError,
    depot::{Names, Visitor},
};

/// So many entries of a folder are sorted; what is beyond comes as it comes.
const SORTED: usize = 10_000;
/// The most entries of a reply on the control connection.
const REPLIED: usize = 5_000;
/// The most entries and levels of a deep list.
const DEEP: usize = 200_000;
const LEVELS: usize = 32;
/// So much is written at once.
const PIECE: usize = 32 << 10;

/// A list that can be sent.
pub(super) struct Listed {
    what: Found,
    look: Look,
}

/// What is shown, and how.
struct Look {
    form: Form,
    scope: Scope,
    wanted: Option<Wanted>,
}

enum Found {
    One(Box<Entry>),
    Folder(TreePath, Names),
}

/// Which names.
struct Wanted {
    letters: Vec<u8>,
    pattern: Option<Pattern>,
}

impl Wanted {
    fn new(glob: &[u8]) -> Self {
        Self { letters: glob.to_vec(), pattern: Pattern::new(glob) }
    }

    fn has(&self, name: &[u8]) -> bool {
        name == self.letters || self.pattern.as_ref().is_some_and(|pattern| pattern.matches(name))
    }

    fn asks_for_dot(&self) -> bool {
        self.pattern.as_ref().is_some_and(Pattern::asks_for_dot)
    }
}

impl Listed {
    pub(super) async fn prepare(
        visitor: &Visitor,
        path: &TreePath,
        glob: Option<&[u8]>,
        style: Style,
        scope: Scope,
    ) -> Result<Self, Trouble> {
        let told = |error: ServerError| trouble(&error);
        let seen = visitor.stat(path).await.map_err(told)?;
        let account = visitor.account();
        let own = entry(path.name().to_vec(), seen, account, account.may_at(path));
        let form = match style {
            Style::Long => Form::Long { now: now() },
            Style::Names => Form::Names,
            Style::Facts(chosen) => Form::Facts(chosen),
        };
        let what = if own.folder && !scope.itself {
            Found::Folder(path.clone(), visitor.list(path).await.map_err(told)?)
        } else if matches!(style, Style::Facts(_)) {
            return Err(Trouble::NotAFolder);
        } else {
            let name = if own.name.is_empty() { b".".to_vec() } else { own.name };
            Found::One(Box::new(Entry { name, ..own }))
        };
        Ok(Self { what, look: Look { form, scope, wanted: glob.map(Wanted::new) } })
    }
}

impl Look {
    fn shows(&self, name: &[u8], top: bool) -> bool {
        let wanted = self.wanted.as_ref().filter(|_| top);
        let hidden = name.first() == Some(&b'.');
        let asked = self.scope.hidden
            || matches!(self.form, Form::Facts(_))
            || wanted.is_some_and(Wanted::asks_for_dot);
        (!hidden || asked) && wanted.is_none_or(|wanted| wanted.has(name))
    }
}

/// The present, in seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// All entries of a folder for a reply, sorted; cut where they are too many.
pub(super) async fn for_reply(visitor: &Visitor, folder: &TreePath) -> Result<Vec<Entry>, ServerError> {
    let mut names = visitor.list(folder).await?;
    let (account, mut entries) = (visitor.account(), Vec::new());
    loop {
        let page = names.next().await?;
        if page.is_empty() || entries.len() >= REPLIED {
            break;
        }
        entries.extend(page.into_iter().map(|(name, seen)| {
            let may = account.may_in(folder, &name);
            entry(name, seen, account, may)
        }));
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    entries.truncate(REPLIED);
    Ok(entries)
}

/// Sends it.
pub(super) async fn send(
    listed: Listed,
    (stream, mode): (Stream, Mode),
    visitor: &Visitor,
    figures: &Arc<Figures>,
    stall: Duration,
) -> Result<(), Transferred> {
    let Listed { what, look } = listed;
    // Its lines are made as TYPE A has them.
    let shape = Shape { form: Character::Image, structure: Structure::File, mode };
    let outward = Outward::new(shape);
    let mut paper = Paper { ending: Ending::of(stream), outward, lines: Vec::new(), figures, stall };
    match what {
        Found::One(entry) => look.form.write(&entry, &mut paper.lines),
        Found::Folder(path, names) => folders(&look, path, names, visitor, &mut paper).await?,
    }
    paper.finish().await
}

/// A folder of a deep list.
struct Folder {
    path: TreePath,
    /// As it stands above its names.
    shown: Vec<u8>,
    level: usize,
    /// The folders within it that are to come: names alone, since there may be many.
    within: std::vec::IntoIter<Vec<u8>>,
}

async fn folders(
    look: &Look,
    path: TreePath,
    names: Names,
    visitor: &Visitor,
    paper: &mut Paper<'_>,
) -> Result<(), Transferred> {
    let mut left = DEEP;
    let mut top = Folder { path, shown: b".".to_vec(), level: 0, within: Vec::new().into_iter() };
    one_folder(look, &mut top, names, visitor, paper, &mut left).await?;
    // From the top down to where it is.
    let mut open = vec![top];
    while let Some(above) = open.last_mut() {
        let Some(name) = above.within.next() else {
            open.pop();
            continue;
        };
        let Ok(path) = above.path.join(&name) else { continue };
        let shown = [above.shown.as_slice(), b"/", &name].concat();
        let mut next = Folder { path, shown, level: above.level + 1, within: Vec::new().into_iter() };
        // One that vanished meanwhile, or may not be read, has nothing to show.
        let Ok(names) = visitor.list(&next.path).await else { continue };
        let header = [b"\r\n", next.shown.as_slice(), b":\r\n"].concat();
        paper.lines.extend_from_slice(&header);
        // Folders with nothing in them add up as well.
        if paper.lines.len() >= PIECE {
            paper.send().await?;
        }
        one_folder(look, &mut next, names, visitor, paper, &mut left).await?;
        open.push(next);
    }
    Ok(())
}

/// One folder; those within it are noted where a deep list is wanted.
async fn one_folder(
    look: &Look,
    folder: &mut Folder,
    mut names: Names,
    visitor: &Visitor,
    paper: &mut Paper<'_>,
    left: &mut usize,
) -> Result<(), Transferred> {
    let top = folder.level == 0;
    if look.scope.dots && look.wanted.is_none() {
        for dot in dots(visitor, &folder.path).await {
            look.form.write(&dot, &mut paper.lines);
        }
    }
    let mut within = Vec::new();
    let mut end = false;
    while !end {
        let mut entries = Vec::new();
        while entries.len() < SORTED && !end {
            let page = names.next().await.map_err(|error| Transferred::Failed(trouble(&error)))?;
            end = page.is_empty();
            let shown = page.into_iter().filter(|(name, _)| look.shows(name, top));
            entries.extend(shown.map(|(name, seen)| {
                let may = visitor.account().may_in(&folder.path, &name);
                entry(name, seen, visitor.account(), may)
            }));
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            if look.scope.deep {
                let Some(fewer) = left.checked_sub(1) else { return Ok(()) };
                *left = fewer;
                if entry.folder && folder.level < LEVELS && within.len() < SORTED {
                    within.push(entry.name.clone());
                }
            }
            look.form.write(&entry, &mut paper.lines);
            if paper.lines.len() >= PIECE {
                paper.send().await?;
            }
        }
    }
    folder.within = within.into_iter();
    Ok(())
}

/// The folder and the one above it, which of the root is the root.
async fn dots(visitor: &Visitor, path: &TreePath) -> Vec<Entry> {
    let above = path.parent().unwrap_or_default();
    let mut found = Vec::new();
    for (name, path) in [(&b"."[..], path), (b"..", &above)] {
        if let Ok(seen) = visitor.stat(path).await {
            let account = visitor.account();
            found.push(entry(name.to_vec(), seen, account, account.may_at(path)));
        }
    }
    found
}

/// Lines, and where they go.
struct Paper<'a> {
    ending: Ending,
    outward: Outward,
    lines: Vec<u8>,
    figures: &'a Figures,
    stall: Duration,
}

impl Paper<'_> {
    async fn send(&mut self) -> Result<(), Transferred> {
        let wire = Vec::with_capacity(self.lines.len());
        let taken = self.outward.take(std::mem::take(&mut self.lines), wire).await;
        let (lines, wire) = taken.map_err(|error| Transferred::Failed(trouble(&error)))?;
        self.lines = lines;
        self.lines.clear();
        self.write(&wire).await
    }

    async fn write(&mut self, wire: &[u8]) -> Result<(), Transferred> {
        if let Some(stream) = &mut self.ending.stream {
            let sent = stream.write(wire, self.stall).await;
            sent.map_err(|error| Transferred::Broken(words(&error, self.figures)))?;
        }
        self.figures.add(wire.len());
        Ok(())
    }

    async fn finish(mut self) -> Result<(), Transferred> {
        self.send().await?;
        let mut end = Vec::new();
        self.outward.finish(&mut end);
        self.write(&end).await?;
        let Some(stream) = self.ending.stream.take() else { return Ok(()) };
        stream.finish(self.stall).await.map_err(|error| Transferred::Broken(words(&error, self.figures)))
    }
}
