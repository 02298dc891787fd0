//! Names that a server or a URL chose, made safe to create in a folder, on Unix and on Windows alike.
//!
//! RFC 6266 §4.3 asks for this: only the last segment, nothing that means something to a file system, a shell's
//! startup or a reader's eyes. This knows no folder: whether the name is free is decided where it is created.

use percent_encoding::percent_decode_str;

/// File systems allow 255 bytes; `.part.haul` and a counter must fit behind the name.
const LONGEST: usize = 255 - 16;

/// A longer "extension" is not one that needs to be kept when a name is cut.
const LONGEST_EXTENSION: usize = 32;

/// The last segment of a URL's path, percent-decoded and made safe; `None` where it ends in a slash.
pub fn name_from_url_path(path: &str) -> Option<String> {
    let segment = path.rsplit('/').next()?;
    safe_name(&percent_decode_str(segment).decode_utf8_lossy())
}

/// A name made safe: it names a plain, visible file in the folder it is created in, on every system, and none of
/// haul's own files. `None` where nothing is left. A safe name stays as it is.
pub fn safe_name(name: &str) -> Option<String> {
    let segment = name.rsplit(['/', '\\']).next()?;
    let shown: String = segment.chars().filter(|c| !is_invisible(*c)).map(replaced).collect();
    // Windows drops dots and spaces at the end, which would make it another name than the one checked.
    let trimmed = trim_end(shown.trim_start());
    if trimmed.is_empty() {
        return None;
    }
    let mut safe = match trimmed.strip_prefix('.') {
        // A server has no business choosing a hidden file: `.bashrc`, `.netrc`.
        Some(visible) => format!("_{visible}"),
        None if is_device(trimmed) => format!("_{trimmed}"),
        None => trimmed.to_owned(),
    };
    if is_ours(&safe) {
        safe.push('_');
    }
    if safe.len() > LONGEST {
        safe = cut(&safe);
    }
    Some(safe)
}

/// Characters that a name must not have on Windows; the separators are gone before.
fn replaced(c: char) -> char {
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

/// Characters that cannot be seen, or that turn round what is seen (`exe.fdp` shown as `pdf.exe`).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'   // zero-width space and joiners, marks of direction
            | '\u{2028}'..='\u{202e}'   // line and paragraph ends, embeddings, overrides
            | '\u{2060}'..='\u{206f}'   // word joiner, isolates, deprecated controls
            | '\u{fff9}'..='\u{fffb}'   // interlinear annotation
            | '\u{e0000}'..='\u{e007f}' // tags
        )
}

fn trim_end(name: &str) -> &str {
    name.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

/// Whether Windows takes it for a device, with whatever extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$" => true,
        stem => stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(|port| {
            matches!(
                port.chars().as_str(),
                "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
            )
        }),
    }
}

/// Whether it is the name of another file's partial or journal, on a system that ignores case too.
fn is_ours(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [".part", ".part.haul", ".part.haul.new"].iter().any(|ours| lower.ends_with(ours))
}

/// At most [`LONGEST`] bytes of it, with its extension.
fn cut(name: &str) -> String {
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|e| e.len() <= LONGEST_EXTENSION);
    let extension = extension.unwrap_or_default();
    let room = LONGEST - extension.len();
    let end = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    let stem = &name[..end.unwrap_or_default()];
    let mut short = format!("{stem}{extension}");
    short.truncate(trim_end(&short).len());
    if is_ours(&short) {
        // The cut fell right behind `.part`: no room to add anything, so its last letter goes.
        short.pop();
        short.push('_');
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn becomes(name: &str, safe: &str) {
        assert_eq!(safe_name(name).as_deref(), Some(safe), "{name:?}");
    }

    #[test]
    fn ordinary_names_stay() {
        for name in
            ["a", "a.tar.gz", "naïve 文件.txt", "a b (1).iso", "console.log", "com10", "-x", "a..b", "part"]
        {
            becomes(name, name);
        }
    }

    #[test]
    fn only_the_last_segment_counts() {
        becomes("../../etc/passwd", "passwd");
        becomes("C:\\Windows\\System32\\a.dll", "a.dll");
        becomes("a/b\\c", "c");
    }

    #[test]
    fn nothing_left_is_no_name() {
        for name in
            ["", ".", "..", "...", "/", "a/", "a\\", "a/..", " ", ". .", "\0", "\u{202e}", "\u{200b}."]
        {
            assert_eq!(safe_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn characters_that_mean_something_are_replaced() {
        becomes("a<b>c:d\"e|f?g*h", "a_b_c_d_e_f_g_h");
        becomes("file.txt::$DATA", "file.txt__$DATA");
        becomes("a\r\nb\0c\x1b[2J\u{85}", "abc[2J");
        becomes(" a. . ", "a");
    }

    #[test]
    fn what_deceives_the_eye_is_removed() {
        becomes("gpj.\u{202e}exe", "gpj.exe");
        becomes("a\u{200b}\u{2066}b\u{feff}", "ab");
    }

    #[test]
    fn no_hidden_file_is_chosen_by_a_server() {
        becomes(".bashrc", "_bashrc");
        becomes("..a", "_.a");
        becomes(".part", "_part");
    }

    #[test]
    fn devices_of_windows_are_prefixed() {
        becomes("CON", "_CON");
        becomes("nul.txt", "_nul.txt");
        becomes("aux .tar.gz", "_aux .tar.gz");
        becomes("Com1", "_Com1");
        becomes("LPT².x", "_LPT².x");
    }

    #[test]
    fn hauls_own_names_are_left_to_haul() {
        becomes("a.part", "a.part_");
        becomes("a.PART.haul", "a.PART.haul_");
        becomes("a.part.haul.new", "a.part.haul.new_");
        becomes("a.part.", "a.part_");
        becomes("a.haul", "a.haul");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let safe = safe_name(&format!("{}.tar.gz", "é".repeat(200))).unwrap();
        assert!(safe.len() <= LONGEST && safe.ends_with("é.gz"), "{safe}");
        let safe = safe_name(&format!("{}.{}", "a".repeat(LONGEST - 5), "part".repeat(20))).unwrap();
        assert!(safe.len() <= LONGEST && safe.ends_with("a.par_"), "{safe}");
        let fits = "a".repeat(LONGEST);
        becomes(&fits, &fits);
    }

    #[test]
    fn urls_give_their_last_segment() {
        assert_eq!(name_from_url_path("/a/b%20c.iso").as_deref(), Some("b c.iso"));
        assert_eq!(name_from_url_path("/a/..%2F..%2Fetc%2fpasswd").as_deref(), Some("passwd"));
        assert_eq!(name_from_url_path("/%ff.bin").as_deref(), Some("\u{fffd}.bin"));
        assert_eq!(name_from_url_path("/100%").as_deref(), Some("100%"));
        assert_eq!(name_from_url_path("/dir/"), None);
        assert_eq!(name_from_url_path(""), None);
    }

    fn assert_safe(name: &str) {
        assert!(!name.is_empty() && name.len() <= LONGEST);
        assert!(!name.contains(['/', '\\', '<', '>', ':', '"', '|', '?', '*']));
        assert!(!name.chars().any(is_invisible));
        assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']));
        assert!(!is_device(name) && !is_ours(name));
    }

    proptest! {
        #[test]
        fn every_result_is_safe_and_stays(
            any_text: String,
            near in "(\\.|part|haul|new|CON|com1| |/|\\\\|%|é|\u{202e}|a{100}){0,12}",
        ) {
            for text in [any_text, near] {
                for safe in [safe_name(&text), name_from_url_path(&text)].into_iter().flatten() {
                    assert_safe(&safe);
                    let again = safe_name(&safe);
                    prop_assert_eq!(again.as_deref(), Some(safe.as_str()));
                }
            }
        }
    }
}
