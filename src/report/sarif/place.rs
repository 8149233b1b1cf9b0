//! Where a finding is, as a URI.

use std::path::{Component, Path, PathBuf};

use crate::origin::Origin;
use crate::report::escape;

use super::model::ArtifactLocation;

/// The name of the directory that relative URIs start from. Its own URI is left out of the report: it would tell how
/// the machine that scanned is laid out, and GitHub takes relative URIs from the repository's top anyway.
pub(super) const SRCROOT: &str = "%SRCROOT%";

/// Turns paths as they are shown into URIs.
pub(super) struct Places {
    /// What `%SRCROOT%` stands for, absolute.
    pub root: Option<PathBuf>,
    /// What relative paths start from, absolute; `root` if it is not known.
    pub base: Option<PathBuf>,
}

impl Places {
    /// A path inside of `root` relative to it, any other as `file:///…`; of a stream its name.
    pub(super) fn of(&self, origin: &Origin) -> ArtifactLocation {
        let path = match origin {
            Origin::File { path, .. } => path,
            Origin::Object { path: Some(path), .. } | Origin::Staged { path, .. } => {
                return ArtifactLocation { uri: escape::percent(&slashed(path)), uri_base_id: Some(SRCROOT) };
            }
            Origin::Object { path: None, id, .. } => {
                // What is in no tree has no path; this is where git would keep it as a file.
                let id = id.to_string();
                let (directory, name) = id.split_at(2);
                return ArtifactLocation {
                    uri: format!(".git/objects/{directory}/{name}"),
                    uri_base_id: Some(SRCROOT),
                };
            }
            Origin::Stream { name } if name.starts_with('/') => Path::new(name),
            Origin::Stream { name } => {
                let name = name.trim_matches(['<', '>']);
                return ArtifactLocation { uri: escape::percent(name.as_bytes()), uri_base_id: None };
            }
        };
        let start = self.base.as_ref().or(self.root.as_ref());
        let full = normal(&start.map_or_else(|| path.to_path_buf(), |start| start.join(path)));
        let inside = self.root.as_ref().and_then(|root| full.strip_prefix(normal(root)).ok());
        let relative = inside.unwrap_or(&full);
        let uri = escape::percent(&slashed(relative));
        if relative.is_absolute() {
            ArtifactLocation {
                uri: format!("file://{}{uri}", if uri.starts_with('/') { "" } else { "/" }),
                uri_base_id: None,
            }
        } else if uri.is_empty() {
            ArtifactLocation { uri: ".".to_owned(), uri_base_id: Some(SRCROOT) }
        } else {
            let outside = relative.components().next() == Some(Component::ParentDir);
            ArtifactLocation { uri, uri_base_id: (!outside).then_some(SRCROOT) }
        }
    }
}

/// The path without `.`, and without `..` where there is something to go up from. Links are not followed: what the
/// user named is what the report names.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match (part, out.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    out
}

/// The bytes of the path with `/` between its parts on every system.
fn slashed(path: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    for part in path.components() {
        if !matches!(out.last(), None | Some(b'/')) && part != Component::RootDir {
            out.push(b'/');
        }
        match part {
            Component::RootDir => out.push(b'/'),
            part => out.extend_from_slice(part.as_os_str().as_encoded_bytes()),
        }
    }
    out
}
