//! `stanch scan`.

mod args;

use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

pub(super) use self::args::{Args, Search, parse_confidence};
use super::config::{self, Config};
use super::inspector::Inspector;
use super::output::{Outputs, Wanted, color, discard_unfinished, has_terminal};
use super::pack::Selection;
use super::{baseline, ci, ci_logs, message, progress};
use crate::baseline::Baseline;
use crate::builtin;
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
use crate::summary::Summary;

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
    // The process is about to end then, and taking all rules to pieces before takes as long as searching a file.
    let detector = ManuallyDrop::new(scan::detector(&plan)?);
    let mut summary = progress::during(&watch, !args.quiet && has_terminal(), || {
        scan::run_with(&plan, &detector, &watch, &mut |finding| match inspector {
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
    let find = if search.for_server { config::for_server } else { config::for_target };
    let mut config = find(first.as_deref().unwrap_or(Path::new(".")), search.config.as_deref(), search.lenient)?;
    for path in &search.rules {
        config.add_rules(path, search.lenient)?;
    }
    search.selection.choose(&mut config)?;
    config.keep_rules(&search.only)?;
    if config.rules.rules.iter().all(|rule| rule.skip_report) {
        bail!(
            "no rule is left: what the options and the configuration choose is left out by others of them; `stanch rules list` prints all rules"
        );
    }
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

/// All that is found in a target, whatever its confidence and whoever allowed it. `rules`: files of more of them, and whether what
/// cannot be honoured of these is passed over.
pub(super) fn everything(
    target: PathBuf,
    history: bool,
    config: Option<&Path>,
    (rules, lenient): (&[PathBuf], bool),
) -> Result<Vec<Finding>> {
    let search = Search {
        targets: vec![target],
        history,
        config: config.map(Path::to_owned),
        rules: rules.to_vec(),
        lenient,
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
        masks: builtin::missing_from(&config.rules).map(Arc::new),
        rules: Arc::new(config.rules),
        jobs: args.jobs.map_or(defaults.jobs.map_or(cores, NonZeroUsize::get), usize::from),
        confidence: args.confidence.or(defaults.confidence).unwrap_or_default(),
        accept: defaults.accept_skip.into_iter().chain(args.accept_skip.iter().copied()).collect(),
        fingerprint_key: fingerprint_key(),
        places: places(args),
        tops: tops(&targets),
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
    Places { root: first.as_deref().and_then(worktree::root).or_else(|| base.clone()), base }
}

/// The directories among the targets, unless they are in a work tree.
fn tops(targets: &[PathBuf]) -> Vec<PathBuf> {
    let directories = targets.iter().filter(|path| path.is_dir() && worktree::root(path).is_none());
    directories.cloned().collect()
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
        masked: message::masked_name,
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
