//! How fast the history walk is, on a real repository, beside its floor.
//!
//! `cargo bench --bench walk -- OBJECT_DIR [floor|none|search|teddy|links|whole|attribute] [blobs|all] [THREADS]
//! [REACH]` prints wall and CPU seconds. `floor` inflates and rebuilds every object and searches nothing; `none`
//! searches nothing and rebuilds only what it must; `search` is the walk as it is used, with 60 literals in an
//! automaton, `teddy` with a faster engine; `links` also checks that nothing is missing; `whole` rebuilds every
//! object and shows it whole; `attribute` finds the commits and paths of 20 blobs.
#![expect(clippy::disallowed_macros, reason = "a bench speaks to the person who runs it")]

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use stanch::origin::{ObjectId, ObjectKind};
use stanch::source::git::{Lens, Object, ObjectFormat, Options, Reach, Stores, attribute, walk};

/// Sixty prefixes in the manner of token formats; made up by counting, for only their number and length matter.
fn literals() -> Vec<String> {
    let stems = ["ghx_", "glxat-", "xoxq-", "AKXA", "sk_livx_", "ATQTT3x"];
    stems.iter().flat_map(|stem| (0..10).map(move |n| format!("{stem}{n}"))).collect()
}

/// The plain automaton, which does not mind how many literals there are, or Teddy, which does.
#[derive(Clone)]
enum Engine {
    Automaton(AhoCorasick),
    Teddy(Searcher),
}

impl Engine {
    fn find(&self, bytes: &[u8], mut found: impl FnMut(usize)) {
        match self {
            Engine::Automaton(engine) => engine.find_iter(bytes).for_each(|hit| found(hit.start())),
            Engine::Teddy(engine) => engine.find_iter(bytes).for_each(|hit| found(hit.start())),
        }
    }
}

#[derive(Clone)]
struct Probe {
    engine: Option<Engine>,
    whole: bool,
    reach: u32,
    marks: u64,
    objects: u64,
}

impl Lens for Probe {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: self.reach, after: self.reach.max(1) }
    }

    fn marks(&mut self, _: ObjectKind, bytes: &[u8], out: &mut Vec<u32>) {
        if let Some(engine) = self.engine.as_ref().filter(|_| !self.whole) {
            engine.find(bytes, |at| out.push(at as u32));
        }
    }

    fn head(&mut self, _: &Object, _: &[u8]) -> bool {
        self.whole
    }

    fn object(&mut self, _: &Object, bytes: &[u8], marks: &[u32]) {
        self.objects += 1;
        self.marks += marks.len() as u64;
        if let Some(engine) = self.engine.as_ref().filter(|_| self.whole) {
            engine.find(bytes, |_| self.marks += 1);
        }
    }

    fn stream(&mut self, _: &Object, content: &mut dyn Read) -> io::Result<()> {
        io::copy(content, &mut io::sink()).map(drop)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let arg = |at: usize, or: &str| args.get(at).cloned().unwrap_or_else(|| or.to_owned());
    let Some(dir) = args.first() else {
        return println!(
            "usage: walk OBJECT_DIR [floor|none|search|teddy|links|whole|attribute] [blobs|all] [THREADS] [REACH]"
        );
    };
    let mode = arg(1, "search");
    let kinds: &[ObjectKind] = if arg(2, "blobs") == "all" { &ObjectKind::ALL } else { &[ObjectKind::Blob] };
    let threads = arg(3, "2").parse().expect("a number of threads");
    let reach = arg(4, if mode == "floor" { "0" } else { "256" }).parse().expect("a reach in bytes");
    let automaton = || AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(literals()).expect("few literals");
    let teddy = || Searcher::new(literals()).expect("few literals");
    let engine = match mode.as_str() {
        "floor" | "none" | "links" => None,
        "teddy" => Some(Engine::Teddy(teddy())),
        _ => Some(Engine::Automaton(automaton())),
    };
    let probe = Probe { engine, whole: mode == "floor" || mode == "whole", reach, marks: 0, objects: 0 };
    let start = Instant::now();
    let stores = Stores::open(&[PathBuf::from(dir)], ObjectFormat::Sha1);
    let opened = start.elapsed();
    let (interrupt, memory) = (AtomicBool::new(false), 2 << 30);
    let options =
        Options { threads, memory, kinds, only: None, links: mode == "links", interrupt: &interrupt, progress: None };
    if mode == "attribute" {
        return attribution(&stores, options, start);
    }
    let walked = walk(&stores, || probe.clone(), options).expect("threads");
    let wall = start.elapsed();
    let (marks, shown) = walked.lenses.iter().fold((0, 0), |sum, lens| (sum.0 + lens.marks, sum.1 + lens.objects));
    println!("{mode}: wall {:.2} s (open {:.3}), {}", wall.as_secs_f64(), opened.as_secs_f64(), usage());
    println!("{:?}, shown {shown}, marks {marks}, skips {}", walked.counts, walked.skips.len());
    for skip in walked.skips.iter().take(5) {
        println!("{}: {}: {}", skip.origin, skip.why.as_str(), skip.detail);
    }
}

/// Attributes twenty blobs, far from each other in the order of names.
fn attribution(stores: &Stores, options: Options<'_>, start: Instant) {
    let blobs = walk(stores, Blobs::default, options).expect("threads");
    let mut blobs: Vec<ObjectId> = blobs.lenses.into_iter().flat_map(|lens| lens.0).collect();
    blobs.sort();
    let targets: HashSet<ObjectId> = blobs.iter().step_by(blobs.len() / 20 + 1).copied().collect();
    let (listed, before) = (start.elapsed(), usage());
    let found = attribute(stores, &targets, None, None, options).expect("threads");
    let wall = (start.elapsed() - listed).as_secs_f64();
    println!("attribute: {} blobs, wall {wall:.2} s; before: {before}; after: {}", targets.len(), usage());
    for history in targets.iter().filter_map(|target| found.history(target)).take(5) {
        let paths = history.paths.iter().map(|path| String::from_utf8_lossy(path)).collect::<Vec<_>>();
        println!("{paths:?} by {:?}", history.introduced.iter().map(|one| one.commit).collect::<Vec<_>>());
    }
}

#[derive(Default)]
struct Blobs(Vec<ObjectId>);

impl Lens for Blobs {
    fn reach(&self, _: ObjectKind) -> Reach {
        Reach { before: 0, after: 1 }
    }

    fn marks(&mut self, _: ObjectKind, _: &[u8], _: &mut Vec<u32>) {}

    fn head(&mut self, object: &Object, _: &[u8]) -> bool {
        self.0.push(object.id);
        false
    }

    fn object(&mut self, _: &Object, _: &[u8], _: &[u32]) {}

    fn stream(&mut self, _: &Object, content: &mut dyn Read) -> io::Result<()> {
        io::copy(content, &mut io::sink()).map(drop)
    }
}

/// CPU seconds and the largest resident set, as Linux tells them.
fn usage() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: Vec<f64> =
        stat.rsplit(") ").next().unwrap_or("").split(' ').filter_map(|word| word.parse().ok()).collect();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or("").replace('\t', " ");
    let cpu = |at: usize| ticks.get(at).unwrap_or(&0.0) / 100.0;
    format!("user {:.2} s, system {:.2} s, {}, {}", cpu(10), cpu(11), line("VmHWM"), line("RssAnon"))
}
