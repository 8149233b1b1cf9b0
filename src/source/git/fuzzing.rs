//! What the targets in `fuzz/` call: the readers of untrusted bytes, with what must hold for any input.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::carry::{Carry, Change};
use super::delta;
use super::index::{Index, MultiIndex, ObjectFormat};
use super::inflate::Stream;
use super::map::Map;
use super::pack::parse_header;
use super::reftable::{Part, Stack};
use super::store::Stores;
use super::testing::{PackWriter, Sieve, Stored, deflate};
use super::walk::{Options, walk_alone};
use crate::coverage::Skip;
use crate::origin::{ObjectId, ObjectKind, Origin};

/// A directory of this thread in memory, where the system has one.
fn scratch() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    let shared = if shared.is_dir() { shared } else { std::env::temp_dir() };
    let dir = shared.join(format!("stanch-fuzz-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(dir.join("pack")).expect("a directory to write to");
    dir
}

/// Removes what this thread wrote.
pub fn sweep() {
    drop(std::fs::remove_dir_all(scratch()));
}

fn map(bytes: &[u8], name: &str) -> Map {
    let path = scratch().join(name);
    std::fs::write(&path, bytes).expect("written");
    Map::open(&path).expect("mapped")
}

fn check(index: &Index) {
    for row in 0..index.len() {
        let (Some(id), _) = (index.id(row), index.offset(row)) else { continue };
        assert_eq!(index.find(&id), Some(row));
    }
    let last = index.find(&ObjectId::from_bytes(&[0xff; 32]).expect("32 bytes"));
    assert!(last.is_none_or(|row| row < index.len()));
}

/// The first byte chooses the hash.
pub fn index(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let format = if first & 1 == 0 { ObjectFormat::Sha1 } else { ObjectFormat::Sha256 };
    if let Ok(index) = Index::parse(Arc::new(map(rest, "idx")), format) {
        check(&index);
    }
}

/// The first byte chooses the hash.
pub fn multi_index(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let format = if first & 1 == 0 { ObjectFormat::Sha1 } else { ObjectFormat::Sha256 };
    if let Ok(multi) = MultiIndex::parse(map(rest, "midx"), format) {
        for pack in 0..multi.packs.len().min(4) {
            if let Ok(index) = multi.index(pack) {
                check(&index);
            }
        }
    }
}

/// Any bytes as the header of an entry, at any place.
pub fn entry(bytes: &[u8]) {
    for width in [20, 32] {
        for at in [0, 12, bytes.len() / 2, bytes.len()] {
            if let Ok(header) = parse_header(bytes, at, width) {
                assert!(header.stream > at && header.stream <= bytes.len());
                if let super::pack::Link::Offset(base) = header.link {
                    assert!(base < at as u64);
                }
            }
        }
    }
}

/// Two bytes for the reach, two for the length of the base, the base, and the rest is the delta.
pub fn delta(bytes: &[u8]) {
    let [before, after, low, high, rest @ ..] = bytes else { return };
    let base_len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (base, delta) = rest.split_at(base_len);
    let mut ops = Vec::new();
    let Ok(len) = delta::parse(delta, base.len(), &mut ops) else { return };
    if len > 1 << 20 {
        return;
    }
    let mut object = vec![0; len as usize];
    delta::apply(&ops, base, delta, &mut object);
    let mut gathered = Vec::new();
    delta::gather(&ops, &mut 0, (base, delta), (0, len), &mut gathered);
    assert!(gathered == object);
    let mut sieve = Sieve::new(u32::from(*before % 64), 1 + u32::from(*after % 64), 1 + u64::from(*before / 64), false);
    let marks = sieve.marks_of(base);
    let change = Change { kind: ObjectKind::Blob, base, marks: &marks, delta, ops: &ops, len };
    let mut carried = Vec::new();
    Carry::default().marks(change, &mut sieve, &mut carried);
    assert_eq!(carried, sieve.marks_of(&object));
}

/// Compressed bytes as they are, then the same bytes compressed.
pub fn loose(bytes: &[u8]) {
    let packed = deflate(bytes);
    for packed in [bytes, &packed] {
        if let Ok((_, size, header)) = super::loose::header(packed) {
            let mut content = super::loose::Exact::new(Stream::new(packed), size.saturating_add(header as u64));
            let mut out = Vec::new();
            if content.by_ref().take(1 << 20).read_to_end(&mut out).is_ok() && out.len() < 1 << 20 {
                content.at_end();
            }
        }
    }
}

/// The bytes between header and footer, which are made to fit; the first four say how.
pub fn reftable(bytes: &[u8]) {
    let Some(([version, block_size, low, high], blocks)) = bytes.split_first_chunk() else { return };
    let mut table = [b"REFT", &[1 + version % 2, 0, *block_size, 0][..], &[0; 16]].concat();
    if version % 2 == 1 {
        table.extend(if version % 4 == 1 { b"s256" } else { b"sha1" });
    }
    let head = table.clone();
    table.extend(blocks);
    let mut footer = [&head[..], &[0; 24]].concat();
    footer.extend(u64::from(u16::from_le_bytes([*low, *high])).to_be_bytes());
    footer.extend([0; 8]);
    footer.extend(crc32fast::hash(&footer).to_be_bytes());
    table.extend(footer);
    for part in [Part::References, Part::Log] {
        Stack::default().add(&table, part).ok();
    }
    // A log is deflated: the same blocks, as one.
    let mut log = [&b"g"[..], &(blocks.len() as u32 + 4 + head.len() as u32).to_be_bytes()[1..]].concat();
    log.extend(deflate(blocks));
    let table = [&head[..], &log, &table[table.len() - head.len() - 44..]].concat();
    Stack::default().add(&table, Part::Log).ok();
}

/// Entries by a small language, so that the fuzzer need not know zlib: how each is stored, how its size is told, and
/// what it holds. Then some bytes of the pack are overwritten.
pub fn pack(bytes: &[u8]) {
    let (mut writer, mut rest) = (PackWriter::default(), bytes);
    while let [how, base, lie, len, tail @ ..] = rest
        && writer.len() < 40
        && how & 0x80 == 0
    {
        let (content, after) = tail.split_at(usize::from(*len).min(tail.len()));
        let stored = match how % 8 {
            6 if !writer.is_empty() => Stored::Offset(usize::from(*base) % writer.len()),
            7 => Stored::Name([*base % 48; 20]),
            kind => Stored::Whole(kind),
        };
        let size = if *lie < 200 { content.len() as u64 } else { u64::from(*lie) << ((how >> 3 & 15) * 4) };
        writer.add([writer.len() as u8; 20], stored, size, content);
        rest = after;
    }
    let entries = writer.len();
    let (mut pack, idx) = writer.finish();
    for change in rest.chunks_exact(3).skip(1).take(8) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % pack.len();
        pack[at] = change[2];
    }
    let dir = scratch();
    std::fs::write(dir.join("pack/pack-a.pack"), pack).expect("written");
    std::fs::write(dir.join("pack/pack-a.idx"), idx).expect("written");
    let stores = Stores::open(std::slice::from_ref(&dir), ObjectFormat::Sha1);
    let interrupt = AtomicBool::new(false);
    let (memory, kinds) = (1 << 22, &ObjectKind::ALL[..]);
    let options = Options { threads: 1, memory, kinds, only: None, links: true, interrupt: &interrupt, progress: None };
    let walked = walk_alone(&stores, Sieve::new(3, 9, 5, true), options);
    let ids = |skip: &Skip| match skip.origin {
        Origin::Object { id, .. } => Some(id).filter(|id| stores.contains(id)),
        _ => None,
    };
    let named: BTreeSet<ObjectId> = walked.skips.iter().filter_map(ids).collect();
    let asked: BTreeSet<ObjectId> = walked.lenses[0].asked.iter().map(|asked| asked.0.id).collect();
    let opened = if stores.packs.is_empty() { 0 } else { entries };
    assert_eq!(named.union(&asked).count(), opened);
}

/// A file that is made to fit: how many commits, then five bytes for each (parents, generation, time), then lists of parents. Then some
/// bytes of it are overwritten. Its checksum is not asked for.
pub fn commit_graph(bytes: &[u8]) {
    const NO_PARENT: u32 = 0x7000_0000;
    let Some((len, rest)) = bytes.split_first() else { return };
    let len = usize::from(len % 40);
    let (rows, rest) = rest.split_at(rest.len().min(5 * len));
    let (lists, changes) = rest.split_at(rest.len().min(64));
    let name = |at: usize| [(at * 6) as u8; 20];
    let fanout =
        (0..=255u8).flat_map(|slot| (0..len).filter(|at| name(*at)[0] <= slot).count().to_be_bytes()[4..].to_vec());
    let parent = |byte: u8, list: u32| match byte {
        0..64 => u32::from(byte),
        64..128 => NO_PARENT,
        _ => list | u32::from(byte & 0x7f),
    };
    let row = |row: &[u8]| {
        let words = [parent(row[0], NO_PARENT), parent(row[1], 1 << 31), u32::from(row[2]) << 2, u32::from(row[3])];
        [&[row[4]; 20][..], &words.map(u32::to_be_bytes).concat()].concat()
    };
    let list = |byte: &u8| (u32::from(byte & 63) | u32::from(byte >> 7) << 31).to_be_bytes();
    let chunks: [(&[u8; 4], Vec<u8>); 4] = [
        (b"OIDF", fanout.collect()),
        (b"OIDL", (0..len).flat_map(name).collect()),
        (b"CDAT", rows.chunks_exact(5).flat_map(row).collect()),
        (b"EDGE", lists.iter().flat_map(list).collect()),
    ];
    let mut file = b"CGPH\x01\x01\x04\x00".to_vec();
    let mut at = 8 + 12 * 5;
    for (name, chunk) in &chunks {
        file.extend(*name);
        file.extend((at as u64).to_be_bytes());
        at += chunk.len();
    }
    file.extend([0; 4]);
    file.extend((at as u64).to_be_bytes());
    chunks.iter().for_each(|(_, chunk)| file.extend(chunk));
    for change in changes.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
        file[at] = change[2];
    }
    let size = file.len();
    let Some(graph) = super::commit_graph::unchecked(map(&file, "commit-graph"), ObjectFormat::Sha1) else { return };
    for at in 0..graph.len() as u32 {
        if let (Some(row), Some(id)) = (graph.row(at), graph.id(at)) {
            graph.find(&id);
            assert!(row.parents.len() <= size && row.parents.iter().all(|parent| graph.id(*parent).is_some()));
        }
    }
}
