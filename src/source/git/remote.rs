//! Turns what is remembered of another repository into what it has for sure, as far as anybody can tell without asking it.
//!
//! Remote-tracking references say what was fetched at some time, from wherever the remote was then. They are believed only as long
//! as nothing speaks against it: to scan more than is sent does no harm, to scan less does.

use std::collections::{BTreeMap, HashSet};

use super::fetched::{Fetched, Source};
use super::graph::Graph;
use super::layout::Layout;
use super::location;
use super::read::Reader;
use super::refs::Names;
use super::settings;
use crate::origin::ObjectId;

/// A reference of another repository and its object there, as that repository itself has just told.
pub type Told = (String, Option<ObjectId>);

/// What another repository has.
#[derive(Debug, Default)]
pub struct There {
    /// By their names.
    pub objects: Vec<ObjectId>,
    /// References that track it are not believed, as they may be of another place: a fetch would tell.
    pub is_unsure: bool,
}

/// The objects that the repository at `url` has, by the references that track `remote`: those that its own fetch refspecs write and
/// no other remote's do. None if it is fetched from elsewhere than `url`, or if one of `told` is no successor of what tracks it.
pub fn known_there(layout: &Layout, remote: &str, url: &str, told: &[Told], memory: u64) -> There {
    let Ok(mut remotes) = Remotes::read(layout) else { return There::default() };
    let own = remotes.named.remove(remote).unwrap_or_default();
    if own.urls.is_empty() || own.urls.iter().any(|own| !location::is_same(&remotes.rewritten(own), url)) {
        return There::default();
    }
    let names = Names::read(layout);
    let is_stale = |(name, id): &Told| {
        let tracking = own.tracking(name).filter_map(|name| names.id(&name));
        { tracking }.any(|old| id.is_none_or(|id| !leads_to(layout, id, old, memory)))
    };
    if told.iter().any(is_stale) {
        return There::default();
    }
    let others: Vec<&Spec> = remotes.named.values().flat_map(|other| &other.specs).collect();
    let is_own = |name: &&str| {
        let is_tracking = name.starts_with("refs/remotes/") && names.stands_for(name).is_none();
        is_tracking && own.fetches_to(name) && !others.iter().any(|other| other.back(name).is_some())
    };
    let fetched = Fetched::read(layout, remote);
    let source = source(&fetched, &remotes, &own, &names, url);
    let (believed, left): (Vec<&str>, Vec<&str>) =
        names.all().filter(is_own).partition(|name| fetched.believes(name, source));
    let tracked = believed.into_iter().filter_map(|name| names.id(name));
    let last = fetched.from(|from| location::is_noted(from, url)).map(|(id, _)| id);
    There { objects: tracked.chain(last).collect(), is_unsure: !left.is_empty() }
}

/// From where the references that track a remote come, as far as clones and fetches left traces.
fn source(fetched: &Fetched, remotes: &Remotes, own: &Remote, names: &Names, url: &str) -> Source {
    let tracks = |remote: &Remote, id, name: &str| remote.tracking(name).any(|name| names.id(&name) == Some(id));
    // `.` is this repository. What is fetched from another remote may be the same.
    let is_foreign = fetched
        .from(|from| from != "." && !location::is_noted(from, url))
        .any(|(id, name)| tracks(own, id, name) && !remotes.named.values().any(|other| tracks(other, id, name)));
    match &fetched.cloned {
        _ if is_foreign => Source::Elsewhere,
        // As it was typed: what `insteadOf` makes of it now, it may not have made of it then.
        Some(from) if location::is_noted(from, url) => Source::Here,
        Some(_) => Source::Elsewhere,
        None if fetched.from(|from| location::is_noted(from, url)).next().is_some() => Source::Fetched,
        None => Source::Unknown,
    }
}

/// Whether a commit is another one or has it as an ancestor. One that is not there has none.
fn leads_to(layout: &Layout, from: ObjectId, to: ObjectId, memory: u64) -> bool {
    if from == to {
        return true;
    }
    let stores = layout.open();
    let shallow: HashSet<ObjectId> = layout.shallow.iter().copied().collect();
    let mut reader = Reader::new(&stores, memory);
    let mut graph = Graph::new(&mut reader, &shallow);
    let (from, to) = (graph.number(from), graph.number(to));
    graph.between(&[to], &[from]).is_empty()
}

/// What the configuration says of other repositories.
#[derive(Default)]
struct Remotes {
    named: BTreeMap<String, Remote>,
    /// `url.BASE.insteadOf = START`: a base, and the start of a URL in whose place it is put.
    instead: Vec<(String, String)>,
}

#[derive(Default)]
struct Remote {
    urls: Vec<String>,
    specs: Vec<Spec>,
}

impl Remotes {
    /// Here the configuration counts, the user's and the system's too, as it does for git.
    fn read(layout: &Layout) -> Result<Remotes, git2::Error> {
        let mut remotes = Remotes::default();
        settings::config(layout, settings::open(layout).ok().as_ref())?.entries(None)?.for_each(|entry| {
            let name = String::from_utf8_lossy(entry.name_bytes());
            let value = if entry.has_value() { String::from_utf8_lossy(entry.value_bytes()) } else { "".into() };
            remotes.add(&name, &value);
        })?;
        Ok(remotes)
    }

    fn add(&mut self, name: &str, value: &str) {
        let Some((section, (part, key))) = name.split_once('.').and_then(|(a, rest)| Some((a, rest.rsplit_once('.')?)))
        else {
            return;
        };
        match (section, key) {
            ("remote", "url") => self.remote(part).urls.push(value.to_owned()),
            ("remote", "fetch") => self.remote(part).specs.extend(Spec::parse(value)),
            ("url", "insteadof") => self.instead.push((part.to_owned(), value.to_owned())),
            _ => {}
        }
    }

    fn remote(&mut self, name: &str) -> &mut Remote {
        self.named.entry(name.to_owned()).or_default()
    }

    /// A URL as git fetches from it: the longest start that is to be replaced is.
    fn rewritten(&self, url: &str) -> String {
        let fitting = self.instead.iter().filter_map(|(base, start)| Some((base, url.strip_prefix(start.as_str())?)));
        let longest = fitting.min_by_key(|(_, rest)| rest.len());
        longest.map_or_else(|| url.to_owned(), |(base, rest)| format!("{base}{rest}"))
    }
}

impl Remote {
    /// What a reference there becomes here.
    fn tracking(&self, name: &str) -> impl Iterator<Item = String> {
        self.specs.iter().filter_map(move |spec| spec.forth(name))
    }

    /// Whether a fetch writes a reference here.
    fn fetches_to(&self, name: &str) -> bool {
        let is_left_out = |from: &str| self.specs.iter().any(|spec| spec.leaves_out(from));
        self.specs.iter().filter_map(|spec| spec.back(name)).any(|from| !is_left_out(&from))
    }
}

/// A refspec of a fetch: the full name of a reference there, or a pattern with one `*`, and what it becomes here; nothing if it is
/// left out (`^NAME`).
#[derive(Debug)]
struct Spec {
    there: String,
    here: Option<String>,
}

impl Spec {
    /// `None` for one that writes no reference.
    fn parse(text: &str) -> Option<Spec> {
        if let Some(there) = text.strip_prefix('^') {
            return Some(Spec { there: there.to_owned(), here: None });
        }
        let (there, here) = text.strip_prefix('+').unwrap_or(text).split_once(':')?;
        Some(Spec { there: there.to_owned(), here: Some(here.to_owned()) })
    }

    /// What a reference there becomes here.
    fn forth(&self, name: &str) -> Option<String> {
        mapped(&self.there, self.here.as_deref()?, name)
    }

    /// What a reference here is there.
    fn back(&self, name: &str) -> Option<String> {
        mapped(self.here.as_deref()?, &self.there, name)
    }

    fn leaves_out(&self, name: &str) -> bool {
        self.here.is_none() && mapped(&self.there, "*", name).is_some()
    }
}

/// What becomes of a name that a pattern fits.
fn mapped(from: &str, to: &str, name: &str) -> Option<String> {
    match from.split_once('*') {
        Some((start, end)) => Some(to.replacen('*', name.strip_prefix(start)?.strip_suffix(end)?, 1)),
        None => (from == name).then(|| to.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspecs_map_names_both_ways() {
        let spec = |text: &str| Spec::parse(text).unwrap();
        let usual = spec("+refs/heads/*:refs/remotes/o/*");
        assert_eq!(usual.forth("refs/heads/a/b").unwrap(), "refs/remotes/o/a/b");
        assert_eq!(usual.back("refs/remotes/o/a/b").unwrap(), "refs/heads/a/b");
        assert!(usual.forth("refs/tags/a").is_none() && usual.back("refs/remotes/other/a").is_none());
        let inner = spec("refs/pull/*/head:refs/remotes/o/pr/*");
        assert_eq!(inner.back("refs/remotes/o/pr/7").unwrap(), "refs/pull/7/head");
        assert!(inner.forth("refs/pull/7/merge").is_none());
        assert!(spec("refs/heads/main:refs/remotes/o/main").forth("refs/heads/main2").is_none());
        let own = Remote { urls: Vec::new(), specs: vec![usual, spec("^refs/heads/wip/*")] };
        assert!(own.fetches_to("refs/remotes/o/a") && !own.fetches_to("refs/remotes/o/wip/a"));
    }

    #[test]
    fn the_longest_start_of_a_url_is_replaced() {
        let mut remotes = Remotes::default();
        for (name, value) in [("url.ssh://git@h/.insteadof", "https://h/"), ("url.x.y:.insteadof", "https://h/team/")] {
            remotes.add(name, value);
        }
        assert_eq!(remotes.rewritten("https://h/team/a"), "x.y:a");
        assert_eq!(remotes.rewritten("https://h/a"), "ssh://git@h/a");
        assert_eq!(remotes.rewritten("./a"), "./a");
    }
}
