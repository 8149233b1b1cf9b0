//! Where reports go: standard output, or files that appear only when they are whole.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use crate::finding::Finding;
use crate::report::{self, Format, Header, Report, Style};
use crate::summary::Summary;

/// One report that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// In which format.
    pub format: Format,
    /// To which file; `None` is standard output.
    pub file: Option<PathBuf>,
}

impl Wanted {
    /// Reads `FORMAT` or `FORMAT=FILE`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (format, file) = match text.split_once('=') {
            Some((format, file)) if !file.is_empty() => (format, (file != "-").then(|| file.into())),
            Some(_) => return Err("the file name after = is empty".to_owned()),
            None => (text, None),
        };
        let known = || Format::ALL.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ");
        let format = Format::from_name(format).ok_or_else(|| format!("no format {format:?}; there are {}", known()))?;
        Ok(Wanted { format, file })
    }
}

/// The reports of a run, as one. One that cannot be written takes no other with it.
pub(super) struct Outputs {
    all: Vec<Output>,
    /// What went wrong first.
    failed: Option<anyhow::Error>,
}

struct Output {
    report: Box<dyn Report + Send>,
    /// The file that becomes the path at the end.
    file: Option<(NamedTempFile, PathBuf)>,
    name: String,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nobody reads it any more.
    Closed,
    Failed,
}

impl Outputs {
    /// Opens all of them, so that a path that cannot be written is known before anything is scanned.
    pub(super) fn open(wanted: &[Wanted], style: &Style, header: &Header<'_>) -> Result<Self> {
        let all = wanted.iter().map(|one| Output::open(one, style)).collect::<Result<_>>()?;
        let mut outputs = Outputs { all, failed: None };
        outputs.write(|report| report.begin(header));
        match outputs.failed.take() {
            Some(error) => Err(error),
            None => Ok(outputs),
        }
    }

    /// The names of the files that are written until the end. The scan leaves them out, wherever they are.
    pub(super) fn unfinished(&self) -> Vec<OsString> {
        let files = self.all.iter().filter_map(|output| output.file.as_ref());
        files.filter_map(|(file, _)| Some(file.path().file_name()?.to_owned())).collect()
    }

    /// Passes a finding to every report. Breaks if none can be written any more.
    pub(super) fn finding(&mut self, finding: &Finding) -> ControlFlow<()> {
        self.write(|report| report.finding(finding));
        let all_failed = self.all.iter().all(|output| output.state == State::Failed);
        if all_failed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Ends every report and puts the files in their places. Fails if any report could not be written.
    pub(super) fn finish(mut self, summary: &Summary) -> Result<()> {
        self.write(|report| report.finish(summary));
        for output in self.all.into_iter().filter(|output| output.state == State::Open) {
            drop(output.report);
            if let Some((file, path)) = output.file {
                let written = file.as_file().sync_all().and_then(|()| file.persist(&path).map_err(|error| error.error));
                let written = written.with_context(|| format!("cannot write {}", path.display()));
                self.failed = self.failed.or(written.err());
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    fn write(&mut self, mut act: impl FnMut(&mut dyn Report) -> io::Result<()>) {
        for output in self.all.iter_mut().filter(|output| output.state == State::Open) {
            output.state = match act(output.report.as_mut()) {
                Ok(()) => State::Open,
                // `stanch scan | head`: the scan goes on for the exit code and the other reports.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => State::Closed,
                Err(error) => {
                    let context = format!("cannot write {}", output.name);
                    self.failed.get_or_insert(anyhow::Error::new(error).context(context));
                    State::Failed
                }
            };
        }
    }
}

impl Output {
    fn open(wanted: &Wanted, style: &Style) -> Result<Self> {
        let Some(path) = &wanted.file else {
            let report = report::report(wanted.format, Box::new(io::stdout()), *style);
            return Ok(Output { report, file: None, name: "standard output".to_owned(), state: State::Open });
        };
        let (writer, file) = create(path)?;
        let report = report::report(wanted.format, writer, Style { color: false, ..*style });
        Ok(Output { report, file, name: path.display().to_string(), state: State::Open })
    }
}

/// The names under which reports are written until they are whole.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what was begun, for an end that lets nothing finish.
pub(super) fn discard_unfinished() {
    for path in UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        // One that has its real name by now is gone from here.
        drop(std::fs::remove_file(path));
    }
}

/// A file that is written beside the path it will have.
type Pending = Option<(NamedTempFile, PathBuf)>;

/// Opens the file that a report goes to: a new one beside it that takes its place at the end, or the device or FIFO
/// itself. A link is followed, so that it stays one.
fn create(path: &Path) -> Result<(Box<dyn Write + Send>, Pending)> {
    let fail = || format!("cannot write {}", path.display());
    let place = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => bail!("{}: it is a directory; name a file in it", fail()),
        Ok(found) if !found.is_file() => {
            let device = std::fs::OpenOptions::new().write(true).open(path).with_context(fail)?;
            return Ok((Box::new(io::BufWriter::new(device)), None));
        }
        Ok(_) => path.canonicalize().with_context(fail)?,
        Err(_) => end_of_links(path),
    };
    let directory = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable by its owner alone: a report tells an attacker where to look.
    let file = tempfile::Builder::new().prefix(".stanch-").tempfile_in(directory).with_context(|| {
        let directory = directory.display();
        format!("{}: no new file can be made in {directory}; choose a directory that is there and yours", fail())
    })?;
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(file.path().to_owned());
    let writer = Box::new(io::BufWriter::new(file.reopen()?));
    Ok((writer, Some((file, place))))
}

/// Where links lead that end in nothing yet.
fn end_of_links(path: &Path) -> PathBuf {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..MOST {
        let Ok(next) = std::fs::read_link(&place) else { return place };
        place = place.parent().map_or(next.clone(), |directory| directory.join(&next));
    }
    path.to_owned()
}

/// Whether standard output is a terminal that wants colours.
pub(super) fn color(no_color: bool) -> bool {
    !no_color && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Whether standard error is a terminal.
pub(super) fn has_terminal() -> bool {
    io::stderr().is_terminal()
}
