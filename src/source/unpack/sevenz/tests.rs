//! Archives of another writer, and archives that lie.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderMethod, SourceReader};

use super::super::Error;
use super::super::contents::tests::shown;
use super::*;

/// A file of a test: name and content.
type File = (String, Vec<u8>);

const METHODS: [EncoderMethod; 5] =
    [EncoderMethod::COPY, EncoderMethod::LZMA, EncoderMethod::LZMA2, EncoderMethod::BZIP2, EncoderMethod::PPMD];

fn archive(files: &[File], method: EncoderMethod, solid: bool) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    writer.set_content_methods(vec![method.into()]);
    let entry = |file: &File| ArchiveEntry::new_file(&file.0);
    let (full, empty): (Vec<_>, Vec<_>) = files.iter().partition(|file| !file.1.is_empty());
    if solid && !full.is_empty() {
        let readers = full.iter().map(|file| SourceReader::new(file.1.as_slice())).collect();
        writer.push_archive_entries(full.iter().map(|file| entry(file)).collect(), readers).unwrap();
    } else {
        for file in full {
            writer.push_archive_entry(entry(file), Some(file.1.as_slice())).unwrap();
        }
    }
    for file in empty {
        writer.push_archive_entry::<&[u8]>(entry(file), None).unwrap();
    }
    writer.push_archive_entry::<&[u8]>(ArchiveEntry::new_directory("a directory"), None).unwrap();
    writer.finish().unwrap().into_inner()
}

fn some() -> impl Strategy<Value = Vec<File>> {
    let one = (prop::collection::vec(any::<u8>(), 0..300), 1usize..40);
    prop::collection::vec(one, 0..5).prop_map(|all| {
        let files = all.into_iter().enumerate();
        let mut files: Vec<File> =
            files.map(|(at, (bytes, times))| (format!("job/{at}_ü.txt"), bytes.repeat(times))).collect();
        // In the order in which they are shown: those without content last.
        files.sort_by_key(|file| file.1.is_empty());
        files
    })
}

/// What is read of an archive: names, the first 64 KiB of contents and whether they ended well, and
/// whether the archive did.
fn read(archive: &[u8]) -> (Vec<(String, Vec<u8>, bool)>, bool) {
    let mut seen = Vec::new();
    let ended = members(&mut io::Cursor::new(archive), &mut |member, content| {
        let mut bytes = Vec::new();
        let whole = content.is_ok_and(|content| {
            let rest = content.take(1 << 16).read_to_end(&mut bytes);
            rest.is_ok() && (bytes.len() < 1 << 16 || io::copy(&mut content.take(1 << 20), &mut io::sink()).is_ok())
        });
        if member.name != HEADERS {
            seen.push((member.name.clone(), bytes, whole));
        }
        ControlFlow::Continue(())
    });
    (seen, ended.is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn every_member_comes_whole(files in some(), method in 0usize..5, solid: bool) {
        let wanted: Vec<_> = files.iter().map(|(name, bytes)| (name.clone(), bytes.clone(), true)).collect();
        prop_assert_eq!(read(&archive(&files, METHODS[method], solid)), (wanted, true));
    }

    #[test]
    fn what_is_cut_or_changed_is_never_whole_with_another_content(
        files in some(), method in 0usize..5, solid: bool, at: prop::sample::Index, flip in 0u8..8, cut: bool,
    ) {
        let mut bytes = archive(&files, METHODS[method], solid);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << flip }
        let (seen, whole) = read(&bytes);
        if cut {
            prop_assert!(!whole);
        }
        for (name, content, _) in seen.iter().filter(|(.., good)| *good) {
            prop_assert!(files.iter().any(|file| (&file.0, &file.1) == (name, content)), "{name}");
        }
    }

    #[test]
    fn any_header_comes_to_an_end(header in prop::collection::vec(any::<u8>(), 0..200), kind in prop::sample::select(vec![1u8, 23])) {
        read(&with_header(b"content", &[&[kind], header.as_slice()].concat()));
    }

    #[test]
    fn a_changed_header_with_the_right_sum_comes_to_an_end(
        files in some(), method in 0usize..5, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = archive(&files, METHODS[method], true);
        let (content, mut header) = plain(&bytes);
        for (at, byte) in changes {
            let at = at.index(header.len());
            header[at] = byte;
        }
        read(&with_header(&content, &header));
    }
}

/// An archive of this content behind its signature header and that header.
fn with_header(content: &[u8], header: &[u8]) -> Vec<u8> {
    let place = [content.len() as u64, header.len() as u64].map(u64::to_le_bytes).concat();
    let place = [&place[..], &crc32fast::hash(header).to_le_bytes()].concat();
    [b"7z\xbc\xaf\x27\x1c\0\x04", &crc32fast::hash(&place).to_le_bytes()[..], &place, content, header].concat()
}

/// The content of an archive and its header, unpacked.
fn plain(archive: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let offset = u64::from_le_bytes(archive[12..20].try_into().unwrap()) as usize;
    (archive[32..32 + offset].to_vec(), header::plain(&mut Cursor::new(archive)).unwrap())
}

/// 7-Zip's way to write a number.
fn number(value: u64) -> Vec<u8> {
    [&[0xFF], &value.to_le_bytes()[..]].concat()
}

/// What stands in a header about one block of one stream; `coders` are its coders and bonds.
fn streams(packed: u64, coders: &[u8], sizes: &[u64]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes.iter().flat_map(|size| number(*size)).collect();
    [&[6, 0, 1, 9][..], &number(packed), &[0, 7, 11, 1, 0], coders, &[12], &sizes, &[0, 0]].concat()
}

/// A header with that block and one file of it.
fn one_file(packed: u64, coders: &[u8], sizes: &[u64]) -> Vec<u8> {
    let name = [17, 5, 0, b'f', 0, 0, 0];
    [&[1, 4][..], &streams(packed, coders, sizes), &[5, 1], &name, &[0, 0]].concat()
}

/// What a whole archive, or else its first member, is not read for.
fn why(archive: &[u8]) -> Error {
    let mut found = None;
    let ended = members(&mut Cursor::new(archive), &mut |_, content| {
        let read = content.and_then(|content| io::copy(content, &mut io::sink()));
        found = found.take().or(read.err());
        ControlFlow::Continue(())
    });
    let error = ended.err().or(found).expect("something is wrong with it");
    *error.into_inner().unwrap().downcast::<Error>().expect("the content is to blame")
}

#[test]
fn what_encrypts_is_named_and_so_is_what_is_not_known() {
    let aes = [1, 0x24, 0x06, 0xF1, 0x07, 0x01, 2, 0x13, 0];
    assert!(matches!(why(&with_header(b"0123456789abcdef", &one_file(16, &aes, &[9]))), Error::Encrypted));
    let encoded = [&[23][..], &streams(16, &aes, &[9])].concat();
    assert!(matches!(why(&with_header(b"0123456789abcdef", &encoded)), Error::Encrypted), "an encrypted header");
    let brotli = [1, 0x24, 0x04, 0xF7, 0x11, 0x02, 3, 1, 0, 0];
    match why(&with_header(b"content", &one_file(7, &brotli, &[9]))) {
        Error::Unsupported(what) => assert!(what.contains("Brotli"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sizes_that_lie_take_no_memory() {
    // A dictionary of 4 GiB, for a content of 4 GiB; and for one of 7 bytes, which needs no more than those.
    let lzma2 = [1, 0x21, 0x21, 1, 40];
    let huge = why(&with_header(b"\x01\0\x06content\0", &one_file(11, &lzma2, &[u64::from(u32::MAX)])));
    assert!(matches!(huge, Error::Unsupported(_)), "{huge:?}");
    let ppmd = [1, 0x23, 3, 4, 1, 5, 6, 0xff, 0xff, 0xff, 0xff];
    let model = why(&with_header(b"content", &one_file(7, &ppmd, &[9])));
    assert!(matches!(model, Error::Unsupported(_)), "{model:?}");
    let small = with_header(b"\x01\0\x06content\0", &one_file(11, &lzma2, &[7]));
    assert_eq!(read(&small), (vec![("f".to_owned(), b"content".to_vec(), true)], true));
    // A packed header of 1 TiB; a member of which there is less than it claims; a header that is larger than the file.
    let encoded = [&[23][..], &streams(11, &lzma2, &[1 << 40])].concat();
    assert!(matches!(why(&with_header(b"\x01\0\x06content\0", &encoded)), Error::Unsupported(_)));
    let copy = [1, 1, 0];
    assert!(matches!(why(&with_header(b"content", &one_file(1 << 40, &copy, &[1 << 40]))), Error::Corrupt(_)));
    for size in [1 << 30, 1 << 60, u64::MAX] {
        let place = [[0; 8], u64::to_le_bytes(size)].concat();
        let place = [&place[..], &[0; 4]].concat();
        let head = [b"7z\xbc\xaf\x27\x1c\0\x04", &crc32fast::hash(&place).to_le_bytes()[..], &place].concat();
        why(&head);
    }
    // So many files, blocks, coders, parts and names in so few bytes.
    let many = number(u64::from(u32::MAX));
    for header in [
        [&[1, 5][..], &many, &[0, 0]].concat(),
        [&[1, 4, 6, 0][..], &many, &[9, 0]].concat(),
        [&[1, 4, 6, 0, 1, 9, 7, 0, 7, 11][..], &many, &[0]].concat(),
        [&[1, 4, 6, 0, 1, 9, 7, 0, 7, 11, 1, 0][..], &many, &[0]].concat(),
        [&[1, 4, 6, 0, 1, 9, 7, 0, 7, 11, 1, 0, 1, 1, 0, 12, 7, 0, 8, 13][..], &many, &[0, 0, 0]].concat(),
        [&[1, 5, 1, 17][..], &many, &[0, 0]].concat(),
    ] {
        why(&with_header(b"content", &header));
    }
}

#[test]
fn names_of_no_length_are_none() {
    // What stands behind them looks as if it began names.
    assert!(matches!(why(&with_header(b"", &[1, 5, 1, 17, 0, 0, 0])), Error::Unsupported(_)));
}

#[test]
fn coders_that_fit_together_in_no_way_are_corrupt() {
    // Two that read each other, one without an input beside one of two.
    let circle = [2, 1, 0, 0x11, 0, 2, 1, 0, 1, 1, 0];
    let hungry = [2, 0x11, 0, 0, 1, 0x11, 0, 2, 1, 0, 0];
    for coders in [&circle[..], &hungry, &[0], &[33]] {
        let (seen, _) = read(&with_header(b"content", &one_file(7, coders, &[7, 7])));
        assert!(seen.iter().all(|(.., whole)| !whole), "{coders:?}");
    }
    let deep: Vec<u8> = [32].into_iter().chain([1, 0].repeat(32)).chain((0..31).flat_map(|at| [at, at + 1])).collect();
    assert_eq!(read(&with_header(b"content", &one_file(7, &deep, &[7; 32]))).0[0].1, b"content", "32 in a row");
}

#[test]
fn what_follows_a_broken_part_of_a_block_is_named() {
    let content: Vec<u8> = (0..40_000u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let files: Vec<File> = (0..4).map(|at| (format!("{at}"), content[at * 40_000..][..40_000].to_vec())).collect();
    let mut bytes = archive(&files, EncoderMethod::LZMA2, true);
    bytes[50_000..50_200].fill(0);
    let (seen, whole) = read(&bytes);
    let good: Vec<_> = seen.iter().map(|(name, _, good)| (name.as_str(), *good)).collect();
    assert_eq!(good.len(), 4, "{good:?}");
    assert!(whole && good[0].1 && good.iter().any(|(_, good)| !good), "{good:?}");
}

#[test]
fn a_bomb_in_a_7z_is_stopped() {
    let mut packed = lzma_rust2::Lzma2Writer::new(Vec::new(), lzma_rust2::Lzma2Options::with_preset(1));
    let zeros = vec![0; 1 << 20];
    (0..1100).for_each(|_| packed.write_all(&zeros).unwrap());
    let content = packed.finish().unwrap();
    let header = one_file(content.len() as u64, &[1, 0x21, 0x21, 1, 24], &[1100 << 20]);
    let bytes = with_header(&content, &header);
    let (read, errors) = shown(&bytes, 8);
    assert!(read <= super::super::FREE + (1 << 20), "{read}");
    assert_eq!(errors, ["f: expands to more than 1100 times its size"]);
}
