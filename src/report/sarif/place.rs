//! Where a finding is, as a URI.

use std::path::{Component, Path};

use crate::origin::Origin;
use crate::place::{Places, slashed};
use crate::report::escape;

use super::model::ArtifactLocation;

/// The name of the directory that relative URIs start from. Its own URI is left out of the report: it would tell how
/// the machine that scanned is laid out, and GitHub takes relative URIs from the repository's top anyway.
pub(super) const SRCROOT: &str = "%SRCROOT%";

/// A path inside of the root relative to it, any other as `file:///…`; of a stream its name.
pub(super) fn artifact(places: &Places, origin: &Origin) -> ArtifactLocation {
    let name = match origin {
        Origin::Object { path: None, id, .. } => {
            // What is in no tree has no path; this is where git would keep it as a file.
            let id = id.to_string();
            let (directory, name) = id.split_at(2);
            let uri = format!(".git/objects/{directory}/{name}");
            return ArtifactLocation { uri, uri_base_id: Some(SRCROOT) };
        }
        // The name of the provider is a scheme of its own: what is at a provider is in no directory.
        Origin::Log { project, run, part } => {
            let (scheme, rest) = project.split_once(':').unwrap_or(("log", project));
            let parts = [rest, run, part].map(|part| escape::percent(part.as_bytes()));
            return ArtifactLocation { uri: format!("{scheme}:{}", parts.join("/")), uri_base_id: None };
        }
        Origin::Stream { name } => name.as_str(),
        Origin::File { .. } | Origin::Object { .. } | Origin::Member { .. } | Origin::Staged { .. } => "",
    };
    let path = match places.of(origin) {
        Some(path) => path,
        None if name.starts_with('/') => places.inside(Path::new(name)),
        None => {
            let uri = escape::percent(name.trim_matches(['<', '>']).as_bytes());
            return ArtifactLocation { uri, uri_base_id: None };
        }
    };
    let uri = escape::percent(&slashed(&path));
    if path.is_absolute() {
        ArtifactLocation {
            uri: format!("file://{}{uri}", if uri.starts_with('/') { "" } else { "/" }),
            uri_base_id: None,
        }
    } else if uri.is_empty() {
        ArtifactLocation { uri: ".".to_owned(), uri_base_id: Some(SRCROOT) }
    } else {
        let outside = path.components().next() == Some(Component::ParentDir);
        ArtifactLocation { uri, uri_base_id: (!outside).then_some(SRCROOT) }
    }
}
