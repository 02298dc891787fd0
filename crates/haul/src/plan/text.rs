//! What may be said of transfers as text in a `haul get`: `--ascii`, and URLs that end in `;type=a`.

use haul_transfer::folder::is_folder;
use haul_transfer::{is_text, place};
use url::Url;

use crate::args::GetArgs;
use crate::usage::Usage;

/// Options that do not go with text.
pub(super) fn check(args: &GetArgs, urls: &[Url]) -> Result<(), Usage> {
    let what = if args.ascii { "--ascii" } else { ";type=a" };
    if args.ascii {
        if args.recursive {
            return no("--ascii is for single files of text; what is in a tree, -r cannot tell");
        }
        if let Some(other) = urls.iter().find(|url| !matches!(url.scheme(), "ftp" | "ftps")) {
            return no(format!("--ascii is FTP's, and {} is none of it", place(other)));
        }
        if let Some(folder) = urls.iter().find(|url| is_folder(url)) {
            return no(format!("--ascii speaks of a file, but {} is a folder", place(folder)));
        }
    } else if urls.is_empty() || !urls.iter().all(is_text) || args.recursive {
        // What is said may be meant for the others.
        return Ok(());
    }
    for (given, why) in [
        (
            args.connections.is_some_and(|count| count.get() > 1),
            "has no parts that connections could share (-n)",
        ),
        (args.adopt, "cannot be gone on with (--continue)"),
        (!args.mirrors.is_empty(), "comes from one place, and cannot go on at another (--mirror)"),
    ] {
        if given {
            return no(format!("{what}: what is fetched as text {why}"));
        }
    }
    Ok(())
}

fn no(reason: impl Into<String>) -> Result<(), Usage> {
    Err(Usage(reason.into()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;

    #[test]
    fn text_takes_what_makes_sense_for_it() {
        let md5 = "--checksum md5=d41d8cd98f00b204e9800998ecf8427e";
        assert!(plan(&format!("--ascii -n 1 {md5} --overwrite --restart ftp://h/a")).unwrap().ascii);
        assert!(plan("--ascii -o - ftp://h/a ").is_ok());
        assert!(plan("-n 4 ftp://h/a;type=a ftp://h/b").is_ok(), "it is meant for the other");
        for (line, said) in [
            ("--ascii -n 2 ftp://h/a", "(-n)"),
            ("--ascii -c ftp://h/a", "(--continue)"),
            ("--ascii --mirror ftp://m/a ftp://h/a", "(--mirror)"),
            ("--ascii -r ftp://h/a/", "-r cannot tell"),
            ("--ascii ftp://h/a/", "is a folder"),
            ("--ascii ftp://h/b https://h/a", "https://h/a is none of it"),
            ("-n 2 ftp://h/a;type=a", ";type=a: what is fetched as text has no parts"),
        ] {
            let error = plan(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
