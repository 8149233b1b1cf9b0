//! What `inspect`, `revoke` and `task` share: what comes in, and the door to the network.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::scan::Search;
use super::{config, message};
use crate::finding::Finding;
use crate::http::{CredentialSpec, Hosts, Http, ProxyUrl};
use crate::respond::config::File;
use crate::respond::incident::{self, Incident};
use crate::respond::kind::Kind;
use crate::secret::Secret;

mod from;
pub(super) mod view;

/// Scans; `scan` provides it.
pub(super) type Scan<'a> = dyn Fn(&Search) -> Result<Vec<Finding>> + 'a;

/// What comes in.
#[derive(Debug, clap::Args)]
#[command(mut_arg("targets", |arg| arg.help("What to scan, or - to read tokens from standard input, one per line [default: .]")))]
#[command(mut_arg("config", |arg| arg.help("Configuration file; its [[host]] entries are trusted, as those of a file found in the tree are not")))]
pub(super) struct Input {
    #[command(flatten)]
    pub(super) search: Search,
    /// Respond to what a report names (ours in JSON or SARIF, or GitHub's list of secret scanning alerts); the places
    /// are scanned again, because reports hold no secrets
    #[arg(long, value_name = "REPORT", conflicts_with = "targets")]
    pub(super) from: Option<PathBuf>,
    /// The kind of the tokens on standard input, as PROVIDER/KIND; needed where their first characters do not tell
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Ask nobody: everything is unknown
    #[arg(long)]
    pub(super) offline: bool,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One document
    Json,
}

/// What was read: the incidents, and how much of the input could not be found again.
pub(super) struct Gathered {
    pub(super) incidents: Vec<Incident>,
    /// Places or lines of the input that came to nothing.
    pub(super) missing: usize,
}

impl Input {
    /// The tokens to respond to.
    pub(super) fn gather(&self, scan: &Scan<'_>) -> Result<Gathered> {
        if let Some(report) = &self.from {
            return from::report(report, &self.search, scan);
        }
        let mut args = self.search.clone();
        let dash = args.targets.len();
        args.targets.retain(|target| target.as_os_str() != "-");
        let mut gathered = Gathered { incidents: Vec::new(), missing: 0 };
        if args.targets.len() < dash {
            gathered = self.tokens(std::io::stdin().lock())?;
        }
        if args.targets.len() == dash || !args.targets.is_empty() {
            join(&mut gathered.incidents, incident::gather(&scan(&args)?));
        }
        Ok(gathered)
    }

    /// One token per line; empty lines are passed over.
    fn tokens(&self, input: impl BufRead) -> Result<Gathered> {
        let mut gathered = Gathered { incidents: Vec::new(), missing: 0 };
        for (index, line) in input.split(b'\n').enumerate() {
            let line = zeroize::Zeroizing::new(line.context("cannot read standard input")?);
            let token = line.trim_ascii();
            if token.is_empty() {
                continue;
            }
            let named = self.kind.as_deref().and_then(|kind| kind.split_once('/'));
            let kind = Kind::of_prefix(token)
                .or_else(|| named.and_then(|(provider, kind)| Kind::of_rule(provider, kind, token)));
            match kind {
                Some(kind) => add(&mut gathered.incidents, Incident::bare(Secret::new(token), kind)),
                None => {
                    gathered.missing += 1;
                    message::warning(&format!(
                        "line {} of standard input does not tell by its first characters what it is; say --kind",
                        index + 1
                    ));
                }
            }
        }
        Ok(gathered)
    }

    /// What the configuration says of hosts and of the response. The first thing that is looked at: a token among the
    /// arguments must not get as far as the message of a file that does not open.
    pub(super) fn file(&self) -> Result<File> {
        refuse_tokens(self.search.targets.iter().chain(&self.from))?;
        let target = self.search.targets.first().filter(|target| target.as_os_str() != "-");
        settings(target.map_or(Path::new("."), PathBuf::as_path), self.search.config.as_deref())
    }
}

fn add(incidents: &mut Vec<Incident>, incident: Incident) {
    if !incidents.iter().any(|known| known.secret == incident.secret) {
        incidents.push(incident);
    }
}

/// Adds what was found in its places; what was handed to us without one is the same incident.
fn join(incidents: &mut Vec<Incident>, found: Vec<Incident>) {
    for mut one in found {
        if let Some(at) = incidents.iter().position(|known| known.secret == one.secret) {
            one.kind = one.kind.or(incidents.remove(at).kind);
        }
        incidents.push(one);
    }
}

const TOKEN_IN_ARGUMENTS: &str = "an argument names no file and looks like a token. Every process of this machine can \
    read arguments, and the shell keeps them: treat it as leaked. Give tokens on standard input, one per line: stanch \
    revoke - < FILE";

/// The same for every word of the command line, whatever it was meant for: what cannot be parsed, or opened, would be
/// repeated by the message. What `filter` runs is not ours to judge.
pub(super) fn refuse_token_words(argv: &[std::ffi::OsString]) -> Result<()> {
    if argv.get(1).is_some_and(|command| command == "filter" || command == "redact") {
        return Ok(());
    }
    for word in argv.iter().skip(1).map(|word| word.as_encoded_bytes()) {
        let value = word.splitn(2, |&byte| byte == b'=').last().filter(|_| word.starts_with(b"-")).unwrap_or(word);
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-=+/.".contains(byte);
        let looks_like_one = value.len() >= 20 && value.iter().all(is_word) && Kind::of_prefix(value).is_some();
        if looks_like_one && std::str::from_utf8(value).is_ok_and(|value| Path::new(value).symlink_metadata().is_err())
        {
            bail!(TOKEN_IN_ARGUMENTS);
        }
    }
    Ok(())
}

/// A token among the arguments has been seen by every process of this machine. It is not repeated.
fn refuse_tokens<'a>(targets: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    for target in targets {
        let bytes = target.as_os_str().as_encoded_bytes();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-=+/.".contains(byte);
        let odd = bytes.len() >= 20 && bytes.iter().all(is_word) && bytes.iter().any(u8::is_ascii_digit);
        let looks_like_one = odd || bytes.len() >= 20 && Kind::of_prefix(bytes).is_some();
        if looks_like_one && target.symlink_metadata().is_err() {
            bail!(TOKEN_IN_ARGUMENTS);
        }
    }
    Ok(())
}

/// The settings of a run: those of `explicit` (`--config`), else of the user's own file. A file that is found in the
/// tree, which is what is scanned and may be anybody's, counts only if the user has none, and may only hold back:
/// whoever can write to a scanned tree must not be able to have tokens, or news of them, sent to a host of his, or
/// programs run for a credential.
pub(super) fn settings(target: &Path, explicit: Option<&Path>) -> Result<File> {
    if let Some(path) = explicit {
        return read(path);
    }
    let own = config_home().map(|home| home.join("stanch/stanch.toml")).filter(|path| path.exists());
    let file = own.as_deref().map(read).transpose()?;
    let Some(path) = config::discover(target)? else { return Ok(file.unwrap_or_default()) };
    let found = read(&path)?;
    let dropped = not_trusted(&found);
    if !dropped.is_empty() {
        message::warning(&format!(
            "{}: {} not used, because whoever writes to the tree could have tokens, and news of them, sent anywhere \
             with it, or programs run; if you trust this file, say --config {0}",
            path.display(),
            dropped.join(", "),
        ));
    }
    Ok(file.unwrap_or_else(|| found.found_at(path)))
}

/// The parts of a file in the tree that are passed over.
fn not_trusted(found: &File) -> Vec<&'static str> {
    let respond = &found.respond;
    let parts = [
        ("[[host]]", !found.host.is_empty()),
        ("[[respond.deliver]]", !respond.deliver.is_empty()),
        ("successor_file", respond.successor_file.is_some()),
        ("[respond.task]", respond.task.is_some()),
    ];
    parts.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // The message of toml quotes the line, and a careless line may hold a credential: only its place is shown.
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        anyhow::anyhow!("{}:{line}: {}", path.display(), error.message())
    })
}

fn config_home() -> Option<PathBuf> {
    base_dir("XDG_CONFIG_HOME", ".config")
}

/// Where the ledger is when nobody says otherwise.
pub(super) fn default_ledger() -> Result<PathBuf> {
    let state = base_dir("XDG_STATE_HOME", ".local/state");
    let state = state.context("neither XDG_STATE_HOME nor HOME is set; name the ledger with --ledger FILE")?;
    Ok(state.join("stanch/ledger.db"))
}

#[expect(clippy::disallowed_methods, reason = "cli asks the environment")]
fn base_dir(variable: &str, fallback: &str) -> Option<PathBuf> {
    let absolute = |path: std::ffi::OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").and_then(absolute).map(|home| home.join(fallback));
    std::env::var_os(variable).and_then(absolute).or_else(home)
}

/// The door to the hosts that the settings name.
#[expect(clippy::disallowed_methods, reason = "cli asks the environment")]
pub(super) fn door(file: &File, offline: bool) -> Result<Http> {
    let mut http = Http::new(Hosts::new(file.host.clone(), Arc::new(fetch))?);
    http.offline = offline;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let proxy = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(variable);
    let except = ["NO_PROXY", "no_proxy"].into_iter().find_map(variable);
    http.proxy = proxy.map(|url| (ProxyUrl(url), format!("localhost,127.0.0.0/8,::1,{}", except.unwrap_or_default())));
    Ok(http)
}

/// Fetches a credential of the user's. Errors name where it should be, never what is there.
#[expect(clippy::disallowed_methods, reason = "a credential of the user's may be in the environment")]
pub(super) fn fetch(spec: &CredentialSpec) -> Result<Secret, String> {
    let value = match spec {
        CredentialSpec::Env(name) => {
            let value = std::env::var_os(name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
            value.into_encoded_bytes()
        }
        CredentialSpec::File(path) => {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?
        }
        CredentialSpec::Command(words) => run(words)?,
        CredentialSpec::Netrc(machine) => {
            return super::netrc::find(machine)?
                .map(|it| it.password)
                .ok_or_else(|| format!("there is no machine {machine} in the netrc file"));
        }
    };
    let value = zeroize::Zeroizing::new(value);
    let line = value.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
    if line.is_empty() { Err("it is empty".to_owned()) } else { Ok(Secret::new(line)) }
}

fn run(words: &[String]) -> Result<Vec<u8>, String> {
    let (program, arguments) = words.split_first().ok_or("the command is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    let mut output = Vec::new();
    let read = child.stdout.take().map(|mut pipe| pipe.read_to_end(&mut output)).transpose();
    let status = child.wait().map_err(|error| format!("cannot run {program}: {error}"))?;
    read.map_err(|error| format!("cannot read what {program} prints: {error}"))?;
    if status.success() { Ok(output) } else { Err(format!("{program} failed: {status}")) }
}

/// Now, for the ledger.
#[expect(clippy::disallowed_methods, reason = "the ledger tells milliseconds apart")]
pub(super) fn clock() -> crate::ledger::Clock {
    Arc::new(|| format!("{:.3}", jiff::Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Input {
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            input: Input,
        }
        <Alone as clap::Parser>::parse_from(["stanch", "--offline"]).input
    }

    #[test]
    fn a_token_among_the_arguments_is_refused_and_not_repeated() {
        for token in [format!("ghp_{}", "0a".repeat(18)), "Mz1".repeat(14) + "==", format!("glpat-{}", "x1".repeat(10))]
        {
            let said = format!("{:#}", refuse_tokens(&[PathBuf::from(&token)]).unwrap_err());
            assert!(said.contains("stanch revoke -") && !said.contains(&token), "{said}");
        }
        refuse_tokens(&[PathBuf::from("."), PathBuf::from("src/some-long-directory-name-without-digits")]).unwrap();
    }

    #[test]
    fn one_token_per_line_and_each_once() {
        let token = format!("glpat-{}", "x1".repeat(10));
        let text = format!("{token}\n\n  {token}\r\nnothing that is known\n");
        let gathered = input().tokens(text.as_bytes()).unwrap();
        assert_eq!((gathered.incidents.len(), gathered.missing), (1, 1));
        let mut input = input();
        input.kind = Some("atlassian/data-center-pat".to_owned());
        let gathered = input.tokens(&b"MDAwMDAw\n"[..]).unwrap();
        assert_eq!(gathered.incidents[0].kind, Some(Kind::AtlassianDataCenter));
    }

    #[test]
    fn a_file_in_the_tree_names_no_hosts() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join(".stanch.toml");
        let text =
            "[[host]]\nprovider = \"github\"\nbase_url = \"https://evil.example\"\n[respond]\nmax_irreversible = 3";
        std::fs::write(&path, text).unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        let text = format!("{text}\nsuccessor_file = \"/tmp/x\"\n[[respond.deliver]]\nname = \"a\"\nfile = \"/tmp/y\"");
        std::fs::write(&path, text).unwrap();
        let found = settings(tree.path(), None).unwrap();
        assert!(found.host.is_empty() && found.respond.deliver.is_empty() && found.respond.successor_file.is_none());
        assert_eq!((found.respond.max_irreversible, found.in_tree.is_some()), (3, true));
        assert_eq!(settings(tree.path(), Some(&path)).unwrap().respond.deliver.len(), 1);
        assert_eq!(settings(tree.path(), Some(&path)).unwrap().host.len(), 1);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test knows the credential")]
    fn credentials_come_from_files_and_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "abc\ndef\n").unwrap();
        assert_eq!(fetch(&CredentialSpec::File(path.clone())).unwrap().expose(), b"abc");
        let words = ["cat", path.to_str().unwrap()].map(str::to_owned).to_vec();
        assert_eq!(fetch(&CredentialSpec::Command(words)).unwrap().expose(), b"abc");
        assert!(fetch(&CredentialSpec::Command(vec!["false".to_owned()])).is_err());
        assert!(fetch(&CredentialSpec::Env("STANCH_TEST_NOT_SET".to_owned())).unwrap_err().contains("NOT_SET"));
    }
}
