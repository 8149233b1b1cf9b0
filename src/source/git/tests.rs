//! The walker against packs of the tests' own making: whatever is stored how, the answer is that of reading every
//! object whole.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use sha1::{Digest, Sha1};

use super::testing::{Edit, PackWriter, Sieve, Stored, delta_of};
use super::*;
use crate::coverage::{Skip, Why};
use crate::origin::{ObjectId, ObjectKind, Origin};

mod broken;
mod missing;

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

/// The name that git gives a blob.
fn name_of(content: &[u8]) -> [u8; 20] {
    Sha1::new().chain_update(format!("blob {}\0", content.len())).chain_update(content).finalize().into()
}

/// Checks everything a walk says against the objects themselves.
fn check(objects: &BTreeMap<ObjectId, Vec<u8>>, walked: Walked<Sieve>, sieve: &Sieve) {
    let mut asked = BTreeMap::new();
    let mut shown = BTreeMap::new();
    let mut listed = 0;
    for lens in walked.lenses {
        for (object, wants) in lens.asked {
            assert_eq!(asked.insert(object.id, (object.size, wants)), None, "{} twice", object.id);
        }
        for (object, notes, is_sound) in lens.trees {
            assert_eq!((notes, is_sound), Sieve::notes_of(&objects[&object.id]), "{}", object.id);
            listed += 1;
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
    // Those that are streamed are not.
    assert!(listed <= walked.counts.objects[ObjectKind::Tree as usize]);
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
    (visited, stores.skips.iter().chain(&walked.skips).map(unread).collect())
}

/// What was not read, and why.
fn unread(skip: &Skip) -> (String, Why) {
    let name = match &skip.origin {
        Origin::Object { id, .. } => id.to_string(),
        Origin::File { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        other => other.to_string(),
    };
    (name, skip.why)
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
    assert_eq!(outcome(dir.path(), 200_000), (ids(&[0, 2, 3, 4]), named(&[1], Why::TooLarge)));
    assert_eq!(outcome(dir.path(), 1 << 30).0, ids(&[0, 1, 2, 3, 4]));
}

#[test]
fn what_a_delta_makes_is_read_though_it_cannot_be_held() {
    let dir = tempfile::tempdir().expect("a directory");
    let base: Vec<u8> = (0..60_000u32).map(|at| (at.wrapping_mul(at) / 9) as u8).collect();
    let (delta, large) =
        delta_of(&base, &[Edit::Copy(0, 60_000), Edit::Insert(b"seam".to_vec()), Edit::Copy(9, 60_000)]);
    let (on_large, small) = delta_of(&large, &[Edit::Copy(50_000, 20_000)]);
    let mut pack = PackWriter::default();
    pack.add(name_of(&base), Stored::Whole(3), 60_000, &base);
    pack.add(name_of(&large), Stored::Offset(0), delta.len() as u64, &delta);
    pack.add(name_of(&small), Stored::Offset(1), on_large.len() as u64, &on_large);
    for number in 0..3 * 256 {
        pack.add(name(number), Stored::Whole(3), 0, b"");
    }
    pack.write(dir.path(), "a").expect("written");
    let stores = Stores::open(&[dir.path().to_owned()], ObjectFormat::Sha1);
    let interrupt = AtomicBool::new(false);
    let [id, above] = [&large, &small].map(|content| ObjectId::from_bytes(&name_of(content)).expect("20 bytes"));
    let only = [id].into();
    for only in [None, Some(&only)] {
        let (memory, links) = (150_000, false);
        let options = Options { threads: 1, memory, kinds: KINDS, only, links, interrupt: &interrupt, progress: None };
        let walked = walk(&stores, || Sieve::new(20, 20, 50, false), options).expect("threads");
        let shown = walked.lenses.iter().flat_map(|lens| &lens.shown).find(|shown| shown.0.id == id);
        assert_eq!(shown.map(|shown| (&shown.1, &shown.2)), Some((&walked.lenses[0].marks_of(&large), &large)));
        // What is built on it is not.
        let skips: Vec<_> = walked.skips.iter().map(unread).collect();
        assert_eq!(skips, if only.is_some() { vec![] } else { vec![(above.to_string(), Why::TooLarge)] });
    }
}

#[test]
fn only_what_is_asked_for_is_visited() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut pack = PackWriter::default();
    let base = vec![1; 500];
    let mut names = vec![name_of(&base)];
    pack.add(names[0], Stored::Whole(3), 500, &base);
    for number in 1..2000u16 {
        let edits = [Edit::Copy(usize::from(number % 200), 300), Edit::Insert(number.to_be_bytes().to_vec())];
        let (delta, object) = delta_of(&base, &edits);
        names.push(name_of(&object));
        pack.add(names[usize::from(number)], Stored::Offset(0), delta.len() as u64, &delta);
    }
    pack.write(dir.path(), "a").expect("written");
    let stores = Stores::open(&[dir.path().to_owned()], ObjectFormat::Sha1);
    let interrupt = AtomicBool::new(false);
    for most in [3, 900] {
        let there = names.iter().step_by(2).take(most).filter_map(|name| ObjectId::from_bytes(name));
        let only = there.chain([id(5000)]).collect();
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
