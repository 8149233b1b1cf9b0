//! The user's netrc file: names and passwords of machines, as curl and git read them.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::secret::Secret;

/// What the file says of a machine.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) login: Option<String>,
    pub(super) password: Secret,
}

/// What the user's file says of a machine; an entry for all others (`default`) is not meant for an API.
///
/// # Errors
/// The file is there and cannot be read.
pub(super) fn find(machine: &str) -> Result<Option<Entry>, String> {
    let Some(path) = path() else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(entry(&Zeroizing::new(text), machine)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

#[expect(clippy::disallowed_methods, reason = "cli asks the environment")]
fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("NETRC").or_else(|| set("HOME").map(|home| home.join(".netrc")))
}

fn entry(text: &str, machine: &str) -> Option<Entry> {
    let mut words = text.lines().flat_map(|line| line.split_whitespace().chain(line.trim().is_empty().then_some("\n")));
    let (mut here, mut login, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" if here && password.is_some() => break,
            "machine" => (here, login, password) = (words.next() == Some(machine), None, None),
            "default" => here = false,
            // A macro goes on to an empty line.
            "macdef" => drop(words.find(|word| *word == "\n")),
            "login" => login = words.next(),
            "password" => password = words.next(),
            _ => {}
        }
    }
    let password = password.filter(|_| here)?;
    Some(Entry { login: login.map(str::to_owned), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test knows the password")]
    fn a_machine_has_its_own_password() {
        let text = "machine a login one password first\nmacdef init\nmachine b password no\n\n\
                    machine b\n  login two\n  password second\ndefault login x password y\n";
        let found = |machine: &str| {
            entry(text, machine).map(|it| (it.login, String::from_utf8(it.password.expose().to_vec()).unwrap()))
        };
        assert_eq!(found("a"), Some((Some("one".to_owned()), "first".to_owned())));
        assert_eq!(found("b"), Some((Some("two".to_owned()), "second".to_owned())));
        assert_eq!(found("c"), None);
    }
}
