//! Remembers where objects with findings were, for as long as the repository stays as it is.
//!
//! That takes a look at every tree and commit, whatever the number of findings. The file names objects, paths and references, and none of
//! them if there is something in one that looks like a secret. It also tells which objects came to nothing where they were, as the tests of
//! a project do: of these nothing is told but how many look-alikes they have.

use std::collections::{BTreeMap, HashMap, HashSet};

use aho_corasick::AhoCorasick;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cache::{Cache, Kept};
use super::chronicle::Histories;
use super::filter::masked;
use super::scanner::Found;
use super::suspect::{Mask, mask_of};
use crate::detect::Detector;
use crate::finding::{Finding, Masking, Verdict};
use crate::origin::{Commit, ObjectId, Provenance, Removed};
use crate::rule::Confidence;
use crate::secret::Secret;
use crate::source::git::{Layout, Names, Object, Stores};

/// What is remembered of a repository in the state in which it is.
pub(super) struct Annals {
    about: String,
    volume: Volume,
}

/// Where objects were in one state of a repository.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Volume {
    key: String,
    /// A hash of which objects and references there were.
    state: String,
    /// Names of references, and ids of commits in hex.
    names: Vec<String>,
    /// By id, in hex.
    objects: BTreeMap<String, Record>,
    /// Objects that came to nothing but so many look-alikes, and their bytes.
    quiet: BTreeMap<String, (u64, u64)>,
    /// Below which confidence these are; `None` if it was not learned which are quiet.
    least: Option<Confidence>,
}

/// A [`Provenance`] without what commits say of themselves. Numbers stand for names.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    paths: Vec<String>,
    first: usize,
    checked_out: Option<usize>,
    introduced: Vec<usize>,
    references: Vec<usize>,
    /// References and commits.
    removed: Vec<(usize, usize)>,
    more_references: u64,
    more_removed: u64,
    in_head: bool,
    truncated: bool,
}

impl Kept for Volume {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Annals {
    /// `None` if not all can be told that decides where an object was: objects and references.
    pub(super) fn open(cache: &mut Cache, stores: &Stores, layout: &Layout, names: &Names) -> Option<Self> {
        let state = state(stores, layout, names)?;
        // One file for each, or there would be one for each day.
        let about = format!("annals of {}", layout.common_dir.display());
        let kept = cache.read(&about).filter(|volume: &Volume| volume.state == state);
        Some(Annals { about, volume: kept.unwrap_or_else(|| Volume { state, ..Volume::default() }) })
    }

    /// Objects that come to nothing but look-alikes below `least`: their bytes, and how many.
    pub(super) fn quiet(&self, least: Option<Confidence>) -> impl Iterator<Item = (ObjectId, u64, u64)> {
        let quiet = self.volume.quiet.iter().filter(move |_| least.is_some() && least == self.volume.least);
        quiet.filter_map(|(id, (count, bytes))| Some((ObjectId::from_hex(id.as_bytes())?, *bytes, *count)))
    }

    /// Whether it is remembered which objects are quiet, if that can be told at all.
    pub(super) fn knows(&self, quiet: &Quiet) -> bool {
        quiet.least.is_none_or(|least| self.volume.least == Some(least))
    }

    /// The histories of all that was found, or nothing: a commit that cannot be read any more has another history.
    pub(super) fn recall(
        &self,
        found: &[Found],
        mut describe: impl FnMut(ObjectId) -> Option<Commit>,
    ) -> Option<Histories> {
        let mut commits = BTreeMap::new();
        let mut histories = Histories::new();
        for id in found.iter().map(|found| found.object.id) {
            let record = self.volume.objects.get(&id.to_string())?;
            let mut commit = |number: &usize| {
                let id = ObjectId::from_hex(self.volume.names.get(*number)?.as_bytes())?;
                commits.entry(id).or_insert_with(|| describe(id)).clone()
            };
            let introduced = record.introduced.iter().map(&mut commit).collect::<Option<_>>()?;
            histories.insert(id, record.history(introduced, &self.volume.names)?);
        }
        Some(histories)
    }

    /// Remembers histories, if all is known of each and nothing changed since they were asked for.
    pub(super) fn keep(
        self,
        cache: &mut Cache,
        (stores, layout): (&Stores, &Layout),
        histories: &Histories,
        quiet: Quiet,
        detector: &Detector,
    ) {
        if state(stores, layout, &Names::read(layout)).as_ref() != Some(&self.volume.state) {
            return;
        }
        let mut numbers = Numbers::default();
        let objects = histories.iter().map(|(id, history)| Some((id.to_string(), numbers.record(history)?)));
        let Some(objects) = objects.collect::<Option<BTreeMap<String, Record>>>() else { return };
        let mut scratch = detector.scratch();
        let mut texts = objects.values().flat_map(|record| &record.paths).chain(&numbers.names);
        let Some(secrets) = quiet.secrets() else { return };
        if texts.all(|text| !secrets.is_match(text) && masked(detector, &mut scratch, text.as_bytes()) == *text) {
            let least = quiet.least;
            let quiet = quiet.objects();
            let Annals { about, volume } = self;
            let key = cache.key(&about);
            cache.put(&Volume { key, state: volume.state, names: numbers.names, objects, quiet, least });
        }
    }
}

/// A hash of all that decides where an object was, in hex.
fn state(stores: &Stores, layout: &Layout, names: &Names) -> Option<String> {
    let hash = Sha256::new().chain_update(stores.digest()?).chain_update(names.digest());
    let hash = hash.chain_update(layout.within.as_os_str().as_encoded_bytes());
    names.skips.is_empty().then(|| HEXLOWER.encode(&hash.finalize()))
}

/// Gives names numbers.
#[derive(Default)]
struct Numbers {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Numbers {
    fn of(&mut self, name: &str) -> usize {
        self.numbers.get(name).copied().unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.numbers.insert(name.to_owned(), self.names.len() - 1);
            self.names.len() - 1
        })
    }

    /// `None` for what is not all that there is to know, or has a path that is no text.
    fn record(&mut self, history: &Provenance) -> Option<Record> {
        let paths = history.paths.iter().map(|path| path.to_str().map(str::to_owned)).collect::<Option<_>>()?;
        let mut id = |id: &ObjectId| self.of(&id.to_string());
        let introduced = history.introduced.iter().map(|commit| id(&commit.id)).collect();
        let removed: Vec<usize> = history.removed.iter().map(|it| id(&it.commit)).collect();
        let by = history.removed.iter().map(|it| self.of(&it.reference));
        let removed = by.zip(removed).collect();
        (!history.incomplete).then(|| Record {
            paths,
            first: history.first,
            checked_out: history.checked_out,
            introduced,
            references: history.references.iter().map(|name| self.of(name)).collect(),
            removed,
            more_references: history.more_references,
            more_removed: history.more_removed,
            in_head: history.in_head,
            truncated: history.truncated,
        })
    }
}

impl Record {
    fn history(&self, introduced: Vec<Commit>, names: &[String]) -> Option<Provenance> {
        let name = |number: &usize| names.get(*number).cloned();
        let removed = |(reference, commit): &(usize, usize)| {
            let commit = ObjectId::from_hex(names.get(*commit)?.as_bytes())?;
            Some(Removed { reference: name(reference)?, commit })
        };
        Some(Provenance {
            paths: self.paths.iter().map(Into::into).collect(),
            first: self.first,
            checked_out: self.checked_out.filter(|at| *at < self.paths.len()),
            introduced,
            references: self.references.iter().map(name).collect::<Option<_>>()?,
            removed: self.removed.iter().map(removed).collect::<Option<_>>()?,
            more_references: self.more_references,
            more_removed: self.more_removed,
            in_head: self.in_head,
            truncated: self.truncated,
            incomplete: false,
        })
    }
}

/// Learns which objects need not be read again in this state of the repository, as they come to nothing but look-alikes.
#[derive(Default)]
pub(super) struct Quiet {
    /// Below which confidence they are; `None` if that does not tell what becomes of them.
    least: Option<Confidence>,
    /// What was told of each object: nothing but look-alikes, and how these are masked.
    told: BTreeMap<ObjectId, (Object, u64, Vec<Mask>)>,
    /// Those of which more was told, or that have to be read for something else.
    loud: HashSet<ObjectId>,
    /// All that was told and is masked wherever it stands.
    secrets: Vec<Secret>,
}

impl Quiet {
    /// `loud` are to be read again in any case.
    pub(super) fn new(least: Option<Confidence>, loud: impl IntoIterator<Item = ObjectId>) -> Self {
        Quiet { least, loud: loud.into_iter().collect(), ..Quiet::default() }
    }

    /// Of these more was found than will be told: they are to be read again, too.
    pub(super) fn leave_out(&mut self, objects: impl Iterator<Item = ObjectId>) {
        self.loud.extend(objects);
    }

    /// Something was found in an object.
    pub(super) fn found(&mut self, object: Object) {
        self.told.entry(object.id).or_insert((object, 0, Vec::new()));
    }

    /// This is told of an object.
    pub(super) fn told(&mut self, id: &ObjectId, finding: &Finding) {
        let mask = mask_of(finding);
        if mask.as_ref().is_some_and(|mask| mask.1 == Masking::Everywhere) {
            self.secrets.push(finding.secret.clone());
        }
        let Some((_, count, masks)) = self.told.get_mut(id) else { return };
        *count += 1;
        masks.extend(mask);
        if finding.verdict != Verdict::Hidden || !finding.companions.is_empty() {
            self.loud.insert(*id);
        }
    }

    /// What finds the secrets in names; `None` if there are too many.
    #[expect(clippy::disallowed_methods, reason = "looks for secrets in what would be kept")]
    fn secrets(&self) -> Option<AhoCorasick> {
        let secrets = self.secrets.iter().map(Secret::expose);
        AhoCorasick::builder().ascii_case_insensitive(true).build(secrets).ok()
    }

    /// The quiet ones with their bytes. What a report has to mask it learns from some other, or from none.
    fn objects(self) -> BTreeMap<String, (u64, u64)> {
        let Quiet { least, told, loud, .. } = self;
        let (loud, told): (Vec<_>, Vec<_>) =
            told.into_values().filter(|_| least.is_some()).partition(|(object, ..)| loud.contains(&object.id));
        let mut known: HashSet<Mask> = loud.into_iter().flat_map(|(_, _, masks)| masks).collect();
        let mut quiet = BTreeMap::new();
        for (object, count, masks) in told {
            if masks.iter().all(|mask| known.contains(mask)) {
                quiet.insert(object.id.to_string(), (count, object.size));
            }
            known.extend(masks);
        }
        quiet
    }
}
