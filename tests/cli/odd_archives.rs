//! Archives that no tool writes, or only one: whatever somebody can get out of them is searched, or named.

use super::archives::{Files, zip};
use super::*;

fn line(number: u64) -> Vec<u8> {
    format!("key = {}\n", pat(number)).into_bytes()
}

/// Where the last such bytes stand.
fn last(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).rposition(|window| window == mark).unwrap()
}

/// The members of both under the names of the first.
fn same_names(files: Files<'_>) -> Vec<u8> {
    let mut archive = zip(files);
    let (first, other) = (files[0].0.as_bytes(), files[1].0.as_bytes());
    assert_eq!(first.len(), other.len());
    while let Some(at) = archive.windows(other.len()).position(|window| window == other) {
        archive[at..at + first.len()].copy_from_slice(first);
    }
    archive
}

/// A zip archive whose end says that it has so many members.
fn counts(mut archive: Vec<u8>, members: u8) -> Vec<u8> {
    let end = last(&archive, b"PK\x05\x06");
    archive[end + 8..end + 12].copy_from_slice(&[members, 0, members, 0]);
    archive
}

/// Zip archives with members that their directories do not have, or do not have as files; and what they are called.
fn stray(content: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let plain: Files<'_> = &[("b", b"nothing here")];
    let two: Files<'_> = &[("b", b"nothing here"), ("a", content)];
    let whole = zip(&[("a", content)]);
    vec![
        ("two of one name", same_names(&[("aaaa", content), ("bbbb", b"clean")]), "!/aaaa"),
        ("says none", counts(whole.clone(), 0), "!/a"),
        ("says one", counts(zip(two), 1), "!/a"),
        ("another before it", [whole.clone(), zip(plain)].concat(), "!/a"),
        ("header before it", [&whole[..last(&whole, b"PK\x01\x02")], &zip(plain)].concat(), "!/a"),
        ("cut off", whole[..last(&whole, b"PK\x05\x06")].to_vec(), "!/a"),
    ]
}

#[test]
fn members_that_no_directory_has_are_read() {
    let tree = Tree::new();
    let all = stray(&line(40));
    for (name, bytes, _) in &all {
        tree.write(name, bytes);
    }
    let mut directory = zip(&[("xy", &line(40))]);
    while let Some(at) = directory.windows(2).position(|window| window == b"xy") {
        directory[at + 1] = b'/';
    }
    tree.write("directory", directory);
    let report = tree.json(&[]);
    let inside = all.iter().map(|(name, _, inside)| format!("{name}{inside}")).chain(["directory!/x/".to_owned()]);
    for place in inside {
        assert_eq!(by_path(&report).get(&place), Some(&1), "{place}: {:?} {:?}", found(&report), skips(&report));
    }
    assert_eq!(skips(&report), [("cut off".to_owned(), "corrupt-archive".to_owned())]);
}

#[test]
fn a_member_that_no_directory_has_and_that_cannot_be_read_is_named() {
    let mut broken = zip(&[("a", &line(41))]);
    broken[40] ^= 0xFF;
    let mut locked = zip(&[("a", &line(41))]);
    locked[6] |= 1;
    let tree = Tree::new();
    tree.write("broken", counts(broken, 0));
    tree.write("locked", counts(locked, 0));
    // What only looks like one is none.
    tree.write("words", [b"#!/bin/sh\necho 'PK\x03\x04 begins a zip archive'\n", &zip(&[("b", b"x")])[..]].concat());
    let named = skips(&tree.json(&[]));
    let skip = |path: &str, why: &str| (path.to_owned(), why.to_owned());
    assert_eq!(named, [skip("broken!/a", "corrupt-archive"), skip("locked!/a", "encrypted")]);
}
