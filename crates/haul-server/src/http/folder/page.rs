//! The page of a folder. It is all there without its script: the script only says dates in the reader's own way,
//! filters while one types, and uploads.

use std::{
    fmt::{self, Write as _},
    iter::once,
};

use haul_core::TreePath;
use http::{HeaderName, HeaderValue, header};

use super::{
    LOGIN, asset,
    escape::Shown,
    listing::{Listing, Row, Sort, View},
    words,
};
use crate::{
    depot::Visitor,
    http::{
        answer::Answer,
        place::{Place, href, segment},
        request::{Client, Request},
    },
};

/// So many rows are on a page.
const ROWS: usize = 5000;

/// Nothing runs or is asked for but what comes from here, and no page elsewhere shows this one (CSP3 §6).
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The fields of an answer that is a page.
pub(super) fn fields(answer: Answer) -> Answer {
    answer
        .with(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"))
}

/// What a page tells beside the rows.
pub(super) struct Frame {
    folder: TreePath,
    view: View,
    /// Who looks; `None` is anybody.
    who: Option<String>,
    may_add: bool,
    /// The URL of the folder.
    url: String,
}

impl Frame {
    pub(super) fn new(
        client: &Client,
        request: &Request,
        visitor: &Visitor,
        place: &Place,
        view: View,
    ) -> Self {
        let account = visitor.account();
        let named =
            |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        let host = request.host.as_deref().filter(named).unwrap_or("HOST");
        Self {
            url: format!("{}://{host}{}", client.kind.name().name(), href(&place.path, true)),
            folder: place.path.clone(),
            view,
            who: account.anonymous.is_none().then(|| account.name.clone()),
            may_add: visitor.may_add(&place.path),
        }
    }

    fn title(&self) -> &[u8] {
        if self.folder.is_root() { b"Files" } else { self.folder.name() }
    }

    /// A link to this page with another view of it.
    fn link(&self, sort: Sort, descending: bool, from: usize) -> String {
        let mut link = format!("?sort={}", sort.word());
        if descending {
            link.push_str("&amp;order=desc");
        }
        if !self.view.filter.is_empty() {
            link.push_str("&amp;filter=");
            link.push_str(&segment(self.view.filter.as_bytes()));
        }
        if from > 0 {
            // Whatever it is, it can be written to a string, here and below.
            let _ = write!(link, "&amp;from={from}");
        }
        link
    }
}

/// The page, piece by piece.
pub(super) fn pieces(mut frame: Frame, listing: Listing) -> impl Iterator<Item = String> + Send {
    if frame.view.from >= listing.rows.len() {
        frame.view.from = 0;
    }
    let mut head = String::new();
    let foot = foot(&frame, &listing);
    let _ = write_head(&mut head, &frame);
    if !listing.hidden {
        let _ = write_top(&mut head, &frame, &listing);
    }
    let (may_add, from) = (frame.may_add, frame.view.from);
    // What is not shown is not kept for as long as the page is read.
    let mut rows: Vec<_> = listing.rows.into_iter().skip(from).take(ROWS).collect();
    rows.shrink_to_fit();
    once(head).chain(rows.into_iter().map(move |row| written(&row, may_add))).chain(once(foot))
}

fn write_head(html: &mut String, frame: &Frame) -> fmt::Result {
    let (style, script) = (asset::STYLE.href(), asset::SCRIPT.href());
    let (title, path) = (Shown(frame.title()), href(&frame.folder, true));
    let who = if frame.who.is_some() { "named" } else { "anybody" };
    write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"{style}\">\n\
         <script src=\"{script}\" defer></script>\n\
         <body data-folder=\"{path}\" data-who=\"{who}\">\n<header>\n"
    )?;
    write_crumbs(html, frame)?;
    match &frame.who {
        Some(name) => {
            let name = Shown(name.as_bytes());
            writeln!(html, "<p class=\"who\">signed in as <bdi>{name}</bdi></p>")?;
        }
        None => {
            let hint = if frame.may_add { "Sign in" } else { "Sign in to upload" };
            let back = segment(path.as_bytes());
            writeln!(html, "<p class=\"who\"><a href=\"/?{LOGIN}={back}\" rel=\"nofollow\">{hint}</a></p>")?;
        }
    }
    writeln!(html, "</header>\n<main>\n<h1><bdi>{title}</bdi></h1>")?;
    if frame.may_add { write_upload(html, frame) } else { Ok(()) }
}

/// The folders that lead here, each a link.
fn write_crumbs(html: &mut String, frame: &Frame) -> fmt::Result {
    if frame.folder.is_root() {
        return Ok(());
    }
    html.push_str("<nav aria-label=\"Folders above\"><ol>");
    let mut path = String::from("/");
    let names: Vec<&[u8]> = frame.folder.names().collect();
    let mut crumb = |path: &str, name: Shown<'_>, last: bool| {
        let current = if last { " aria-current=\"page\"" } else { "" };
        write!(html, "<li><a href=\"{path}\"{current}><bdi>{name}</bdi></a></li>")
    };
    crumb(&path, Shown(b"Files"), false)?;
    for (at, name) in names.iter().enumerate() {
        path.push_str(&segment(name));
        path.push('/');
        crumb(&path, Shown(name), at + 1 == names.len())?;
    }
    html.push_str("</ol></nav>\n");
    Ok(())
}

fn write_upload(html: &mut String, frame: &Frame) -> fmt::Result {
    let (url, user) = (&frame.url, if frame.who.is_some() { "-u NAME " } else { "" });
    write!(
        html,
        "<section id=\"upload\" aria-label=\"Upload\">\n<div id=\"drop\" hidden>\
         <label for=\"files\">Upload files</label><input id=\"files\" type=\"file\" multiple>\
         <span class=\"pointer\">or drop them anywhere on this page</span></div>\n\
         <ul id=\"uploads\" aria-label=\"Uploads\"></ul>\n<p id=\"said\" role=\"status\" class=\"unseen\"></p>\n\
         <noscript><p>Uploads from this page need JavaScript. With curl they go without; after a cut, <code>-C</code> \
         with the number of bytes that are here sends the rest.</p><pre><code>curl {user}-T FILE {url}</code></pre></noscript>\n</section>\n"
    )
}

fn write_filter(html: &mut String, view: &View) -> fmt::Result {
    html.push_str("<form role=\"search\" method=\"get\">");
    if view.sort != Sort::default() {
        write!(html, "<input type=\"hidden\" name=\"sort\" value=\"{}\">", view.sort.word())?;
    }
    if view.descending {
        html.push_str("<input type=\"hidden\" name=\"order\" value=\"desc\">");
    }
    let filter = Shown(view.filter.as_bytes());
    writeln!(
        html,
        "<label for=\"filter\">Filter</label>\
         <input id=\"filter\" type=\"search\" name=\"filter\" value=\"{filter}\" autocomplete=\"off\" \
         autocapitalize=\"none\" spellcheck=\"false\"><button>Filter</button></form>"
    )
}

/// What stands between the title and the rows.
fn write_top(html: &mut String, frame: &Frame, listing: &Listing) -> fmt::Result {
    // Nothing to look for in what is empty.
    if listing.total > 0 {
        write_filter(html, &frame.view)?;
    }
    let view = &frame.view;
    // The script may filter by itself where every name is on the page.
    let whole = if listing.total <= ROWS && view.filter.is_empty() { " data-whole" } else { "" };
    let folders = listing.rows.iter().filter(|row| row.folder).count();
    let size: u64 = listing.rows.iter().map(|row| row.size).fold(0, u64::saturating_add);
    let mut told = String::new();
    tell(&mut told, folders, "folder")?;
    tell(&mut told, listing.rows.len() - folders, "file")?;
    if size > 0 {
        write!(told, ", {}", words::size(size))?;
    }
    if told.is_empty() {
        told.push_str(if view.filter.is_empty() {
            "This folder is empty."
        } else {
            "No name has that in it."
        });
    }
    writeln!(html, "<div id=\"list\"{whole}>\n<p id=\"count\" role=\"status\">{told}</p>")?;
    if listing.rows.is_empty() {
        return Ok(());
    }
    html.push_str("<table role=\"table\" aria-label=\"Files\">\n<thead role=\"rowgroup\"><tr role=\"row\">");
    for sort in Sort::ALL {
        write_column(html, frame, sort)?;
    }
    html.push_str("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    Ok(())
}

/// `3 files`, after a comma where something stands before it; nothing where there are none.
fn tell(told: &mut String, number: usize, what: &str) -> fmt::Result {
    if number == 0 {
        return Ok(());
    }
    let (comma, many) = (if told.is_empty() { "" } else { ", " }, if number == 1 { "" } else { "s" });
    write!(told, "{comma}{} {what}{many}", words::count(number as u64))
}

/// The head of a column: a link that sorts by it, and the other way round where that is so already.
fn write_column(html: &mut String, frame: &Frame, sort: Sort) -> fmt::Result {
    let (word, view) = (sort.word(), &frame.view);
    let (state, descending) = match (view.sort == sort, view.descending) {
        (true, false) => (" aria-sort=\"ascending\"", true),
        (true, true) => (" aria-sort=\"descending\"", false),
        // Large and new things are looked for more often.
        (false, _) => ("", sort != Sort::Name),
    };
    let link = frame.link(sort, descending, 0);
    let shown = match sort {
        Sort::Name => "Name",
        Sort::Size => "Size",
        Sort::Date => "Date<noscript> (UTC)</noscript>",
    };
    write!(
        html,
        "<th role=\"columnheader\" scope=\"col\" class=\"{word}\"{state}><a href=\"{link}\">{shown}</a></th>"
    )
}

fn written(row: &Row, may_add: bool) -> String {
    let mut html = String::new();
    // Whatever it is, it can be written to a string.
    let _ = write_row(&mut html, row, may_add);
    html
}

fn write_row(html: &mut String, row: &Row, may_add: bool) -> fmt::Result {
    let (name, link) = (Shown(&row.name), segment(&row.name));
    html.push_str("<tr role=\"row\"><td role=\"cell\" class=\"name\">");
    let size = words::size(row.size);
    match row.unfinished {
        None if row.folder => {
            write!(html, "<a class=\"folder\" href=\"{link}/\"><bdi>{name}</bdi></a></td>")?;
            html.push_str("<td role=\"cell\" class=\"size\"></td>");
        }
        None => {
            let exact = words::count(row.size);
            write!(html, "<a class=\"file\" href=\"{link}\"><bdi>{name}</bdi></a></td>")?;
            write!(html, "<td role=\"cell\" class=\"size\" title=\"{exact} bytes\">{size}</td>")?;
        }
        Some(unfinished) => {
            let again = if may_add { "<span>Upload the same file again to go on.</span>" } else { "" };
            write!(
                html,
                "<span class=\"file\"><bdi>{name}</bdi></span>\
                 <div class=\"again\" data-unfinished=\"{link}\"><span class=\"mark\">unfinished</span>{again}</div></td>\
                 <td role=\"cell\" class=\"size\" title=\"{} bytes\">{size}",
                words::count(row.size)
            )?;
            match unfinished.of {
                Some(of) => write!(html, " of {}</td>", words::size(of))?,
                None => html.push_str(" so far</td>"),
            }
        }
    }
    html.push_str("<td role=\"cell\" class=\"date\">");
    if let Some(moment) = words::moment(row.modified) {
        write!(html, "<time datetime=\"{}\">{}</time>", moment.exact, moment.short)?;
    }
    html.push_str("</td></tr>\n");
    Ok(())
}

fn foot(frame: &Frame, listing: &Listing) -> String {
    let mut html = String::new();
    let (from, there) = (frame.view.from, listing.rows.len());
    if listing.hidden {
        html.push_str("<p id=\"count\">What is in this folder is not shown to you.</p>\n");
    } else {
        if there > 0 {
            html.push_str("</tbody></table>\n");
        }
        if there > ROWS || from > 0 {
            let _ = write_pages(&mut html, frame, there);
        }
        html.push_str("</div>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// Links to what does not fit on the page.
fn write_pages(html: &mut String, frame: &Frame, there: usize) -> fmt::Result {
    let View { sort, descending, from, .. } = frame.view;
    let end = from.saturating_add(ROWS).min(there);
    write!(html, "<nav class=\"pages\" aria-label=\"Pages\">")?;
    if from > 0 {
        let link = frame.link(sort, descending, from.saturating_sub(ROWS));
        write!(html, "<a rel=\"prev\" href=\"{link}\">Earlier</a>")?;
    }
    let count = |number: usize| words::count(number as u64);
    write!(html, "<span>{} to {} of {}</span>", count(from.saturating_add(1)), count(end), count(there))?;
    if end < there {
        write!(html, "<a rel=\"next\" href=\"{}\">Later</a>", frame.link(sort, descending, end))?;
    }
    html.push_str("</nav>\n");
    Ok(())
}
