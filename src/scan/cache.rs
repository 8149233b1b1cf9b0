//! Remembers what was in packs, so that a second run reads only what is new.
//!
//! A pack never changes, and its last bytes are a checksum of all before. One file for each pack, rule set and version says how many objects
//! were read in it and which of them had anything suspicious: those are read again, as the file holds neither secrets nor text; but not those
//! of which nothing is told but how many look-alikes they have, as long as others have the same. (Where they were is remembered by [`super::annals`].) A file stands for a pack only together with others: those that came before it, as an object is visited in the first pack that has it (`after`), and all
//! that were there, where what its objects name may be (`beside`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::origin::{ObjectId, ObjectKind};
use crate::rule::{Confidence, Rule, RuleSet};
use crate::source::git::{Known, Object, Stores, Walked};

/// A larger file is none of ours, in bytes: it would name a million objects.
const LARGEST: u64 = 64 << 20;

/// A directory with what is known of packs.
pub(super) struct Cache {
    directory: PathBuf,
    /// Of the rules, the version, and the depths of encodings and archives that are undone.
    rules: [u8; 32],
    /// What did not work.
    pub warnings: Vec<String>,
}

/// What a cache knows of a repository.
#[derive(Default)]
pub(super) struct Recalled {
    /// Packs that need not be read.
    pub known: Known,
    /// Objects in them that must be looked at again.
    pub suspects: HashSet<ObjectId>,
    /// Objects in them that need not, their bytes, and the look-alikes in them that are only counted.
    pub objects: u64,
    pub bytes: u64,
    pub look_alikes: u64,
}

/// What a walk came upon.
pub(super) struct Suspicious {
    /// Objects that had something suspicious.
    pub suspects: Vec<Object>,
    /// Those that had look-alikes and nothing else.
    pub counted: Counted,
    /// Those in which the search failed.
    pub failed: Vec<Object>,
}

/// Objects with look-alikes that are below some confidence, and how many.
pub(super) struct Counted {
    pub least: Confidence,
    pub objects: Vec<(Object, u64)>,
}

/// What is known of one pack. Ids are in hex.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    key: String,
    /// Objects that were visited and had nothing suspicious, and their bytes.
    objects: u64,
    bytes: u64,
    /// Objects that had.
    suspects: Vec<String>,
    /// Objects that had look-alikes and nothing else, one id after the other, by how many they had: there may be tens of thousands.
    look_alikes: BTreeMap<u64, String>,
    /// Their bytes.
    look_alike_bytes: u64,
    /// Below which confidence these are.
    least: Confidence,
    /// Checksums of the packs before it: objects that they have were visited there.
    after: Vec<String>,
    /// Checksums of all packs that were there.
    beside: Vec<String>,
    /// Suspicious objects in no pack: of a look-alike that one of them has, too, none may be among the suspects.
    loose: Vec<String>,
    /// What was named and is nowhere, and what it should be.
    missing: BTreeMap<String, String>,
}

/// What a file of a cache holds.
pub(super) trait Kept: Serialize + DeserializeOwned {
    /// The name of the file, so that one that was renamed or copied is found out.
    fn key(&self) -> &str;
}

impl Kept for Memory {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Cache {
    pub(super) fn new(directory: PathBuf, rules: &RuleSet, depths: [u8; 2]) -> Self {
        Cache { directory, rules: digest(rules, depths), warnings: Vec::new() }
    }

    /// Finds out which packs need not be read. Look-alikes below `least` are only counted.
    pub(super) fn recall(&mut self, stores: &Stores, least: Option<Confidence>) -> Recalled {
        let checksums: Vec<Option<String>> = hex_checksums(stores);
        let there: HashSet<&String> = checksums.iter().flatten().collect();
        let mut memories: Vec<(usize, Memory)> = Vec::new();
        for (pack, checksum) in checksums.iter().enumerate() {
            let Some(checksum) = checksum else { continue };
            let memory = self.read(checksum).and_then(|memory: Memory| memory.checked(stores, pack));
            let parse = |id: &String| ObjectId::from_hex(id.as_bytes());
            let is_loose = |id: &String| parse(id).is_some_and(|id| stores.contains(&id));
            let is_whole = |it: &Memory| it.beside.iter().all(|it| there.contains(it)) && it.loose.iter().all(is_loose);
            memories.extend(memory.filter(is_whole).map(|it| (pack, it)));
        }
        let mut recalled = Recalled::default();
        // In the order in which they were read: each must have come after exactly those before it, or some object is counted twice
        // or not at all.
        memories.sort_by_key(|(pack, memory)| (memory.after.len(), *pack));
        let mut sure: BTreeSet<&String> = BTreeSet::new();
        for (pack, memory) in &memories {
            if !memory.after.iter().collect::<BTreeSet<_>>().is_superset(&sure) || memory.after.len() != sure.len() {
                continue;
            }
            let pack = *pack;
            sure.extend(&checksums[pack]);
            recalled.known.packs.insert(pack);
            recalled.known.missing.extend(memory.missing());
            let parse = |id: &String| ObjectId::from_hex(id.as_bytes());
            recalled.suspects.extend(memory.suspects.iter().filter_map(parse));
            if least.is_some_and(|least| least >= memory.least) {
                recalled.bytes += memory.look_alike_bytes;
                for (count, objects) in memory.alike(stores) {
                    recalled.objects += objects;
                    recalled.look_alikes += count * objects;
                }
            } else {
                let ids = memory.look_alikes.values().flat_map(|ids| ids.as_bytes().chunks(stores.format().digits()));
                recalled.suspects.extend(ids.filter_map(ObjectId::from_hex));
            }
            recalled.objects += memory.objects;
            recalled.bytes += memory.bytes;
        }
        recalled
    }

    /// Remembers the packs that were read without a fault.
    pub(super) fn keep<L>(&mut self, stores: &Stores, known: &Known, walked: &Walked<L>, all: &Suspicious) {
        let Suspicious { suspects, counted, failed } = all;
        let checksums = hex_checksums(stores);
        let beside: Vec<String> = checksums.iter().flatten().cloned().collect();
        let is_packed = |object: &Object| (0..checksums.len()).any(|pack| stores.is_in(pack, &object.id));
        let loose: Vec<String> = suspects.iter().filter(|it| !is_packed(it)).map(|it| it.id.to_string()).collect();
        let unread = |pack: &usize| !known.packs.contains(pack);
        let order: Vec<usize> = known.packs.iter().copied().chain((0..checksums.len()).filter(unread)).collect();
        for (place, &pack) in order.iter().enumerate() {
            let (Some(checksum), Some(part)) = (&checksums[pack], walked.packs.get(pack)) else { continue };
            let failed = failed.iter().any(|object| stores.is_in(pack, &object.id));
            // What comes after a pack that cannot be told apart cannot be remembered.
            let after: Option<Vec<String>> = order[..place].iter().map(|pack| checksums[*pack].clone()).collect();
            let (false, false, true, Some(after)) = (part.broken, failed, unread(&pack), after) else { continue };
            let visited = |object: &&Object| {
                stores.is_in(pack, &object.id) && !order[..place].iter().any(|it| stores.is_in(*it, &object.id))
            };
            let own: Vec<&Object> = suspects.iter().filter(visited).collect();
            let alike: Vec<(Object, u64)> = counted.objects.iter().filter(|one| visited(&&one.0)).copied().collect();
            let mut names: Vec<String> = own.iter().map(|object| object.id.to_string()).collect();
            names.sort();
            let look_alike_bytes = alike.iter().map(|one| one.0.size).sum::<u64>();
            let mut look_alikes: BTreeMap<u64, String> = BTreeMap::new();
            for (object, count) in &alike {
                look_alikes.entry(*count).or_default().push_str(&object.id.to_string());
            }
            let bytes = own.iter().map(|object| object.size).sum::<u64>() + look_alike_bytes;
            let memory = Memory {
                key: self.key(checksum),
                objects: part.counts.total().saturating_sub((own.len() + alike.len()) as u64),
                bytes: part.counts.bytes.saturating_sub(bytes),
                suspects: names,
                look_alikes,
                look_alike_bytes,
                least: counted.least,
                after,
                beside: beside.clone(),
                loose: loose.clone(),
                missing: walked.missing.iter().map(|(id, kind)| (id.to_string(), kind.as_str().to_owned())).collect(),
            };
            if !self.put(&memory) {
                return;
            }
        }
    }

    /// Keeps something; whether that worked. If not, there is a warning.
    pub(super) fn put(&mut self, kept: &impl Kept) -> bool {
        let Err(error) = self.write(kept) else { return true };
        let directory = self.directory.display();
        self.warnings.push(format!("cannot write to the cache {directory}: {error}; the next run reads all"));
        false
    }

    /// Under which name something is kept, by what it is about.
    pub(super) fn key(&self, about: &str) -> String {
        HEXLOWER.encode(&Sha256::new().chain_update(self.rules).chain_update(about).finalize())
    }

    /// What the file about something says; nothing, and a warning, if it is not ours.
    pub(super) fn read<T: Kept>(&mut self, about: &str) -> Option<T> {
        let key = self.key(about);
        let path = self.directory.join(&key);
        let mut refuse = |what: &str| {
            self.warnings.push(format!("the cache file {} is ignored: {what}", path.display()));
            None
        };
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return refuse(&error.to_string()),
            Ok(_) => {}
        }
        let Some((sum, json)) = text.split_at_checked(64) else { return refuse("it is cut off") };
        if HEXLOWER.encode(&Sha256::digest(json)).as_bytes() != sum {
            return refuse("it was changed or is cut off");
        }
        match serde_json::from_slice::<T>(json) {
            Ok(kept) if kept.key() == key => Some(kept),
            _ => refuse("it was not made for this pack, these rules and this version"),
        }
    }

    /// Under another name first: whoever reads at the same time sees all of it or nothing.
    fn write(&self, kept: &impl Kept) -> io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let json = serde_json::to_vec(kept)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.directory)?;
        file.write_all(HEXLOWER.encode(&Sha256::digest(&json)).as_bytes())?;
        file.write_all(&json)?;
        file.persist(self.directory.join(kept.key())).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Recalled {
    /// Counts what is known to come to nothing but look-alikes, instead of looking at it again.
    pub(super) fn settle(&mut self, quiet: impl Iterator<Item = (ObjectId, u64, u64)>) {
        for (id, bytes, count) in quiet {
            if self.suspects.remove(&id) {
                self.objects += 1;
                self.bytes += bytes;
                self.look_alikes += count;
            }
        }
    }
}

impl Memory {
    /// Nothing, if it cannot be about that pack.
    fn checked(self, stores: &Stores, pack: usize) -> Option<Memory> {
        let is_there = |id: &String| ObjectId::from_hex(id.as_bytes()).is_some_and(|id| stores.is_in(pack, &id));
        let alike = self.alike(stores).map(|(_, objects)| objects).sum::<u64>();
        let count = self.objects + self.suspects.len() as u64 + alike;
        let all = stores.objects_in(pack) as u64;
        let whole = if self.after.is_empty() { count == all } else { count <= all };
        (whole && self.suspects.iter().all(is_there)).then_some(self)
    }

    /// How many objects have so many look-alikes each.
    fn alike(&self, stores: &Stores) -> impl Iterator<Item = (u64, u64)> {
        let digits = stores.format().digits();
        self.look_alikes.iter().map(move |(count, ids)| (*count, (ids.len() / digits) as u64))
    }

    fn missing(&self) -> impl Iterator<Item = (ObjectId, ObjectKind)> {
        let pair = |(id, kind): (&String, &String)| {
            Some((ObjectId::from_hex(id.as_bytes())?, ObjectKind::parse(kind.as_bytes())?))
        };
        self.missing.iter().filter_map(pair)
    }
}

fn hex_checksums(stores: &Stores) -> Vec<Option<String>> {
    stores.checksums().into_iter().map(|sum| sum.map(|sum| HEXLOWER.encode(sum))).collect()
}

/// Names a rule set with how deep packings and wrappings are undone, and the version that reads by it: a hash of everything that rules say.
pub fn digest(rules: &RuleSet, depths: [u8; 2]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &[u8]| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(concat!("stanch cache 5 ", env!("CARGO_PKG_VERSION")).as_bytes());
    add(&depths);
    for rule in &rules.rules {
        // What was read off it follows from it.
        let rule = Rule { shape: None, ..Rule::clone(rule) };
        add(&postcard::to_allocvec(&rule).expect("it can be written"));
    }
    add(&postcard::to_allocvec(&rules.allowlists).expect("it can be written"));
    add(format!("{:?}", rules.ignores).as_bytes());
    hash.finalize().into()
}
