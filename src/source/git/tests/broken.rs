//! Packs, indices and loose files that lie or are cut off: each is named, and what is sound beside it is read.

use super::*;
use crate::source::git::testing::deflate;

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
fn of_two_names_for_one_entry_the_one_that_lies_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let base: Vec<u8> = (0..=255).collect();
    let (delta, object) = delta_of(&base, &[Edit::Copy(3, 200), Edit::Insert(b"more".to_vec())]);
    let mut pack = PackWriter::default();
    pack.add(name_of(&base), Stored::Whole(3), 256, &base);
    pack.add(name_of(&object), Stored::Offset(0), delta.len() as u64, &delta);
    pack.add(name_of(b"unread"), Stored::Whole(3), 6, b"unread");
    let (bytes, idx) = pack.finish();
    let row = |name: [u8; 20]| {
        let at = idx[8 + 1024..].chunks(20).position(|have| have == name).expect("a row");
        8 + 1024 + 3 * 24 + 4 * at
    };
    std::fs::create_dir(dir.path().join("pack")).expect("made");
    std::fs::write(dir.path().join("pack/pack-a.pack"), &bytes).expect("written");
    let read = |names: &[[u8; 20]]| {
        let mut ids: Vec<_> = names.iter().filter_map(|name| ObjectId::from_bytes(name)).collect();
        ids.sort();
        ids
    };
    for other in [name_of(&base), name_of(&object)] {
        let mut idx = idx.clone();
        idx.copy_within(row(other)..row(other) + 4, row(name_of(b"unread")));
        std::fs::write(dir.path().join("pack/pack-a.idx"), &idx).expect("written");
        let lies = read(&[name_of(b"unread")]);
        let skips = vec![(lies[0].to_string(), Why::CorruptObject)];
        assert_eq!(outcome(dir.path(), 1 << 30), (read(&[name_of(&base), name_of(&object)]), skips.clone()));
        // Too large to be held, and so streamed where it is whole.
        if other == name_of(&base) {
            let (_, walked) = walk_dirs(&[dir.path().to_owned()], 1, 300, &Sieve::new(2, 8, 50, false));
            assert!(walked.skips.iter().map(unread).any(|skip| skip == skips[0]), "{:?}", walked.skips);
        }
    }
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
fn loose_files_that_lie_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let write_as = |hex: &str, bytes: &[u8]| {
        std::fs::create_dir_all(dir.path().join(&hex[..2])).expect("made");
        std::fs::write(dir.path().join(&hex[..2]).join(&hex[2..]), bytes).expect("written");
    };
    let write = |number: usize, bytes: &[u8]| write_as(&id(number).to_string(), bytes);
    let sound = deflate(b"blob 5\0hello");
    // By the names that git gives them, and one by another.
    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const HELLO: &str = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
    write_as(HELLO, &sound);
    write_as(TREE, &deflate(b"tree 0\0"));
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
    std::fs::write(dir.path().join(&id(0).to_string()[..2]).join("tmp_obj_AbCdEf"), b"x").expect("written");
    let (visited, mut skips) = outcome(dir.path(), 1 << 30);
    assert_eq!(visited, [TREE, HELLO].map(|hex| ObjectId::from_hex(hex.as_bytes()).expect("a name")).to_vec());
    let mut expected = named(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], Why::CorruptObject);
    expected.push(("tmp_obj_AbCdEf".into(), Why::Unfinished));
    expected.sort();
    skips.sort();
    assert_eq!(skips, expected);
}
