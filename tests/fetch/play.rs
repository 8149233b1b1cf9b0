//! What every test of this directory needs: a provider, a scan of it, archives.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::Duration;

use stanch::builtin::with_examples;
use stanch::coverage::Why;
use stanch::detect::mint::mint;
use stanch::fetch::target::Target;
use stanch::fetch::{Logs, Options};
use stanch::finding::{Finding, Verdict};
use stanch::http::{CredentialSpec, Host, HostSpec, Hosts, Http, Pace};
use stanch::rule::Confidence;
use stanch::scan::{self, Plan, Watch};
use stanch::secret::Secret;
use stanch::source::files;
use stanch::source::log::Dialect;
use stanch::source::read::CHUNK;
use stanch::summary::Summary;
use zip::write::SimpleFileOptions;

use crate::server::Server;

/// What the program says who it is with.
pub const OURS: &str = "ours-0123456789";

/// A token that is found.
pub fn token(seed: u64) -> String {
    mint(with_examples().get("github-pat").unwrap(), seed).unwrap()
}

/// A recorded answer.
pub fn recorded(path: &str) -> String {
    let whole = format!("{}/testdata/http/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{whole}: {error}"))
}

/// A line of GitHub's, with a token or without.
pub fn line(text: &str) -> String {
    format!("2026-11-18T08:00:12.1234567Z {text}\n")
}

/// An archive as a server makes it that does not know sizes before: they stand behind the content.
pub fn streamed(members: &[(&str, String)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new_stream(Vec::new());
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// An archive whose headers have the sizes, its members stored or deflated.
pub fn seekable(members: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A door in a hurry to one host.
pub fn door(target: &Target, url: &str) -> Http {
    let mut spec = HostSpec::bare(target.provider.service(), url);
    spec.credential = Some(CredentialSpec::Env("OURS".to_owned()));
    let mut http = Http::new(Hosts::new(vec![spec], Arc::new(|_| Ok(Secret::new(OURS)))).unwrap());
    http.pace = Pace {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(5),
        attempts: 3,
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(3),
    };
    http
}

/// The logs of a target at a server.
pub fn logs(target: &str, server: &Server, options: Options) -> Logs {
    let target = Target::parse(target).unwrap();
    let http = door(&target, &server.url);
    assert_eq!(http.hosts.of(target.provider.service(), &[]).into_iter().map(Host::base_url).count(), 1);
    Logs::new(http, &server.url, target, options, None).unwrap()
}

/// A scan of them.
pub fn scanned(logs: Logs) -> (Vec<Finding>, Summary) {
    let plan = Plan {
        baseline: None,
        masks: None,
        history: None,
        staged: None,
        remote: Some(Arc::new(logs)),
        targets: Vec::new(),
        files: files::Options::default(),
        log: Some(Dialect::Auto),
        rules: Arc::new(with_examples()),
        jobs: 3,
        confidence: Confidence::Medium,
        accept: Vec::new(),
        fingerprint_key: None,
        places: Default::default(),
        tops: Vec::new(),
        now: 1_795_000_000,
        decode: 3,
        unpack: 8,
        chunk: CHUNK,
    };
    let mut findings = Vec::new();
    let summary = scan::run(&plan, &Watch::default(), &mut |finding| findings.push(finding)).unwrap();
    (findings, summary)
}

/// Places of what was found, with a word where that is hidden as what most likely is no secret, and reasons and places
/// of what was not read.
pub fn told(findings: &[Finding], summary: &Summary) -> (Vec<String>, Vec<(Why, String)>) {
    let place = |finding: &Finding| {
        let hidden = if finding.verdict == Verdict::Hidden { " hidden" } else { "" };
        format!("{}:{}{hidden}", finding.origin, finding.region.start.line)
    };
    let skips = summary.coverage.skips.iter().map(|skip| (skip.why, skip.origin.to_string()));
    (findings.iter().map(place).collect(), skips.collect())
}

pub fn fact<'f>(finding: &'f Finding, name: &str) -> Option<&'f str> {
    finding.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
}
