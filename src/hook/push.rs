//! Turns the lines in which git tells a hook of references that change into the objects that are new there.

use crate::origin::ObjectId;
use crate::source::git::{Revision, Scope};

/// A line that is none of git's.
#[derive(Debug, thiserror::Error)]
#[error("line {0} of standard input is none of git's; this command is for git to call, as a hook")]
pub struct LineError(usize);

/// A reference that changes: what it was and what it becomes; `None` where it was not, or will not be, there.
type Update = (Option<ObjectId>, Option<ObjectId>);

/// What `pre-push` is told: for each reference its name and object here, then there. What is sent is all that the other side lacks: what
/// neither its references have, as far as they are known (`refs/remotes/NAME/`), nor those objects that are replaced.
/// `None` if nothing is sent.
pub fn pre_push(lines: &[u8], remote: &[u8]) -> Result<Option<Scope>, LineError> {
    // The local name is whatever was typed, with blanks even; so from the end.
    let update = |line: &[u8]| {
        let mut words = line.rsplitn(4, |&byte| byte == b' ');
        let old = id(words.next()?)?;
        words.next()?;
        Some((old, id(words.next()?)?))
    };
    let tracked = format!("refs/remotes/{}/", String::from_utf8_lossy(remote));
    Ok(scope(&read(lines, update)?, tracked))
}

/// What `pre-receive` is told: for each reference its old object, its new one, and its name. What is received is all that no reference has.
pub fn pre_receive(lines: &[u8]) -> Result<Option<Scope>, LineError> {
    let update = |line: &[u8]| {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let update = (id(words.next()?)?, id(words.next()?)?);
        words.next().map(|_| update)
    };
    Ok(scope(&read(lines, update)?, "refs/".to_owned()))
}

fn read(lines: &[u8], update: impl Fn(&[u8]) -> Option<Update>) -> Result<Vec<Update>, LineError> {
    let lines = lines.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let full = lines.enumerate().filter(|(_, line)| !line.is_empty());
    full.map(|(at, line)| update(line).ok_or(LineError(at + 1))).collect()
}

/// An object name; all zeros is none.
fn id(word: &[u8]) -> Option<Option<ObjectId>> {
    let id = ObjectId::from_hex(word)?;
    Some(Some(id).filter(|id| id.as_bytes().iter().any(|byte| *byte != 0)))
}

fn scope(updates: &[Update], known: String) -> Option<Scope> {
    let mut revisions: Vec<Revision> = updates.iter().filter_map(|update| update.1).map(Revision::Object).collect();
    if revisions.is_empty() {
        return None;
    }
    revisions.extend(updates.iter().filter_map(|update| update.0).map(Revision::NotObject));
    revisions.push(Revision::NotReferences(known));
    Some(Scope { revisions, ..Scope::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_become_what_is_new() {
        let (zero, one, two) = ("0".repeat(40), "1".repeat(40), "2".repeat(40));
        let id = |text: &str| ObjectId::from_hex(text.as_bytes()).unwrap();
        let lines = format!("refs/heads/a {one} refs/heads/a {zero}\n:/some message {two} refs/heads/b {one}\r\n\n");
        let scope = pre_push(lines.as_bytes(), b"origin").unwrap().unwrap();
        let expected = [
            Revision::Object(id(&one)),
            Revision::Object(id(&two)),
            Revision::NotObject(id(&one)),
            Revision::NotReferences("refs/remotes/origin/".to_owned()),
        ];
        assert_eq!(scope.revisions, expected);
        let deleted = format!("(delete) {zero} refs/heads/a {one}\n");
        assert_eq!(pre_push(deleted.as_bytes(), b"origin").unwrap(), None);
        let lines = format!("{zero} {one} refs/heads/a\n{two} {zero} refs/heads/b\n");
        assert_eq!(pre_receive(lines.as_bytes()).unwrap().unwrap().revisions.len(), 3);
        for bad in ["x\n", "1111 2222 refs/heads/a\n", &format!("{one} {two}\n")] {
            assert!(pre_receive(bad.as_bytes()).is_err() && pre_push(bad.as_bytes(), b"origin").is_err(), "{bad}");
        }
    }
}
