//! Turns the lines in which git tells a hook of references that change into the objects and names that are new there.

use crate::origin::ObjectId;
use crate::source::git::{Revision, Scope, Told};

/// A line that is none of git's.
#[derive(Debug, thiserror::Error)]
#[error("line {0} of standard input is none of git's; this command is for git to call, as a hook")]
pub struct LineError(usize);

/// A reference that changes, and what it becomes; `None` where it was not, or will not be, there.
type Update = (Told, Option<ObjectId>);

/// What `pre-push` is told: for each reference its name and object here, then there. What is sent is all that the other side lacks: what
/// neither those objects reach that are replaced, nor those that it is `known` to have. `None` if nothing is sent.
pub fn pre_push(lines: &[u8], known: impl FnOnce(&[Told]) -> Vec<ObjectId>) -> Result<Option<Scope>, LineError> {
    // The local name is whatever was typed, with blanks even; so from the end.
    let update = |line: &[u8]| {
        let mut words = line.rsplitn(4, |&byte| byte == b' ');
        let old = id(words.next()?)?;
        let name = name(words.next()?);
        Some(((name, old), id(words.next()?)?))
    };
    let known = |told: &[Told]| known(told).into_iter().map(Revision::NotObject).collect();
    Ok(scope(read(lines, update)?, known))
}

/// What `pre-receive` is told: for each reference its old object, its new one, and its name. What is received is all that no reference has.
pub fn pre_receive(lines: &[u8]) -> Result<Option<Scope>, LineError> {
    let update = |line: &[u8]| {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (old, new) = (id(words.next()?)?, id(words.next()?)?);
        Some(((name(words.next()?), old), new))
    };
    Ok(scope(read(lines, update)?, |_| vec![Revision::NotReferences("refs/".to_owned())]))
}

fn name(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
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

fn scope(updates: Vec<Update>, known: impl FnOnce(&[Told]) -> Vec<Revision>) -> Option<Scope> {
    let is_new = |(told, new): &&Update| told.1.is_none() && new.is_some();
    let names = updates.iter().filter(is_new).map(|(told, _)| told.0.clone()).collect();
    let (told, new): (Vec<Told>, Vec<Option<ObjectId>>) = updates.into_iter().unzip();
    let mut revisions: Vec<Revision> = new.into_iter().flatten().map(Revision::Object).collect();
    if revisions.is_empty() {
        return None;
    }
    revisions.extend(told.iter().filter_map(|(_, old)| *old).map(Revision::NotObject));
    revisions.extend(known(&told));
    Some(Scope { revisions, names, ..Scope::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_become_what_is_new() {
        let [zero, one, two, three] = ["0", "1", "2", "3"].map(|digit| digit.repeat(40));
        let id = |text: &str| ObjectId::from_hex(text.as_bytes()).unwrap();
        let lines = format!("refs/heads/a {one} refs/heads/a {zero}\n:/some message {two} refs/heads/b {one}\r\n\n");
        let known = |told: &[Told]| {
            assert_eq!(told, [("refs/heads/a".to_owned(), None), ("refs/heads/b".to_owned(), Some(id(&one)))]);
            vec![id(&three)]
        };
        let scope = pre_push(lines.as_bytes(), known).unwrap().unwrap();
        let expected = [
            Revision::Object(id(&one)),
            Revision::Object(id(&two)),
            Revision::NotObject(id(&one)),
            Revision::NotObject(id(&three)),
        ];
        assert_eq!(scope.revisions, expected);
        assert_eq!(scope.names, ["refs/heads/a"]);
        let deleted = format!("(delete) {zero} refs/heads/a {one}\n");
        assert_eq!(pre_push(deleted.as_bytes(), |_| vec![]).unwrap(), None);
        let lines = format!("{zero} {one} refs/heads/a\n{two} {zero} refs/heads/b\n");
        assert_eq!(pre_receive(lines.as_bytes()).unwrap().unwrap().revisions.len(), 3);
        for bad in ["x\n", "1111 2222 refs/heads/a\n", &format!("{one} {two}\n")] {
            assert!(pre_receive(bad.as_bytes()).is_err() && pre_push(bad.as_bytes(), |_| vec![]).is_err(), "{bad}");
        }
    }
}
