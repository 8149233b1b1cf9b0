//! `stanch explain`: why a finding is believed or not, piece by piece.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::scan;
use crate::detect::evidence::THRESHOLD;
use crate::exit::Exit;
use crate::finding::{Finding, Proof};
use crate::report::escape::terminal;
use crate::rule::Confidence;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The fingerprint of a finding, or how it begins; - explains all that is found in standard input
    #[arg(value_name = "FINDING", required_unless_present = "line")]
    finding: Option<String>,
    /// Where to look for it [default: .]
    #[arg(value_name = "TARGET", conflicts_with = "line")]
    target: Option<PathBuf>,
    /// Explain what is found at this place instead, as reports print it: FILE:LINE:COLUMN, FILE:LINE, or with a member of
    /// an archive, ARCHIVE!/MEMBER:LINE
    #[arg(long, value_name = "PLACE", conflicts_with = "finding")]
    line: Option<String>,
    /// Look for it in everything that the git repository at TARGET holds
    #[arg(long, conflicts_with = "line")]
    history: bool,
    /// Configuration file; otherwise the nearest .stanch.toml or .gitleaks.toml upwards from the target
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
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

/// In which form it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// Which findings are meant.
enum Wanted {
    All,
    Place(Place),
    Fingerprint(String),
}

impl Wanted {
    fn is(&self, finding: &Finding) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Place(place) => place.has(finding),
            Wanted::Fingerprint(start) => finding.fingerprint.to_string().starts_with(start),
        }
    }
}

/// A place as reports print it.
struct Place {
    file: PathBuf,
    /// The archive and what is in it, if the file is one and that is said.
    member: Option<String>,
    line: u64,
    column: Option<u64>,
}

impl Place {
    fn parse(text: &str) -> Result<Place> {
        let numbered = |text: &str| {
            let (rest, number) = text.rsplit_once(':')?;
            Some((rest.to_owned(), number.parse::<u64>().ok()?))
        };
        let (rest, last) = numbered(text).context("--line needs FILE:LINE or FILE:LINE:COLUMN, with numbers")?;
        // A colon and a number may end the name of a file.
        let (name, line, column) = match numbered(&rest).filter(|_| !Path::new(&rest).exists()) {
            Some((name, line)) => (name, line, Some(last)),
            None => (rest, last, None),
        };
        let is_file = |at: &usize| Path::new(&name[..*at]).is_file();
        let archive = name.match_indices("!/").map(|(at, _)| at).find(is_file).filter(|_| !Path::new(&name).exists());
        let file = PathBuf::from(&name[..archive.unwrap_or(name.len())]);
        Ok(Place { file, member: archive.map(|_| name), line, column })
    }

    fn has(&self, finding: &Finding) -> bool {
        let region = &finding.region;
        (region.start.line..=region.end.line).contains(&self.line)
            && self.column.is_none_or(|column| (region.start.line, region.start.column) == (self.line, column))
            && self.member.as_ref().is_none_or(|member| *member == finding.origin.to_string())
    }
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let (target, wanted) = match (&args.line, args.finding.as_deref()) {
        (Some(place), _) => {
            let place = Place::parse(place)?;
            (place.file.clone(), Wanted::Place(place))
        }
        (None, Some("-")) => (PathBuf::from("-"), Wanted::All),
        (None, said) => {
            let said = said.unwrap_or_default().to_ascii_lowercase();
            if said.is_empty() || !said.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                bail!("a fingerprint has hex digits only; for a line say --line FILE:LINE, for standard input -");
            }
            (args.target.clone().unwrap_or_else(|| PathBuf::from(".")), Wanted::Fingerprint(said))
        }
    };
    let rules = (&args.rules[..], args.lenient);
    let mut findings = scan::everything(target, args.history, args.config.as_deref(), rules)?;
    findings.retain(|finding| wanted.is(finding));
    if findings.is_empty() && !matches!(wanted, Wanted::All) {
        bail!("nothing is found there, not even of low confidence; `stanch scan --confidence low` shows all there is");
    }
    let shown: Vec<Shown> = findings.iter().map(Shown::of).collect();
    let text = match args.format {
        Form::Json => {
            let document = serde_json::json!({ "schema_version": "1", "threshold": THRESHOLD, "findings": shown });
            serde_json::to_string_pretty(&document).context("cannot write JSON")? + "\n"
        }
        Form::Text => shown.iter().map(Shown::text).collect::<Vec<_>>().join("\n"),
    };
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    Ok(Exit::Clean)
}

/// A finding, as far as it is explained.
#[derive(Serialize)]
struct Shown {
    rule: String,
    path: String,
    line: u64,
    column: u64,
    fingerprint: String,
    secret: String,
    confidence: &'static str,
    proof: &'static str,
    why: Option<String>,
    points: i32,
    evidence: Vec<Piece>,
}

#[derive(Serialize)]
struct Piece {
    name: &'static str,
    weight: i32,
    about: &'static str,
    detail: String,
}

impl Shown {
    fn of(finding: &Finding) -> Self {
        let (proof, why) = match &finding.proof {
            Proof::Holds(why) => ("holds", Some(why.clone())),
            Proof::Fails(why) => ("fails", Some(why.clone())),
            Proof::Absent => ("absent", None),
        };
        let about = |name: &str| {
            crate::detect::evidence::sign::ALL.iter().find(|sign| sign.name == name).map_or("", |sign| sign.about)
        };
        let piece = |one: &crate::finding::Evidence| Piece {
            name: one.name,
            weight: one.weight,
            about: about(one.name),
            detail: one.detail.clone(),
        };
        Shown {
            rule: finding.rule.id.clone(),
            path: finding.origin.to_string(),
            line: finding.region.start.line,
            column: finding.region.start.column,
            fingerprint: finding.fingerprint.to_string(),
            secret: finding.redacted.clone(),
            confidence: finding.confidence.as_str(),
            proof,
            why,
            points: finding.evidence.iter().map(|one| one.weight).sum(),
            evidence: finding.evidence.iter().map(piece).collect(),
        }
    }

    fn text(&self) -> String {
        let place = terminal(&format!("{}:{}:{}", self.path, self.line, self.column));
        let mut text = format!("{place}: {} {} ({})\n", terminal(&self.rule), terminal(&self.secret), self.confidence);
        let mut say = |line: String| writeln!(text, "  {line}").expect("memory takes it");
        match (self.proof, &self.why) {
            ("absent", _) | (_, None) => say("no offline proof: the kind has none".to_owned()),
            (state, Some(why)) => say(format!("the offline proof {state}: {}", terminal(why))),
        }
        for piece in &self.evidence {
            let detail =
                if piece.detail.is_empty() { String::new() } else { format!(" ({})", terminal(&piece.detail)) };
            say(format!("{:+4} {}: {}{detail}", piece.weight, piece.name, piece.about));
        }
        match self.proof {
            _ if self.evidence.is_empty() => {}
            "fails" => say("a proof that fails decides: low, whatever the evidence".to_owned()),
            _ if self.confidence == Confidence::Low.as_str() && self.points >= THRESHOLD => {
                say(format!("{:+4} in all, but the rule itself says low of what stands in such a place", self.points));
            }
            _ => say(format!("{:+4} in all; {THRESHOLD} are needed for more than low", self.points)),
        }
        text
    }
}
