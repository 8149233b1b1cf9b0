//! `stanch explain`: why a finding is believed or not, piece by piece.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

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
    /// Explain what is found in this line instead
    #[arg(long, value_name = "FILE:LINE", conflicts_with = "finding")]
    line: Option<String>,
    /// Look for it in everything that the git repository at TARGET holds
    #[arg(long, conflicts_with = "line")]
    history: bool,
    /// Configuration file; otherwise the nearest .stanch.toml or .gitleaks.toml upwards from the target
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
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
    Line(u64),
    Fingerprint(String),
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let (target, wanted) = match (&args.line, args.finding.as_deref()) {
        (Some(place), _) => {
            let (file, line) = place.rsplit_once(':').context("--line needs FILE:LINE")?;
            let line = line.parse().with_context(|| format!("`{}` is no line number", line.escape_debug()))?;
            (PathBuf::from(file), Wanted::Line(line))
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
    let mut findings = scan::everything(&target, args.history, args.config.as_deref())?;
    findings.retain(|finding| match &wanted {
        Wanted::All => true,
        Wanted::Line(line) => (finding.region.start.line..=finding.region.end.line).contains(line),
        Wanted::Fingerprint(start) => finding.fingerprint.to_string().starts_with(start),
    });
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
