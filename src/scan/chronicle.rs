//! Where the objects with findings were, who brought them and what still leads to them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use rayon::prelude::*;

use super::compose::Kinship;
use super::filter::masked;
use super::history::Request;
use super::scanner::Found;
use super::suspect::{Place, Suspect};
use super::{Error, Plan};
use crate::coverage::{Skip, Why};
use crate::detect::{Detector, Scratch};
use crate::finding::Finding;
use crate::origin::{Commit, ObjectId, ObjectKind, Origin, Provenance, Removed};
use crate::source::files::Excludes;
use crate::source::git::{
    Attribution, Chosen, History, Layout, Object, Options, Reader, Reference, References, Revision, Stores, Tip,
    Within, attribute, field, references,
};

/// How much is told of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// All of it.
    Whole,
    /// Where it was and who brought it, of a range; not what leads to it.
    Within,
}

/// See the module.
pub(super) struct Chronicle<'s> {
    attribution: Attribution<'s>,
    references: References,
    commits: BTreeMap<ObjectId, Commit>,
    /// Commits that are kept under a name that is not theirs.
    misnamed: Vec<Skip>,
    /// Where the references lead that lead to a commit.
    tips: Vec<Option<u32>>,
    /// Stands before the paths: where the repository is in the one that was asked for.
    within: PathBuf,
    /// Objects were asked for by their names: a push that is not through yet will give them references.
    is_under_way: bool,
}

impl<'s> Chronicle<'s> {
    pub(super) fn new(
        stores: &'s Stores,
        layout: &Layout,
        found: &[Found],
        options: Options<'_>,
        asked: (&Request, Option<&Chosen>, Told),
        detector: &Detector,
    ) -> Result<Self, Error> {
        let (request, chosen, told) = asked;
        let in_trees = |kind| matches!(kind, ObjectKind::Blob | ObjectKind::Tree);
        let targets: HashSet<ObjectId> =
            found.iter().filter(|found| in_trees(found.object.kind)).map(|found| found.object.id).collect();
        let mut reader = Reader::new(stores, options.memory);
        let references = references(layout, &mut reader);
        let tips: Vec<ObjectId> = references.all.iter().filter_map(|reference| reference.commit).collect();
        let trees = references.all.iter().filter(|reference| reference.commit.is_none());
        let trees = trees.filter_map(|reference| reference.leads_to.last());
        let roots: Vec<ObjectId> = references.head.iter().chain(trees).copied().collect();
        let all: Vec<ObjectId> = tips.iter().chain(&references.head).copied().collect();
        let within = chosen.and_then(|chosen| chosen.range.as_ref()).map(|range| match told {
            Told::Whole => Within { range, tips: &all, roots: &roots },
            Told::Within => Within { range, tips: &[], roots: &[] },
        });
        let attribution = attribute(stores, &targets, within, references.head, Options { only: None, ..options })?;
        let brought = targets.iter().filter_map(|id| attribution.history(id)).flat_map(|history| &history.introduced);
        let ids = brought.map(|one| one.commit);
        let itself = found.iter().filter(|found| found.object.kind == ObjectKind::Commit).map(|found| found.object.id);
        let (mut commits, mut misnamed) = (BTreeMap::new(), Vec::new());
        let mut scratch = detector.scratch();
        for id in ids.chain(itself) {
            if let Entry::Vacant(new) = commits.entry(id)
                && let Some(commit) = describe(&mut reader, id, request.authors, detector, &mut scratch)
            {
                misnamed.extend((commit.id != id).then(|| misnaming(id, Some(ObjectKind::Commit), commit.id)));
                new.insert(commit);
            }
        }
        let named = request.scope.iter().flat_map(|scope| &scope.revisions);
        let is_under_way = named.into_iter().any(|revision| matches!(revision, Revision::Object(_)));
        let tips = attribution.indices(&tips);
        Ok(Chronicle { attribution, references, commits, misnamed, tips, within: layout.within.clone(), is_under_way })
    }

    /// What could not be read. That a clone may lack something was named where it does.
    pub(super) fn skips(&self) -> impl Iterator<Item = Skip> {
        let all = self.attribution.skips.iter().chain(&self.references.skips).chain(&self.misnamed);
        all.filter(|skip| skip.why != Why::PartialClone).cloned()
    }

    /// Leaves out what no commit of a scope brought, but one of its commits has in another place than its parents; nothing, if a part
    /// of the history is unknown.
    pub(super) fn retain_brought(&self, chosen: &Chosen, found: &mut Vec<Found>) {
        if self.skips().next().is_some() {
            return;
        }
        found.retain(|found| {
            let history = self.attribution.history(&found.object.id);
            let is_brought =
                |history: &History| history.introduced.iter().any(|one| chosen.commits.contains(&one.commit));
            history.is_none_or(is_brought) || chosen.named.contains(&found.object.id)
        });
    }

    /// The history of each object. Once `interrupt` is set, objects have none.
    ///
    /// # Errors
    /// If the system has no threads left.
    pub(super) fn histories(&self, found: &[Found], jobs: usize, interrupt: &AtomicBool) -> io::Result<Histories> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().map_err(io::Error::other)?;
        let objects: BTreeMap<ObjectId, Object> = found.iter().map(|found| (found.object.id, found.object)).collect();
        let history = |(id, object): (ObjectId, Object)| {
            let stopped = interrupt.load(Relaxed).then(|| Provenance { incomplete: true, ..Provenance::default() });
            (id, stopped.unwrap_or_else(|| self.provenance(&object)))
        };
        Ok(pool.install(|| objects.into_par_iter().map(history).collect()))
    }

    fn provenance(&self, object: &Object) -> Provenance {
        let mut provenance = match self.attribution.history(&object.id) {
            Some(history) => self.of_content(history, &object.id),
            None => self.of_commit(&object.id),
        };
        // By a tag of its own, or of a tree that holds it.
        let leads = |reference: &&Reference| {
            let in_tree = || reference.leads_to.last().is_some_and(|tree| self.attribution.is_in(tree, &object.id));
            reference.leads_to.contains(&object.id) || (reference.commit.is_none() && in_tree())
        };
        provenance.references.extend(self.references.all.iter().filter(leads).map(|reference| reference.name.clone()));
        provenance.limit();
        provenance.incomplete =
            self.is_under_way || !self.references.skips.is_empty() || !self.attribution.skips.is_empty();
        provenance
    }

    /// For what is in trees.
    fn of_content(&self, history: &History, id: &ObjectId) -> Provenance {
        let named = self.references.all.iter().filter(|reference| reference.commit.is_some());
        // The top of a work tree has no name.
        let paths: Vec<&Vec<u8>> = history.paths.iter().filter(|path| !path.is_empty()).collect();
        let place = |path: &Vec<u8>| paths.binary_search(&path).ok();
        let first = history.introduced.first().and_then(|one| one.paths.iter().find_map(place)).unwrap_or(0);
        let mut there = history.checked_out.iter().filter_map(place);
        let mut provenance = Provenance {
            first,
            checked_out: there.clone().find(|at| *at == first).or_else(|| there.next()),
            paths: paths.iter().map(|path| self.within.join(to_path(path))).collect(),
            introduced: history.introduced.iter().filter_map(|one| self.commits.get(&one.commit).cloned()).collect(),
            in_head: self.references.head.is_some_and(|head| self.attribution.holds(&head, id)),
            truncated: history.truncated,
            ..Provenance::default()
        };
        for (reference, tip) in named.zip(self.attribution.tips(id, &self.tips)) {
            if tip != Tip::Unrelated {
                provenance.references.push(reference.name.clone());
            }
            if let Tip::Removed(commit) = tip {
                provenance.removed.push(Removed { reference: reference.name.clone(), commit });
            }
        }
        provenance
    }

    /// For what is in no tree: a commit or a tag.
    fn of_commit(&self, id: &ObjectId) -> Provenance {
        let named: Vec<(&str, ObjectId)> =
            self.references.all.iter().filter_map(|one| Some((one.name.as_str(), one.commit?))).collect();
        let tips: Vec<ObjectId> = named.iter().map(|one| one.1).chain(self.references.head).collect();
        let descend = self.attribution.descend(id, &tips);
        let leads = named.iter().zip(&descend).filter(|(_, descends)| **descends);
        Provenance {
            introduced: self.commits.get(id).cloned().into_iter().collect(),
            references: leads.map(|(one, _)| one.0.to_owned()).collect(),
            in_head: self.references.head.is_some() && descend.last() == Some(&true),
            ..Provenance::default()
        }
    }
}

/// Of each object with findings.
pub(super) type Histories = BTreeMap<ObjectId, Provenance>;

/// Whether nothing in it is sure enough to be reported, where it was.
pub(super) fn is_below(plan: &Plan, found: &Found, histories: &Histories, kinship: &Kinship) -> bool {
    let Some(history) = histories.get(&found.object.id).filter(|history| !history.incomplete) else { return false };
    let (origin, provenance) = placed(found, history.clone());
    let commits: Vec<String> = provenance.introduced.iter().map(|commit| commit.id.to_string()).collect();
    let places = places(&provenance, &commits);
    let is_below = |suspect: &Suspect| suspect.is_below_at(plan, &origin, &places) && !kinship.concerns(&suspect.rule);
    found.suspects.iter().all(is_below)
}

/// Gives out the findings, sorted by path, with the histories of their objects.
pub(super) fn tell(plan: &Plan, found: Vec<Found>, histories: &Histories, tell: &mut dyn FnMut(&ObjectId, Finding)) {
    let history = |found: &Found| histories.get(&found.object.id).cloned().unwrap_or_default();
    let excludes = Excludes::new(&plan.files).ok().filter(|_| !plan.files.exclude.is_empty());
    // What is left out of a tree is left out of its history, unless it was somewhere else, too.
    let is_left_out = |history: &Provenance| {
        let paths = &history.paths;
        excludes.as_ref().is_some_and(|excludes| !paths.is_empty() && paths.iter().all(|path| excludes.has(path)))
    };
    let mut all: Vec<(Origin, ObjectId, Arc<Provenance>, Vec<Suspect>)> = found
        .into_iter()
        .map(|found| (history(&found), found))
        .filter(|(history, _)| !is_left_out(history))
        .map(|(history, found)| {
            let (origin, provenance) = placed(&found, history);
            (origin, found.object.id, provenance, found.suspects)
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let kinship = Kinship::of(&plan.rules);
    for (origin, id, provenance, suspects) in all {
        let commits: Vec<String> = provenance.introduced.iter().map(|commit| commit.id.to_string()).collect();
        let places = places(&provenance, &commits);
        let applies = |suspect: &Suspect| {
            let wanted = suspect.rule.path.as_ref();
            let is_at = |place: &Place<'_>| place.path.is_some_and(|path| wanted.is_none_or(|it| it.is_match(path)));
            wanted.is_none() || places.iter().any(is_at)
        };
        let finding = |suspect: Suspect| suspect.finding(plan, origin.clone(), &places, Some(provenance.clone()));
        let findings = suspects.into_iter().filter(applies).map(finding).collect();
        kinship.whole(findings).into_iter().for_each(|finding| tell(&id, finding));
    }
}

/// The object and the history of a finding in it, or in a member of it.
fn placed(found: &Found, mut provenance: Provenance) -> (Origin, Arc<Provenance>) {
    if let Some(member) = &found.member {
        if provenance.paths.is_empty() {
            provenance.paths.push(found.object.id.to_string().into());
        }
        provenance.paths.iter_mut().for_each(|path| *path = inside(path, member));
    }
    let path = provenance.first_path().cloned();
    let origin = Origin::Object { path, id: found.object.id, kind: Some(found.object.kind) };
    (origin, Arc::new(provenance))
}

/// Every path with every commit that brought the object.
fn places<'a>(provenance: &'a Provenance, commits: &'a [String]) -> Vec<Place<'a>> {
    let paths: Vec<Option<&[u8]>> = match provenance.paths.as_slice() {
        [] => vec![None],
        paths => paths.iter().map(|path| Some(path.as_os_str().as_encoded_bytes())).collect(),
    };
    let commits: Vec<Option<&str>> = match commits {
        [] => vec![None],
        commits => commits.iter().map(|commit| Some(commit.as_str())).collect(),
    };
    paths.iter().flat_map(|&path| commits.iter().map(move |&commit| Place { path, commit })).collect()
}

/// The path of what stands in an archive.
fn inside(archive: &Path, member: &str) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push("!/");
    path.push(member);
    path.into()
}

fn to_path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    return Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)).to_owned();
    #[cfg(not(unix))]
    return Path::new(&*String::from_utf8_lossy(bytes)).to_owned();
}

/// An object that is found under a name which its content has not: what names the other is nowhere.
pub(super) fn misnaming(id: ObjectId, kind: Option<ObjectKind>, name: ObjectId) -> Skip {
    let detail = format!("what is kept under this name is {name}");
    Skip { origin: Origin::Object { path: None, id, kind }, why: Why::CorruptObject, detail }
}

/// What a commit says of itself, with secrets masked, by the name that it has by its content; `None` if it cannot be read.
pub(super) fn describe(
    reader: &mut Reader<'_>,
    id: ObjectId,
    authors: bool,
    detector: &Detector,
    scratch: &mut Scratch,
) -> Option<Commit> {
    let text = reader.read(&id).ok().flatten().filter(|(kind, _)| *kind == ObjectKind::Commit)?.1;
    let author = field(&text, b"author ").unwrap_or_default();
    let mail = memchr::memchr(b'<', author).zip(memchr::memrchr(b'>', author)).filter(|(open, close)| open < close);
    let (name, address, time) = match mail {
        Some((open, close)) => (&author[..open], &author[open + 1..close], &author[close + 1..]),
        None => (author, &b""[..], &b""[..]),
    };
    let time = String::from_utf8_lossy(time).split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or(0);
    let message = memchr::memmem::find(&text, b"\n\n").map_or(&b""[..], |at| &text[at + 2..]);
    let subject = subject(message);
    let mut shown = |bytes: &[u8]| masked(detector, scratch, bytes).trim().to_owned();
    let id = reader.true_name(&id).unwrap_or(id);
    let (author, email) = (authors.then(|| shown(name)), authors.then(|| shown(address)));
    Some(Commit { id, author, email, time, subject: shown(&subject) })
}

/// The first paragraph of a message in one line, as `git log --format=%s` has it.
fn subject(message: &[u8]) -> Vec<u8> {
    let lines = message.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_first_paragraph() {
        for (message, expected) in [
            ("one\n\ntwo\n", "one"),
            ("\n \n\none\n  two \nthree\n \nfour", "one   two three"),
            ("", ""),
            ("\n\n", ""),
            ("one", "one"),
        ] {
            assert_eq!(subject(message.as_bytes()), expected.as_bytes(), "{message:?}");
        }
    }
}
