//! Scans everything that a git repository holds: every object once, and each byte that anyone wrote once.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::cache::{Cache, Recalled};
use super::chronicle::Chronicle;
use super::compose::Kinship;
use super::object::{Searcher, too_much};
use super::suspect::{Place, Suspect};
use super::{Error, Plan, Watch, scan_files};
use crate::chunk::Encoding;
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::marks::{AFTER, BEFORE};
use crate::detect::{Detector, Scratch};
use crate::finding::{Finding, Snippet};
use crate::origin::{ObjectKind, Origin};
use crate::source::encoding::sniff;
use crate::source::files::{self, Target};
use crate::source::git::{
    Chosen, Environment, Layout, Lens, Names, Object, Options, Reach, Scope, Stores, Walked, check_owner, choose, walk,
    walk_unknown,
};
use crate::source::unpack::{self, Packing, packing};

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
    /// Where to remember what was in each pack. Of no use where `only` is given.
    pub cache: Option<CacheIn>,
}

/// Larger archives in a history are not unpacked, in bytes: they would have to be held whole.
const LARGEST_ARCHIVE: u64 = 256 << 20;

/// Where a cache is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheIn {
    /// In `stanch/` of the git directory.
    Repository,
    /// In this directory, which is made if it is not there.
    Directory(PathBuf),
}

impl CacheIn {
    fn directory(&self, layout: &Layout) -> PathBuf {
        match self {
            CacheIn::Repository => layout.common_dir.join("stanch"),
            CacheIn::Directory(directory) => directory.clone(),
        }
    }
}

/// Scans a repository. Findings come to `tell` sorted by path, then by object and position.
pub(super) fn run(
    plan: &Plan,
    request: &Request,
    detector: &Detector,
    watch: &Watch,
    warnings: &mut Vec<String>,
    tell: &mut dyn FnMut(Finding),
) -> Result<Coverage, Error> {
    files::check(&[], &plan.files)?;
    let layout = Layout::locate(&request.repository, &request.environment)?;
    if request.environment.git_dir.is_none() {
        check_owner(&layout)?;
    }
    let mut repositories = vec![layout];
    if request.submodules {
        let modules = repositories[0].submodules()?;
        for module in modules {
            let name = module.strip_prefix(repositories[0].common_dir.join("modules")).unwrap_or(&module);
            let within = name.iter().filter(|part| *part != "modules").collect();
            repositories.push(Layout { within, ..Layout::of(&module)? });
        }
    }
    let mut coverage = Coverage::default();
    for layout in &repositories {
        let mut tell = |mut finding: Finding| {
            if !request.authors && tells_of_people(&finding.origin) {
                finding.snippet = alone(&finding.snippet);
            }
            tell(finding);
        };
        coverage.add(scan_objects(plan, request, layout, detector, watch, warnings, &mut tell)?);
        if request.scope.is_none() {
            coverage.add(scan_names(plan, layout, detector, watch, &mut tell));
            coverage.add(scan_files(
                plan,
                &own_files(layout, &request.repository),
                detector,
                watch,
                &mut Vec::new(),
                &mut tell,
            ));
        }
    }
    Ok(coverage)
}

/// What a repository holds beside its objects and may hold a secret: configuration, reflogs, messages, hooks.
fn own_files(layout: &Layout, given: &Path) -> Vec<Target> {
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
        "index",
        "COMMIT_EDITMSG",
        "MERGE_MSG",
        "SQUASH_MSG",
        "TAG_EDITMSG",
        "NOTES_EDITMSG",
        "rebase-merge",
        "rebase-apply",
        "sequencer",
        "rr-cache",
        "BISECT_LOG",
        "branches",
        "remotes",
    ];
    let mut directories = vec![&layout.common_dir];
    // That of a linked work tree is in `worktrees`, unless somebody moved it.
    if !layout.git_dir.starts_with(&layout.common_dir) {
        directories.push(&layout.git_dir);
    }
    let all = directories.iter().flat_map(|directory| names.iter().map(|name| directory.join(name)));
    let absent = |path: &PathBuf| path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    all.filter(|path| !absent(path)).map(|path| Target::Path(as_given(path, given))).collect()
}

/// A path below what the user named, as a path from there: the same on every machine.
fn as_given(path: PathBuf, given: &Path) -> PathBuf {
    let Ok(real) = given.canonicalize() else { return path };
    match path.strip_prefix(real) {
        Ok(rest) if given == Path::new(".") => rest.to_owned(),
        Ok(rest) => given.join(rest),
        Err(_) => path,
    }
}

fn scan_objects(
    plan: &Plan,
    request: &Request,
    layout: &Layout,
    detector: &Detector,
    watch: &Watch,
    warnings: &mut Vec<String>,
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
    let cache = request.cache.as_ref().filter(|_| chosen.is_none());
    let mut cache = cache.map(|place| Cache::new(place.directory(layout), &plan.rules, [plan.decode, plan.unpack]));
    let recalled = cache.as_mut().map_or_else(Recalled::default, |cache| cache.recall(&stores));
    let scanner = || Scanner::new(plan, detector, watch);
    let mut walked = walk_unknown(&stores, &recalled.known, scanner, options)?;
    let mut coverage = Coverage {
        objects: recalled.objects + walked.counts.total(),
        bytes: recalled.bytes + walked.counts.bytes,
        skips: stores.skips.iter().cloned().chain(std::mem::take(&mut walked.skips)).collect(),
        ..Coverage::default()
    };
    if let Some(cache) = &mut cache {
        keep(cache, &stores, &recalled, &walked);
        warnings.append(&mut cache.warnings);
    }
    let mut lenses = walked.lenses;
    if !recalled.suspects.is_empty() {
        let again = walk(&stores, scanner, Options { only: Some(&recalled.suspects), links: false, ..options })?;
        coverage.objects += again.counts.total();
        coverage.bytes += again.counts.bytes;
        // That a clone lacks something was named before.
        coverage.skips.extend(again.skips.into_iter().filter(|skip| skip.why != Why::PartialClone));
        lenses.extend(again.lenses);
    }
    lenses.iter().for_each(|scanner| scanner.account(&layout.common_dir.join("objects"), &mut coverage));
    name_missing(chosen.as_ref(), layout, &stores, &mut coverage.skips);
    let found: Vec<Found> = lenses.into_iter().flat_map(|scanner| scanner.found).collect();
    let kinship = Kinship::of(&plan.rules);
    let (below, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.is_below(plan, &kinship));
    below.into_iter().flat_map(|found| found.placeless(plan)).for_each(&mut *tell);
    if !found.is_empty() {
        let chronicle = Chronicle::new(&stores, layout, &found, options, request, detector)?;
        coverage.skips.extend(chronicle.skips());
        chronicle.tell(plan, found, &watch.interrupt, tell)?;
    }
    Ok(coverage)
}

/// Adds what is referred to and is not there: by the references, or by what was chosen.
fn name_missing(chosen: Option<&Chosen>, layout: &Layout, stores: &Stores, skips: &mut Vec<Skip>) {
    match chosen {
        None => skips.extend(Names::read(layout).broken(stores)),
        Some(chosen) => {
            // What a clone lacks by design matters only where the scope touches it, and there it is named.
            skips.retain(|skip| !matches!(skip.why, Why::ShallowClone | Why::PartialClone));
            skips.extend(chosen.skips.iter().cloned());
        }
    }
}

/// Remembers what a walk read, unless it is not known what that was.
fn keep(cache: &mut Cache, stores: &Stores, recalled: &Recalled, walked: &Walked<Scanner<'_>>) {
    if walked.interrupted || walked.lenses.iter().any(|scanner| scanner.blind) {
        return;
    }
    // What was not read of an object must be said again.
    let again = |scanner: &Scanner<'_>| {
        let unread = scanner.unread.iter().map(|unread| unread.0);
        let found = scanner.found.iter().map(|found| found.object);
        found.chain(scanner.limited.iter().copied()).chain(unread).collect::<Vec<_>>()
    };
    let mut suspects: Vec<Object> = walked.lenses.iter().flat_map(again).collect();
    suspects.sort_by_key(|object| object.id);
    suspects.dedup();
    let failed: Vec<Object> = walked.lenses.iter().flat_map(|scanner| &scanner.failed).copied().collect();
    cache.keep(stores, &recalled.known, walked, &suspects, &failed);
}

/// Names of references that are files of their own are in no file's content; a list of all is searched.
fn scan_names(
    plan: &Plan,
    layout: &Layout,
    detector: &Detector,
    watch: &Watch,
    tell: &mut dyn FnMut(Finding),
) -> Coverage {
    let names = Names::read(layout);
    let text: String = names.all().map(|name| format!("{name}\n")).collect();
    let name = match layout.within.to_string_lossy() {
        within if within.is_empty() => "references".to_owned(),
        within => format!("references of {within}"),
    };
    let origin = Origin::Stream { name };
    let suspects = Searcher::new(plan, detector, watch).suspects(&mut text.as_bytes(), Some(text.len() as u64));
    let places = [Place { path: None, commit: None }];
    let suspects = suspects.expect("reading from memory does not fail").into_iter();
    let anywhere = suspects.filter(|suspect| suspect.rule.path.is_none());
    let findings = anywhere.map(|suspect| suspect.finding(plan, origin.clone(), &places, None)).collect();
    Kinship::of(&plan.rules).whole(findings).into_iter().for_each(tell);
    Coverage { bytes: text.len() as u64, skips: names.skips, ..Coverage::default() }
}

/// Whether what stands around a secret may name authors: what git writes itself, but for trees and files.
fn tells_of_people(origin: &Origin) -> bool {
    match origin {
        Origin::Object { kind, .. } => matches!(kind, Some(ObjectKind::Commit | ObjectKind::Tag) | None),
        Origin::File { path, .. } => path.iter().any(|part| part == "logs"),
        Origin::Stream { .. } | Origin::Member { .. } | Origin::Log { .. } | Origin::Staged { .. } => false,
    }
}

/// The masked secret without what stands around it.
fn alone(snippet: &Snippet) -> Snippet {
    let text = snippet.text.get(snippet.mark.clone()).unwrap_or_default().to_owned();
    let line = snippet.line + snippet.text.get(..snippet.mark.start).unwrap_or_default().matches('\n').count() as u64;
    Snippet { line, mark: 0..text.len(), text, cut_before: true, cut_after: true }
}

/// What was found in an object.
pub(super) struct Found {
    pub object: Object,
    /// Where in it, if it is an archive.
    pub member: Option<String>,
    pub suspects: Vec<Suspect>,
}

impl Found {
    /// Whether nothing in it will be reported, wherever it was: there are many of these, and to find out where they were
    /// costs more than the search.
    fn is_below(&self, plan: &Plan, kinship: &Kinship) -> bool {
        self.suspects.iter().all(|suspect| suspect.is_below(plan.confidence) && !kinship.concerns(&suspect.rule))
    }

    /// The findings without their places, for the count.
    fn placeless(self, plan: &Plan) -> impl Iterator<Item = Finding> {
        let Object { id, kind, .. } = self.object;
        let origin = Origin::Object { path: None, id, kind: Some(kind) };
        let places = [Place { path: None, commit: None }];
        self.suspects.into_iter().map(move |suspect| suspect.finding(plan, origin.clone(), &places, None))
    }
}

/// Searches what the walker shows.
struct Scanner<'p> {
    searcher: Searcher<'p>,
    detector: &'p Detector,
    scratch: Scratch,
    found: Vec<Found>,
    /// Objects in which the search failed.
    failed: Vec<Object>,
    /// Objects that hold something too large when decoded.
    limited: Vec<Object>,
    /// Archives of which something was not read: what, and why.
    unread: Vec<(Object, String, Skip)>,
    /// The prefilter failed on bytes that any object may share.
    blind: bool,
}

impl<'p> Scanner<'p> {
    fn new(plan: &'p Plan, detector: &'p Detector, watch: &'p Watch) -> Self {
        let searcher = Searcher::new(plan, detector, watch);
        Scanner {
            searcher,
            detector,
            scratch: detector.scratch(),
            found: Vec::new(),
            failed: Vec::new(),
            limited: Vec::new(),
            unread: Vec::new(),
            blind: false,
        }
    }

    fn search(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let searched = guarded(|| self.searcher.suspects(content, Some(object.size)));
        if self.searcher.limited() {
            self.limited.push(*object);
        }
        match searched {
            None => self.failed.push(*object),
            Some(suspects) => {
                let suspects = suspects?;
                if !suspects.is_empty() {
                    self.found.push(Found { object: *object, member: None, suspects });
                }
            }
        }
        Ok(())
    }

    /// Searches what an object holds that is packed.
    fn unpack(&mut self, object: &Object, packing: Packing, bytes: &[u8]) {
        let searched = guarded(|| self.searcher.packed_suspects(packing, bytes));
        if self.searcher.limited() {
            self.limited.push(*object);
        }
        let Some((found, unread)) = searched else { return self.failed.push(*object) };
        self.found.extend(found.into_iter().map(|(member, suspects)| Found {
            object: *object,
            member: (!member.is_empty()).then_some(member),
            suspects,
        }));
        self.unread.extend(unread.into_iter().map(|(member, skip)| (*object, member, skip)));
    }

    fn packing(&self, head: &[u8]) -> Option<Packing> {
        packing(&head[..head.len().min(unpack::HEAD)]).filter(|_| self.searcher.depth() > 0)
    }

    /// What became of the walk's account by failures of the search.
    fn account(&self, objects: &Path, coverage: &mut Coverage) {
        let skip = |origin, detail: &str| Skip { origin, why: Why::Panicked, detail: detail.to_owned() };
        for Object { id, kind, size } in self.failed.iter().copied() {
            coverage.objects -= 1;
            coverage.bytes -= size;
            let origin = Origin::Object { path: None, id, kind: Some(kind) };
            coverage.skips.push(skip(origin, "the search failed; the object is not covered"));
        }
        for Object { id, kind, .. } in self.limited.iter().copied() {
            coverage.skips.push(too_much(&Origin::Object { path: None, id, kind: Some(kind) }));
        }
        for (Object { id, kind, .. }, member, skip) in &self.unread {
            let origin = Origin::Object { path: None, id: *id, kind: Some(*kind) };
            let detail = match member.as_str() {
                "" => skip.detail.clone(),
                member => format!("{member}: {}", skip.detail),
            };
            coverage.skips.push(Skip { origin, why: skip.why, detail });
        }
        if self.blind {
            let origin = Origin::File { path: objects.to_owned(), tracking: None };
            coverage.skips.push(skip(origin, "the search failed; it is not known how many objects are not covered"));
        }
    }
}

/// A bug met in one object must not keep the others from being read.
fn guarded<T>(search: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(search)).ok()
}

impl Lens for Scanner<'_> {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: BEFORE as u32, after: AFTER as u32 }
    }

    fn marks(&mut self, _: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        if guarded(|| self.detector.marks(&mut self.scratch, bytes, out)).is_none() {
            self.blind = true;
        }
    }

    fn head(&mut self, _: &Object, head: &[u8]) -> bool {
        self.detector.needs_whole_objects() || sniff(head).0 != Encoding::Bytes || self.packing(head).is_some()
    }

    fn object(&mut self, object: &Object, mut bytes: &[u8], marks: &[u32]) {
        if let Some(packing) = self.packing(bytes) {
            return self.unpack(object, packing, bytes);
        }
        let at_once = !self.detector.needs_whole_objects() && bytes.len() <= self.searcher.at_once();
        let by_marks = at_once && sniff(bytes).0 == Encoding::Bytes;
        if by_marks && guarded(|| self.detector.may_hold(&mut self.scratch, bytes, marks)) == Some(false) {
            return;
        }
        self.search(object, &mut bytes).expect("reading from memory does not fail");
    }

    fn stream(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        guarded(|| self.streamed(object, content)).unwrap_or_else(|| {
            self.failed.push(*object);
            Ok(())
        })
    }
}

impl Scanner<'_> {
    fn streamed(&mut self, object: &Object, content: &mut dyn Read) -> io::Result<()> {
        let mut head = Vec::with_capacity(unpack::HEAD);
        (&mut *content).take(unpack::HEAD as u64).read_to_end(&mut head)?;
        match self.packing(&head) {
            None => self.search(object, &mut head.as_slice().chain(content)),
            Some(packing) if object.size <= LARGEST_ARCHIVE => {
                content.read_to_end(&mut head)?;
                self.unpack(object, packing, &head);
                Ok(())
            }
            Some(_) => {
                let origin = Origin::Stream { name: String::new() };
                let detail = format!("an archive of {} bytes", object.size);
                self.unread.push((*object, String::new(), Skip { origin, why: Why::TooLarge, detail }));
                io::copy(content, &mut io::sink()).map(drop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rule::{Confidence, RuleSet};

    struct Trap;

    impl Read for Trap {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a bug of ours")
        }
    }

    #[test]
    fn a_panic_costs_one_object_and_is_named() {
        let rules = Arc::new(RuleSet::default());
        let detector = Detector::new(rules.clone(), 0).unwrap();
        let plan = Plan {
            staged: None,
            remote: None,
            baseline: None,
            targets: Vec::new(),
            history: None,
            files: files::Options::default(),
            log: None,
            rules,
            jobs: 1,
            confidence: Confidence::Medium,
            accept: Vec::new(),
            fingerprint_key: None,
            places: Default::default(),
            now: 0,
            decode: 3,
            unpack: 8,
            chunk: 1 << 20,
        };
        let watch = Watch::default();
        let mut scanner = Scanner::new(&plan, &detector, &watch);
        let id = crate::origin::ObjectId::from_bytes(&[7; 20]).unwrap();
        let object = Object { id, kind: ObjectKind::Blob, size: 3 };
        scanner.stream(&object, &mut Trap).unwrap();
        scanner.stream(&object, &mut &b"abc"[..]).unwrap();
        let mut coverage = Coverage { objects: 2, bytes: 6, ..Coverage::default() };
        scanner.account(Path::new("objects"), &mut coverage);
        assert_eq!((coverage.objects, coverage.bytes, coverage.skips.len()), (1, 3, 1));
        assert_eq!(coverage.skips[0].why, Why::Panicked);
        scanner.blind = guarded(|| -> () { panic!("a bug of ours") }).is_none();
        scanner.account(Path::new("objects"), &mut coverage);
        assert!(coverage.skips.iter().any(|skip| matches!(skip.origin, Origin::File { .. })));
    }
}
