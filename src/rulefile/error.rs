//! What can be wrong with a rule file: what, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// A place in a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The file as it is shown to people.
    pub file: String,
    /// Line, 1-based.
    pub line: usize,
    /// Column in characters, 1-based.
    pub column: usize,
}

impl At {
    /// The place of byte `offset` of `text`; an offset beyond the end is the end.
    pub fn of(file: &str, text: &str, offset: usize) -> At {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        At {
            file: file.to_owned(),
            line: memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.escape_debug(), self.line, self.column)
    }
}

/// Why a rule file cannot be used. No message repeats a pattern, an example or another value that may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("{}: cannot read this rule file: {source}. Check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{at}: {message}. Correct this place of the file")]
    Toml {
        /// Where.
        at: At,
        /// What the TOML reader said, without values.
        message: String,
    },
    /// A rule without a usable id.
    #[error("{at}: the id of a rule is empty or has control characters in it. Give it a name such as `acme-token`")]
    Id {
        /// Where.
        at: At,
    },
    /// Two rules of one file have the same id.
    #[error("{at}: rule `{id}` is already defined on line {first}. Give one of them another id")]
    DuplicateId {
        /// The second one.
        at: At,
        /// The id.
        id: String,
        /// The line of the first one.
        first: usize,
    },
    /// A pattern that Go's RE2 would refuse, or that cannot be carried out.
    #[error("{at}: this regex cannot be used: {what}. Patterns are read as Go's RE2 (as gitleaks reads them)")]
    Regex {
        /// Where, to the character when the pattern stands in the file as it is.
        at: At,
        /// What is wrong.
        what: String,
    },
    /// `secretGroup` names a group that the pattern does not have.
    #[error("{at}: secretGroup is {group}, but the regex of rule `{id}` has {groups} groups. Name one of these, or 0")]
    Group {
        /// Where.
        at: At,
        /// The rule.
        id: String,
        /// What the file says.
        group: usize,
        /// How many there are.
        groups: usize,
    },
    /// A rule that could never find anything.
    #[error("{at}: rule `{id}` has neither regex nor path, and there is no rule of that id to extend. Give it one")]
    EmptyRule {
        /// Where.
        at: At,
        /// The rule.
        id: String,
    },
    /// A word that is none of the words of its key.
    #[error("{at}: {key} cannot be `{}`. Use one of: {expected}", word.escape_debug())]
    Word {
        /// Where.
        at: At,
        /// The key.
        key: &'static str,
        /// What the file says.
        word: String,
        /// What it may say.
        expected: String,
    },
    /// `entropy` is no number of bits per character.
    #[error("{at}: entropy is in bits per character. Give a number from 0 to 8")]
    Entropy {
        /// Where.
        at: At,
    },
    /// An allowlist without any condition.
    #[error("{at}: this allowlist allows nothing. Give it at least one of: {expected}")]
    EmptyAllowlist {
        /// Where.
        at: At,
        /// The keys that would do.
        expected: &'static str,
    },
    /// The older and the newer form side by side, which gitleaks refuses too.
    #[error(
        "{at}: `allowlist` is the older form of `allowlists` and cannot stand beside it. Move it into the newer one"
    )]
    BothAllowlists {
        /// The older one.
        at: At,
    },
    /// A key that gitleaks knows and that cannot be honoured.
    #[error("{at}: `{key}` cannot be honoured: {why}. Remove it, or keep it in a file that stanch does not read")]
    NotHonoured {
        /// Where.
        at: At,
        /// The key.
        key: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A key of betterleaks' that cannot be honoured.
    #[error(
        "{at}: `{key}` of {} cannot be honoured: {why}. Remove it, or ignore all such keys with --lenient",
        rule.as_ref().map_or("the file".to_owned(), |id| format!("rule `{}`", id.escape_debug()))
    )]
    Foreign {
        /// Where.
        at: At,
        /// The key.
        key: &'static str,
        /// The rule, unless the key speaks of all.
        rule: Option<String>,
        /// Why.
        why: &'static str,
    },
    /// `extend.useDefault` and `extend.path` together, which gitleaks refuses too.
    #[error("{at}: extend.path and extend.useDefault exclude each other. Keep one; the file at path may use the other")]
    ExtendBoth {
        /// Where path is given.
        at: At,
    },
    /// A file that extends itself, perhaps through others.
    #[error("{at}: {} extends itself through this path. Break the circle", path.display())]
    ExtendCycle {
        /// Where the circle closes.
        at: At,
        /// The file that is met again.
        path: PathBuf,
    },
    /// More than two files behind the first one.
    #[error("{at}: a rule file may extend a file that extends a file, and no further. Merge two of them")]
    ExtendDepth {
        /// The path that leads too far.
        at: At,
    },
    /// A rule that does not exist is named.
    #[error("{at}: there is no rule `{}`{}. `stanch rules list` prints them all", id.escape_debug(), meant(nearest))]
    UnknownRule {
        /// Where.
        at: At,
        /// What the file says.
        id: String,
        /// The rule whose id is most like it.
        nearest: Option<String>,
    },
}

/// ", did you mean `x`?" in the middle of a message.
pub(crate) fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |id| format!("; perhaps `{id}` is meant"))
}

/// What a TOML reader said, without the values that serde quotes in it: they may be secrets.
pub(crate) fn without_values(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = ["invalid type: string \"", "invalid value: string \""].iter().find(|start| first.starts_with(**start));
    let text = match (cut, message.rfind("\", expected ")) {
        (Some(start), Some(end)) => {
            format!("{}{}", start.trim_end_matches(" string \""), message[end + 1..].replacen(',', " a string,", 1))
        }
        (Some(start), None) => start.trim_end_matches(" \"").to_owned(),
        (None, _) => message.to_owned(),
    };
    text.trim_end_matches('.').escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines_from_one() {
        let text = "ä = 1\nöö = 2\n";
        assert_eq!(At::of("f", text, 0).to_string(), "f:1:1");
        assert_eq!(At::of("f", text, text.find('2').unwrap()).to_string(), "f:2:6");
        assert_eq!(At::of("f", text, 999).to_string(), "f:3:1");
    }

    #[test]
    fn values_are_cut_from_messages() {
        let said = without_values("invalid type: string \"hunter2, expected \\\"\nhunter3\", expected a sequence");
        assert_eq!(said, "invalid type: a string, expected a sequence");
        assert_eq!(without_values("unknown field `x`"), "unknown field `x`");
    }
}
