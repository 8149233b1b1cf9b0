//! The file of a baseline: ours as TOML, in and out; those of other tools in.
//!
//! ```toml
//! known = [
//!     { path = "src/a.rs", line = 7, rule = "github-pat", fingerprint = "ba7816bf8f01cfea414140de5dae2223", reason = "…" },
//! ]
//! ```
//!
//! A line for each, so that git can merge what two branches add; `[[known]]` tables, which versions of old wrote, are read
//! as well. What decides is the fingerprint. The path, the line, the rule and the `commit` (left out for what was found in
//! files) are for people, and say where it stood when it was written; so are `reason`, `by` and `added`. `expires` is the
//! last day on which it hides, and may be left out.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;
use zeroize::Zeroizing;

use super::foreign;
use crate::baseline::{Key, Known};
use crate::place::Places;
use crate::report::escape::is_visible;
use crate::rulefile::{self, At, Source};
use crate::secret::Fingerprint;

/// What stands above the entries.
const HEAD: &str = "\
# Findings that are known: `stanch scan --baseline` hides and counts them. It holds no secret and belongs into git.
# `reason`, `by` and `expires` are yours to edit; `stanch baseline update` adds what is new, `prune` drops what is gone.
# With `merge=union` for this file in .gitattributes git merges what two branches add.
";

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Toml(#[from] rulefile::Error),
    #[error("{}: cannot read this baseline: {source}. Check the path and its permissions", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: cannot write this baseline: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{at}: this is no {expected}. Correct this place of the file")]
    Value { at: At, expected: &'static str },
    /// Says nothing of what stands in the file: it may hold secrets.
    #[error(
        "{}: this JSON is no gitleaks report (a list of findings) and no .secrets.baseline{detail}",
        path.display()
    )]
    Foreign { path: PathBuf, detail: String },
}

/// What a file knows.
pub(super) struct Read {
    pub(super) known: Vec<Known>,
    /// The tool that wrote it, if that is not this one.
    pub(super) foreign: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    known: Vec<RawKnown>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKnown {
    fingerprint: Spanned<String>,
    rule: String,
    path: String,
    line: Option<u64>,
    commit: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    by: String,
    added: Option<Spanned<Datetime>>,
    expires: Option<Spanned<Datetime>>,
}

/// Reads a baseline of ours, or of another tool. Its text is wiped: other tools may keep secrets in theirs.
pub(super) fn read(path: &Path, places: &Places) -> Result<Read, Error> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(fail)?);
    let text = text.trim_start_matches('\u{feff}');
    if foreign::is_json(text) {
        let found = foreign::read(text, places);
        let (known, tool) = found.map_err(|detail| Error::Foreign { path: path.to_owned(), detail })?;
        return Ok(Read { known, foreign: Some(tool) });
    }
    let name = path.display().to_string();
    Ok(Read { known: parse(&Source { name: &name, text, ours: false, lenient: false })?, foreign: None })
}

fn parse(source: &Source<'_>) -> Result<Vec<Known>, Error> {
    let raw: RawFile = source.toml()?;
    let known = raw.known.into_iter().map(|raw| {
        let bad = |at, expected| Error::Value { at, expected };
        let fingerprint = Fingerprint::parse(raw.fingerprint.as_ref());
        let fingerprint = fingerprint.ok_or_else(|| bad(source.at(&raw.fingerprint), "fingerprint (32 hex digits)"))?;
        let date = |raw: Option<Spanned<Datetime>>| {
            let day =
                |raw: &Spanned<Datetime>| day(raw.as_ref()).ok_or_else(|| bad(source.at(raw), "day (2027-01-31)"));
            raw.as_ref().map(day).transpose()
        };
        Ok(Known {
            key: Key::Fingerprint(fingerprint),
            rule: raw.rule,
            path: raw.path,
            line: raw.line,
            commit: raw.commit,
            reason: raw.reason,
            by: raw.by,
            added: date(raw.added)?,
            expires: date(raw.expires)?,
        })
    });
    known.collect()
}

/// The day of a TOML date; a time of day would promise more than is kept.
fn day(date: &Datetime) -> Option<Date> {
    let day = date.date.filter(|_| date.time.is_none())?;
    Date::new(i16::try_from(day.year).ok()?, i8::try_from(day.month).ok()?, i8::try_from(day.day).ok()?).ok()
}

/// Puts the entries into the file, sorted so that two branches that add to it merge, all at once. Whoever reads the
/// repository may read it. A link is followed, so that it stays one.
pub(super) fn write(path: &Path, known: &[Known]) -> Result<(), Error> {
    let fail = |source| Error::Write { path: path.to_owned(), source };
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".stanch-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(directory).map_err(fail)?;
    file.write_all(text(known).as_bytes()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(place).map_err(|error| fail(error.error))?;
    Ok(())
}

fn text(known: &[Known]) -> String {
    // Not by line: an entry stays where it is when its line moves.
    let mut sorted: Vec<(&str, &str, String, &Known)> = Vec::new();
    for entry in known {
        if let Key::Fingerprint(fingerprint) = entry.key {
            sorted.push((&entry.path, &entry.rule, fingerprint.to_string(), entry));
        }
    }
    sorted.sort_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)));
    // Two branches may have added the same.
    sorted.dedup_by(|one, other| (one.0, one.1, &one.2) == (other.0, other.1, &other.2));
    let lines =
        sorted.into_iter().map(|(.., fingerprint, entry)| format!("    {{ {} }},\n", line(&fingerprint, entry)));
    format!("{HEAD}\nknown = [\n{}]\n", lines.collect::<String>())
}

fn line(fingerprint: &str, entry: &Known) -> String {
    let day = |day: Option<Date>| day.map(|day| day.to_string());
    let pairs = [
        ("path", Some(quoted(&entry.path))),
        ("line", entry.line.map(|line| line.to_string())),
        ("rule", Some(quoted(&entry.rule))),
        ("fingerprint", Some(quoted(fingerprint))),
        ("commit", entry.commit.as_deref().map(quoted)),
        ("reason", Some(quoted(&entry.reason))),
        ("by", Some(quoted(&entry.by)).filter(|_| !entry.by.is_empty())),
        ("added", day(entry.added)),
        ("expires", day(entry.expires)),
    ];
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}", value?)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// A TOML string in which nothing is invisible to whoever reviews the file; the `toml` crate escapes control characters
/// only.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_visible(c) => out.push(c),
            c => write!(out, "\\U{:08X}", u32::from(c)).expect("writing to a string does not fail"),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn known(secret: &str, path: &str, reason: &str) -> Known {
        Known {
            key: Key::Fingerprint(Fingerprint::of_strong(secret.as_bytes())),
            rule: "example".to_owned(),
            path: path.to_owned(),
            line: Some(7),
            commit: Some("0123456789ab".to_owned()),
            reason: reason.to_owned(),
            by: String::new(),
            added: Date::new(2026, 11, 21).ok(),
            expires: Date::new(2027, 1, 31).ok(),
        }
    }

    fn parsed(text: &str) -> Result<Vec<Known>, Error> {
        parse(&Source { name: "b.toml", text, ours: false, lenient: false })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(path in any::<String>(), reason in any::<String>(), by in any::<String>()) {
            let entry = Known { by, ..known("a", &path, &reason) };
            let text = text(std::slice::from_ref(&entry));
            prop_assert!(text.chars().all(|c| c == '\n' || is_visible(c)), "{text}");
            prop_assert_eq!(parsed(&text).unwrap(), [entry]);
        }
    }

    #[test]
    fn two_branches_that_add_to_a_baseline_write_the_same() {
        let (a, b, c) = (known("a", "x", ""), known("b", "x", ""), known("c", "a", ""));
        let one = text(&[a.clone(), b.clone(), c.clone()]);
        assert_eq!(one, text(&[c, b.clone(), a.clone()]));
        assert!(one.find("\"a\"").unwrap() < one.find("\"x\"").unwrap());
        let twice = [a.clone(), a.clone(), b, Known { reason: "of the other branch".to_owned(), ..a }];
        assert_eq!(parsed(&text(&twice)).unwrap().len(), 2);
    }

    #[test]
    fn tables_of_old_are_read() {
        let old = "[[known]]\nfingerprint = \"ba7816bf8f01cfea414140de5dae2223\"\nrule = \"r\"\npath = \"p\"\nreason = \"why\"\n";
        let read = parsed(old).unwrap();
        assert_eq!((read.len(), read[0].reason.as_str()), (1, "why"));
        assert_eq!(parsed(&text(&read)).unwrap(), read);
    }

    #[test]
    fn errors_say_where() {
        for (text, said) in [
            ("[[known]]\nfingerprint = \"xyz\"\nrule = \"r\"\npath = \"p\"\n", "b.toml:2:15: this is no fingerprint"),
            (
                "[[known]]\nfingerprint = \"ba7816bf8f01cfea414140de5dae2223\"\nrule = \"r\"\npath = \"p\"\n\
                 expires = 2027-02-01T00:00:00Z\n",
                "b.toml:5:11: this is no day",
            ),
            ("[[unknown]]\n", "b.toml:1:"),
        ] {
            let error = parsed(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
