//! Where a path stands in its repository, however the target was given.

use std::path::{Component, Path, PathBuf};

use crate::origin::Origin;

/// The directories that lead from a path as it is shown to a path of the repository. Nothing here asks the file
/// system: what the user named is what the report names, links are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The top of the work tree, or the directory that was scanned; absolute.
    pub root: Option<PathBuf>,
    /// What relative paths start from, absolute; `root` if it is not known.
    pub base: Option<PathBuf>,
}

impl Places {
    /// The path of a file relative to `root`, as [`Places::inside`] has it; of an object as git has it, from the top;
    /// of a file in an archive `logs.zip!/build.txt`. None for what has no path.
    pub fn of(&self, origin: &Origin) -> Option<PathBuf> {
        match origin {
            Origin::File { path, .. } => Some(self.inside(path)),
            Origin::Object { path, .. } => path.clone(),
            Origin::Staged { path, .. } => Some(path.clone()),
            Origin::Member { archive, name } => {
                // Whoever packed the archive chose the name: it must not lead to another file.
                let parts: Vec<_> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
                let mut path = self.inside(archive).into_os_string();
                path.push(format!("!/{}", parts.join("/")));
                Some(path.into())
            }
            // Where a run's log is kept changes with every run.
            Origin::Log { .. } => Some(PathBuf::from(origin.lasting_name())),
            Origin::Stream { .. } => None,
        }
    }

    /// The path relative to `root` if it lies inside. Any other is absolute, or relative as it was where no start is
    /// known.
    pub fn inside(&self, path: &Path) -> PathBuf {
        let start = self.base.as_ref().or(self.root.as_ref());
        let full = normal(&start.map_or_else(|| path.to_path_buf(), |start| start.join(path)));
        let inside = self.root.as_ref().and_then(|root| full.strip_prefix(normal(root)).ok());
        inside.map(Path::to_path_buf).unwrap_or(full)
    }
}

/// The path without `.`, and without `..` where there is something to go up from.
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
pub fn slashed(path: &Path) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_repositorys_wherever_the_scan_was_started() {
        let places = Places { root: Some("/srv/tree".into()), base: Some("/srv/tree/sub".into()) };
        for (shown, inside) in [
            ("a", "sub/a"),
            ("./a/../b", "sub/b"),
            ("../x", "x"),
            ("/srv/tree/sub/./a", "sub/a"),
            ("../../other", "/srv/other"),
            ("/etc/passwd", "/etc/passwd"),
        ] {
            assert_eq!(places.inside(Path::new(shown)), Path::new(inside), "{shown}");
        }
        let name = "../../../sub//./a".to_owned();
        let member = Origin::Member { archive: "../logs.zip".into(), name };
        assert_eq!(places.of(&member).as_deref(), Some(Path::new("logs.zip!/sub/a")));
        assert_eq!(Places::default().inside(Path::new("./a/../../b")), Path::new("../b"));
    }
}
