//! Turns what was asked of a history into the set of objects that it is.
//!
//! A range is a set of commits, by the graph and never by dates, and what any of them brought: each is compared with its own parents.
//! Replacements and grafts are not looked at.

use std::collections::HashSet;

use super::brought::Brought;
use super::fault::Fault;
use super::graph::Graph;
use super::layout::Layout;
use super::read::Reader;
use super::refs::{Names, References, field, references};
use super::revision::{Revisions, ScopeError};
use super::store::Stores;
use super::tree::Entries;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

/// A set of commits, and with them what they brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Where to start and where to end. If nothing is included, all references are.
    pub revisions: Vec<Revision>,
    /// Only commits that say they were committed at this time or later, in seconds since 1970 (UTC), and of each what it brought.
    pub since: Option<i64>,
    /// Only commits at most this many steps, less one, from where it starts, and of each what it brought.
    pub depth: Option<u32>,
    /// Names of references that come with it.
    pub names: Vec<String>,
}

/// A part of a [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// As `git rev-list` reads it: `A`, `^A`, `A..B`, `A...B`, `A^!`, `A^@`, `A^-`.
    Text(String),
    /// All but what it reaches.
    Not(String),
    /// An object by its name.
    Object(ObjectId),
    /// All but what that object reaches, if it is there.
    NotObject(ObjectId),
    /// All but what references reach whose names begin with this: `refs/` are all.
    NotReferences(String),
}

/// What a scope came to.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Commits, the trees and blobs they may have brought, and annotated tags that lead to them.
    pub objects: HashSet<ObjectId>,
    /// The commits among them.
    pub commits: HashSet<ObjectId>,
    /// What was named itself, and what that holds: it counts whoever brought it.
    pub named: HashSet<ObjectId>,
    /// The commits of which it is told where something was; if there is none, all.
    pub range: Option<Range>,
    /// Where the set is not known for sure.
    pub skips: Vec<Skip>,
}

/// A set of commits, whatever of them is left out because of its date or its distance.
#[derive(Debug, Default)]
pub struct Range {
    /// The commits. What lies between two of them is one of them, too.
    pub commits: HashSet<ObjectId>,
    /// Their parents that are none of them.
    pub outside: HashSet<ObjectId>,
}

/// Finds out which objects a scope is.
///
/// # Errors
/// A revision that means nothing. What cannot be read is chosen nevertheless, so that who reads it will say so.
pub fn choose(scope: &Scope, layout: &Layout, stores: &Stores, memory: u64) -> Result<Chosen, ScopeError> {
    let mut reader = Reader::new(stores, memory);
    let shallow: HashSet<ObjectId> = layout.shallow.iter().copied().collect();
    let mut starts = Starts::new(layout, &mut reader);
    let mut resolver = Revisions::new(layout, stores, memory, !shallow.is_empty());
    for revision in &scope.revisions {
        starts.add(revision, &mut resolver)?;
    }
    let unread = if starts.has_included { Vec::new() } else { starts.include_all(layout, stores) };
    let Starts { references, include, exclude, common, has_included: _ } = starts;
    let chosen = Chosen { skips: resolver.skips, ..Chosen::default() };
    let (brought, left_out) = Default::default();
    let mut chooser = Chooser { chosen, brought, left_out };
    chooser.chosen.skips.extend(unread);
    let mut graph = Graph::new(&mut reader, &shallow);
    let include = include.into_iter().filter_map(|id| chooser.peel(&mut graph, id, true)).collect::<Vec<u32>>();
    let mut exclude: Vec<u32> = exclude.into_iter().filter_map(|id| chooser.peel(&mut graph, id, false)).collect();
    for (one, other) in common {
        exclude.extend(shared(&mut graph, one, other));
    }
    let mut commits: HashSet<u32> = graph.between(&include, &exclude).into_iter().collect();
    if !scope.revisions.is_empty() || (scope.since.is_none() && scope.depth.is_none()) {
        let id = |number: u32| graph.nodes[number as usize].id;
        let outside = graph.boundary(&commits).into_iter().map(id).collect();
        chooser.chosen.range = Some(Range { commits: commits.iter().copied().map(id).collect(), outside });
    }
    graph.narrow(&mut commits, &include, scope.depth, scope.since);
    chooser.commits(&mut graph, &commits);
    chooser.tags(&references, &mut reader);
    Ok(chooser.finish())
}

/// Commits that reach all that both reach.
fn shared(graph: &mut Graph<'_, '_>, one: ObjectId, other: ObjectId) -> Vec<u32> {
    let (one, other) = (graph.number(one), graph.number(other));
    let only: HashSet<u32> = graph.between(&[one], &[other]).into_iter().collect();
    if only.is_empty() { vec![one] } else { graph.boundary(&only) }
}

/// Where to start and where to end.
struct Starts {
    references: References,
    include: Vec<ObjectId>,
    exclude: Vec<ObjectId>,
    /// Pairs, of which all is excluded that both reach.
    common: Vec<(ObjectId, ObjectId)>,
    has_included: bool,
}

impl Starts {
    fn new(layout: &Layout, reader: &mut Reader<'_>) -> Self {
        let references = references(layout, reader);
        Starts { references, include: Vec::new(), exclude: Vec::new(), common: Vec::new(), has_included: false }
    }

    fn add(&mut self, revision: &Revision, resolver: &mut Revisions<'_>) -> Result<(), ScopeError> {
        match revision {
            Revision::Text(text) => self.add_text(text, resolver)?,
            Revision::Not(text) => self.exclude.extend(resolver.excluded(text)?),
            Revision::Object(id) => {
                self.has_included = true;
                self.include.push(*id);
            }
            Revision::NotObject(id) => self.exclude.push(*id),
            Revision::NotReferences(prefix) => {
                let named = self.references.all.iter().filter(|reference| reference.name.starts_with(prefix));
                self.exclude.extend(named.filter_map(|reference| reference.id()));
            }
        }
        Ok(())
    }

    fn add_text(&mut self, text: &str, resolver: &mut Revisions<'_>) -> Result<(), ScopeError> {
        if let Some(excluded) = text.strip_prefix('^') {
            match excluded.strip_suffix("^@") {
                Some(name) => self.exclude.extend(resolver.parents(name)?),
                None => self.exclude.extend(resolver.excluded(excluded)?),
            }
            return Ok(());
        }
        self.has_included = true;
        let or_head = |name: &str| if name.is_empty() { "HEAD".to_owned() } else { name.to_owned() };
        if let Some((one, other)) = text.split_once("...") {
            let (one, other) = (resolver.excluded(&or_head(one))?, resolver.commit(&or_head(other))?);
            self.include.extend(one.into_iter().chain([other]));
            self.common.extend(one.map(|one| (one, other)));
        } else if let Some((from, to)) = text.split_once("..") {
            self.exclude.extend(resolver.excluded(&or_head(from))?);
            self.include.push(resolver.object(&or_head(to))?);
        } else if let Some(name) = text.strip_suffix("^!") {
            self.include.push(resolver.commit(name)?);
            self.exclude.extend(resolver.parents(name)?);
        } else if let Some(name) = text.strip_suffix("^@") {
            self.include.extend(resolver.parents(name)?);
        } else if let Some((name, parent)) = but_parent(text) {
            self.include.push(resolver.commit(name)?);
            let excluded = resolver.parents(name)?.get(parent.wrapping_sub(1)).copied();
            self.exclude.push(excluded.ok_or_else(|| ScopeError::Unknown(text.to_owned()))?);
        } else {
            self.include.push(resolver.object(text)?);
        }
        Ok(())
    }

    /// Includes what all references lead to. A reference that cannot be read is named: what it leads to is not known.
    fn include_all(&mut self, layout: &Layout, stores: &Stores) -> Vec<Skip> {
        let named = self.references.all.iter().filter_map(|reference| reference.id());
        self.include.extend(named.chain(self.references.head));
        let names = Names::read(layout);
        let mut skips = names.broken(stores);
        skips.extend(names.skips);
        skips
    }
}

/// `A^-` and `A^-2`: all but what the first, or that, parent reaches.
fn but_parent(text: &str) -> Option<(&str, usize)> {
    let (name, parent) = text.rsplit_once("^-")?;
    let is_number = parent.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Some((name, if parent.is_empty() { 1 } else { parent.parse().ok()? })))?
}

/// Gathers objects.
struct Chooser {
    chosen: Chosen,
    brought: Brought,
    /// Trees and blobs that were named to be left out, and what these trees hold.
    left_out: HashSet<ObjectId>,
}

impl Chooser {
    /// The commit that something leads to. What is no commit is chosen, or left out, as it is. Tags of tags are followed to their end,
    /// as whoever pushes may have made any number; a name made of what it names is in no circle.
    fn peel(&mut self, graph: &mut Graph<'_, '_>, mut id: ObjectId, is_included: bool) -> Option<u32> {
        while let Ok(Some((ObjectKind::Tag, text))) = graph.reader.read(&id) {
            if is_included {
                self.chosen.objects.insert(id);
            }
            let Some(next) = field(&text, b"object ").and_then(ObjectId::from_hex) else {
                self.corrupt(id, ObjectKind::Tag, "names no object");
                return None;
            };
            id = next;
        }
        match graph.reader.read(&id) {
            Ok(Some((ObjectKind::Commit, _))) => return Some(graph.number(id)),
            Ok(Some((ObjectKind::Tree, _))) => {
                let mut whole = Brought::default();
                whole.add(graph.reader, id, Vec::new());
                self.brought.broken.extend(whole.broken);
                if is_included { &mut self.chosen.named } else { &mut self.left_out }.extend(whole.objects);
            }
            // One that cannot be read, too: whoever reads it will say why.
            _ if is_included => drop(self.chosen.named.insert(id)),
            _ => drop(self.left_out.insert(id)),
        }
        None
    }

    fn corrupt(&mut self, id: ObjectId, kind: ObjectKind, what: &'static str) {
        self.chosen.skips.push(Fault::Corrupt(what).skip(id, Some(kind)));
    }

    /// Chooses commits with what they brought.
    fn commits(&mut self, graph: &mut Graph<'_, '_>, commits: &HashSet<u32>) {
        let mut sorted: Vec<u32> = commits.iter().copied().collect();
        sorted.sort_unstable();
        for number in sorted {
            let node = &graph.nodes[number as usize];
            let (id, tree, parents) = (node.id, node.tree, node.parents.clone());
            self.chosen.objects.insert(id);
            self.chosen.commits.insert(id);
            if node.is_cut {
                let origin = Origin::Object { path: None, id, kind: Some(ObjectKind::Commit) };
                let detail = "its parents were not fetched: what belongs to the range cannot be known".to_owned();
                self.chosen.skips.push(Skip { origin, why: Why::ShallowClone, detail });
            }
            match tree {
                Some(tree) => {
                    let parents = parents.iter().filter_map(|parent| tree_of(graph, *parent)).collect();
                    self.brought.add(graph.reader, tree, parents);
                }
                // One that cannot be read is named by whoever reads it.
                None if matches!(graph.reader.read(&id), Ok(Some((ObjectKind::Commit, _)))) => {
                    self.corrupt(id, ObjectKind::Commit, "names no tree");
                }
                None => {}
            }
        }
    }

    /// All of it but what was named to be left out.
    fn finish(self) -> Chosen {
        let Chooser { mut chosen, brought, left_out, .. } = self;
        let corrupt = Fault::Corrupt("is not what a tree looks like");
        chosen.skips.extend(brought.broken.into_iter().map(|id| corrupt.skip(id, Some(ObjectKind::Tree))));
        chosen.named.retain(|id| !left_out.contains(id));
        let held = brought.objects.into_iter().filter(|id| !left_out.contains(id));
        chosen.objects.extend(held.chain(chosen.named.iter().copied()));
        chosen
    }

    /// Annotated tags of references that lead to what was chosen.
    fn tags(&mut self, references: &References, reader: &mut Reader<'_>) {
        for reference in &references.all {
            let is_chosen = reference.commit.is_some_and(|commit| self.chosen.commits.contains(&commit));
            let mut next = reference.id().filter(|_| is_chosen && reference.id() != reference.commit);
            while let Some(id) = next.filter(|id| self.chosen.objects.insert(*id)) {
                let tag = reader.read(&id).ok().flatten().filter(|(kind, _)| *kind == ObjectKind::Tag);
                next = tag.and_then(|(_, text)| ObjectId::from_hex(field(&text, b"object ")?));
            }
        }
    }
}

/// Adds a tree, and the trees in it over any number of steps; of what cannot be read, only its name.
pub(super) fn add_trees(reader: &mut Reader<'_>, tree: ObjectId, trees: &mut HashSet<ObjectId>) {
    let width = tree.as_bytes().len();
    let mut left = vec![tree];
    while let Some(tree) = left.pop() {
        if trees.insert(tree) {
            let Ok(Some(whole)) = reader.find(&tree, None, 0) else { continue };
            let entries =
                Entries::new(&whole.bytes, width).filter(|entry| whole.kind == ObjectKind::Tree && entry.is_tree);
            left.extend(entries.filter_map(|entry| ObjectId::from_bytes(entry.id)));
        }
    }
}

fn tree_of(graph: &mut Graph<'_, '_>, number: u32) -> Option<ObjectId> {
    graph.read(number);
    graph.nodes[number as usize].tree
}
