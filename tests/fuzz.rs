//! The fuzz targets of `fuzz/`, as they are, on inputs that are changed at random: without a fuzzer's eye for what is new, and with
//! any compiler. `STANCH_FUZZ_SECONDS` is how long each runs (2 unless said otherwise), `STANCH_FUZZ_SEED` what it begins with.
//!
//! What fails is written to the directory for temporary files, to be given to `cargo fuzz run` as it is.
#![allow(unused_attributes, reason = "the targets are programs, and modules here")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a fuzzer is told by the environment, and tells its seed"
)]

// The targets ask this crate for the macro.
extern crate self as libfuzzer_sys;

use std::io::{Cursor, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

macro_rules! targets {
    ($($name:ident $path:literal $seeds:expr;)*) => {
        $(
            #[path = $path]
            mod $name;
        )*

        mod fuzzed {
            $(
                #[test]
                fn $name() {
                    super::fuzz(stringify!($name), super::$name::run, $seeds);
                }
            )*
        }
    };
}

targets! {
    ci_answers "../fuzz/fuzz_targets/ci_answers.rs" super::answers();
    decode "../fuzz/fuzz_targets/decode.rs" super::texts();
    git_commit_graph "../fuzz/fuzz_targets/git_commit_graph.rs" super::tables();
    git_delta "../fuzz/fuzz_targets/git_delta.rs" super::texts();
    git_entry "../fuzz/fuzz_targets/git_entry.rs" super::tables();
    git_index "../fuzz/fuzz_targets/git_index.rs" super::tables();
    git_loose "../fuzz/fuzz_targets/git_loose.rs" super::archives();
    git_multi_index "../fuzz/fuzz_targets/git_multi_index.rs" super::tables();
    git_pack "../fuzz/fuzz_targets/git_pack.rs" super::texts();
    git_reftable "../fuzz/fuzz_targets/git_reftable.rs" super::tables();
    log_filter "../fuzz/fuzz_targets/log_filter.rs" super::texts();
    log_normalise "../fuzz/fuzz_targets/log_normalise.rs" super::texts();
    log_unpack "../fuzz/fuzz_targets/log_unpack.rs" super::archives();
    ole "../fuzz/fuzz_targets/ole.rs" super::tables();
    sevenz "../fuzz/fuzz_targets/sevenz.rs" super::archives();
    zip_stream "../fuzz/fuzz_targets/zip_stream.rs" super::archives();
}

/// Runs a target for its time, first on the seeds themselves.
fn fuzz(name: &str, run: fn(&[u8]), seeds: Vec<Vec<u8>>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seconds = number("STANCH_FUZZ_SECONDS").unwrap_or(2);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let first = number("STANCH_FUZZ_SEED").unwrap_or_else(now);
    let (mut random, begun, mut runs) = (Random(first), Instant::now(), 0u64);
    while runs < seeds.len() as u64 || begun.elapsed() < Duration::from_secs(seconds) {
        let input = match seeds.get(runs as usize) {
            Some(seed) => seed.clone(),
            None => random.changed(&seeds),
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&input))) {
            let kept = std::env::temp_dir().join(format!("stanch-{name}-{first:x}-{runs}"));
            std::fs::write(&kept, &input).unwrap();
            eprintln!("STANCH_FUZZ_SEED={first}: run {runs} of {name} failed with {}", kept.display());
            resume_unwind(panic);
        }
        runs += 1;
    }
    stanch::source::git::fuzzing::sweep();
    println!("{name}: {runs} runs, seed {first}");
}

/// Numbers that seem to be drawn (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A seed with up to eight changes.
    fn changed(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes, seeds);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(32)).min(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].repeat(1 + self.below(4));
                bytes.splice(at..at, again);
            }
            3 => {
                let drawn: Vec<u8> = (0..self.below(9)).map(|_| self.next() as u8).collect();
                bytes.splice(at..end, drawn);
            }
            4 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len() + 1);
                bytes.splice(at..end, other[from..].iter().copied().take(1 + self.below(200)));
            }
            5 => {
                let field = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_fffe, u64::MAX][self.below(9)];
                let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at);
                let field = if self.below(2) == 0 {
                    field.to_le_bytes()[..width].to_vec()
                } else {
                    field.to_be_bytes()[8 - width..].to_vec()
                };
                bytes[at..at + width].copy_from_slice(&field);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

/// Bytes that are tables of numbers, to whom they are anything.
fn tables() -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let mut noise = |len: usize| (0..len).map(|_| random.next() as u8).collect::<Vec<u8>>();
    let steps = (0..400u32).flat_map(u32::to_be_bytes).collect();
    vec![Vec::new(), vec![0; 600], noise(40), noise(3000), steps]
}

/// What logs and files write around tokens, encoded and not.
fn texts() -> Vec<Vec<u8>> {
    let mut random = Random(8);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut drawn = |len: usize| (0..len).map(|_| char::from(letters[random.below(62)])).collect::<String>();
    let token = format!("glpat-{}", drawn(20));
    let line = format!("deploy: export GITLAB_TOKEN=\"{token}\" && curl https://ci:{}@example.org/\n", drawn(16));
    let escaped: String = token.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let html: String = token.bytes().map(|byte| format!("&#{byte};")).collect();
    let printable: String = line.bytes().map(|byte| format!("={byte:02X}")).collect();
    let wide: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let key = data_encoding::BASE64
        .encode(&wide)
        .as_bytes()
        .chunks(64)
        .fold(String::new(), |all, line| all + std::str::from_utf8(line).unwrap() + "\n");
    let lines = [
        data_encoding::BASE64.encode(line.as_bytes()),
        data_encoding::BASE64URL_NOPAD.encode(&gzip(line.as_bytes())),
        data_encoding::HEXLOWER.encode(line.as_bytes()),
        format!("{{\"a\": \"{escaped}\", \"b\": \"{html}\"}}"),
        format!("a = \"{}\" +\n    \"{}\"", &token[..20], &token[20..]),
        format!(
            "2026-01-02T03:04:05.678Z \x1b[32m{line}\x1b[0m\r\nsection_start:1700000000:a[collapsed=true]\r\x1b[0K"
        ),
        format!("-----BEGIN {} KEY-----\n{key}-----END {0} KEY-----", "PRIVATE"),
        printable.as_bytes().chunks(72).map(|line| String::from_utf8_lossy(line) + "=\n").collect(),
        line,
    ];
    lines.into_iter().map(|text| text.into_bytes()).chain([wide]).collect()
}

/// Something of every packing, small, some of it behind the byte by which a target chooses.
fn archives() -> Vec<Vec<u8>> {
    let text = texts().concat();
    let mut member = ::tar::Header::new_gnu();
    member.set_size(text.len() as u64);
    let mut tar = ::tar::Builder::new(Vec::new());
    tar.append_data(&mut member, "inner/a.txt", &text[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    let zip = zip::CompressionMethod::Deflated;
    let all = [
        gzip(&tar),
        gzip(&zipped(zip, &text)),
        ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest),
        zipped(zip::CompressionMethod::Stored, &gzip(&text)),
        zipped(zip::CompressionMethod::Ppmd, &text),
        zipped(zip, &tar),
        sevenz(&text, sevenz_rust2::EncoderMethod::PPMD),
        sevenz(&text, sevenz_rust2::EncoderMethod::LZMA2),
        b"%PDF-1.4\n1 0 obj\n<</Filter[/A85/LZW]/Length 9>>stream\nJ..)6T`?p~>\nendstream\nendobj\n".to_vec(),
        tar,
    ];
    let chosen = all.iter().map(|archive| [&[9][..], archive].concat()).collect::<Vec<_>>();
    all.into_iter().chain(chosen).collect()
}

/// Lists of a provider, and what is none.
fn answers() -> Vec<Vec<u8>> {
    let list =
        br#"{"total_count":1,"workflow_runs":[{"id":1,"name":"a","run_attempt":1,"html_url":"https://example.org"}]}"#;
    vec![[&b"\0"[..], list].concat(), b"\x03[{\"id\":1,\"web_url\":\"x\",\"status\":\"failed\"}]".to_vec(), vec![1; 90]]
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

fn zipped(method: zip::CompressionMethod, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("a/b.txt", zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}

fn sevenz(content: &[u8], method: sevenz_rust2::EncoderMethod) -> Vec<u8> {
    let mut archive = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    archive.set_content_methods(vec![method.into()]);
    archive.push_archive_entry(sevenz_rust2::ArchiveEntry::new_file("a"), Some(content)).unwrap();
    archive.finish().unwrap().into_inner()
}

/// What a target says to a fuzzer, as a function. It stands behind the targets, which name it by its crate.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: $type:ty| $body:expr) => {
        pub fn run(bytes: &[u8]) {
            let bytes = arbitrary::Unstructured::new(bytes);
            let Ok($input) = <$type as arbitrary::Arbitrary>::arbitrary_take_rest(bytes) else { return };
            $body;
        }
    };
}
