//! Turns what clones, fetches and pushes leave behind into from where remote-tracking references come.
//!
//! A reference does not say from which URL it was fetched. `FETCH_HEAD` has the URL of the last fetch, and the log of a remote's `HEAD`
//! that of the clone, for as long as git keeps it. Since a file of references is newer than the configuration, no URL was set. Of the same
//! moment is not newer: the clock of a file system may stand for 10 ms, in which a script pushes and sets another URL.

use std::path::Path;
use std::time::SystemTime;

use super::layout::Layout;
use super::map::read;
use crate::origin::ObjectId;

/// Where what tracks a remote comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The repository was cloned from there.
    Here,
    /// The last fetch was from there; what other fetches brought may be from elsewhere.
    Fetched,
    /// At least a part is from another place.
    Elsewhere,
    /// No trace is left.
    Unknown,
}

/// The traces.
pub(super) struct Fetched<'l> {
    layout: &'l Layout,
    /// An object, the reference that had it there, and the URL.
    last: Vec<(ObjectId, String, String)>,
    /// From where the remote was cloned.
    pub(super) cloned: Option<String>,
    /// When the last fetch was.
    when: Option<SystemTime>,
    /// When a URL may have been set last.
    configured: Option<SystemTime>,
}

impl<'l> Fetched<'l> {
    pub(super) fn read(layout: &'l Layout, remote: &str) -> Fetched<'l> {
        // Every work tree has its own.
        let paths = [&layout.git_dir, &layout.common_dir].map(|dir| dir.join("FETCH_HEAD"));
        let path = paths.iter().max_by_key(|path| written(path)).unwrap_or(&paths[0]);
        let text = read(path).unwrap_or_default();
        let last = String::from_utf8_lossy(&text).lines().filter_map(fetch).collect();
        let log = layout.common_dir.join("logs/refs/remotes").join(remote).join("HEAD");
        let cloned = read(&log).ok().and_then(|log| {
            let log = String::from_utf8_lossy(&log).into_owned();
            Some(log.lines().next()?.split_once("\tclone: from ")?.1.to_owned())
        });
        let files = [layout.common_dir.join("config"), layout.git_dir.join("config.worktree")];
        let configured = files.iter().filter_map(|file| written(file)).max();
        Fetched { layout, last, cloned, when: written(path), configured }
    }

    /// What the last fetch brought from URLs like that: objects, and what they were called there.
    pub(super) fn from(&self, is_from: impl Fn(&str) -> bool) -> impl Iterator<Item = (ObjectId, &str)> {
        self.last.iter().filter(move |(.., url)| is_from(url)).map(|(id, name, _)| (*id, name.as_str()))
    }

    /// Whether a reference is what the place had to which it is pushed now.
    pub(super) fn believes(&self, name: &str, source: Source) -> bool {
        let file = written(&self.layout.common_dir.join(name));
        let is_since = |time: Option<SystemTime>| time.is_some_and(|time| file.is_some_and(|file| file > time));
        match source {
            Source::Here => true,
            Source::Fetched => is_since(self.when) || is_since(self.configured),
            Source::Elsewhere => is_since(self.configured),
            Source::Unknown => !self.is_only_pushed(name) || is_since(self.configured),
        }
    }

    /// Whether a reference was never fetched. Nothing tells then where it was pushed to.
    fn is_only_pushed(&self, name: &str) -> bool {
        let log = read(&self.layout.common_dir.join("logs").join(name)).unwrap_or_default();
        let mut lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
        lines.peek().is_some() && lines.all(|line| line.ends_with(b"\tupdate by push"))
    }
}

fn written(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// A line of `FETCH_HEAD`: the object, whether it is to be merged, and `branch 'NAME' of URL`, for `HEAD` the URL alone.
fn fetch(line: &str) -> Option<(ObjectId, String, String)> {
    let mut parts = line.splitn(3, '\t');
    let (id, _, what) = (ObjectId::from_hex(parts.next()?.as_bytes())?, parts.next()?, parts.next()?);
    let Some((called, url)) = what.split_once("' of ") else { return Some((id, String::new(), what.to_owned())) };
    let (kind, name) = called.split_once('\'')?;
    let start = match kind.trim() {
        "branch" => "refs/heads/",
        "tag" => "refs/tags/",
        "remote-tracking branch" => "refs/remotes/",
        _ => "",
    };
    Some((id, format!("{start}{name}"), url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_fetch_head_are_read_as_git_writes_them() {
        let id = "12".repeat(20);
        let read = |rest: &str| fetch(&format!("{id}\t{rest}")).map(|(_, name, url)| (name, url));
        let pair = |name: &str, url: &str| Some((name.to_owned(), url.to_owned()));
        assert_eq!(read("\tbranch 'a/b' of https://h/x"), pair("refs/heads/a/b", "https://h/x"));
        assert_eq!(read("not-for-merge\ttag 'v1' of ../x's of y"), pair("refs/tags/v1", "../x's of y"));
        assert_eq!(read("not-for-merge\t'refs/pull/1/head' of h:x"), pair("refs/pull/1/head", "h:x"));
        assert_eq!(read("\t/srv/x"), pair("", "/srv/x"));
        assert_eq!(read("\t"), pair("", ""));
        assert!(fetch("nonsense").is_none() && fetch("").is_none());
    }
}
