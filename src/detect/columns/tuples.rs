//! Rows of SQL: `INSERT INTO table (one, other) VALUES (…), (…)`, and rows of a dump by the columns of its `CREATE TABLE`.

use std::ops::Range;

use memchr::memchr;

use super::{KEYS, MOST_COLUMNS, REACH, name};

/// How names of columns end that hold passwords, and keys.
const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "pass",
    "kennwort",
    "senha",
    "clave",
    "mdp",
    "mot_de_passe",
    "wachtwoord",
    "haslo",
    "heslo",
    "parola",
];
const SECRETS: &[&str] = &[
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "secret_key",
    "secretkey",
    "private_key",
    "auth_key",
    "encryption_key",
    "signing_key",
];

/// What begins a line in `CREATE TABLE` that tells of no column.
const CONSTRAINTS: &[&[u8]] = &[
    b"primary",
    b"key",
    b"unique",
    b"index",
    b"constraint",
    b"foreign",
    b"check",
    b"fulltext",
    b"spatial",
    b"exclude",
    b"period",
    b"like",
];

const INSERT: &[u8] = b"insert into ";
const CREATE: &[u8] = b"create table ";

/// Whether rows of SQL may begin there.
pub(super) fn may_begin(bytes: &[u8], at: usize) -> bool {
    let begins = |word: &[u8]| bytes.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word));
    begins(INSERT) || begins(CREATE)
}

/// The values of columns that hold secrets of this kind, of rows that begin with the words at `start`.
pub(super) fn values(kind: &str, bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let text = &bytes[..bytes.len().min(start + REACH)];
    let names = if kind == KEYS { SECRETS } else { PASSWORDS };
    let mut found = Vec::new();
    let _ = match text[start].eq_ignore_ascii_case(&INSERT[0]) {
        true => Cursor { text, at: start + INSERT.len() }.inserted(names, &mut found),
        false => Cursor { text, at: start + CREATE.len() }.created(text[start].is_ascii_uppercase(), names, &mut found),
    };
    found
}

/// A place in a text.
#[derive(Clone)]
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Cursor<'t> {
    /// Behind `INSERT INTO`.
    fn inserted(mut self, secrets: &[&str], found: &mut Vec<Range<usize>>) -> Option<()> {
        self.name()?;
        let columns = self.definitions()?;
        let wanted = wanted(&columns, secrets);
        if wanted.is_empty() {
            return None;
        }
        self.rows(&wanted, found)
    }

    /// Behind `CREATE TABLE`: the rows are those of `INSERT INTO table VALUES`, in letters of the same case, as dumps have them.
    fn created(mut self, is_upper: bool, secrets: &[&str], found: &mut Vec<Range<usize>>) -> Option<()> {
        let _ = self.word(b"if") && self.word(b"not") && self.word(b"exists");
        let table = self.name()?;
        let columns = self.definitions()?;
        let wanted = wanted(&columns, secrets);
        if wanted.is_empty() {
            return None;
        }
        let is_same = |cursor: &mut Self| {
            cursor.name().is_some_and(|name| last_part(name).eq_ignore_ascii_case(last_part(table)))
        };
        // Where it is made once more, that has the rows behind it.
        let (create, insert) = if is_upper {
            (CREATE.to_ascii_uppercase(), INSERT.to_ascii_uppercase())
        } else {
            (CREATE.to_vec(), INSERT.to_vec())
        };
        let [create, insert] = [&create, &insert].map(memchr::memmem::Finder::new);
        let mut again = self.clone();
        while again.find(&create) {
            if is_same(&mut again) {
                self.text = &self.text[..again.at];
                break;
            }
        }
        while self.find(&insert) {
            let mut row = self.clone();
            if is_same(&mut row) {
                let _ = row.rows(&wanted, found);
                self.at = self.at.max(row.at);
            }
        }
        Some(())
    }

    /// Goes on behind the next of these words.
    fn find(&mut self, words: &memchr::memmem::Finder<'_>) -> bool {
        let at = words.find(&self.text[self.at..]);
        self.at += at.map_or(0, |at| at + words.needle().len());
        at.is_some()
    }

    /// Behind blanks and comments.
    fn next(&mut self) -> Option<u8> {
        loop {
            let rest = &self.text[self.at..];
            match rest {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => self.at += 1,
                [b'-', b'-', ..] => self.at += memchr(b'\n', rest)?,
                _ => return rest.first().copied(),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let _ = self.next();
        let is_there = self.text[self.at..].get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word));
        self.at += if is_there { word.len() } else { 0 };
        is_there
    }

    /// The name of a table or a column, quotes and all.
    fn name(&mut self) -> Option<&'t [u8]> {
        self.next()?;
        let is_of = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_$.`\"[]@\\".contains(byte);
        let rest = &self.text[self.at..];
        let len = rest.iter().position(|byte| !is_of(byte))?;
        self.at += len;
        (1..=128).contains(&len).then(|| &rest[..len])
    }

    /// The names in a list in parentheses, each the first word of its part.
    fn definitions(&mut self) -> Option<Vec<&'t [u8]>> {
        self.eat(b'(')?;
        let mut names = Vec::new();
        while names.len() <= MOST_COLUMNS {
            let name = self.name()?;
            let bare = unquoted(name);
            let is_constraint = bare == name && CONSTRAINTS.iter().any(|word| word.eq_ignore_ascii_case(bare));
            let is_alone = matches!(self.next()?, b',' | b')');
            names.extend((is_alone || !is_constraint).then_some(bare));
            self.skip()?;
            match self.text[self.at] {
                b',' => self.at += 1,
                _ => {
                    self.at += 1;
                    return Some(names);
                }
            }
        }
        None
    }

    /// Goes on to the next comma or closing parenthesis that is in no others, and in no string.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match *self.text.get(self.at)? {
                b'(' => depth += 1,
                b')' if depth == 0 => return Some(()),
                b')' => depth -= 1,
                b',' if depth == 0 => return Some(()),
                b';' if depth == 0 => return None,
                quote @ (b'\'' | b'"' | b'`') => {
                    self.string(quote)?;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// What stands in quotes, of which a doubled one, or one behind a backslash, is none.
    fn string(&mut self, quote: u8) -> Option<Range<usize>> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += memchr(quote, &self.text[at..])?;
            let behind = self.text.get(at + 1).copied();
            let is_escaped = at > start && self.text[at - 1] == b'\\' && !matches!(behind, Some(b',' | b')'));
            match behind {
                Some(byte) if byte == quote => at += 2,
                _ if is_escaped => at += 1,
                _ => {
                    self.at = at + 1;
                    return Some(start..at);
                }
            }
        }
    }

    /// Behind the columns: `VALUES (…), (…)`.
    fn rows(&mut self, wanted: &[usize], found: &mut Vec<Range<usize>>) -> Option<()> {
        if !self.word(b"values") {
            return None;
        }
        loop {
            self.eat(b'(')?;
            let mut column = 0;
            loop {
                let value = self.value()?;
                found.extend(value.filter(|_| wanted.contains(&column)));
                column += 1;
                self.at += 1;
                if self.text[self.at - 1] == b')' {
                    break;
                }
            }
            self.eat(b',')?;
        }
    }

    /// A value, if it is a string and nothing else; then a comma or parenthesis follows.
    fn value(&mut self) -> Option<Option<Range<usize>>> {
        // `N'…'`, `E'…'`
        let is_marked = matches!(self.next()?, b'N' | b'n' | b'E' | b'e') && self.text.get(self.at + 1) == Some(&b'\'');
        self.at += usize::from(is_marked);
        let value = match self.text[self.at] {
            quote @ (b'\'' | b'"') => self.string(quote),
            _ => None,
        };
        self.next()?;
        let behind = self.at;
        self.skip()?;
        let is_alone = self.at == behind || self.text[behind..].starts_with(b"::");
        Some(value.filter(|_| is_alone))
    }
}

/// Which columns hold secrets.
fn wanted(columns: &[&[u8]], secrets: &[&str]) -> Vec<usize> {
    let is_secret = |at: usize| {
        let own = columns[at];
        let others = || columns.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, name)| *name);
        secrets.iter().any(|end| {
            let Some(from) = own.len().checked_sub(end.len()) else { return false };
            let (before, base) = own.split_at(from);
            base.eq_ignore_ascii_case(end.as_bytes()) && name::is_meant(before, base, b"", others)
        })
    };
    (0..columns.len()).filter(|&at| is_secret(at)).collect()
}

fn unquoted(name: &[u8]) -> &[u8] {
    let is_mark = |byte: &u8| b"`\"[]\\".contains(byte);
    let start = name.iter().position(|byte| !is_mark(byte)).unwrap_or(name.len());
    let end = name.iter().rposition(|byte| !is_mark(byte)).map_or(start, |at| at + 1);
    &name[start..end]
}

/// Of `public.users` what is the table's own.
fn last_part(name: &[u8]) -> &[u8] {
    unquoted(name.rsplit(|byte| *byte == b'.').next().unwrap_or(name))
}
