//! What a document of OpenDocument says of members that have a password: `META-INF/manifest.xml` (ODF 1.3, part 2, 3.4).

use std::collections::HashSet;

use memchr::memmem;

/// Where it stands.
pub(super) const MANIFEST: &str = "META-INF/manifest.xml";

/// Larger ones are not looked at, in bytes.
pub(super) const LONGEST: u64 = 4 << 20;

/// Opens what says how a member is encrypted.
const ENCRYPTED: &[u8] = b"encryption-data";

/// The members that are encrypted, and the manifest without what says how: salts and sums look like keys.
pub(super) fn encrypted(manifest: &[u8]) -> Option<(HashSet<Vec<u8>>, Vec<u8>)> {
    memmem::find(manifest, ENCRYPTED)?;
    let (mut members, mut blotted) = (HashSet::new(), manifest.to_vec());
    let mut starts: Vec<usize> = memmem::find_iter(manifest, b"file-entry").collect();
    starts.push(manifest.len());
    for pair in starts.windows(2) {
        let entry = &manifest[pair[0]..pair[1]];
        let Some(start) = memmem::find(entry, ENCRYPTED) else { continue };
        let end = memmem::rfind(entry, ENCRYPTED).filter(|end| *end > start).unwrap_or(entry.len());
        blotted[pair[0] + start..pair[0] + end].fill(b' ');
        members.extend(path(&entry[..start]));
    }
    Some((members, blotted))
}

/// The path that an entry is of.
fn path(entry: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"full-path=";
    let start = memmem::find(entry, NAME)? + NAME.len();
    let (quote, value) = entry[start..].split_first()?;
    let end = memchr::memchr(*quote, value)?;
    // The only entities that a path needs.
    let text = String::from_utf8_lossy(&value[..end]).replace("&apos;", "'").replace("&quot;", "\"");
    Some(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_a_password_are_known_by_the_manifest() {
        let open = "<m:file-entry m:full-path=\"mimetype\"/>";
        let salt = "<m:key-derivation m:salt=\"c2FsdCBhbmQgc2FsdA==\"/>";
        let locked = format!(
            "<m:file-entry m:full-path='a&amp;b'><m:encryption-data m:checksum='x'>{salt}</m:encryption-data></m:file-entry>"
        );
        let manifest = format!("<m:manifest>{open}{locked}{open}</m:manifest>");
        let (members, blotted) = encrypted(manifest.as_bytes()).unwrap();
        assert_eq!(members, HashSet::from([b"a&b".to_vec()]));
        let blotted = String::from_utf8(blotted).unwrap();
        assert!(!blotted.contains("salt") && blotted.contains("a&amp;b") && blotted.len() == manifest.len());
        assert!(encrypted(open.as_bytes()).is_none());
    }
}
