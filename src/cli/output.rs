//! Where reports go: standard output, or files that appear only when they are whole.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
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

/// The reports of a run, as one.
pub(super) struct Outputs {
    open: Vec<Output>,
}

struct Output {
    report: Box<dyn Report + Send>,
    /// The file that becomes `path` at the end.
    file: Option<(NamedTempFile, PathBuf)>,
    /// Nobody reads standard output any more.
    closed: bool,
}

impl Outputs {
    /// Opens all of them, so that a path that cannot be written is known before anything is scanned.
    pub(super) fn open(wanted: &[Wanted], style: &Style, header: &Header<'_>) -> Result<Self> {
        let mut open = Vec::new();
        for one in wanted {
            let mut output = match &one.file {
                None => Output {
                    report: report::report(one.format, Box::new(io::stdout()), *style),
                    file: None,
                    closed: false,
                },
                Some(path) => to_file(one.format, path, style)?,
            };
            output.write(|report| report.begin(header))?;
            open.push(output);
        }
        Ok(Outputs { open })
    }

    /// Passes a finding to every report.
    pub(super) fn finding(&mut self, finding: &Finding) -> Result<()> {
        self.open.iter_mut().try_for_each(|output| output.write(|report| report.finding(finding)))
    }

    /// Ends every report and puts the files in their places.
    pub(super) fn finish(self, summary: &Summary) -> Result<()> {
        for mut output in self.open {
            output.write(|report| report.finish(summary))?;
            drop(output.report);
            if let Some((file, path)) = output.file {
                let written = file.as_file().sync_all().and_then(|()| file.persist(&path).map_err(|error| error.error));
                written.with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(())
    }
}

impl Output {
    fn write(&mut self, act: impl FnOnce(&mut dyn Report) -> io::Result<()>) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        match act(self.report.as_mut()) {
            Ok(()) => Ok(()),
            // `stanch scan | head`: the scan goes on for the exit code and the other reports.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.file.is_none() => {
                self.closed = true;
                Ok(())
            }
            Err(error) => {
                let name = self.file.as_ref().map_or("standard output".into(), |(_, path)| path.display().to_string());
                Err(error).with_context(|| format!("cannot write {name}"))
            }
        }
    }
}

fn to_file(format: Format, path: &Path, style: &Style) -> Result<Output> {
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable by its owner alone: a report tells an attacker where to look.
    let file = tempfile::Builder::new().prefix(".stanch-").tempfile_in(directory).with_context(|| {
        format!("cannot write {}: no new file can be made in {}", path.display(), directory.display())
    })?;
    anyhow::ensure!(!path.is_dir(), "cannot write {}: it is a directory; name a file in it", path.display());
    let writer: Box<dyn Write + Send> = Box::new(io::BufWriter::new(file.reopen()?));
    let style = Style { color: false, ..*style };
    let report = report::report(format, writer, style);
    Ok(Output { report, file: Some((file, path.to_owned())), closed: false })
}

/// Whether standard output is a terminal that wants colours.
pub(super) fn color(no_color: bool) -> bool {
    !no_color && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Whether standard error is a terminal.
pub(super) fn has_terminal() -> bool {
    io::stderr().is_terminal()
}
