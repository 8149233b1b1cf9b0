//! `stanch scan`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::config::{self, Config};
use super::history;
use super::inspector::Inspector;
use super::output::{Outputs, Wanted, color, discard_unfinished, has_terminal};
use super::pack::Selection;
use super::{baseline, ci, ci_logs, message, progress};
use crate::baseline::Baseline;
use crate::coverage::Why;
use crate::detect::decode::DEPTH;
use crate::exit::Exit;
use crate::finding::{Finding, Verdict};
use crate::place::Places;
use crate::report::{Format, Header, Repository, Style};
use crate::rule::Confidence;
use crate::scan::{self, Plan, Watch};
use crate::secret::Secret;
use crate::source::files::{self, Target};
use crate::source::log::Dialect;
use crate::source::{read, unpack, worktree};
use crate::summary::{FailOn, Summary};

/// What is searched, and for what. What is not said comes from the configuration file, then from the default.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("objects").args(["history", "ci_env"]).multiple(true))]
pub(super) struct Search {
    /// Files, directories, FIFOs, or - for standard input [default: .]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<PathBuf>,

    /// Search everything that the git repository at TARGET holds, instead of its files
    #[arg(long, help_heading = "What is read")]
    pub(super) history: bool,
    /// Search what the next commit would change, as the index of the repository at TARGET has it, instead of its files
    #[arg(long, conflicts_with_all = ["history", "log", "log_dialect", "respect_gitignore"], help_heading = "What is read")]
    pub(super) staged: bool,
    /// Search what the change brought for which a CI system runs this, as its environment tells; where no change is told (a schedule), all
    /// that references lead to. A CI system that is not known is an error
    #[arg(long, conflicts_with_all = ["staged", "log", "log_dialect", "respect_gitignore"], help_heading = "What is read")]
    ci_env: bool,
    #[command(flatten)]
    pub(super) in_history: history::Args,
    /// Leave out files and directories that match, as in a .gitignore (repeatable)
    #[arg(long, value_name = "GLOB", help_heading = "What is read")]
    exclude: Vec<String>,
    /// Leave out what git ignores; by default ignored files are read, because they leak, too
    #[arg(long, help_heading = "What is read")]
    respect_gitignore: bool,
    /// Skip larger files (500, 64k, 10MB); by default none is too large
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "What is read")]
    max_size: Option<u64>,
    /// Do not exit with 3 for what was not read for this reason (repeatable); it is still counted
    #[arg(long, value_name = "REASON", value_parser = parse_reason, help_heading = "What is read")]
    accept_skip: Vec<Why>,
    /// The targets are logs: what terminals and CI systems add to the text is undone, too
    #[arg(long, help_heading = "What is read")]
    log: bool,
    /// Whose logs they are, instead of finding out line by line; implies --log
    #[arg(long, value_name = "DIALECT", value_parser = parse_dialect, help_heading = "What is read")]
    log_dialect: Option<Dialect>,
    /// Undo so many encodings inside each other (base64, hex, escapes …); 0 undoes none [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=16), help_heading = "What is read")]
    decode_depth: Option<u8>,
    /// Look into archives and compressed files, so many inside each other; 0 searches them as they are [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=32), help_heading = "What is read")]
    archive_depth: Option<u8>,
    /// Threads that search [default: as many as there are cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "What is read")]
    pub(super) jobs: Option<u16>,

    /// Report findings of at least this confidence [default: medium]
    #[arg(long, value_name = "LEVEL", value_parser = parse_confidence, help_heading = "What is found")]
    confidence: Option<Confidence>,
    /// Use only this rule (repeatable)
    #[arg(long = "rule", value_name = "ID", help_heading = "What is found")]
    only: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// Add the rules of a TOML file, ours or gitleaks' (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "What is found")]
    rules: Vec<PathBuf>,
    /// Ignore, with a warning, what of betterleaks' keys in rule files cannot be honoured
    #[arg(long, help_heading = "What is found")]
    lenient: bool,
    /// Configuration file; otherwise the nearest .stanch.toml or .gitleaks.toml upwards from the target
    #[arg(long, value_name = "PATH", help_heading = "What is found")]
    pub(super) config: Option<PathBuf>,
    /// Hide what this file knows: a baseline of ours, a gitleaks report or a .secrets.baseline
    #[arg(long, value_name = "FILE", help_heading = "What is found")]
    pub(super) baseline: Option<PathBuf>,
}

impl Search {
    /// What is searched: the directory in which we are, unless something is named.
    pub(super) fn targets(&self) -> Vec<PathBuf> {
        if self.targets.is_empty() { vec![PathBuf::from(".")] } else { self.targets.clone() }
    }

    /// The first target that is a path.
    pub(super) fn first(&self) -> Option<PathBuf> {
        self.targets().into_iter().next().filter(|path| path.as_os_str() != "-")
    }
}

/// What can be said on the command line of a scan.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) search: Search,
    #[command(flatten)]
    pub(super) ci: ci_logs::Args,
    /// Show findings that somebody allowed, or that the baseline knows, too
    #[arg(long, help_heading = "What is found")]
    show_allowed: bool,

    /// Ask the providers whether the tokens that are found work. A token is shown to its own provider's host alone
    /// (docs/respond.md)
    #[arg(long, help_heading = "What the providers say")]
    pub(super) inspect: bool,
    /// Which findings make the run fail: found (all that count), live (all that are not proven dead: what nobody could
    /// tell of fails, too) or proven-live [default: found]
    #[arg(long, value_parser = parse_fail_on, value_name = "WHICH", requires = "inspect", help_heading = "What the providers say")]
    fail_on: Option<FailOn>,
    /// Ask nobody. A scan asks nobody anyway unless --inspect is said, which this forbids
    #[arg(long, conflicts_with = "inspect", help_heading = "What the providers say")]
    offline: bool,

    /// How to report [default: text]
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_format, help_heading = "How it is reported")]
    format: Option<Format>,
    /// Write the report to this file, readable by you alone, once it is whole; - is standard output
    #[arg(short, long, value_name = "FILE", help_heading = "How it is reported")]
    output: Option<PathBuf>,
    /// Write a report, to standard output or to a file (repeatable)
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = Wanted::parse, help_heading = "How it is reported")]
    report: Vec<Wanted>,
    /// No colours; so does the environment variable NO_COLOR
    #[arg(long, help_heading = "How it is reported")]
    no_color: bool,
    /// Say nothing but the report
    #[arg(short, long, conflicts_with = "verbose", help_heading = "How it is reported")]
    pub(super) quiet: bool,
    /// Name everything that was not read, and the time it took
    #[arg(short, long, help_heading = "How it is reported")]
    verbose: bool,
}

fn parse_fail_on(text: &str) -> Result<FailOn, String> {
    let known = [("found", FailOn::Found), ("live", FailOn::Live), ("proven-live", FailOn::ProvenLive)];
    let found = known.into_iter().find(|(word, _)| *word == text);
    found.map(|(_, which)| which).ok_or_else(|| "found, live or proven-live".to_owned())
}

fn parse_reason(text: &str) -> Result<Why, String> {
    let known = || Why::ALL.iter().map(|why| why.as_str()).collect::<Vec<_>>().join(", ");
    Why::ALL.iter().copied().find(|why| why.as_str() == text).ok_or_else(|| format!("the reasons are {}", known()))
}

fn parse_dialect(text: &str) -> Result<Dialect, String> {
    let known = || Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect::<Vec<_>>().join(", ");
    Dialect::parse(text).ok_or_else(|| format!("the dialects are {}", known()))
}

pub(super) fn parse_confidence(text: &str) -> Result<Confidence, String> {
    let levels = [Confidence::Low, Confidence::Medium, Confidence::High];
    levels.into_iter().find(|level| level.as_str() == text).ok_or_else(|| "low, medium or high".to_owned())
}

fn parse_size(text: &str) -> Result<u64, String> {
    config::parse_size(text).ok_or_else(|| "write bytes, or 64k, 10MB, 1GiB".to_owned())
}

fn parse_format(text: &str) -> Result<Format, String> {
    Ok(Wanted::parse(&text.replace('=', " "))?.format)
}

pub(super) fn run(args: Args) -> Result<Exit> {
    Ok(perform(&args, |_| {}, &mut |_| {})?.exit())
}

/// Scans and reports. What the arguments cannot say is done to the plan by `adjust`; `seen` gets every finding.
pub(super) fn perform(args: &Args, adjust: impl FnOnce(&mut Plan), seen: &mut dyn FnMut(&Finding)) -> Result<Summary> {
    let started = Instant::now();
    let config = configure(&args.search)?;
    for note in &config.notes {
        message::warning(note);
    }
    let wanted = wanted(args)?;
    let show_allowed = args.show_allowed || config.scan.show_allowed == Some(true);
    let mut plan = plan(&args.search, config, args.quiet)?;
    adjust(&mut plan);
    if let Some(path) = &args.search.baseline {
        plan.baseline = Some(baseline::load(path, places(&args.search), plan.now)?);
    }
    let inspector = args.inspect.then(|| Inspector::new(&args.search)).transpose()?;
    let watch = Arc::new(Watch::default());
    on_interrupt(&watch)?;
    let logs = ci_logs::prepare(args, &mut plan, &watch)?;
    let mut leaks = Vec::new();
    let mut outputs = Outputs::open(&wanted, &style(args), &header(args, &plan, show_allowed))?;
    plan.files.unfinished = outputs.unfinished();
    let mut tell = |finding: &Finding| {
        seen(finding);
        leaks.extend(ci_logs::leak(finding));
        if outputs.finding(finding).is_break() {
            watch.interrupt.store(true, Relaxed);
        }
    };
    // Who is asked is asked about each secret once: when all its places are known.
    let mut held = Vec::new();
    let mut summary = progress::during(&watch, !args.quiet && has_terminal(), || {
        scan::run(&plan, &watch, &mut |finding| match inspector {
            None => tell(&finding),
            Some(_) => held.push(finding),
        })
    })?;
    if let Some(inspector) = &inspector {
        inspector.ask(&mut held, &mut summary, &watch, args.fail_on, args.quiet);
        held.iter().for_each(&mut tell);
    }
    if args.search.ci_env {
        ci::advise(&mut summary.coverage.skips);
    }
    outputs.finish(&summary)?;
    if !args.quiet {
        account(&wanted, &summary, args.verbose.then_some(started));
    }
    if let Some(logs) = logs {
        // Whoever stopped the run deletes nothing.
        args.ci.conclude(&logs, if summary.interrupted { Vec::new() } else { leaks }, args.quiet)?;
    }
    Ok(summary)
}

/// What a scan without any report finds, for those who write it down elsewhere.
pub(super) fn gather(args: &Args, known: Option<Baseline>) -> Result<(Vec<Finding>, Summary)> {
    anyhow::ensure!(
        args.format.is_none() && args.output.is_none() && args.report.is_empty(),
        "no report is written here; `stanch scan` writes one"
    );
    anyhow::ensure!(args.fail_on.is_none(), "--fail-on is for `stanch scan`");
    let config = configure(&args.search)?;
    for note in &config.notes {
        message::warning(note);
    }
    let mut plan = Plan { baseline: known, ..plan(&args.search, config, args.quiet)? };
    let inspector = args.inspect.then(|| Inspector::new(&args.search)).transpose()?;
    let watch = Arc::new(Watch::default());
    on_interrupt(&watch)?;
    ci_logs::prepare(args, &mut plan, &watch)?;
    let mut findings = Vec::new();
    let mut summary = progress::during(&watch, !args.quiet && has_terminal(), || {
        scan::run(&plan, &watch, &mut |finding| findings.push(finding))
    })?;
    if let Some(inspector) = &inspector {
        inspector.ask(&mut findings, &mut summary, &watch, args.fail_on, args.quiet);
    }
    Ok((findings, summary))
}

/// The configuration that the first target finds, with what the command line adds to its rules.
fn configure(search: &Search) -> Result<Config> {
    let first = search.first();
    let mut config =
        config::for_target(first.as_deref().unwrap_or(Path::new(".")), search.config.as_deref(), search.lenient)?;
    for path in &search.rules {
        config.add_rules(path, search.lenient)?;
    }
    search.selection.choose(&mut config)?;
    config.keep_rules(&search.only)?;
    for rule in config.rules.rules.iter().filter(|rule| rule.regex.is_empty() && (search.history || search.ci_env)) {
        let id = rule.id.escape_debug();
        let note = format!("rule `{id}` asks for files by name, which is not done in history: scan the tree too");
        config.notes.push(note);
    }
    Ok(config)
}

/// The findings that count, for those who respond to them. What could not be read is said, and is no reason to stop.
pub(super) fn findings(search: &Search) -> Result<Vec<Finding>> {
    ci_logs::check(search, false)?;
    let mut plan = plan(search, configure(search)?, false)?;
    if let Some(path) = &search.baseline {
        plan.baseline = Some(baseline::load(path, places(search), plan.now)?);
    }
    let mut findings = Vec::new();
    let summary = scan::run(&plan, &Watch::default(), &mut |finding| {
        if finding.verdict == Verdict::Reported {
            findings.push(finding);
        }
    })?;
    if summary.unaccepted() > 0 {
        message::warning(&format!("{} things were not read; `stanch scan` names them", summary.unaccepted()));
    }
    Ok(findings)
}

/// All that is found in a target, whatever its confidence and whoever allowed it.
pub(super) fn everything(target: &Path, history: bool, config: Option<&Path>) -> Result<Vec<Finding>> {
    let search = Search {
        targets: vec![target.to_owned()],
        history,
        config: config.map(Path::to_owned),
        selection: Selection::paranoid(),
        ..Search::default()
    };
    let plan = plan(&search, configure(&search)?, false)?;
    let mut findings = Vec::new();
    scan::run(&plan, &Watch::default(), &mut |finding| findings.push(finding))?;
    Ok(findings)
}

/// The reports that were asked for, in the order in which they were.
fn wanted(args: &Args) -> Result<Vec<Wanted>> {
    let mut wanted = args.report.clone();
    if wanted.is_empty() || args.format.is_some() || args.output.is_some() {
        let file = args.output.clone().filter(|file| file.as_os_str() != "-");
        wanted.insert(0, Wanted { format: args.format.unwrap_or(Format::Text), file });
    }
    for (index, one) in wanted.iter().enumerate() {
        if wanted[..index].iter().any(|earlier| earlier.file == one.file) {
            match &one.file {
                Some(file) => bail!("two reports would go to {}; give each a file of its own", file.display()),
                None => bail!("two reports would go to standard output; give one a file: --report FORMAT=FILE"),
            }
        }
    }
    Ok(wanted)
}

fn plan(args: &Search, config: Config, quiet: bool) -> Result<Plan> {
    let (targets, defaults) = (args.targets(), config.scan);
    ensure!(
        !(args.history || args.ci_env || args.staged) || targets.len() == 1,
        "--history, --ci-env and --staged take one repository at a time; {} were named",
        targets.len()
    );
    let mut history = (args.history || args.ci_env).then(|| args.in_history.request(targets[0].clone()));
    if let (Some(request), true) = (&mut history, args.ci_env) {
        let (scope, told) = ci::scope(&request.repository)?;
        request.scope = Some(scope);
        if !quiet {
            message::note(&told);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Plan {
        history,
        staged: args.staged.then(|| super::hook::staged(targets[0].clone())),
        targets: targets.iter().map(|path| target(path)).collect(),
        files: files::Options {
            exclude: defaults.exclude.into_iter().chain(args.exclude.iter().cloned()).collect(),
            respect_gitignore: args.respect_gitignore || defaults.respect_gitignore == Some(true),
            max_size: args.max_size.or(defaults.max_size),
            unfinished: Vec::new(),
        },
        rules: Arc::new(config.rules),
        jobs: args.jobs.map_or(defaults.jobs.map_or(cores, NonZeroUsize::get), usize::from),
        confidence: args.confidence.or(defaults.confidence).unwrap_or_default(),
        accept: defaults.accept_skip.into_iter().chain(args.accept_skip.iter().copied()).collect(),
        fingerprint_key: fingerprint_key(),
        places: places(args),
        baseline: None,
        remote: None,
        now: super::now(),
        decode: args.decode_depth.unwrap_or(DEPTH),
        unpack: args.archive_depth.unwrap_or(unpack::DEPTH),
        chunk: read::CHUNK,
        log: args.log_dialect.or(args.log.then_some(Dialect::Auto)),
    })
}

#[expect(clippy::disallowed_methods, reason = "a key on the command line would be seen by every process")]
fn fingerprint_key() -> Option<Secret> {
    let key = std::env::var_os("STANCH_FINGERPRINT_KEY").filter(|key| !key.is_empty())?;
    Some(Secret::new(key.into_encoded_bytes()))
}

fn target(path: &Path) -> Target {
    if path.as_os_str() == "-" { Target::Stdin } else { Target::Path(path.to_owned()) }
}

#[expect(clippy::disallowed_methods, reason = "the second interrupt must end what blocks")]
fn on_interrupt(watch: &Arc<Watch>) -> Result<()> {
    let watch = watch.clone();
    ctrlc::set_handler(move || {
        if watch.interrupt.swap(true, Relaxed) {
            // The second time: whatever blocks, the user wants out.
            discard_unfinished();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    })
    .context("cannot listen for interrupts")
}

/// What leads from the paths of findings to those of the repository of the first target.
pub(super) fn places(search: &Search) -> Places {
    let first = search.first();
    let base = std::env::current_dir().ok();
    Places { root: first.as_deref().and_then(worktree::describe).map(|it| it.root).or_else(|| base.clone()), base }
}

fn header<'p>(args: &Args, plan: &'p Plan, show_allowed: bool) -> Header<'p> {
    let found = args.search.first().filter(|_| args.ci.target.is_none()).and_then(|path| worktree::describe(&path));
    let base = std::env::current_dir().ok();
    Header {
        rules: &plan.rules,
        version: env!("CARGO_PKG_VERSION"),
        root: found.as_ref().map(|repository| repository.root.clone()).or_else(|| base.clone()),
        base,
        repository: found.map(|it| Repository { uri: it.uri, revision: it.revision, branch: it.branch }),
        confidence: plan.confidence,
        now: plan.now,
        show_allowed,
        show_hidden: plan.confidence == Confidence::Low,
        at_once: plan.history.is_some(),
        targets: match &args.ci.target {
            Some(target) => vec![target.to_string()],
            None => args.search.targets().iter().map(|path| path.display().to_string()).collect(),
        },
    }
}

fn style(args: &Args) -> Style {
    let color = color(args.no_color);
    Style { color, verbose: args.verbose, ..Style::default() }
}

/// One line on standard error where no text report says it on standard output.
fn account(wanted: &[Wanted], summary: &Summary, started: Option<Instant>) {
    let told = wanted.iter().any(|one| one.format == Format::Text && one.file.is_none());
    let unread = summary.unaccepted();
    summary.warnings.iter().for_each(|text| message::warning(text));
    if !told {
        let baselined = match summary.baselined {
            0 => String::new(),
            count => format!("{count} in the baseline, "),
        };
        let (reported, allowed) = (summary.reported, summary.allowed);
        message::note(&format!("{reported} found, {allowed} allowed, {baselined}{unread} not read"));
        if !summary.expired.is_empty() {
            let expired = summary.expired.len();
            message::warning(&format!("expired in the baseline: {expired}; what they name is reported again"));
        }
        if unread > 0 && summary.reported == 0 {
            message::warning("this is not a clean result: something was not read; the report names it");
        }
    }
    if summary.interrupted {
        message::warning("interrupted: the report holds what was found so far");
    }
    if let Some(started) = started {
        let seconds = started.elapsed().as_secs_f64();
        let speed = summary.coverage.bytes as f64 / 1e6 / seconds.max(1e-9);
        message::note(&format!("{seconds:.3} s, {speed:.0} MB/s"));
    }
}
