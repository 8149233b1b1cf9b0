//! Scans everything that a git repository holds: every object once, and each byte that anyone wrote once.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use super::annals::{Annals, Quiet};
use super::cache::{Cache, Counted, Recalled, Suspicious};
use super::chronicle::{self, Chronicle, Histories, Told};
use super::compose::Kinship;
use super::lfs;
use super::masker::all_knowing;
use super::own;
use super::scanner::{Found, Scanner};
use super::{Error, Plan, Watch, scan_files, scan_list};
use crate::coverage::{Coverage, Skip, Why};
use crate::detect::Detector;
use crate::finding::{Finding, Snippet};
use crate::origin::{ObjectId, ObjectKind, Origin};
use crate::rule::Confidence;
use crate::source::files::{self, Target};
use crate::source::git::{
    Chosen, Environment, Layout, Names, Object, Options, Reader, Scope, Stores, Walked, check_owner, choose, modules,
    to_path, walk, walk_unknown,
};

/// A part of a history is small if it has at most one of so many objects.
const SMALL: usize = 8;

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
    let mut coverage = Coverage::default();
    if request.submodules {
        add_kept(&mut repositories, request, &mut coverage.skips)?;
        add_in_place(&mut repositories, request, &mut coverage.skips);
    }
    for layout in &repositories {
        let mut tell = |mut finding: Finding| {
            if !request.authors && tells_of_people(&finding.origin) {
                finding.snippet = alone(&finding.snippet);
            }
            tell(finding);
        };
        let names = if request.scope.is_none() { Names::read(layout) } else { Names::default() };
        coverage.add(scan_objects(plan, request, (layout, &names), detector, watch, warnings, &mut tell)?);
        if let Some(scope) = &request.scope {
            let text: String = scope.names.iter().map(|name| format!("{name}\n")).collect();
            scan_list(plan, "names of references".to_owned(), &text, detector, watch, &mut tell);
        } else {
            let own = own::files(layout, &request.repository, &mut coverage.skips);
            coverage.add(scan_files(plan, &own, detector, watch, &mut Vec::new(), &mut tell));
        }
    }
    Ok(coverage)
}

/// Adds the submodules that the repository keeps in its git directory.
fn add_kept(repositories: &mut Vec<Layout>, request: &Request, skips: &mut Vec<Skip>) -> Result<(), Error> {
    for module in repositories[0].submodules()? {
        let name = module.strip_prefix(repositories[0].common_dir.join("modules")).unwrap_or(&module);
        let within = name.iter().filter(|part| *part != "modules").collect();
        match Layout::of(&module) {
            Ok(layout) => repositories.push(Layout { within, ..layout }),
            // One that is broken keeps nothing else from being read.
            Err(error) => {
                let origin = Origin::File { path: own::as_given(module, &request.repository), tracking: None };
                skips.push(Skip { origin, why: Why::ReadError, detail: error.to_string() });
            }
        }
    }
    Ok(())
}

/// Adds those that are in the work tree, `.git` and all, as they were cloned there before somebody added them. Names the submodules
/// of which some repository knows a commit that none of them holds.
fn add_in_place(repositories: &mut Vec<Layout>, request: &Request, skips: &mut Vec<Skip>) {
    let top = request.environment.git_dir.is_none().then(|| Layout::work_tree(&request.repository)).flatten();
    let (mut stores, mut named) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(layout) = repositories.get(at).cloned() {
        let own = Stores::open_quick(&layout.objects, layout.format);
        for (path, commit) in modules(&layout, &own, request.memory, skips) {
            let within = layout.within.join(to_path(&path));
            let inner = top.as_ref().and_then(|top| Layout::below(top, &within));
            let inner = inner.filter(|inner| repositories.iter().all(|one| one.git_dir != inner.git_dir));
            match inner.map(|inner| check_owner(&inner).map(|()| inner)) {
                Some(Ok(inner)) => repositories.push(Layout { within: within.clone(), ..inner }),
                Some(Err(error)) => {
                    let origin = Origin::File { path: within.clone(), tracking: None };
                    skips.push(Skip { origin, why: Why::ReadError, detail: error.to_string() });
                }
                None => {}
            }
            named.push((within, commit));
        }
        stores.push(own);
        at += 1;
    }
    for (path, commit) in named {
        if stores.iter().all(|stores| !stores.contains(&commit)) {
            let detail = format!("commit {commit} of the submodule is in no repository that was read");
            skips.push(Skip { origin: Origin::File { path, tracking: None }, why: Why::MissingSubmodule, detail });
        }
    }
}

fn scan_objects(
    plan: &Plan,
    request: &Request,
    (layout, names): (&Layout, &Names),
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
    let mut recalled = cache.as_mut().map_or_else(Recalled::default, |cache| cache.recall(&stores, least(plan)));
    let annals = cache.as_mut().and_then(|cache| Annals::open(cache, &stores, layout, names));
    recalled.settle(annals.iter().flat_map(|annals| annals.quiet(least_anywhere(plan))));
    let scanner = || Scanner::new(plan, detector, watch);
    let mut walked = walk_unknown(&stores, &recalled.known, scanner, options)?;
    // What is damaged or gone since then changes where things were.
    let is_whole = |skip: &Skip| matches!(skip.why, Why::PartialClone | Why::ShallowClone);
    let annals = annals.filter(|_| walked.skips.iter().all(is_whole));
    let mut coverage = Coverage {
        objects: recalled.objects + walked.counts.total(),
        bytes: recalled.bytes + walked.counts.bytes,
        look_alikes: recalled.look_alikes,
        skips: stores.skips.iter().cloned().chain(std::mem::take(&mut walked.skips)).collect(),
        ..Coverage::default()
    };
    if let Some(cache) = &mut cache {
        keep(plan, cache, &stores, &recalled, &walked);
    }
    let mut lenses = walked.lenses;
    if !recalled.suspects.is_empty() {
        let again = walk(&stores, scanner, Options { only: Some(&recalled.suspects), links: false, ..options })?;
        lenses.extend(add_again(again, &mut coverage));
    }
    lenses.iter().for_each(|scanner| scanner.account(&layout.common_dir.join("objects"), &mut coverage));
    name_missing(chosen.as_ref(), names, &stores, &mut coverage.skips);
    if chosen.is_none() {
        add_lists(own::scan_lists(plan, (layout, &stores), names, detector, watch, tell), &mut coverage);
    }
    let kept = kept_by_lfs(&lenses, layout, request, &mut coverage.skips);
    // Of a whole repository, all that Git LFS keeps is read.
    if chosen.is_some() {
        coverage.add(scan_files(plan, &kept, detector, watch, &mut Vec::new(), tell));
    }
    let quiet = quiet(plan, &lenses);
    let found: Vec<Found> = lenses.into_iter().flat_map(|scanner| scanner.found).collect();
    let asked = Asked { layout, stores: &stores, request, chosen: chosen.as_ref(), options, detector };
    let memory = cache.as_mut().zip(annals).map(|(cache, annals)| Memory { cache, annals, quiet });
    tell_found(plan, found, asked, memory, &mut coverage.skips, tell)?;
    if let Some(cache) = &mut cache {
        warnings.append(&mut cache.warnings);
    }
    Ok(coverage)
}

/// Adds what was read again of what a cache remembers.
fn add_again<L>(again: Walked<L>, coverage: &mut Coverage) -> Vec<L> {
    coverage.objects += again.counts.total();
    coverage.bytes += again.counts.bytes;
    // That a clone lacks something was named before.
    coverage.skips.extend(again.skips.into_iter().filter(|skip| skip.why != Why::PartialClone));
    again.lenses
}

/// Adds what came of lists of names. An object that is named already is not named for the same reason again.
fn add_lists(mut lists: Coverage, coverage: &mut Coverage) {
    let id = |skip: &Skip| match &skip.origin {
        Origin::Object { id, .. } => Some(*id),
        _ => None,
    };
    let is_named = |skip: &Skip| coverage.skips.iter().any(|one| one.why == skip.why && id(one) == id(skip));
    lists.skips.retain(|skip| id(skip).is_none() || !is_named(skip));
    coverage.add(lists);
}

/// The files that Git LFS keeps in place of what was read. Those that it has not are skips.
fn kept_by_lfs(lenses: &[Scanner<'_>], layout: &Layout, request: &Request, skips: &mut Vec<Skip>) -> Vec<Target> {
    let pointers = lenses.iter().flat_map(|scanner| &scanner.pointers).map(|pointer| pointer.1.as_str()).collect();
    let (contents, absent) = lfs::contents(&layout.common_dir, &pointers);
    skips.extend(absent);
    contents.into_iter().map(|path| Target::Path(own::as_given(path, &request.repository))).collect()
}

/// Tells what was found in objects, with its history where it is shown.
fn tell_found(
    plan: &Plan,
    found: Vec<Found>,
    asked: Asked<'_>,
    mut memory: Option<Memory<'_>>,
    skips: &mut Vec<Skip>,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), Error> {
    let kinship = Kinship::of(&plan.rules);
    let (below, mut found): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.is_below(plan, &kinship));
    if let Some(memory) = &mut memory {
        memory.quiet.leave_out(below.iter().map(|found| found.object.id));
    }
    below.into_iter().flat_map(|found| found.placeless(plan)).for_each(&mut *tell);
    if found.is_empty() {
        return Ok(());
    }
    let all_knowing = all_knowing(plan);
    let asked = Asked { detector: all_knowing.as_ref().unwrap_or(asked.detector), ..asked };
    if asked.is_small() && plan.baseline.is_none() {
        tell_below(plan, &mut found, &asked, &kinship, tell)?;
    }
    call_by_true_names(&mut found, &asked, skips);
    if !found.is_empty() {
        match memory {
            None => {
                let histories = histories(&asked, &mut found, skips)?;
                chronicle::tell(plan, found, &histories, &mut |_, finding| tell(finding));
            }
            Some(memory) => memory.tell(plan, found, &asked, skips, tell)?,
        }
    }
    Ok(())
}

/// Gives objects the names that they have by their content. One that has another in the index of its pack, or as a file, is named: what
/// leads to it leads nowhere.
fn call_by_true_names(found: &mut [Found], asked: &Asked<'_>, skips: &mut Vec<Skip>) {
    found.sort_by_cached_key(|found| (asked.stores.place(&found.object.id), found.object.id));
    let mut reader = Reader::new(asked.stores, asked.options.memory);
    let broken = if found.is_empty() { HashSet::new() } else { asked.stores.misnamed() };
    for objects in found.chunk_by_mut(|one, other| one.object.id == other.object.id) {
        let Object { id, kind, .. } = objects[0].object;
        // Of a loose object the name is all that there is.
        let (pack, _) = asked.stores.place(&id);
        if pack != usize::MAX && !broken.contains(&pack) {
            continue;
        }
        let Some(name) = reader.true_name(&id).filter(|name| *name != id) else { continue };
        skips.push(chronicle::misnaming(id, Some(kind), name));
        objects.iter_mut().for_each(|found| found.object.id = name);
    }
}

/// What is remembered of where things were, and what will be.
struct Memory<'c> {
    cache: &'c mut Cache,
    annals: Annals,
    quiet: Quiet,
}

impl Memory<'_> {
    /// Tells what was found, where it was as far as that is remembered; if not, it is looked up and remembered.
    fn tell(
        mut self,
        plan: &Plan,
        mut found: Vec<Found>,
        asked: &Asked<'_>,
        skips: &mut Vec<Skip>,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<(), Error> {
        let Asked { layout, stores, request, options, detector, .. } = *asked;
        let (mut reader, mut scratch) = (Reader::new(stores, options.memory), detector.scratch());
        let describe = |id| chronicle::describe(&mut reader, id, request.authors, detector, &mut scratch);
        let recalled = self.annals.recall(&found, describe);
        let is_known = recalled.is_some() && self.annals.knows(&self.quiet);
        let histories = recalled.map_or_else(|| histories(asked, &mut found, skips), Ok)?;
        found.iter().for_each(|found| self.quiet.found(found.object));
        chronicle::tell(plan, found, &histories, &mut |id, finding| {
            self.quiet.told(id, &finding);
            tell(finding);
        });
        if !is_known && !options.interrupt.load(Relaxed) {
            self.annals.keep(self.cache, (stores, layout), &histories, self.quiet, detector);
        }
        Ok(())
    }
}

/// Tells what is not sure enough where it was, and leaves the rest. In a part of a history its places are known at once; whether
/// other commits go on from there takes a look at all of them.
fn tell_below(
    plan: &Plan,
    found: &mut Vec<Found>,
    asked: &Asked<'_>,
    kinship: &Kinship,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), Error> {
    let chronicle = asked.chronicle(found, Told::Within)?;
    if chronicle.skips().next().is_some() {
        return Ok(());
    }
    asked.chosen.iter().for_each(|chosen| chronicle.retain_brought(chosen, found));
    let histories = chronicle.histories(found, asked.options.threads, asked.options.interrupt)?;
    let is_below = |found: &Found| chronicle::is_below(plan, found, &histories, kinship);
    let (below, rest) = std::mem::take(found).into_iter().partition(is_below);
    *found = rest;
    chronicle::tell(plan, below, &histories, &mut |_, finding| tell(finding));
    Ok(())
}

/// Whose history is asked for, and how.
struct Asked<'a> {
    layout: &'a Layout,
    stores: &'a Stores,
    request: &'a Request,
    chosen: Option<&'a Chosen>,
    options: Options<'a>,
    /// Knows what must not be shown.
    detector: &'a Detector,
}

impl<'a> Asked<'a> {
    /// Whether to look up what is in its trees costs little beside a look at all commits.
    fn is_small(&self) -> bool {
        let is_range =
            |chosen: &Chosen| chosen.range.as_ref().is_some_and(|it| it.commits.len() == chosen.commits.len());
        self.chosen.is_some_and(|chosen| is_range(chosen) && chosen.objects.len() <= self.stores.len() / SMALL)
    }

    fn chronicle(&self, found: &[Found], told: Told) -> Result<Chronicle<'a>, Error> {
        let Asked { layout, stores, request, chosen, options, detector } = *self;
        Chronicle::new(stores, layout, found, options, (request, chosen, told), detector)
    }
}

/// Where all that was found was, read off all trees and commits. What no commit of the scope brought is left out.
fn histories(asked: &Asked<'_>, found: &mut Vec<Found>, skips: &mut Vec<Skip>) -> Result<Histories, Error> {
    let chronicle = asked.chronicle(found, Told::Whole)?;
    skips.extend(chronicle.skips());
    asked.chosen.iter().for_each(|chosen| chronicle.retain_brought(chosen, found));
    Ok(chronicle.histories(found, asked.options.threads, asked.options.interrupt)?)
}

/// Adds what is referred to and is not there: by the references, or by what was chosen.
fn name_missing(chosen: Option<&Chosen>, names: &Names, stores: &Stores, skips: &mut Vec<Skip>) {
    match chosen {
        None => skips.extend(names.broken(stores)),
        Some(chosen) => {
            let is_absent =
                |skip: &Skip| skip.why == Why::MissingObject && matches!(skip.origin, Origin::Object { .. });
            let is_whole = !skips.iter().chain(&chosen.skips).any(is_absent);
            // What a clone lacks by design, and a store that is gone or not yet ready, matter only where the scope touches them, and
            // there it is named.
            skips.retain(|skip| match skip.why {
                Why::ShallowClone | Why::PartialClone => false,
                Why::MissingObject | Why::Unfinished => !is_whole,
                _ => true,
            });
            skips.extend(chosen.skips.iter().cloned());
        }
    }
}

/// What learns which objects are quiet. Those are not of which something else is told, too.
fn quiet(plan: &Plan, lenses: &[Scanner<'_>]) -> Quiet {
    let counted = lenses.iter().flat_map(|scanner| &scanner.look_alikes).map(|one| one.0);
    let loud = lenses.iter().flat_map(Scanner::unread).chain(counted);
    Quiet::new(least_anywhere(plan), loud.map(|object| object.id))
}

/// Below which confidence look-alikes are only counted; none, if an entry of a baseline or an allowed fingerprint may know
/// them by more.
fn least(plan: &Plan) -> Option<Confidence> {
    (plan.baseline.is_none() && plan.fingerprint_key.is_none()).then_some(plan.confidence)
}

/// The same of those whose places are known; none, if some places are left out.
fn least_anywhere(plan: &Plan) -> Option<Confidence> {
    least(plan).filter(|_| plan.files.exclude.is_empty())
}

/// Remembers what a walk read, unless it is not known what that was.
fn keep(plan: &Plan, cache: &mut Cache, stores: &Stores, recalled: &Recalled, walked: &Walked<Scanner<'_>>) {
    if walked.interrupted || walked.lenses.iter().any(|scanner| scanner.blind) {
        return;
    }
    let found = walked.lenses.iter().flat_map(|scanner| &scanner.found).map(|found| found.object);
    let unread = walked.lenses.iter().flat_map(Scanner::unread);
    let mut suspects: Vec<Object> = found.chain(unread).collect();
    suspects.sort_by_key(|object| object.id);
    suspects.dedup();
    let failed: Vec<Object> = walked.lenses.iter().flat_map(|scanner| &scanner.failed).copied().collect();
    let mut look_alikes: BTreeMap<ObjectId, (Object, u64)> = BTreeMap::new();
    for (object, count) in walked.lenses.iter().flat_map(|scanner| &scanner.look_alikes) {
        look_alikes.entry(object.id).or_insert((*object, 0)).1 += count;
    }
    look_alikes.retain(|id, _| suspects.binary_search_by_key(id, |object| object.id).is_err());
    let counted = Counted { least: plan.confidence, objects: look_alikes.into_values().collect() };
    cache.keep(stores, &recalled.known, walked, &Suspicious { suspects, counted, failed });
}

/// Whether what stands around a secret may name authors: what git writes itself, but for trees and files.
fn tells_of_people(origin: &Origin) -> bool {
    match origin {
        Origin::Object { kind, .. } => matches!(kind, Some(ObjectKind::Commit | ObjectKind::Tag) | None),
        Origin::File { path, .. } => path.iter().any(|part| part == "logs"),
        Origin::Stream { name } => name.starts_with(own::REFLOGS),
        Origin::Member { .. } | Origin::Log { .. } | Origin::Staged { .. } => false,
    }
}

/// The masked secret without what stands around it.
fn alone(snippet: &Snippet) -> Snippet {
    let text = snippet.text.get(snippet.mark.clone()).unwrap_or_default().to_owned();
    let line = snippet.line + snippet.text.get(..snippet.mark.start).unwrap_or_default().matches('\n').count() as u64;
    Snippet { line, mark: 0..text.len(), text, cut_before: true, cut_after: true }
}
