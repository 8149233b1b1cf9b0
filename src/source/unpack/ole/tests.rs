//! Compound files that are made here, and such that lie.

use std::io::Write as _;

use proptest::prelude::*;

use super::super::{Packing, contents};
use super::*;

const SECTOR: usize = 512;
const FREE: u32 = u32::MAX;
const END: u32 = 0xffff_fffe;

fn entry(name: &str, kind: u8, first: u32, size: usize, links: [u32; 3]) -> Vec<u8> {
    let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let len = entry.len() as u16 + 2;
    entry.resize(64, 0);
    entry.extend(len.to_le_bytes());
    entry.extend([kind, 1]);
    entry.extend(links.iter().flat_map(|link| link.to_le_bytes()));
    entry.resize(116, 0);
    entry.extend(first.to_le_bytes());
    entry.extend((size as u64).to_le_bytes());
    entry
}

/// A file of two streams, `one` and, in a storage, `two`, whose sectors stand in turns.
fn compound(one: &[u8], two: &[u8]) -> Vec<u8> {
    let mut table = vec![END, 0xffff_fffd];
    let mut sectors: Vec<Vec<u8>> = Vec::new();
    let mut chains: [Vec<u32>; 2] = Default::default();
    let mut pieces = [one.chunks(SECTOR), two.chunks(SECTOR)];
    while let Some(before) = Some(sectors.len()) {
        for (chain, pieces) in chains.iter_mut().zip(&mut pieces) {
            if let Some(piece) = pieces.next() {
                chain.push(2 + sectors.len() as u32);
                sectors.push([piece, &vec![0xA5; SECTOR - piece.len()]].concat());
            }
        }
        if sectors.len() == before {
            break;
        }
    }
    table.resize(2 + sectors.len(), FREE);
    for chain in &chains {
        for (nth, sector) in chain.iter().enumerate() {
            table[*sector as usize] = chain.get(nth + 1).copied().unwrap_or(END);
        }
    }
    let first = |chain: &[u32]| chain.first().copied().unwrap_or(END);
    let directory = [
        entry("Root Entry", ROOT, END, 0, [FREE, FREE, 1]),
        entry("one", STREAM, first(&chains[0]), one.len(), [2, FREE, FREE]),
        entry("dir", 1, 0, 0, [FREE, FREE, 3]),
        entry("\u{1}two", STREAM, first(&chains[1]), two.len(), [FREE; 3]),
    ];
    let mut header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    header.resize(24, 0);
    [0x3eu16, 3, 0xfffe, 9, 6].iter().for_each(|field| header.extend(field.to_le_bytes()));
    header.resize(44, 0);
    [1, 0, 0, 4096, END, 0, END, 0, 1].iter().for_each(|field: &u32| header.extend(field.to_le_bytes()));
    header.resize(SECTOR, 0xff);
    let mut table: Vec<u8> = table.iter().flat_map(|next| next.to_le_bytes()).collect();
    assert!(table.len() <= SECTOR);
    table.resize(SECTOR, 0xff);
    [header, directory.concat(), table, sectors.concat()].concat()
}

#[test]
fn streams_come_whole_however_their_sectors_stand() {
    let (one, two) = (b"first ".repeat(1000), b"second ".repeat(1100));
    let wanted = [("one".to_owned(), one.clone(), true), ("dir/two".to_owned(), two.clone(), true)];
    assert_eq!(read(&compound(&one, &two)), wanted);
}

/// What is packed in a stream is opened, what has a password is named, and nothing is shown twice.
#[test]
fn streams_are_opened_by_what_they_are() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(&b"what was packed ".repeat(400)).unwrap();
    let (one, two) = (packed.finish().unwrap(), b"as it is ".repeat(600));
    let mut file = compound(&one, &two);
    let mut all = Vec::new();
    let mut show = |file: &[u8]| {
        all.clear();
        contents(Packing::Ole, &mut io::Cursor::new(file), file.len() as u64, 8, &mut |name, content| {
            let mut bytes = Vec::new();
            let ended = content.and_then(|content| content.read_to_end(&mut bytes));
            all.push((name.to_owned(), bytes, ended.map(drop).map_err(|error| error.to_string())));
            ControlFlow::Continue(())
        })
        .unwrap();
        all.clone()
    };
    let shown = show(&file);
    let places: Vec<_> = shown.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(places, ["one", "dir/two", ""]);
    assert_eq!((&shown[0].1, &shown[1].1), (&b"what was packed ".repeat(400), &two));
    assert!(!shown[2].1.windows(8).any(|bytes| bytes == b"as it is") && shown[2].1.len() == file.len());
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    file[SECTOR + ENTRY..][..name.len()].copy_from_slice(&name);
    assert_eq!(show(&file)[0], ("EncryptedPackage".to_owned(), Vec::new(), Err("encrypted".to_owned())));
}

/// A storage of macros shows their sources, and what they were compiled to only where these are broken.
#[test]
fn macros_are_shown_as_they_were_written() {
    let text = format!("Attribute VB_Name = \"Module1\"\r\n{}", "Const a = 1\r\n".repeat(3000));
    let mut stream = [&[7; 6000][..], &vba::tests::compressed(text.as_bytes())].concat();
    let file = |stream: &[u8]| {
        let mut file = compound(&b"first ".repeat(1000), stream);
        let storage: Vec<u8> = "VBA".encode_utf16().flat_map(u16::to_le_bytes).collect();
        file[SECTOR + 2 * ENTRY..][..storage.len()].copy_from_slice(&storage);
        file
    };
    assert_eq!(read(&file(&stream))[1], ("VBA/two".to_owned(), text.clone().into_bytes(), true));
    stream.truncate(stream.len() - 1);
    let (name, bytes, whole) = read(&file(&stream)).remove(1);
    assert_eq!((name.as_str(), whole), ("VBA/two", false));
    assert!(bytes.starts_with(&text.as_bytes()[..4096]) && bytes.ends_with(&stream));
    let none = [7; 6000];
    assert_eq!(read(&file(&none))[1], ("VBA/two".to_owned(), none.to_vec(), true));
}

#[test]
fn a_chain_that_goes_in_a_circle_or_is_shared_is_not_whole() {
    let bytes = compound(&b"first ".repeat(1000), &b"second ".repeat(1100));
    let table = 2 * SECTOR;
    let mut circle = bytes.clone();
    circle[table + 4 * 4..table + 4 * 4 + 4].copy_from_slice(&2u32.to_le_bytes());
    assert_eq!(read(&circle).iter().map(|(.., whole)| *whole).collect::<Vec<_>>(), [false, true]);
    let mut shared = bytes;
    shared[table + 3 * 4..table + 3 * 4 + 4].copy_from_slice(&4u32.to_le_bytes());
    assert_eq!(read(&shared).iter().map(|(.., whole)| *whole).collect::<Vec<_>>(), [true, false]);
}

proptest! {
    #[test]
    fn anything_ends_and_gives_no_more_than_there_is(
        changes in prop::collection::vec((24usize..3000, any::<u8>()), 0..40), cut in 0usize..20_000,
    ) {
        let mut bytes = compound(&b"first ".repeat(1000), &b"second ".repeat(1100));
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(cut.max(512));
        let given: usize = read(&bytes).iter().map(|(_, bytes, _)| bytes.len()).sum();
        prop_assert!(given <= 2 * bytes.len());
    }

    #[test]
    fn any_sectors_are_a_file(header in prop::collection::vec(any::<u8>(), 488), sectors in prop::collection::vec(prop_oneof![0u8..8, Just(255u8), any::<u8>()], 0..4000)) {
        let mut bytes = [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0; 16], &header, &sectors].concat();
        bytes[28..34].copy_from_slice(&[0xfe, 0xff, 9, 0, 6, 0]);
        for at in (44..80).step_by(4) {
            bytes[at + 1..at + 4].fill(0);
            bytes[at] %= 8;
        }
        let given: usize = read(&bytes).iter().map(|(_, bytes, _)| bytes.len()).sum();
        prop_assert!(given <= 2 * bytes.len());
    }
}
