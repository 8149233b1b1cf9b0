//! Remembers where objects with findings were, for as long as the repository stays as it is.
//!
//! That takes a look at every tree and commit, whatever the number of findings. The file names objects, paths and references, and none of
//! them if there is something in one that looks like a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cache::{Cache, Kept};
use super::chronicle::Histories;
use super::filter::masked;
use super::scanner::Found;
use crate::detect::Detector;
use crate::origin::{Commit, ObjectId, Provenance, Removed};
use crate::source::git::{Layout, Names, Stores};

/// Where objects were in one state of a repository.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Annals {
    key: String,
    /// Which objects and references there were.
    state: String,
    /// By id, in hex.
    objects: BTreeMap<String, Record>,
}

/// A [`Provenance`] without what commits say of themselves.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    paths: Vec<String>,
    introduced: Vec<String>,
    references: Vec<String>,
    /// References and commits.
    removed: Vec<(String, String)>,
    more_references: u64,
    more_removed: u64,
    in_head: bool,
    truncated: bool,
}

impl Kept for Annals {
    fn key(&self) -> &str {
        &self.key
    }
}

/// Whose annals, in which state of it.
pub(super) struct Now {
    repository: String,
    state: String,
}

impl Now {
    /// `None` if not all can be told that decides where an object was: objects and references.
    pub(super) fn of(stores: &Stores, layout: &Layout) -> Option<Self> {
        let (objects, names) = (stores.digest()?, Names::read(layout));
        let names = names.skips.is_empty().then(|| names.digest())?;
        // One file for each, or there would be one for each day.
        let repository = format!("annals of {}", layout.common_dir.display());
        Some(Now { repository, state: format!("{objects} {names} {}", layout.within.display()) })
    }
}

impl Annals {
    /// The histories of all that was found, or nothing.
    pub(super) fn recall(
        cache: &mut Cache,
        now: &Now,
        found: &[Found],
        mut describe: impl FnMut(ObjectId) -> Commit,
    ) -> Option<Histories> {
        let annals: Annals = cache.read(&now.repository).filter(|annals: &Annals| annals.state == now.state)?;
        let mut commits = BTreeMap::new();
        let mut histories = Histories::new();
        for id in found.iter().map(|found| found.object.id) {
            let record = annals.objects.get(&id.to_string())?;
            let mut commit = |id: &String| {
                let id = ObjectId::from_hex(id.as_bytes())?;
                Some(commits.entry(id).or_insert_with(|| describe(id)).clone())
            };
            let introduced = record.introduced.iter().map(&mut commit).collect::<Option<_>>()?;
            histories.insert(id, record.history(introduced)?);
        }
        Some(histories)
    }

    /// Remembers histories, if all is known of each.
    pub(super) fn keep(cache: &mut Cache, now: Now, histories: &Histories, detector: &Detector) {
        let mut scratch = detector.scratch();
        let mut record = |(id, history): (&ObjectId, &Provenance)| {
            let record = Record::of(history)?;
            let is_open = record.texts().all(|text| masked(detector, &mut scratch, text.as_bytes()) == *text);
            is_open.then(|| (id.to_string(), record))
        };
        if let Some(objects) = histories.iter().map(&mut record).collect::<Option<_>>() {
            cache.put(&Annals { key: cache.key(&now.repository), state: now.state, objects });
        }
    }
}

impl Record {
    /// `None` for what is not all that there is to know, or has a path that is no text.
    fn of(history: &Provenance) -> Option<Self> {
        let paths = history.paths.iter().map(|path| path.to_str().map(str::to_owned)).collect::<Option<_>>()?;
        (!history.incomplete).then(|| Record {
            paths,
            introduced: history.introduced.iter().map(|commit| commit.id.to_string()).collect(),
            references: history.references.clone(),
            removed: history.removed.iter().map(|it| (it.reference.clone(), it.commit.to_string())).collect(),
            more_references: history.more_references,
            more_removed: history.more_removed,
            in_head: history.in_head,
            truncated: history.truncated,
        })
    }

    fn history(&self, introduced: Vec<Commit>) -> Option<Provenance> {
        let removed = |(reference, commit): &(String, String)| {
            Some(Removed { reference: reference.clone(), commit: ObjectId::from_hex(commit.as_bytes())? })
        };
        Some(Provenance {
            paths: self.paths.iter().map(Into::into).collect(),
            introduced,
            references: self.references.clone(),
            removed: self.removed.iter().map(removed).collect::<Option<_>>()?,
            more_references: self.more_references,
            more_removed: self.more_removed,
            in_head: self.in_head,
            truncated: self.truncated,
            incomplete: false,
        })
    }

    /// All that is no number.
    fn texts(&self) -> impl Iterator<Item = &String> {
        self.paths.iter().chain(&self.references).chain(self.removed.iter().map(|it| &it.0))
    }
}
