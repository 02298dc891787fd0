//! A folder for programs.

use std::iter::once;

use haul_core::TreePath;
use haul_proto::http::date;
use serde_json::{Value, json};

use super::listing::Row;
use crate::http::place::href;

/// `{"path": …, "entries": […]}`, an entry to a line. Names that are not UTF-8 are told with U+FFFD; `href` has their
/// bytes.
pub(super) fn pieces(folder: TreePath, rows: Vec<Row>) -> impl Iterator<Item = String> + Send {
    let head = format!("{{\"path\":{},\"entries\":[", Value::from(href(&folder, true)));
    let mut separator = "\n";
    let entries = rows.into_iter().map(move |row| {
        let entry = entry(&folder, &row);
        format!("{}{entry}", std::mem::replace(&mut separator, ",\n"))
    });
    once(head).chain(entries).chain(once("\n]}\n".to_owned()))
}

fn entry(folder: &TreePath, row: &Row) -> Value {
    json!({
        "name": String::from_utf8_lossy(&row.name),
        "href": folder.join(&row.name).map(|path| href(&path, row.folder)).unwrap_or_default(),
        "type": if row.folder { "folder" } else { "file" },
        "size": if row.folder { Value::Null } else { row.size.into() },
        "modified": date::http_date(haul_core::Modified { nanos: 0, ..row.modified }),
        "unfinished": row.unfinished.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::folder::listing::tests::row;

    #[test]
    fn what_is_told_is_json_with_the_bytes_of_names_in_links() {
        let folder = TreePath::ROOT.join(b"a \"b\"").unwrap();
        let rows = vec![row(b"x\xff\"", Some(5)), row(b"d", None)];
        let text: String = pieces(folder.clone(), rows).collect();
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["path"], "/a%20%22b%22/");
        assert_eq!(told["entries"][0]["name"], "x\u{fffd}\"");
        assert_eq!(told["entries"][0]["href"], "/a%20%22b%22/x%FF%22");
        assert_eq!(told["entries"][0]["size"], 5);
        assert_eq!(told["entries"][1]["href"], "/a%20%22b%22/d/");
        assert_eq!(told["entries"][1]["size"], Value::Null);
        let empty: String = pieces(folder, Vec::new()).collect();
        assert_eq!(serde_json::from_str::<Value>(&empty).unwrap()["entries"], json!([]));
    }
}
