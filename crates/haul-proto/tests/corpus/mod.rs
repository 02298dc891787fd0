//! The table in `corpus.txt`, read: requests with what a server that keeps to RFC 9110 answers.
//!
//! Knows nothing of haul, so that a test over the wire can include this file and ask the same.

/// The file that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum File {
    /// 1575 bytes, modified long ago.
    Ordinary,
    /// No bytes, modified long ago.
    Empty,
    /// 1575 bytes, modified before 1970.
    Undated,
    /// 1575 bytes, modified in the future.
    Ahead,
    /// None.
    Absent,
}

/// What is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The value of Content-Range, where there is one.
    pub(crate) content_range: Option<String>,
    /// The parts of a multipart answer, as `first-last`.
    pub(crate) parts: Option<Vec<String>>,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Where it stands, from 1.
    pub(crate) line: usize,
    pub(crate) method: String,
    pub(crate) file: File,
    /// Names and values; these may have placeholders.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) answer: Answer,
    /// The section of RFC 9110.
    pub(crate) section: String,
}

/// What stands for the placeholders.
pub(crate) struct Words {
    /// The current tag with its quotes.
    pub(crate) etag: String,
    /// Its date (or one long past) as an HTTP-date, in the older formats, a second before and behind, and next year.
    pub(crate) modified: String,
    pub(crate) modified_850: String,
    pub(crate) modified_asctime: String,
    pub(crate) earlier: String,
    pub(crate) later: String,
    pub(crate) future: String,
}

impl Case {
    /// The fields as they are sent.
    pub(crate) fn fields(&self, words: &Words) -> Vec<(String, String)> {
        let weak = format!("W/{}", words.etag);
        let placeholders = [
            ("{etag}", words.etag.as_str()),
            ("{weak}", &weak),
            ("{other}", "\"another-version\""),
            ("{modified}", &words.modified),
            ("{modified-850}", &words.modified_850),
            ("{modified-asctime}", &words.modified_asctime),
            ("{earlier}", &words.earlier),
            ("{later}", &words.later),
            ("{future}", &words.future),
        ];
        let fill = |value: &String| {
            placeholders.iter().fold(value.clone(), |value, (name, word)| value.replace(name, word))
        };
        self.fields.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
    }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let lines = include_str!("../corpus.txt").lines().enumerate();
    let told = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    told.map(|(index, text)| read(index + 1, text)).collect()
}

fn read(line: usize, text: &str) -> Case {
    let columns: Vec<&str> = text.split(" | ").map(str::trim).collect();
    let [method, file, fields, answer, section] = columns[..] else {
        panic!("line {line} has {} columns", columns.len());
    };
    let file = match file {
        "1575" => File::Ordinary,
        "empty" => File::Empty,
        "undated" => File::Undated,
        "ahead" => File::Ahead,
        "absent" => File::Absent,
        other => panic!("line {line}: what is {other}?"),
    };
    let fields = fields.split(" & ").filter(|field| !field.is_empty()).map(|field| {
        let (name, value) = field.split_once(':').unwrap_or_else(|| panic!("line {line}: {field}"));
        (name.to_owned(), value.trim().to_owned())
    });
    Case {
        line,
        method: method.to_owned(),
        file,
        fields: fields.collect(),
        answer: answer_in(answer).unwrap_or_else(|| panic!("line {line}: what is {answer}?")),
        section: section.to_owned(),
    }
}

fn answer_in(text: &str) -> Option<Answer> {
    let (status, rest) = text.split_once(' ').unwrap_or((text, ""));
    let parts = rest.strip_prefix("multipart ").map(|parts| parts.split(',').map(str::to_owned).collect());
    let content_range = rest.starts_with("bytes ").then(|| rest.to_owned());
    let told_once = parts.is_some() || content_range.is_some() || rest.is_empty();
    told_once.then_some(Answer { status: status.parse().ok()?, content_range, parts })
}
