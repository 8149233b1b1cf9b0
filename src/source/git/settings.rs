//! Turns git's configuration into what it says of hooks and of trust: what libgit2 reads of it, and the environment variables that
//! change it, which libgit2 does not know. `includeIf` is followed as far as libgit2 does; in files that a variable names, not at all.

use std::path::{Path, PathBuf};
use std::sync::Once;

use git2::{Config, ConfigLevel, Error, ErrorCode, Repository, RepositoryOpenFlags};

use super::layout::Layout;
use super::store::path as bytes_to_path;

/// Has libgit2 open repositories whose extensions it does not know, but which change nothing of what it is asked for: configuration, index, what
/// is ignored. References in tables are read by ourselves.
pub fn accept_extensions() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(unsafe_code, reason = "libgit2 keeps them in a static variable; nobody sets it twice")]
        // Safety: called once, and by whoever is about to open a repository before that.
        let set = unsafe { git2::opts::set_extensions(&["refstorage", "partialclone"]) };
        // Without them such a repository is not opened, as before.
        drop(set);
    });
}

/// Opens a git directory, and no other above it.
pub(super) fn open(layout: &Layout) -> Result<Repository, Error> {
    accept_extensions();
    let none: [&std::ffi::OsStr; 0] = [];
    let open = |flags| Repository::open_ext(&layout.git_dir, RepositoryOpenFlags::NO_SEARCH | flags, none);
    match open(RepositoryOpenFlags::empty()) {
        // `core.worktree` may say that the work tree is where there is none. This way, too, the owner is asked for.
        Err(error) if error.code() == ErrorCode::NotFound => open(RepositoryOpenFlags::BARE),
        opened => opened,
    }
}

/// For whom something is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// This repository alone, or this once.
    Repository,
    /// All repositories of a user, or of all users.
    Everywhere,
}

/// `core.hooksPath` as it is written, and for whom it counts.
pub(super) fn hooks_path(layout: &Layout, repository: Option<&Repository>) -> Result<Option<(String, Reach)>, Error> {
    if let Some((_, value)) = given().into_iter().rfind(|(name, _)| name == "core.hookspath") {
        return Ok(Some((value, Reach::Repository)));
    }
    let config = config(layout, repository)?;
    let entry = match config.get_entry("core.hooksPath") {
        Ok(entry) => entry,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_own = matches!(entry.level(), ConfigLevel::Local | ConfigLevel::Worktree);
    let reach = if is_own { Reach::Repository } else { Reach::Everywhere };
    Ok(Some((entry.value()?.to_owned(), reach)))
}

/// All that is set in files for a repository, as git has it.
pub(super) fn config(layout: &Layout, repository: Option<&Repository>) -> Result<Config, Error> {
    let mut config = match repository {
        Some(repository) => repository.config()?,
        // What libgit2 cannot open has a configuration nevertheless.
        None => {
            let mut config = Config::open_default()?;
            config.add_file(&layout.common_dir.join("config"), ConfigLevel::Local, true)?;
            config
        }
    };
    replace(&mut config)?;
    Ok(config)
}

/// Whether the user says in `safe.directory` that a repository can be trusted; its own configuration is not asked.
pub(super) fn is_trusted(place: &Path) -> bool {
    let mut values = Vec::new();
    if let Ok(mut config) = Config::open_default()
        && replace(&mut config).is_ok()
        && let Ok(entries) = config.multivar("safe.directory", None)
    {
        drop(entries.for_each(|entry| values.extend(entry.value().ok().map(str::to_owned))));
    }
    values.extend(given().into_iter().filter(|(name, _)| name == "safe.directory").map(|(_, value)| value));
    // An empty value takes back those before it.
    let last = values.rsplit(|value| value.is_empty()).next().unwrap_or_default();
    last.iter().any(|value| match value.strip_suffix("/*").and_then(expand) {
        Some(above) => place != above && place.starts_with(above),
        None => value == "*" || expand(value).is_some_and(|path| path == place),
    })
}

/// A path as git means it; `None` where only git knows: the home of another user, or where git itself is installed.
pub(super) fn expand(value: &str) -> Option<PathBuf> {
    if value == "~" || value.starts_with("~/") {
        return Some(PathBuf::from(variable("HOME")?).join(value[1..].trim_start_matches('/')));
    }
    let is_plain = !value.starts_with('~') && !value.starts_with("%(prefix)/");
    is_plain.then(|| bytes_to_path(value.as_bytes()))
}

/// Puts the files that the environment names in the place of the user's and the system's.
fn replace(config: &mut Config) -> Result<(), Error> {
    // A file that is not there says nothing.
    let none = Path::new("/nonexistent/gitconfig");
    if is_set("GIT_CONFIG_NOSYSTEM") {
        config.add_file(none, ConfigLevel::ProgramData, true)?;
        config.add_file(none, ConfigLevel::System, true)?;
    } else if let Some(path) = variable("GIT_CONFIG_SYSTEM") {
        config.add_file(Path::new(&path), ConfigLevel::System, true)?;
    }
    if let Some(path) = variable("GIT_CONFIG_GLOBAL") {
        config.add_file(none, ConfigLevel::XDG, true)?;
        config.add_file(if path.is_empty() { none } else { Path::new(&path) }, ConfigLevel::Global, true)?;
    }
    Ok(())
}

/// What the environment itself sets, names in lower case: `GIT_CONFIG_COUNT` with its keys and values, then what `git -c` says.
fn given() -> Vec<(String, String)> {
    let count: usize = variable("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0);
    let pair = |at| Some((variable(&format!("GIT_CONFIG_KEY_{at}"))?, variable(&format!("GIT_CONFIG_VALUE_{at}"))?));
    let mut given: Vec<_> = (0..count).map_while(pair).collect();
    given.extend(parameters(&variable("GIT_CONFIG_PARAMETERS").unwrap_or_default()));
    given.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// `GIT_CONFIG_PARAMETERS`: between blanks `'name'='value'`, or of old `'name=value'`, quoted as for a shell.
fn parameters(text: &str) -> Vec<(String, String)> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            '\\' if !is_quoted => word.extend(letters.next()),
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.iter().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

fn is_set(name: &str) -> bool {
    variable(name).is_some_and(|value| Config::parse_bool(value).unwrap_or(true))
}

#[expect(clippy::disallowed_methods, reason = "as libgit2 asks HOME; git's configuration is partly there")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_quoted_as_for_a_shell() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let text = r"'core.y'='it'\''s '\!'' 'a.b=c d' 'core.bare' 'x.y'=";
        assert_eq!(parameters(text), [pair("core.y", "it's !"), pair("a.b", "c d"), pair("x.y", "")]);
        assert_eq!(parameters(""), []);
    }
}
