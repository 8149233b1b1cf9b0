//! Turns pointers of Git LFS into the files that they stand for: those that are in the repository's own store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::coverage::{Skip, Why};
use crate::origin::Origin;

/// Each version of the format begins so; git-lfs writes nothing else first.
const MAGIC: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The SHA-256 of the content that a file stands for, in hex, if it is a pointer.
pub(super) fn pointer(file: &[u8]) -> Option<String> {
    let rest = file.strip_prefix(MAGIC)?;
    let line = rest.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"oid sha256:"))?;
    let is_hex = line.len() == 64 && line.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| String::from_utf8_lossy(line).into_owned())
}

/// Where the contents are kept.
fn store(common_dir: &Path) -> PathBuf {
    common_dir.join("lfs/objects")
}

/// The files that pointers stand for and, if some are not there, the skip that counts them.
pub(super) fn contents(common_dir: &Path, pointers: &BTreeSet<&str>) -> (Vec<PathBuf>, Option<Skip>) {
    let store = store(common_dir);
    let files = pointers.iter().map(|id| store.join(&id[..2]).join(&id[2..4]).join(id));
    let (there, absent): (Vec<_>, Vec<_>) =
        files.partition(|file| file.symlink_metadata().is_ok_and(|what| what.is_file()));
    let skip = (!absent.is_empty()).then(|| Skip {
        origin: Origin::File { path: store, tracking: None },
        why: Why::MissingLfs,
        detail: format!("{} of the {} files that Git LFS keeps are not here", absent.len(), pointers.len()),
    });
    (there, skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_a_hash_and_nothing_else() {
        let id = "0123456789abcdef".repeat(4);
        let text = |line: &str| format!("version https://git-lfs.github.com/spec/v1\n{line}\nsize 12\n");
        assert_eq!(pointer(text(&format!("oid sha256:{id}")).as_bytes()), Some(id.clone()));
        let extended = format!("ext-0-foo sha256:{id}\noid sha256:{id}");
        assert_eq!(pointer(text(&extended).as_bytes()), Some(id.clone()));
        for line in [format!("oid sha256:{}", &id[1..]), format!("oid sha256:../{}", &id[3..]), format!("oid md5:{id}")]
        {
            assert_eq!(pointer(text(&line).as_bytes()), None, "{line}");
        }
        assert_eq!(pointer(format!(" {}", text(&format!("oid sha256:{id}"))).as_bytes()), None);
    }
}
