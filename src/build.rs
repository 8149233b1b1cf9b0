//! Turns `rules/*.toml` into one table that the program carries: read, checked and with the shape of every pattern, so
//! that start-up pays for none of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fmt::Write as _, fs};

use detect::index::Index;
use serde::Serialize;

#[expect(dead_code, reason = "the program's own modules, of which the build needs a part")]
mod detect {
    mod grams;
    pub mod index;
    mod loose;
    mod masks;
    mod prefilter;
    mod prints;
    mod signs;
    pub mod table;
}
#[expect(dead_code, reason = "the program's own module, of which the build needs a part")]
#[path = "detect/evidence/model.rs"]
mod model;
#[expect(dead_code, reason = "the program's own module, of which the build needs a part")]
mod rule;
#[expect(dead_code, unused_imports, reason = "the program's own module, of which the build needs a part")]
mod rulefile;
#[expect(dead_code, reason = "the program's own module, of which the build needs a part")]
mod secret;
#[expect(dead_code, reason = "the program's own module, of which the build needs a part")]
mod shape;

#[expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "how cargo and a build script talk")]
fn main() {
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed=data");
    for source in [
        "src/build.rs",
        "src/detect/evidence/model.rs",
        "src/detect/grams.rs",
        "src/detect/index.rs",
        "src/detect/loose.rs",
        "src/detect/masks.rs",
        "src/detect/prefilter.rs",
        "src/detect/prints.rs",
        "src/detect/signs.rs",
        "src/detect/table.rs",
        "src/rule.rs",
        "src/rule",
        "src/rulefile.rs",
        "src/rulefile",
        "src/secret.rs",
        "src/shape.rs",
        "src/shape",
    ] {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where"));
    language(&root.join("data"), &out);
    let files = rule_files(&root.join("rules"));

    let mut list = String::from("&[\n");
    for path in &files {
        let name = format!("rules/{}", path.file_name().expect("it is a file").display());
        writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string()).expect("memory takes it");
    }
    fs::write(out.join("files.rs"), list + "]\n").expect("cargo lets us write there");

    let texts: Vec<(String, String)> = files.iter().map(|path| (name(path), text(path))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let set = match rulefile::ours(&texts) {
        Ok(set) => set,
        Err(error) => panic!("{error}"),
    };
    let mut rules: Vec<rule::Rule> = set.rules.into_iter().map(Arc::unwrap_or_clone).collect();
    for rule in &mut rules {
        rule.shape = shape::of(&rule.regex, &rule.keywords).map(Arc::new);
        (rule.leaks, rule.clean) = (Vec::new(), Vec::new());
    }
    let index = Index::new(rules.iter().map(|rule| (rule, rule.shape.as_deref())));
    // Generic rules are tried where hardly any other is.
    let most = |rule: &rule::Rule| if rule.provider == "generic" { 800 << 10 } else { 32 << 10 };
    let form = |rule: &rule::Rule| shape::tabled(&rule.regex, rule.shape.as_ref()?);
    let forms = rules.iter().filter_map(|rule| Some((rule.shape.as_ref()?.loose.as_ref()?, form(rule)?, most(rule))));
    let tables = detect::table::write(forms);
    fs::write(out.join("tables.bin"), tables).expect("cargo lets us write there");
    write(&out.join("index.bin"), &(Index::key(rules.iter()), index));
    write(&out.join("rules.bin"), &(rules, set.allowlists));
}

fn write(path: &Path, table: &impl Serialize) {
    fs::write(path, postcard::to_allocvec(table).expect("it can be written")).expect("cargo lets us write there");
}

/// Writes the words that `detect::evidence` knows, and the model of their letters.
fn language(data: &Path, out: &Path) {
    let lists = [text(&data.join("words.txt")), text(&data.join("code-words.txt"))];
    let mut words: Vec<&str> = lists.iter().flat_map(|list| list.lines()).collect();
    words.sort_unstable();
    words.dedup();
    fs::write(out.join("letters.bin"), train(words.iter().copied())).expect("cargo lets us write there");
    fs::write(out.join("words.txt"), words.join("\n")).expect("cargo lets us write there");
}

/// The table for these words. Each pair of letters is smoothed as if the next letter had been drawn by its frequency
/// after the last one alone, and that by one of 26.
fn train<'w>(words: impl Iterator<Item = &'w str>) -> Vec<u8> {
    let (mut three, mut two) = (vec![0u32; model::SIZE], vec![0u32; model::SYMBOLS * model::SYMBOLS]);
    for word in words {
        model::places(word.as_bytes(), |at| {
            three[at] += 1;
            two[at % (model::SYMBOLS * model::SYMBOLS)] += 1;
        });
    }
    let share = |counts: &[u32], at: usize, weight: f64, rest: f64| {
        let first = at - at % model::SYMBOLS;
        let all: u32 = counts[first..first + model::SYMBOLS].iter().sum();
        (f64::from(counts[at]) + weight * rest) / (f64::from(all) + weight)
    };
    let bits = |at: usize| -> f64 {
        let pair = share(&two, at % (model::SYMBOLS * model::SYMBOLS), 4.0, 1.0 / 26.0);
        -share(&three, at, 4.0, pair).log2()
    };
    (0..model::SIZE).map(|at| (bits(at) * f64::from(model::BIT)).round().clamp(0.0, 255.0) as u8).collect()
}

/// The rule files, by name.
fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the rules lie beside this file").map(|entry| entry.expect("readable"));
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension() == Some("toml".as_ref())).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
