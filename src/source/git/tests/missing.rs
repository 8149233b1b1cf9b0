//! What trees, commits and tags name and nothing holds.

use std::collections::BTreeSet;

use super::*;

/// An entry of a tree: which object it names, of 60, of which some are missing.
fn tree_of(entries: &[(u8, Vec<u8>, usize)]) -> Vec<u8> {
    let mut tree = Vec::new();
    for (mode, name_of, object) in entries {
        let mode: &[u8] =
            [b"100644 ".as_slice(), b"40000 ", b"120000 ", b"160000 ", b"100755 ", b"040000 "][usize::from(mode % 6)];
        tree.extend_from_slice(mode);
        tree.extend(name_of.iter().map(|byte| byte.max(&1)));
        tree.push(0);
        tree.extend(name(1000 + object));
    }
    tree
}

/// The delta from one text to another that keeps what both begin and end with.
fn diff(base: &[u8], object: &[u8]) -> Vec<u8> {
    let most = base.len().min(object.len());
    let front = base.iter().zip(object).take_while(|(a, b)| a == b).count();
    let back = base.iter().rev().zip(object.iter().rev()).take(most - front).take_while(|(a, b)| a == b).count();
    let mut edits = vec![Edit::Copy(0, front)];
    edits.push(Edit::Insert(object[front..object.len() - back].to_vec()));
    edits.push(Edit::Copy(base.len() - back, back));
    let (delta, made) = delta_of(base, &edits);
    assert_eq!(made, object);
    delta
}

type Entry = (u8, Vec<u8>, usize);

fn entry() -> impl Strategy<Value = Entry> {
    let name = prop_oneof![
        4 => prop::collection::vec(b'a'..b'f', 1..12),
        2 => prop::collection::vec(prop_oneof![Just(b'0'), Just(b'4'), Just(b'1'), Just(b' '), Just(b'6')], 1..14),
        1 => (250usize..400).prop_map(|len| vec![b'n'; len]),
    ];
    (any::<u8>(), name, 0usize..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_named_and_not_there_is_missing(
        mut entries in prop::collection::vec(entry(), 0..40),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), entry()), 1..30),
        there in prop::collection::vec(prop::bool::weighted(0.95), 60),
        one_in in prop_oneof![Just(30u64), Just(u64::MAX)],
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut pack = PackWriter::default();
        let (mut trees, mut expected) = (BTreeMap::new(), BTreeSet::new());
        let mut last: Vec<u8> = Vec::new();
        for (number, (at, insert, new)) in changes.into_iter().enumerate() {
            let at = at.index(entries.len() + 1);
            if insert || at == entries.len() { entries.insert(at, new) } else { entries[at] = new }
            let tree = tree_of(&entries);
            let lost = |entry: &&Entry| entry.0 % 6 != 3 && !there[entry.2];
            expected.extend(entries.iter().filter(lost).map(|entry| id(1000 + entry.2)));
            if number == 0 {
                pack.add(name(number), Stored::Whole(2), tree.len() as u64, &tree);
            } else {
                let delta = diff(&last, &tree);
                pack.add(name(number), Stored::Offset(number - 1), delta.len() as u64, &delta);
            }
            trees.insert(id(number), tree.clone());
            last = tree;
        }
        for object in (0..60).filter(|object| there[*object]) {
            pack.add(name(1000 + object), Stored::Whole(3), 1, b"b");
            trees.insert(id(1000 + object), b"b".to_vec());
        }
        pack.write(dir.path(), "a").expect("written");
        let sieve = Sieve::new(3, 17, one_in, false);
        let walked = walk_linked(dir.path(), true, &sieve);
        let missing: BTreeSet<ObjectId> = walked.skips.iter().map(|skip| match skip.origin {
            Origin::Object { id, .. } if skip.why == Why::MissingObject => id,
            _ => panic!("{skip:?}"),
        }).collect();
        prop_assert_eq!(missing, expected);
        prop_assert_eq!(walked.lenses.iter().map(|lens| lens.trees.len()).sum::<usize>(), trees.len() - there.iter().filter(|it| **it).count());
        check(&trees, walked, &sieve);
    }
}

#[test]
fn commits_and_tags_name_what_is_missing_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut pack = PackWriter::default();
    let mut add = |number: usize, kind: u8, text: String| {
        pack.add(name(number), Stored::Whole(kind), text.len() as u64, text.as_bytes());
    };
    let many: String = (100..140).map(|number| format!("parent {}\n", id(number))).collect();
    add(0, 2, String::new());
    add(1, 1, format!("tree {}\nauthor A <a> 1 +0000\n\nparent {}\n", id(0), id(77)));
    add(2, 1, format!("tree {}\nparent {}\nparent {}\nauthor A\n", id(50), id(1), id(51)));
    add(3, 1, format!("tree {}\n{many}author A\n", id(0)));
    add(4, 4, format!("object {}\ntype blob\ntag v\n", id(52)));
    add(5, 4, format!("object {}\ntype commit\ntag v\n", id(1)));
    add(6, 1, "no commit at all".to_owned());
    pack.write(dir.path(), "a").expect("written");
    let walked = walk_linked(dir.path(), true, &Sieve::new(0, 1, u64::MAX, false));
    let mut expected: Vec<_> = (100..140).chain([50, 51, 52]).map(id).collect();
    expected.sort();
    let of = |why| -> Vec<ObjectId> {
        let ids = walked.skips.iter().filter(|skip| skip.why == why).map(|skip| match skip.origin {
            Origin::Object { id, .. } => id,
            _ => panic!("{skip:?}"),
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        ids
    };
    assert_eq!(of(Why::MissingObject), expected);
    assert_eq!(of(Why::CorruptObject), [id(6)]);
    assert_eq!(walk_linked(dir.path(), false, &Sieve::new(0, 1, u64::MAX, false)).skips, []);
}
