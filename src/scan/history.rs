//! Scans everything that a git repository holds: every object once, and each byte that anyone wrote once.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::filter::masked;
use super::object::Searcher;
use super::suspect::{Place, Suspect};
use super::{Error, Plan, Watch, scan_files};
use crate::chunk::Encoding;
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::marks::{AFTER, BEFORE};
use crate::detect::{Detector, Scratch};
use crate::finding::Finding;
use crate::origin::{Commit, ObjectId, ObjectKind, Origin, Provenance, Removed};
use crate::source::encoding::sniff;
use crate::source::files::Target;
use crate::source::git::{
    Attribution, Environment, Layout, Lens, Object, Options, Reach, Reader, References, Scope, Stores, Tip, attribute,
    check_owner, choose, field, references, walk,
};

/// What of a repository to scan.
#[derive(Clone, Debug)]
pub struct Request {
    /// The work tree, its `.git`, or a bare repository.
    pub repository: PathBuf,
    /// Where git says that things are, to a hook.
    pub environment: Environment,
    /// Only this part of the history; `None` is all that the object stores hold.
    pub scope: Option<Scope>,
    /// The repositories of submodules, too.
    pub submodules: bool,
    /// Most bytes of objects held at a time.
    pub memory: u64,
    /// Name authors and their addresses.
    pub authors: bool,
}

/// Scans a repository. Findings come to `tell` sorted by path, then by object and position.
pub(super) fn run(
    plan: &Plan,
    request: &Request,
    detector: &Detector,
    watch: &Watch,
    tell: &mut dyn FnMut(Finding),
) -> Result<Coverage, Error> {
    let layout = Layout::locate(&request.repository, &request.environment)?;
    if request.environment.git_dir.is_none() {
        check_owner(&layout)?;
    }
    let modules = if request.submodules { layout.submodules()? } else { Vec::new() };
    let mut coverage = Coverage::default();
    for layout in std::iter::once(Ok(layout)).chain(modules.iter().map(|module| Layout::of(module))) {
        let layout = layout?;
        coverage.add(scan_objects(plan, request, &layout, detector, watch, tell)?);
        if request.scope.is_none() {
            coverage.add(scan_files(plan, &files(&layout), detector, watch, &mut Vec::new(), tell));
        }
    }
    Ok(coverage)
}

/// What a repository holds beside its objects and may hold a secret: configuration, reflogs, messages, hooks.
fn files(layout: &Layout) -> Vec<Target> {
    let names = [
        "config",
        "config.worktree",
        "packed-refs",
        "logs",
        "refs",
        "info",
        "hooks",
        "description",
        "worktrees",
        "HEAD",
        "FETCH_HEAD",
        "ORIG_HEAD",
        "COMMIT_EDITMSG",
        "MERGE_MSG",
        "SQUASH_MSG",
        "TAG_EDITMSG",
        "NOTES_EDITMSG",
        "rebase-merge",
        "rebase-apply",
        "sequencer",
        "branches",
        "remotes",
    ];
    let mut directories = vec![&layout.common_dir];
    if layout.git_dir != layout.common_dir {
        directories.push(&layout.git_dir);
    }
    let all = directories.iter().flat_map(|directory| names.iter().map(|name| directory.join(name)));
    all.filter(|path| path.exists()).map(Target::Path).collect()
}

fn scan_objects(
    plan: &Plan,
    request: &Request,
    layout: &Layout,
    detector: &Detector,
    watch: &Watch,
    tell: &mut dyn FnMut(Finding),
) -> Result<Coverage, Error> {
    let stores = layout.open();
    let chosen = request.scope.as_ref().map(|scope| choose(scope, layout, &stores, request.memory)).transpose()?;
    let options = Options {
        threads: plan.jobs,
        memory: request.memory,
        kinds: &ObjectKind::ALL,
        only: chosen.as_ref().map(|chosen| &chosen.objects),
        links: true,
        interrupt: &watch.interrupt,
        progress: Some(&watch.objects),
    };
    let walked = walk(&stores, || Scanner::new(plan, detector, watch), options)?;
    let mut coverage = Coverage {
        objects: walked.counts.total(),
        bytes: walked.counts.bytes,
        skips: stores.skips.iter().cloned().chain(walked.skips).collect(),
        ..Coverage::default()
    };
    if let Some(chosen) = &chosen {
        // What a clone lacks by design matters only where the scope touches it, and there it is named.
        coverage.skips.retain(|skip| !matches!(skip.why, Why::ShallowClone | Why::PartialClone));
        coverage.skips.extend(chosen.skips.iter().cloned());
    }
    let found: Vec<Found> = walked.lenses.into_iter().flat_map(|scanner| scanner.found).collect();
    if !found.is_empty() {
        let chronicle = Chronicle::new(&stores, layout, &found, options, request, detector)?;
        coverage.skips.extend(chronicle.skips());
        chronicle.tell(plan, found, tell);
    }
    Ok(coverage)
}

/// What was found in an object.
struct Found {
    object: Object,
    suspects: Vec<Suspect>,
}

/// Searches what the walker shows.
struct Scanner<'p> {
    searcher: Searcher<'p>,
    detector: &'p Detector,
    scratch: Scratch,
    found: Vec<Found>,
}

impl<'p> Scanner<'p> {
    fn new(plan: &'p Plan, detector: &'p Detector, watch: &'p Watch) -> Self {
        let searcher = Searcher::new(plan, detector, watch);
        Scanner { searcher, detector, scratch: detector.scratch(), found: Vec::new() }
    }

    fn search(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let suspects = self.searcher.suspects(content, object.size)?;
        if !suspects.is_empty() {
            self.found.push(Found { object: *object, suspects });
        }
        Ok(())
    }
}

impl Lens for Scanner<'_> {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: BEFORE as u32, after: AFTER as u32 }
    }

    fn marks(&mut self, _: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        self.detector.marks(&mut self.scratch, bytes, out);
    }

    fn head(&mut self, _: &Object, head: &[u8]) -> bool {
        self.detector.needs_whole_objects() || sniff(head).0 != Encoding::Bytes
    }

    fn object(&mut self, object: &Object, mut bytes: &[u8], _: &[u32]) {
        self.search(object, &mut bytes).expect("reading from memory does not fail");
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        self.search(object, content)
    }
}

/// Where the objects with findings were, who brought them and what still leads to them.
struct Chronicle<'s> {
    attribution: Attribution<'s>,
    references: References,
    commits: BTreeMap<ObjectId, Commit>,
}

impl<'s> Chronicle<'s> {
    fn new(
        stores: &'s Stores,
        layout: &Layout,
        found: &[Found],
        options: Options<'_>,
        request: &Request,
        detector: &Detector,
    ) -> Result<Self, Error> {
        let in_trees = |kind| matches!(kind, ObjectKind::Blob | ObjectKind::Tree);
        let targets: HashSet<ObjectId> =
            found.iter().filter(|found| in_trees(found.object.kind)).map(|found| found.object.id).collect();
        let attribution = attribute(stores, &targets, Options { only: None, ..options })?;
        let mut reader = Reader::new(stores, options.memory);
        let references = references(layout, &mut reader);
        let brought = targets.iter().filter_map(|id| attribution.history(id)).flat_map(|history| &history.introduced);
        let ids = brought.map(|one| one.commit);
        let itself = found.iter().filter(|found| found.object.kind == ObjectKind::Commit).map(|found| found.object.id);
        let mut commits = BTreeMap::new();
        let mut scratch = detector.scratch();
        for id in ids.chain(itself) {
            commits.entry(id).or_insert_with(|| describe(&mut reader, id, request.authors, detector, &mut scratch));
        }
        Ok(Chronicle { attribution, references, commits })
    }

    fn skips(&self) -> impl Iterator<Item = Skip> {
        self.attribution.skips.iter().chain(&self.references.skips).cloned()
    }

    fn tell(&self, plan: &Plan, found: Vec<Found>, tell: &mut dyn FnMut(Finding)) {
        let mut all: Vec<(Origin, Arc<Provenance>, Vec<Suspect>)> = found
            .into_iter()
            .map(|found| {
                let provenance = self.provenance(&found.object);
                let path = provenance.paths.first().cloned();
                let origin = Origin::Object { path, id: found.object.id, kind: Some(found.object.kind) };
                (origin, Arc::new(provenance), found.suspects)
            })
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        for (origin, provenance, suspects) in all {
            let commits: Vec<String> = provenance.introduced.iter().map(|commit| commit.id.to_string()).collect();
            let places = places(&provenance, &commits);
            for suspect in suspects {
                let wanted = suspect.rule.path.as_ref();
                let is_at =
                    |place: &Place<'_>| place.path.is_some_and(|path| wanted.is_none_or(|it| it.is_match(path)));
                if wanted.is_none() || places.iter().any(is_at) {
                    tell(suspect.finding(plan, origin.clone(), &places, Some(provenance.clone())));
                }
            }
        }
    }

    fn provenance(&self, object: &Object) -> Provenance {
        let commit = |id: &ObjectId| self.commits.get(id).cloned();
        let Some(history) = self.attribution.history(&object.id) else {
            return Provenance { introduced: commit(&object.id).into_iter().collect(), ..self.of_commit(&object.id) };
        };
        let tips: Vec<ObjectId> = self.references.all.iter().filter_map(|reference| reference.commit).collect();
        let named = self.references.all.iter().filter(|reference| reference.commit.is_some());
        let mut provenance = Provenance {
            paths: history.paths.iter().map(|path| to_path(path)).collect(),
            introduced: history.introduced.iter().filter_map(|one| commit(&one.commit)).collect(),
            in_head: self.references.head.is_some_and(|head| self.attribution.holds(&head, &object.id)),
            truncated: history.truncated,
            ..Provenance::default()
        };
        for (reference, tip) in named.zip(self.attribution.tips(&object.id, &tips)) {
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
        let tips: Vec<&str> = self
            .references
            .all
            .iter()
            .filter(|reference| reference.commit.is_some_and(|tip| self.attribution.descends(&tip, id)))
            .map(|reference| reference.name.as_str())
            .collect();
        Provenance {
            references: tips.into_iter().map(str::to_owned).collect(),
            in_head: self.references.head.is_some_and(|head| self.attribution.descends(&head, id)),
            ..Provenance::default()
        }
    }
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

fn to_path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    return Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)).to_owned();
    #[cfg(not(unix))]
    return Path::new(&*String::from_utf8_lossy(bytes)).to_owned();
}

/// What a commit says of itself, with secrets masked.
fn describe(
    reader: &mut Reader<'_>,
    id: ObjectId,
    authors: bool,
    detector: &Detector,
    scratch: &mut Scratch,
) -> Commit {
    let text = reader.read(&id).ok().flatten().map(|(_, text)| text).unwrap_or_default();
    let author = field(&text, b"author ").unwrap_or_default();
    let mail = memchr::memchr(b'<', author).zip(memchr::memrchr(b'>', author)).filter(|(open, close)| open < close);
    let (name, address, time) = match mail {
        Some((open, close)) => (&author[..open], &author[open + 1..close], &author[close + 1..]),
        None => (author, &b""[..], &b""[..]),
    };
    let time = String::from_utf8_lossy(time).split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or(0);
    let message = memchr::memmem::find(&text, b"\n\n").map_or(&b""[..], |at| &text[at + 2..]);
    let subject = message.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut shown = |bytes: &[u8]| masked(detector, scratch, bytes).trim().to_owned();
    Commit {
        id,
        author: authors.then(|| shown(name)),
        email: authors.then(|| shown(address)),
        time,
        subject: shown(subject),
    }
}
