//! Which layer of a container image a file is in, and which later one takes it away.
//!
//! An image is an archive of layers, each an archive of files, and of lists of layers: `manifest.json` of `docker save`, or
//! an OCI manifest among `blobs/` (<https://github.com/opencontainers/image-spec>, layout and layer). A layer deletes `a/b` with an
//! empty file `a/.wh.b`, and all that lower layers have in `a` with `a/.wh..wh..opq`. The layers below still hold it.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

/// Larger files are no list of layers, in bytes.
pub const LIST: usize = 4 << 20;

/// Most layers that are remembered, of all images; one has at most 127.
const LAYERS: usize = 1 << 14;

/// Most deleted paths that are remembered.
const DELETIONS: usize = 1 << 20;

/// How a deleted path begins, and the file that says that everything below is hidden.
const DELETED: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// Where in an image something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `sha256:…`, or where the layer is in the archive.
    pub name: String,
    /// The layer that deletes the file, of all images that have the layer; the files of this one are still there.
    pub deleted_in: Option<String>,
}

/// What is known of the images in an archive. Names are those of members, `outer.zip!/image.tar!/blobs/sha256/…`.
#[derive(Debug, Default)]
pub struct Images {
    /// The names of the layers of each image, from the lowest.
    images: Vec<Vec<String>>,
    /// What each layer deletes.
    deleted: HashMap<String, Deleted>,
    layers: usize,
    deletions: usize,
}

#[derive(Debug, Default)]
struct Deleted {
    paths: HashSet<String>,
    /// Directories of which the layers below have nothing left.
    directories: HashSet<String>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Saved {
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

impl Images {
    /// Takes note of a member; `true` if its content may be a list of layers, for [`Images::read`].
    pub fn see(&mut self, member: &str) -> bool {
        if let Some((layer, path)) = member.rsplit_once("!/") {
            self.deletion(layer, path);
        }
        let (_, own) = split(member);
        own == "manifest.json" || is_blob(own)
    }

    fn deletion(&mut self, layer: &str, path: &str) {
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(name) = file.strip_prefix(DELETED).filter(|_| self.deletions < DELETIONS) else { return };
        self.deletions += 1;
        let deleted = self.deleted.entry(layer.to_owned()).or_default();
        match file == OPAQUE {
            true => deleted.directories.insert(directory.to_owned()),
            false if directory.is_empty() => deleted.paths.insert(name.to_owned()),
            false => deleted.paths.insert(format!("{directory}/{name}")),
        };
    }

    /// Takes note of a list of layers, if it is one.
    pub fn read(&mut self, member: &str, content: &[u8]) {
        let (prefix, own) = split(member);
        let lists: Vec<Vec<String>> = match own == "manifest.json" {
            true => match serde_json::from_slice::<Vec<Saved>>(content) {
                Ok(saved) => saved.into_iter().map(|image| image.layers).collect(),
                Err(_) => return,
            },
            false => match serde_json::from_slice::<Manifest>(content) {
                Ok(manifest) => vec![manifest.layers.iter().map(|layer| blob(&layer.digest)).collect()],
                Err(_) => return,
            },
        };
        for layers in lists {
            self.layers += layers.len();
            if self.layers <= LAYERS {
                self.images.push(layers.iter().map(|layer| format!("{prefix}{layer}")).collect());
            }
        }
    }

    /// Whether a member may be in a layer, as far as its name says.
    pub fn may_be_in_layer(member: &str) -> bool {
        member.rsplit_once("!/").is_some_and(|(layer, _)| {
            let (_, own) = split(layer);
            is_blob(own) || own.ends_with("layer.tar") || own.ends_with(".tar")
        })
    }

    /// The layer that a member is in. Complete once the archive was read to its end.
    pub fn layer(&self, member: &str) -> Option<Layer> {
        // What is packed in a file of a layer is in the layer, too.
        let ends = member.match_indices("!/").map(|(at, _)| at);
        let at = ends.into_iter().find(|at| self.images.iter().flatten().any(|layer| *layer == member[..*at]))?;
        let (layer, path) = (&member[..at], &member[at + 2..]);
        let path = path.split_once("!/").map_or(path, |(path, _)| path).trim_start_matches('/');
        let of = self.images.iter().filter_map(|layers| {
            let at = layers.iter().position(|other| other == layer)?;
            Some(layers[at + 1..].iter().find(|later| self.deletes(later, path)))
        });
        let deleting: Option<Vec<&String>> = of.collect();
        Some(Layer { name: shown(layer), deleted_in: deleting.and_then(|all| all.first().map(|layer| shown(layer))) })
    }

    fn deletes(&self, layer: &str, path: &str) -> bool {
        let Some(deleted) = self.deleted.get(layer) else { return false };
        let parents = || path.match_indices('/').map(|(at, _)| &path[..at]);
        deleted.paths.contains(path)
            || deleted.directories.contains("")
            || parents().any(|parent| deleted.paths.contains(parent) || deleted.directories.contains(parent))
    }
}

/// What stands before a member's own name, and that.
fn split(member: &str) -> (&str, &str) {
    let at = member.rfind("!/").map_or(0, |at| at + 2);
    member.split_at(at)
}

fn is_blob(name: &str) -> bool {
    name.strip_prefix("blobs/").is_some_and(|rest| rest.contains('/'))
}

/// `sha256:…` as the layout of OCI has it.
fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// The other way round.
fn shown(layer: &str) -> String {
    let (_, own) = split(layer);
    own.strip_prefix("blobs/").map_or_else(|| own.to_owned(), |digest| digest.replacen('/', ":", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_deletes_files_and_directories() {
        let mut images = Images::default();
        let manifest = r#"{"layers":[{"digest":"sha256:aa"},{"digest":"sha256:bb"},{"digest":"sha256:cc"}]}"#;
        assert!(images.see("x.zip!/blobs/sha256/dd"));
        images.read("x.zip!/blobs/sha256/dd", manifest.as_bytes());
        for member in ["bb!/etc/.wh.a", "bb!/.wh.top", "cc!/srv/.wh.dir", "cc!/opt/.wh..wh..opq"] {
            assert!(!images.see(&format!("x.zip!/blobs/sha256/{member}")));
        }
        let deleted = |member: &str| images.layer(&format!("x.zip!/blobs/sha256/{member}")).unwrap().deleted_in;
        let by = |layer: &str| Some(format!("sha256:{layer}"));
        assert_eq!(deleted("aa!/etc/a"), by("bb"));
        assert_eq!(deleted("aa!/top"), by("bb"));
        assert_eq!(deleted("aa!/etc/ab"), None);
        assert_eq!(deleted("bb!/etc/a"), None, "what a layer deletes is below it");
        assert_eq!(deleted("bb!/srv/dir/x/y.zip!/z"), by("cc"));
        assert_eq!(deleted("aa!/opt/x"), by("cc"));
        assert_eq!(deleted("cc!/opt/x"), None);
        assert_eq!(images.layer("blobs/sha256/aa!/etc/a"), None, "another archive");
    }

    #[test]
    fn what_one_image_still_has_is_not_deleted() {
        let mut images = Images::default();
        let lists = r#"[{"Layers":["a/layer.tar","b/layer.tar"]},{"Layers":["a/layer.tar"],"RepoTags":null}]"#;
        images.read("manifest.json", lists.as_bytes());
        images.see("b/layer.tar!/.wh.x");
        assert_eq!(images.layer("a/layer.tar!/x"), Some(Layer { name: "a/layer.tar".to_owned(), deleted_in: None }));
    }
}
