//! The walker against packs of the tests' own making: whatever is stored how, the answer is that of reading every
//! object whole.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::testing::{Edit, PackWriter, Sieve, Stored, delta_of};
use super::*;
use crate::coverage::Why;
use crate::origin::{ObjectId, ObjectKind, Origin};

const KINDS: &[ObjectKind] = &ObjectKind::ALL;

fn walk_linked(dir: &std::path::Path, links: bool, sieve: &Sieve) -> Walked<Sieve> {
    let stores = Stores::open(&[dir.to_owned()], ObjectFormat::Sha1);
    let interrupt = AtomicBool::new(false);
    let options =
        Options { threads: 2, memory: 1 << 30, kinds: KINDS, only: None, links, interrupt: &interrupt, progress: None };
    walk(&stores, || sieve.clone(), options).expect("threads")
}

fn walk_dirs(dirs: &[std::path::PathBuf], threads: usize, memory: u64, sieve: &Sieve) -> (Stores, Walked<Sieve>) {
    let stores = Stores::open(dirs, ObjectFormat::Sha1);
    let interrupt = AtomicBool::new(false);
    let options =
        Options { threads, memory, kinds: KINDS, only: None, links: false, interrupt: &interrupt, progress: None };
    let walked = walk(&stores, || sieve.clone(), options).expect("threads");
    (stores, walked)
}

fn name(number: usize) -> [u8; 20] {
    let mut name = [0; 20];
    // Spread over the fan-out table, and not in the order of the entries.
    name[..8].copy_from_slice(&(number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    name
}

fn id(number: usize) -> ObjectId {
    ObjectId::from_bytes(&name(number)).expect("20 bytes")
}

/// Checks everything a walk says against the objects themselves.
fn check(objects: &BTreeMap<ObjectId, Vec<u8>>, walked: Walked<Sieve>, sieve: &Sieve) {
    let mut asked = BTreeMap::new();
    let mut shown = BTreeMap::new();
    for lens in walked.lenses {
        for (object, wants) in lens.asked {
            assert_eq!(asked.insert(object.id, (object.size, wants)), None, "{} twice", object.id);
        }
        for (object, marks, bytes) in lens.shown {
            assert!(shown.insert(object.id, (marks, bytes)).is_none(), "{} twice", object.id);
        }
    }
    for (id, bytes) in objects {
        let wants = sieve.wants(&bytes[..bytes.len().min(HEAD)], bytes.len() as u64);
        assert_eq!(asked.remove(id), Some((bytes.len() as u64, wants)), "{id}");
        let marks = sieve.marks_of(bytes);
        match shown.remove(id) {
            Some((got, content)) => {
                assert!(&content == bytes, "{id} is built wrongly");
                assert_eq!(got, marks, "{id}");
                assert!(wants || !marks.is_empty(), "{id} is shown for nothing");
            }
            None => assert!(!wants && marks.is_empty(), "{id} is not shown"),
        }
    }
    assert!(asked.is_empty() && shown.is_empty());
    assert_eq!(walked.counts.total(), objects.len() as u64);
    assert_eq!(walked.counts.bytes, objects.values().map(|bytes| bytes.len() as u64).sum::<u64>());
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => prop::collection::vec(0u8..4, 0..most),
        1 => (0..most * 40, any::<u8>())
            .prop_map(|(len, seed)| (0..len).map(|at| (at * at / 7) as u8 ^ seed).collect()),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => (0usize..300, 0usize..300).prop_map(|(start, len)| Edit::Copy(start, len)),
        2 => (0usize..2000, 0usize..9000).prop_map(|(start, len)| Edit::Copy(start, len)),
        1 => (0usize..10).prop_map(|start| Edit::Copy(start, usize::MAX / 2)),
        1 => (0usize..300).prop_map(|len| Edit::Copy(0, len)),
        2 => bytes(12).prop_map(Edit::Insert),
    ]
}

/// How each object is made: from which earlier one (or from none), by which edits, how it is stored and in which
/// pack.
type Recipe = (Option<prop::sample::Index>, Vec<u8>, Vec<Edit>, bool, u8);

fn recipe() -> impl Strategy<Value = Recipe> {
    let edits = prop_oneof![4 => prop::collection::vec(edit(), 0..7), 1 => Just(vec![Edit::Copy(0, usize::MAX / 2)])];
    (prop::option::weighted(0.8, any::<prop::sample::Index>()), bytes(200), edits, any::<bool>(), 0u8..3)
}

/// Writes up to three packs; bases may be in another one, and some objects are in two.
fn write(recipes: &[Recipe], dir: &std::path::Path) -> BTreeMap<ObjectId, Vec<u8>> {
    let mut packs: [PackWriter; 3] = Default::default();
    let mut made: Vec<(Vec<u8>, u8, usize)> = Vec::new();
    for (number, (base, content, edits, by_name, pack)) in recipes.iter().enumerate() {
        let base = base.as_ref().filter(|_| number > 0).map(|base| base.index(number));
        let at = packs[usize::from(*pack)].len();
        let object = match base {
            None => {
                let kind = 1 + (content.len() % 4) as u8;
                packs[usize::from(*pack)].add(name(number), Stored::Whole(kind), content.len() as u64, content);
                content.clone()
            }
            Some(base) => {
                let (bytes, home, entry) = &made[base];
                let (delta, object) = delta_of(bytes, edits);
                let stored = if *by_name || home != pack { Stored::Name(name(base)) } else { Stored::Offset(*entry) };
                packs[usize::from(*pack)].add(name(number), stored, delta.len() as u64, &delta);
                object
            }
        };
        if number % 7 == 3 {
            let other = usize::from(pack + 1) % 3;
            packs[other].add(name(number), Stored::Whole(3), object.len() as u64, &object);
        }
        made.push((object, *pack, at));
    }
    for (pack, letter) in packs.into_iter().zip(["a", "b", "c"]) {
        pack.write(dir, letter).expect("a directory to write to");
    }
    made.into_iter().enumerate().map(|(number, (object, ..))| (id(number), object)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn carried_answers_are_those_of_whole_objects(
        recipes in prop::collection::vec(recipe(), 1..25),
        (before, after) in prop_oneof![(0u32..4, 1u32..4), (0u32..40, 1u32..40), Just((256, 256))],
        one_in in prop_oneof![Just(1u64), Just(2), Just(37), Just(4000), Just(u64::MAX)],
        picky: bool,
        threads in 1usize..3,
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let objects = write(&recipes, dir.path());
        let sieve = Sieve::new(before, after, one_in, picky);
        let (stores, walked) = walk_dirs(&[dir.path().to_owned()], threads, 1 << 30, &sieve);
        prop_assert_eq!(&stores.skips, &vec![]);
        // A kind that a twin claims otherwise is no fault; a chain through several packs deeper than we follow is.
        prop_assert!(walked.skips.is_empty() || walked.skips.iter().all(|skip| skip.detail.contains("circle")));
        if walked.skips.is_empty() {
            check(&objects, walked, &sieve);
            let mut reader = Reader::new(&stores, 1 << 30);
            for (id, bytes) in &objects {
                prop_assert_eq!(&reader.read(id).expect("sound").expect("there").1, bytes);
            }
        }
    }
}

/// What a walk over one object directory visited, and what it named instead.
fn outcome(dir: &std::path::Path, memory: u64) -> (Vec<ObjectId>, Vec<(String, Why)>) {
    let sieve = Sieve::new(2, 8, 50, false);
    let (stores, walked) = walk_dirs(&[dir.to_owned()], 2, memory, &sieve);
    let mut visited: Vec<_> = walked.lenses.iter().flat_map(|lens| lens.asked.iter().map(|asked| asked.0.id)).collect();
    visited.sort();
    assert_eq!(visited.len() as u64, walked.counts.total());
    let name = |origin: &Origin| match origin {
        Origin::Object { id, .. } => id.to_string(),
        Origin::File { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        other => other.to_string(),
    };
    let skips = stores.skips.iter().chain(&walked.skips).map(|skip| (name(&skip.origin), skip.why)).collect();
    (visited, skips)
}

fn ids(numbers: &[usize]) -> Vec<ObjectId> {
    let mut ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
    ids.sort();
    ids
}

fn named(numbers: &[usize], why: Why) -> Vec<(String, Why)> {
    ids(numbers).iter().map(|id| (id.to_string(), why)).collect()
}

#[test]
fn an_object_that_lies_is_a_skip_and_so_is_what_is_built_on_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let base = vec![b'x'; 100];
    let sound = delta_of(&base, &[Edit::Copy(0, 50), Edit::Insert(b"new".to_vec())]).0;
    let add = |pack: &mut PackWriter, number, stored, content: &[u8]| {
        pack.add(name(number), stored, content.len() as u64, content);
    };
    let mut pack = PackWriter::default();
    add(&mut pack, 0, Stored::Whole(3), &base);
    add(&mut pack, 1, Stored::Offset(0), &sound);
    pack.add(name(2), Stored::Whole(3), 101, &base);
    add(&mut pack, 3, Stored::Offset(2), &sound);
    pack.add(name(4), Stored::Whole(1), 99, &base);
    pack.add(name(5), Stored::Whole(2), 1 << 60, &base);
    add(&mut pack, 6, Stored::Whole(5), &base);
    add(&mut pack, 7, Stored::Offset(1), &sound);
    add(&mut pack, 8, Stored::Offset(0), &[100, 10, 0x91, 95, 10]);
    add(&mut pack, 9, Stored::Offset(0), &[100, 10, 0]);
    add(&mut pack, 10, Stored::Offset(0), &[100, 2, 1, b'a']);
    add(&mut pack, 11, Stored::Offset(0), &[100, 2, 3, b'a', b'b', b'c']);
    add(&mut pack, 12, Stored::Offset(0), &[]);
    add(&mut pack, 13, Stored::Name(name(14)), &sound);
    add(&mut pack, 14, Stored::Name(name(13)), &sound);
    add(&mut pack, 15, Stored::Offset(14), &sound);
    add(&mut pack, 16, Stored::Name(name(99)), &sound);
    add(&mut pack, 17, Stored::Offset(16), &sound);
    pack.write(dir.path(), "a").expect("written");
    let (visited, skips) = outcome(dir.path(), 1 << 30);
    assert_eq!(visited, ids(&[0, 1]));
    let mut expected = named(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], Why::CorruptObject);
    expected.extend(named(&[16, 17], Why::MissingObject));
    expected.sort();
    let mut skips = skips;
    skips.sort();
    assert_eq!(skips, expected);
}

#[test]
fn a_pack_cut_off_gives_what_it_has_and_names_the_rest() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut pack = PackWriter::default();
    let mut content = vec![0u8; 3000];
    for number in 0..60 {
        content.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * (number + 3) % 251) as u8);
        let stored = if number % 3 == 0 { Stored::Whole(3) } else { Stored::Offset(number - number % 3) };
        let delta = delta_of(&vec![0; 3000], &[Edit::Copy(number, 2900)]).0;
        let bytes = if number % 3 == 0 { &content } else { &delta };
        pack.add(name(number), stored, bytes.len() as u64, bytes);
    }
    let (bytes, idx) = pack.finish();
    std::fs::create_dir(dir.path().join("pack")).expect("made");
    for len in [0, 11, 12, 13, bytes.len() / 3, bytes.len() / 2, bytes.len() - 21, bytes.len() - 1, bytes.len()] {
        std::fs::write(dir.path().join("pack/pack-a.pack"), &bytes[..len]).expect("written");
        std::fs::write(dir.path().join("pack/pack-a.idx"), &idx).expect("written");
        let (visited, skips) = outcome(dir.path(), 1 << 30);
        let objects = skips.iter().filter(|skip| skip.0.len() == 40).count();
        assert_eq!(skips.contains(&("pack-a.pack".into(), Why::CorruptPack)), len < bytes.len(), "{len}");
        // A file that does not even begin like a pack is named as one.
        assert_eq!(visited.len() + objects, if len < 12 { 0 } else { 60 }, "{len}: {skips:?}");
        assert!(len != bytes.len() - 1 || visited.len() == 60);
    }
}

#[test]
fn any_damage_to_an_index_is_named_or_harmless() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut pack = PackWriter::default();
    for number in 0..5 {
        pack.add(name(number), Stored::Whole(3), 9, b"a content");
    }
    let (bytes, idx) = pack.finish();
    std::fs::create_dir(dir.path().join("pack")).expect("made");
    std::fs::write(dir.path().join("pack/pack-a.pack"), &bytes).expect("written");
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut idx = idx.clone();
        change(&mut idx);
        std::fs::write(dir.path().join("pack/pack-a.idx"), idx).expect("written");
        outcome(dir.path(), 1 << 30)
    };
    assert_eq!(damaged(&|_| {}), (ids(&[0, 1, 2, 3, 4]), vec![]));
    let index = vec![("pack-a.idx".to_owned(), Why::CorruptPack)];
    assert_eq!(damaged(&|idx| idx.truncate(idx.len() - 1)).1, index);
    assert_eq!(damaged(&|idx| idx.truncate(3)).1, index);
    assert_eq!(damaged(&|idx| idx[7] = 3).1, index);
    assert_eq!(damaged(&|idx| idx[8] = 0xff).1, index);
    assert_eq!(damaged(&|idx| idx[8 + 1024..].iter_mut().take(40).for_each(|byte| *byte = 0xff)).1, index);
    let offsets = 8 + 1024 + 5 * 24;
    for value in [0x7f, 0x80] {
        let (visited, skips) = damaged(&|idx| idx[offsets] = value);
        assert_eq!((visited.len(), skips.len(), skips[0].1), (4, 1, Why::CorruptObject));
    }
    assert_eq!(damaged(&|idx| *idx.last_mut().expect("long") = 1).0.len(), 5);
}

#[test]
fn a_second_copy_is_read_where_the_first_is_broken() {
    let dir = tempfile::tempdir().expect("a directory");
    let base: Vec<u8> = (0..200).collect();
    let (delta, _) = delta_of(&base, &[Edit::Copy(10, 100)]);
    let mut broken = PackWriter::default();
    broken.add(name(0), Stored::Whole(3), 201, &base);
    broken.add(name(1), Stored::Offset(0), delta.len() as u64, &delta);
    broken.add(name(2), Stored::Whole(3), 201, &base);
    broken.write(dir.path(), "a").expect("written");
    let mut sound = PackWriter::default();
    sound.add(name(0), Stored::Whole(3), 200, &base);
    sound.write(dir.path(), "b").expect("written");
    assert_eq!(outcome(dir.path(), 1 << 30), (ids(&[0, 1]), named(&[2], Why::CorruptObject)));
}

#[test]
fn memory_is_bounded_and_what_exceeds_it_is_streamed_or_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let base: Vec<u8> = (0..200_000u32).map(|at| (at.wrapping_mul(at) / 9) as u8).collect();
    let mut pack = PackWriter::default();
    pack.add(name(0), Stored::Whole(3), 200_000, &base);
    let (delta, _) = delta_of(&base, &[Edit::Copy(0, 1000)]);
    pack.add(name(1), Stored::Offset(0), delta.len() as u64, &delta);
    pack.add(name(2), Stored::Whole(3), 1000, &base[..1000]);
    let (delta, _) = delta_of(&base[..1000], &vec![Edit::Copy(0, 1000); 300]);
    pack.add(name(3), Stored::Offset(2), delta.len() as u64, &delta);
    pack.add(name(4), Stored::Whole(3), 200_000, &base);
    pack.write(dir.path(), "a").expect("written");
    assert_eq!(outcome(dir.path(), 200_000), (ids(&[0, 2, 4]), named(&[1, 3], Why::TooLarge)));
    assert_eq!(outcome(dir.path(), 1 << 30).0, ids(&[0, 1, 2, 3, 4]));
}

#[test]
fn loose_files_that_lie_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |number: usize, bytes: &[u8]| {
        let hex = id(number).to_string();
        std::fs::create_dir_all(dir.path().join(&hex[..2])).expect("made");
        std::fs::write(dir.path().join(&hex[..2]).join(&hex[2..]), bytes).expect("written");
    };
    let deflate = super::testing::deflate;
    let sound = deflate(b"blob 5\0hello");
    write(0, &sound);
    write(1, &sound[..sound.len() - 3]);
    write(2, &deflate(b"blob 6\0hello"));
    write(3, &deflate(b"blob 4\0hello"));
    write(4, &deflate(b"blub 5\0hello"));
    write(5, &deflate(b"blob 99999999999999999999\0hello"));
    write(6, &deflate(b"blob 9999999999999999\0hello"));
    write(7, &deflate(b"blob +5\0hello"));
    write(8, b"");
    write(9, &deflate(b"no header at all, and long enough to be sure of that"));
    write(10, &deflate(b"tree 0\0"));
    std::fs::write(dir.path().join(&id(0).to_string()[..2]).join("tmp_obj_AbCdEf"), b"x").expect("written");
    let (visited, mut skips) = outcome(dir.path(), 1 << 30);
    assert_eq!(visited, ids(&[0, 10]));
    let mut expected = named(&[1, 2, 3, 4, 5, 6, 7, 8, 9], Why::CorruptObject);
    expected.push(("tmp_obj_AbCdEf".into(), Why::Unfinished));
    expected.sort();
    skips.sort();
    assert_eq!(skips, expected);
}

#[test]
fn only_what_is_asked_for_is_visited() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut pack = PackWriter::default();
    let base = vec![1; 500];
    pack.add(name(0), Stored::Whole(3), 500, &base);
    for number in 1..2000 {
        let (delta, _) = delta_of(&base, &[Edit::Copy(number % 200, 300), Edit::Insert(vec![number as u8])]);
        pack.add(name(number), Stored::Offset(0), delta.len() as u64, &delta);
    }
    pack.write(dir.path(), "a").expect("written");
    let stores = Stores::open(&[dir.path().to_owned()], ObjectFormat::Sha1);
    let interrupt = AtomicBool::new(false);
    for most in [3, 900] {
        let only = (0..most).map(|number| id(number * 2)).chain([id(5000)]).collect();
        let options = Options {
            threads: 2,
            memory: 1 << 30,
            kinds: KINDS,
            only: Some(&only),
            links: false,
            interrupt: &interrupt,
            progress: None,
        };
        let walked = walk(&stores, || Sieve::new(1, 9, 3, false), options).expect("threads");
        let asked = walked.lenses.iter().flat_map(|lens| lens.asked.iter().map(|asked| asked.0.id));
        let mut asked: Vec<_> = asked.chain([id(5000)]).collect();
        asked.sort();
        let mut expected: Vec<_> = only.iter().copied().collect();
        expected.sort();
        assert_eq!(asked, expected);
        assert_eq!(walked.skips.len(), 1);
        assert_eq!(
            (&walked.skips[0].origin, walked.skips[0].why),
            (&Origin::Object { path: None, id: id(5000), kind: None }, Why::MissingObject)
        );
        let trees = Options { kinds: &[ObjectKind::Tree], ..options };
        assert_eq!(walk(&stores, || Sieve::new(1, 9, 3, false), trees).expect("threads").counts.total(), 0);
    }
    let stop = AtomicBool::new(true);
    let options = Options {
        threads: 2,
        memory: 1 << 30,
        kinds: KINDS,
        only: None,
        links: false,
        interrupt: &stop,
        progress: None,
    };
    let walked = walk(&stores, || Sieve::new(1, 9, 3, false), options).expect("threads");
    assert!(walked.interrupted && walked.counts.total() == 0);
}

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
        let (mut trees, mut expected) = (BTreeMap::new(), std::collections::BTreeSet::new());
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
        let missing: std::collections::BTreeSet<ObjectId> = walked.skips.iter().map(|skip| match skip.origin {
            Origin::Object { id, .. } if skip.why == Why::MissingObject => id,
            _ => panic!("{skip:?}"),
        }).collect();
        prop_assert_eq!(missing, expected);
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

#[test]
fn offsets_beyond_four_gigabytes_are_read() {
    use std::io::{Seek, SeekFrom, Write};
    let dir = tempfile::tempdir().expect("a directory");
    let base: Vec<u8> = (0..=255).collect();
    let (delta, object) = delta_of(&base, &[Edit::Copy(3, 200), Edit::Insert(b"far".to_vec())]);
    let mut pack = PackWriter::default();
    pack.add(name(0), Stored::Whole(3), 256, &base);
    let second = pack.bytes().len();
    pack.add(name(1), Stored::Name(name(0)), delta.len() as u64, &delta);
    let (bytes, mut idx) = pack.finish();
    // The second entry moves 5 GiB away; between them is a hole in the file.
    let far = 5u64 << 30;
    std::fs::create_dir(dir.path().join("pack")).expect("made");
    let mut file = std::fs::File::create(dir.path().join("pack/pack-a.pack")).expect("made");
    file.write_all(&bytes[..second]).expect("written");
    file.seek(SeekFrom::Start(far)).expect("sparse files");
    file.write_all(&bytes[second..]).expect("written");
    let offsets = 8 + 1024 + 2 * 24;
    let row = idx[offsets..].chunks(4).position(|offset| offset == (second as u32).to_be_bytes()).expect("there");
    idx[offsets + 4 * row..][..4].copy_from_slice(&0x8000_0000u32.to_be_bytes());
    idx.splice(offsets + 8..offsets + 8, far.to_be_bytes());
    std::fs::write(dir.path().join("pack/pack-a.idx"), idx).expect("written");
    let sieve = Sieve::new(2, 3, 9, true);
    let (stores, walked) = walk_dirs(&[dir.path().to_owned()], 1, 1 << 30, &sieve);
    assert_eq!((&stores.skips, &walked.skips), (&vec![], &vec![]));
    check(&BTreeMap::from([(id(0), base), (id(1), object)]), walked, &sieve);
}
