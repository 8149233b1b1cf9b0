//! `stanch rules`: what is looked for, and whether every rule keeps what it says.

mod check;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use super::config::Config;
use super::message;
use crate::builtin;
use crate::detect::mint::Press;
use crate::exit::Exit;
use crate::report::escape::terminal;
use crate::rule::{Required, Rule};
use crate::rulefile::ids_meant;
use crate::scan::redacted;

/// What to do with rules.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prove every rule on its own examples
    Check(check::Args),
    /// Print a table of all rules
    List(List),
    /// Print everything that is known about rules
    Show(Show),
}

/// In which form rules are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// Which rules to list.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Add the rules of a TOML file, ours or gitleaks' (repeatable)
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Ignore, with a warning, what of betterleaks' keys in rule files cannot be honoured
    #[arg(long)]
    lenient: bool,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Form,
}

/// Which rules to show.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Their ids, as `stanch rules list` prints them, or gitleaks' for the same kinds
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Add the rules of a TOML file, ours or gitleaks' (repeatable)
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Ignore, with a warning, what of betterleaks' keys in rule files cannot be honoured
    #[arg(long)]
    lenient: bool,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Form,
}

pub(super) fn run(command: &Command) -> Result<Exit> {
    match command {
        Command::Check(args) => check::run(args),
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
    }
}

/// The built-in rules and those of the files, as `scan --rules` has them.
fn with(paths: &[PathBuf], lenient: bool) -> Result<Config> {
    let mut config = Config { rules: builtin::with_examples(), ..Config::default() };
    for path in paths {
        config.add_rules(path, lenient)?;
    }
    for note in &config.notes {
        message::warning(note);
    }
    Ok(config)
}

fn list(args: &List) -> Result<Exit> {
    let config = with(&args.rules, args.lenient)?;
    let rules: Vec<Shown<'_>> = config.rules.rules.iter().map(|rule| Shown::of(rule)).collect();
    match args.format {
        Form::Json => print(&json(&serde_json::json!({ "schema_version": "1", "rules": rules }))?),
        Form::Text => {
            let head = ["id", "provider", "kind", "proof", "confidence", "severity"].map(str::to_owned);
            print(&table(std::iter::once(head).chain(rules.iter().map(Shown::row)).collect()))
        }
    }
}

/// In the order in which they were asked for; several as lines of JSON.
fn show(args: &Show) -> Result<Exit> {
    let mut config = with(&args.rules, args.lenient)?;
    config.keep_rules(&args.ids)?;
    let meant = args.ids.iter().flat_map(|id| ids_meant(id, |id| config.rules.get(id).is_some()));
    let rules: Vec<&Rule> = meant.filter_map(|id| config.rules.get(id)).map(|rule| &**rule).collect();
    let mut texts = Vec::new();
    for rule in &rules {
        texts.push(match (args.format, rules.len()) {
            (Form::Json, 1) => json(&Shown::of(rule))?,
            (Form::Json, _) => serde_json::to_string(&Shown::of(rule))? + "\n",
            (Form::Text, _) => detail(rule),
        });
    }
    print(&texts.join(if args.format == Form::Text { "\n" } else { "" }))
}

/// A rule as it is printed. Patterns are left out of the table, but not of the document.
#[derive(Serialize)]
struct Shown<'r> {
    id: &'r str,
    description: &'r str,
    provider: &'r str,
    kind: &'r str,
    /// Null if nothing can be checked offline.
    proof: Option<&'static str>,
    /// Of a match that no proof decides.
    confidence: &'static str,
    /// The most that a finding can have.
    highest: &'static str,
    severity: &'static str,
    random_bits: u32,
    keywords: &'r [String],
    regex: &'r str,
    tags: &'r [String],
    remedy: &'r str,
    references: &'r [String],
}

impl<'r> Shown<'r> {
    fn of(rule: &'r Rule) -> Self {
        Shown {
            id: &rule.id,
            description: &rule.description,
            provider: &rule.provider,
            kind: &rule.kind,
            proof: rule.proof.map(|proof| proof.as_str()),
            confidence: rule.confidence.as_str(),
            highest: rule.best().as_str(),
            severity: rule.severity.as_str(),
            random_bits: rule.random_bits,
            keywords: &rule.keywords,
            regex: &rule.regex,
            tags: &rule.tags,
            remedy: &rule.remedy,
            references: &rule.references,
        }
    }

    fn row(&self) -> [String; 6] {
        let known = |text: &str| if text.is_empty() { "-".to_owned() } else { terminal(text) };
        let [proof, severity] = [self.proof.unwrap_or_default(), self.severity].map(known);
        [known(self.id), known(self.provider), known(self.kind), proof, known(self.highest), severity]
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Rows in columns of equal width, two blanks apart.
fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

fn detail(rule: &Rule) -> String {
    let proof = match rule.proof {
        Some(proof) => {
            let word = proof.as_str();
            match (proof.can_hold(), proof.can_fail()) {
                (true, true) => format!("{word}; high if it holds, low if it fails"),
                (true, false) => format!("{word}; high if it holds, {} if it does not", rule.confidence),
                (false, true) => format!("{word}; low if it fails, else {} by its shape and context", rule.confidence),
                (false, false) => format!("{word}, which only tells facts; {} by its shape", rule.confidence),
            }
        }
        None => format!("nothing to check offline; {} by its shape and context", rule.confidence),
    };
    let strength = match (rule.random_bits, rule.is_strong()) {
        (0, _) => "not known; the fingerprint needs STANCH_FINGERPRINT_KEY, or is that of the place".to_owned(),
        (bits, true) => format!("{bits} random bits; the fingerprint is a hash of the token"),
        (bits, false) => {
            format!("{bits} random bits; the fingerprint needs STANCH_FINGERPRINT_KEY, or is that of the place")
        }
    };
    let fields = [
        ("provider", rule.provider.clone()),
        ("kind", rule.kind.clone()),
        ("proof", proof),
        ("severity", rule.severity.as_str().to_owned()),
        ("strength", strength),
        ("keywords", rule.keywords.join(", ")),
        ("pattern", rule.regex.clone()),
        ("tags", rule.tags.join(", ")),
        ("requires", rule.required.iter().map(requirement).collect::<Vec<_>>().join("\n")),
        ("example", example(rule).unwrap_or_default()),
        ("remedy", rule.remedy.clone()),
        ("references", rule.references.join("\n")),
    ];
    let mut text = format!("{}: {}\n", terminal(&rule.id), terminal(&rule.description));
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        for (index, line) in value.lines().enumerate() {
            let name = if index == 0 { *name } else { "" };
            writeln!(text, "  {name:10}  {}", terminal(line)).expect("a string takes any text");
        }
    }
    text
}

/// `aws-access-key-id within 5 lines`.
fn requirement(required: &Required) -> String {
    let bounds = [(required.within_lines, "lines"), (required.within_columns, "columns")];
    let said = bounds.iter().filter_map(|(most, unit)| Some(format!(" within {} {unit}", (*most)?)));
    required.rule.clone() + &said.collect::<Vec<_>>().join(" and")
}

/// The rule's first example with masked tokens: what a whole one looks like is nobody's business, and a page that
/// shows one alarms every other scanner.
fn example(rule: &Rule) -> Option<String> {
    let example = rule.leaks.iter().find(|leak| leak.contains("<mint"))?;
    let token = Press::new(rule)?.token(0)?;
    let mut parts = example.split("<mint");
    let mut text = parts.next()?.to_owned();
    for part in parts {
        text += &redacted(rule, token.as_bytes());
        text += part.split_once('>')?.1;
    }
    Some(text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"))
}

/// Standard output, of which the reader may have enough.
fn print(text: &str) -> Result<Exit> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write standard output"),
        _ => Ok(Exit::Clean),
    }
}
