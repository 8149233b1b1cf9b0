//! Who gets a task: by the path of the leak, as CODEOWNERS or the configuration has it.

use ignore::gitignore::GitignoreBuilder;

use crate::respond::config::TaskTarget;
use crate::respond::incident::Incident;

/// One line: a pattern as in a `.gitignore`, and the people.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    pattern: String,
    people: Vec<String>,
}

/// The people for an incident, each once. `codeowners` is the content of that file, if there is one. For each place the
/// last line that fits decides, first of the configuration, then of CODEOWNERS.
pub fn assignees(incident: &Incident, target: &TaskTarget, codeowners: Option<&str>) -> Vec<String> {
    let configured: Vec<Line> =
        target.owners.iter().map(|line| Line { pattern: line.path.clone(), people: line.assignees.clone() }).collect();
    let owned = codeowners.map(parse).unwrap_or_default();
    let mut people: Vec<String> = Vec::new();
    for place in &incident.places {
        let path = place.origin.trim_start_matches("./");
        let fit = last(&configured, path).or_else(|| last(&owned, path));
        for one in fit.into_iter().flatten() {
            if !people.contains(one) {
                people.push(one.clone());
            }
        }
    }
    if people.is_empty() { target.assignees.clone() } else { people }
}

/// The people with an account of their own: a team cannot be assigned, an address is no account.
fn parse(text: &str) -> Vec<Line> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '[', '^']));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let pattern = words.next()?.to_owned();
            let people = words.take_while(|word| !word.starts_with('#'));
            let people = people.filter_map(|word| word.strip_prefix('@')).filter(|name| !name.contains('/'));
            Some(Line { pattern, people: people.map(str::to_owned).collect() })
        })
        .collect()
}

fn last<'l>(lines: &'l [Line], path: &str) -> Option<&'l Vec<String>> {
    lines.iter().rev().find(|line| fits(&line.pattern, path)).map(|line| &line.people)
}

fn fits(pattern: &str, path: &str) -> bool {
    if path.is_empty() || path.starts_with('/') {
        return false;
    }
    let mut builder = GitignoreBuilder::new("");
    // A pattern that does not parse owns nothing.
    builder.add_line(None, pattern).is_ok()
        && builder.build().is_ok_and(|matcher| matcher.matched_path_or_any_parents(path, false).is_ignore())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::incident::Place;

    fn people(path: &str) -> Vec<String> {
        let text = "# who\n* @ada\n/docs/ @bob @acme/writers # note\n*.tf @eve mail@example.org\n/src/**/net @joe\n";
        last(&parse(text), path).cloned().unwrap_or_default()
    }

    #[test]
    fn the_configuration_outranks_codeowners_and_both_the_default() {
        let target: TaskTarget =
            toml::from_str("host = 'h'\nassignees = ['default']\nowners = [{ path = '/infra/', assignees = ['joe'] }]")
                .unwrap();
        let assigned = |paths: &[&str]| {
            let kind = crate::respond::kind::Kind::GithubPat;
            let mut incident = Incident::bare(crate::secret::Secret::new("x"), kind);
            let place = |path: &&str| Place { origin: (*path).to_owned(), line: 1, brought: None };
            incident.places = paths.iter().map(place).collect();
            assignees(&incident, &target, Some("/infra/ @ada\n/docs/ @bob @acme/team\n"))
        };
        assert_eq!(assigned(&["infra/main.tf"]), ["joe"]);
        assert_eq!(assigned(&["./docs/a.md", "infra/b.tf", "docs/c.md"]), ["bob", "joe"]);
        assert_eq!(assigned(&["src/a.rs"]), ["default"]);
    }

    #[test]
    fn the_last_line_that_fits_decides() {
        assert_eq!(people("src/a.rs"), ["ada"]);
        assert_eq!(people("docs/deep/a.md"), ["bob"]);
        assert_eq!(people("docs/a.tf"), ["eve"]);
        assert_eq!(people("src/x/y/net/a.rs"), ["joe"]);
        assert!(people("").is_empty());
    }
}
