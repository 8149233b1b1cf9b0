//! Turns a revision, as people write it, into an object: where libgit2 knows the hash or the form of the references not.

use std::cell::OnceCell;

use super::layout::Layout;
use super::read::Reader;
use super::refs::{Names, field, peel};
use super::store::Stores;
use crate::origin::{ObjectId, ObjectKind};

/// What a name may be short for, in git's order.
const PLACES: [(&str, &str); 6] = [
    ("", ""),
    ("refs/", ""),
    ("refs/tags/", ""),
    ("refs/heads/", ""),
    ("refs/remotes/", ""),
    ("refs/remotes/", "/HEAD"),
];

/// An id is cut no shorter than this.
const MIN_DIGITS: usize = 4;

/// Looks up names of references, ids, whole or cut, and what `~` and `^` lead to from there.
pub(super) struct Lookup<'s> {
    layout: &'s Layout,
    names: OnceCell<Names>,
    stores: &'s Stores,
    reader: Reader<'s>,
}

impl<'s> Lookup<'s> {
    pub(super) fn new(layout: &'s Layout, stores: &'s Stores, memory: u64) -> Self {
        Lookup { layout, names: OnceCell::new(), stores, reader: Reader::new(stores, memory) }
    }

    /// Whether it is of a kind that is not looked up here: reflogs, upstreams, paths, messages.
    pub(super) fn is_beyond(text: &str) -> bool {
        text.contains("@{") || text.contains(':') || text.contains("^{/")
    }

    /// The object that a revision names; `None` if there is none.
    pub(super) fn find(&mut self, text: &str) -> Option<ObjectId> {
        let (base, mut steps) = text.split_at(text.find(['~', '^']).unwrap_or(text.len()));
        let mut id = self.named(base)?;
        while let Some(step) = steps.chars().next() {
            steps = &steps[1..];
            if let Some((kind, rest)) = steps.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                (id, steps) = (self.peeled(id, kind).filter(|_| step == '^')?, rest);
                continue;
            }
            let digits = steps.len() - steps.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
            let count = if digits == 0 { 1 } else { steps[..digits].parse::<usize>().ok()? };
            steps = &steps[digits..];
            id = match step {
                '~' => (0..count).try_fold(self.commit(id)?, |id, _| self.parents(id)?.first().copied())?,
                '^' if count == 0 => self.commit(id)?,
                '^' => *self.parents(id)?.get(count - 1)?,
                _ => return None,
            };
        }
        Some(id)
    }

    /// The commit that an object leads to, or what it is instead.
    pub(super) fn commit_or_kind(&mut self, id: ObjectId) -> Result<ObjectId, &'static str> {
        self.commit(id).ok_or_else(|| match self.reader.read(&id) {
            Ok(Some((ObjectKind::Blob, _))) => "blob",
            Ok(Some((ObjectKind::Tree, _))) => "tree",
            Ok(Some((ObjectKind::Tag, _))) => "tag",
            _ => "object",
        })
    }

    fn commit(&mut self, id: ObjectId) -> Option<ObjectId> {
        peel(&mut self.reader, id).1
    }

    /// The parents of the commit that an object leads to.
    pub(super) fn parents(&mut self, id: ObjectId) -> Option<Vec<ObjectId>> {
        let commit = self.commit(id)?;
        let (_, text) = self.reader.read(&commit).ok()??;
        let head = text.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
        Some(head.filter_map(|line| ObjectId::from_hex(line.strip_prefix(b"parent ")?)).collect())
    }

    fn named(&mut self, base: &str) -> Option<ObjectId> {
        let whole = ObjectId::from_hex(base.as_bytes()).filter(|id| self.stores.contains(id));
        if whole.is_some() {
            return whole;
        }
        let names = self.names.get_or_init(|| Names::read(self.layout));
        if matches!(base, "@" | "HEAD") {
            return names.checked_out();
        }
        let long = PLACES.iter().map(|(before, after)| format!("{before}{base}{after}"));
        long.into_iter().find_map(|name| names.id(&name)).or_else(|| self.abbreviated(base))
    }

    /// The one object whose name begins with these hex digits; of several, the one commit.
    pub(super) fn abbreviated(&mut self, digits: &str) -> Option<ObjectId> {
        if digits.len() < MIN_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut found = self.stores.beginning_with(&digits.to_ascii_lowercase());
        if found.len() > 1 {
            found.retain(|id| matches!(self.reader.read(id), Ok(Some((ObjectKind::Commit, _)))));
        }
        if found.len() == 1 { found.pop() } else { None }
    }

    /// What `^{KIND}` leads to.
    fn peeled(&mut self, id: ObjectId, kind: &str) -> Option<ObjectId> {
        let wanted = match kind {
            "" => return peel(&mut self.reader, id).0.pop(),
            "object" => return Some(id).filter(|id| self.stores.contains(id)),
            "commit" => return self.commit(id),
            "tree" => ObjectKind::Tree,
            "blob" => ObjectKind::Blob,
            "tag" => ObjectKind::Tag,
            _ => return None,
        };
        for id in peel(&mut self.reader, id).0 {
            match self.reader.read(&id).ok()?? {
                (kind, _) if kind == wanted => return Some(id),
                (ObjectKind::Commit, text) if wanted == ObjectKind::Tree => {
                    return ObjectId::from_hex(field(&text, b"tree ")?);
                }
                _ => {}
            }
        }
        None
    }
}
