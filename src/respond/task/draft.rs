//! Turns a case into the text of a task: what, where, how bad, what was done, what is left. Never the secret.

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior};
use serde_json::{Value, json};

use super::Error;
use crate::ledger::Row;
use crate::report::escape;
use crate::respond::config::TaskTarget;
use crate::respond::incident::Place;
use crate::respond::plan::Case;
use crate::respond::provider::Person;

/// A task before it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// A label that no other incident has.
    pub marker: String,
    /// One line.
    pub title: String,
    /// In the style of the tracker.
    pub body: String,
    /// The marker among them.
    pub labels: Vec<String>,
    /// Accounts.
    pub assignees: Vec<String>,
    /// `YYYY-MM-DD`.
    pub due: Option<String>,
}

/// How a tracker reads text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Markdown with HTML comments.
    Markdown,
    /// Jira's wiki text.
    Wiki,
    /// Nothing has a meaning; lines are turned into a document later.
    Plain,
    /// Slack's text, and that of those like it.
    Chat,
}

/// What a draft is made of, the case apart.
#[derive(Debug)]
pub struct Brief<'a> {
    /// Where it goes.
    pub target: &'a TaskTarget,
    /// How text is read there.
    pub style: Style,
    /// What a person has to do, if the plan says so.
    pub person: Option<&'a Person>,
    /// What the ledger has of the incident.
    pub rows: &'a [Row],
    /// Who gets it.
    pub assignees: Vec<String>,
    /// Today, UTC.
    pub today: jiff::civil::Date,
}

/// The label of an incident. GitHub allows 50 characters; Jira no blanks.
pub fn marker(incident: &str) -> String {
    format!("stanch-{incident}")
}

/// The line in a body that nobody sees, for trackers that drop labels.
pub fn hidden(marker: &str) -> String {
    format!("<!-- {marker} -->")
}

const TEMPLATE: &str = "\
A leaked {{ kind }} was found. It is {{ liveness }}{% if detail %}: {{ detail }}{% endif %}.

## Where
{% for place in places -%}
- {{ place.text }}{% if place.link %} {{ place.link }}{% endif %}{% if place.commit %}, \
since {{ place.since }} by commit {{ place.commit }}{% if place.author %} of {{ place.author }}{% endif %}{% endif %}
{% endfor %}
{%- if holder or scopes or reach or expires or last_used %}
## What it can do
{% if holder -%}
- Held by {{ holder }}
{% endif %}{% if created -%}
- Made {{ created }}
{% endif %}{% if expires -%}
- Expires {{ expires }}
{% endif %}{% if last_used -%}
- Last used {{ last_used }}{% if ips %} from {{ ips }}{% endif %}
{% endif %}{% for scope in scopes -%}
- May {{ scope.name }}{% if scope.dangerous %} (dangerous){% endif %}
{% endfor %}{% for one in reach -%}
- Reaches {{ one.what }} {{ one.name }} {{ one.access }}
{% endfor %}{% if reaches_more -%}
- Reaches more than is listed here
{% endif %}{% endif %}
{%- if done %}
## What was done
{% for one in done -%}
- {{ one }}
{% endfor %}{% endif %}
## What is left
{% for one in left -%}
- {{ checkbox }}{{ one }}
{% endfor %}
Due {{ due }}. Incident {{ fingerprint }}, rule {{ rule }}.
";

/// Writes the draft.
pub fn write(case: &Case, brief: &Brief<'_>) -> Result<Draft, Error> {
    let marker = marker(&case.incident.id.to_string());
    let due = due(case, brief);
    let context = context(case, brief, &due);
    let source = brief.target.template.as_deref().unwrap_or(TEMPLATE);
    let mut body = render(source, &context, brief.style)?;
    if brief.style == Style::Markdown {
        body.push_str(&format!("\n{}\n", hidden(&marker)));
    }
    let kind = case.incident.kind.map_or(case.incident.rule.as_str(), |kind| kind.as_str());
    let place = case.incident.places.first().map(|place| format!(" in {}", escape::terminal(&place.origin)));
    let mut labels = vec![marker.clone(), "leaked-secret".to_owned()];
    labels.extend(brief.target.labels.iter().cloned());
    Ok(Draft {
        title: format!("Leaked {kind}{}", place.unwrap_or_default()).chars().take(200).collect(),
        marker,
        body,
        labels,
        assignees: brief.assignees.clone(),
        due: Some(due),
    })
}

fn due(case: &Case, brief: &Brief<'_>) -> String {
    let days = i64::from(brief.target.due_days(case.incident.severity));
    let date = brief.today.checked_add(jiff::Span::new().days(days.min(10_000)));
    date.unwrap_or(brief.today).to_string()
}

fn context(case: &Case, brief: &Brief<'_>, due: &str) -> Value {
    let (incident, said) = (&case.incident, &case.said);
    let place = |place: &Place| {
        let path = escape::percent(place.origin.trim_start_matches("./").as_bytes());
        let commit = place.brought.as_ref().map_or("HEAD", |brought| brought.commit.as_str());
        let base = brief.target.link.as_ref().map(|base| base.trim_end_matches('/').replace("{commit}", commit));
        json!({
            "text": format!("{}:{}", place.origin, place.line),
            "link": base.map(|base| format!("{base}/{path}#L{}", place.line)),
            "commit": place.brought.as_ref().map(|brought| &brought.commit),
            "author": place.brought.as_ref().and_then(|brought| brought.author.as_ref()),
            "since": place.brought.as_ref().map(|brought| &brought.at),
        })
    };
    json!({
        "fingerprint": incident.id.to_string(),
        "rule": incident.rule,
        "provider": incident.provider,
        "kind": incident.kind.map_or(incident.rule.as_str(), |kind| kind.as_str()),
        "severity": incident.severity.as_str(),
        "liveness": said.liveness.as_str(),
        "detail": said.liveness.detail(),
        "host": said.host,
        "holder": said.holder,
        "created": said.created,
        "expires": said.expires,
        "last_used": said.last_used,
        "ips": said.ips.join(", "),
        "scopes": said.scopes.iter()
            .map(|it| json!({ "name": it.name, "dangerous": it.dangerous })).collect::<Vec<_>>(),
        "reach": said.reach.iter()
            .map(|it| json!({ "what": it.what, "name": it.name, "access": it.access })).collect::<Vec<_>>(),
        "reaches_more": said.reaches_more,
        "places": incident.places.iter().map(place).collect::<Vec<_>>(),
        "done": brief.rows.iter().filter_map(done).collect::<Vec<_>>(),
        "left": left(case, brief.person),
        "checkbox": if brief.style == Style::Markdown { "[ ] " } else { "" },
        "due": due,
    })
}

/// What a row of the ledger tells somebody who gets the task.
fn done(row: &Row) -> Option<String> {
    let detail: Value = serde_json::from_str(&row.detail).ok()?;
    let said = match row.event.as_str() {
        "outcome" => {
            let status = detail["status"].as_u64().map(|status| format!("status {status}"));
            let id = detail["request_id"].as_str().map(|id| format!("request {id}"));
            let answer = [status, id].into_iter().flatten().collect::<Vec<_>>().join(", ");
            format!("{} ({answer})", row.step)
        }
        "inspected" | "closed" => {
            let word = |key: &str| detail[key].as_str().unwrap_or_default();
            format!("{}: {} {}", row.event, word("liveness"), word("detail"))
        }
        _ => return None,
    };
    Some(format!("{} {}", row.at, said.trim()))
}

/// The checklist: what ends the token, then what always has to be done.
fn left(case: &Case, person: Option<&Person>) -> Vec<String> {
    let mut list = Vec::new();
    if let Some(person) = person {
        if !person.page.is_empty() {
            list.push(format!("Go to {}", person.page));
        }
        list.extend(person.steps.iter().cloned());
    } else if !case.said.liveness.is_dead() {
        list.push("Revoke the token: stanch revoke".to_owned());
    }
    if !case.incident.remedy.is_empty() && !list.contains(&case.incident.remedy) {
        list.push(case.incident.remedy.clone());
    }
    list.push("Make a new token where one is needed, and keep it out of the repository".to_owned());
    list.push("Look in the provider's audit log for what was done with the token since it leaked".to_owned());
    list.push(
        "Take the token out of the files; its history stays readable, which is harmless once it is dead".to_owned(),
    );
    list.push(
        "Run stanch task sync where the token still stands, or with - and the token on standard input: it closes this \
         task when the provider says that the token is dead"
            .to_owned(),
    );
    list
}

/// Renders a template. Everything that a value prints is escaped for the style, in the user's templates too.
fn render(source: &str, context: &Value, style: Style) -> Result<String, Error> {
    // The cause may quote what the template was given; the place is enough.
    let wrong =
        |error: minijinja::Error| Error::Template(format!("{} in line {}", error.kind(), error.line().unwrap_or(0)));
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(1_000_000));
    environment.set_formatter(move |out: &mut Output<'_>, _: &State<'_, '_>, value: &minijinja::Value| {
        let written = match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(()),
            _ if value.is_safe() => out.write_str(&value.to_string()),
            _ => out.write_str(&escaped(&value.to_string(), style)),
        };
        written.map_err(minijinja::Error::from)
    });
    let text = environment.template_from_str(source).and_then(|it| it.render(context)).map_err(wrong)?;
    Ok(if style == Style::Wiki { wiki(&text) } else { text })
}

fn escaped(text: &str, style: Style) -> String {
    match style {
        // A box to tick is ours.
        Style::Markdown if text == "[ ] " => text.to_owned(),
        Style::Markdown if is_link(text) => format!("<{text}>"),
        Style::Markdown => escape::markdown(text),
        Style::Plain => escape::terminal(text),
        Style::Chat => chat(text),
        Style::Wiki => {
            let mut out = String::new();
            for c in escape::terminal(text).chars() {
                if "\\{}[]|*_^~!+?".contains(c) && !is_link(text) {
                    out.push('\\');
                }
                out.push(c);
            }
            out
        }
    }
}

/// Text that calls nobody and hides no address in a chat. Slack's rules (docs.slack.dev, formatting message text) know
/// `<!channel>` and `<address|text>`, and no backslash; others know `@all`.
pub(super) fn chat(text: &str) -> String {
    let text = escape::terminal(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('@', "@\u{200b}")
}

/// An address that we made ourselves: nothing in it can end it.
fn is_link(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@%&=+,".contains(c);
    (text.starts_with("https://") || text.starts_with("http://")) && text.chars().all(plain)
}

/// Our few signs of Markdown as Jira's wiki text has them.
fn wiki(text: &str) -> String {
    let line = |line: &str| match (line.strip_prefix("## "), line.strip_prefix("- ")) {
        (Some(title), _) => format!("h2. {title}\n"),
        (_, Some(item)) => format!("* {item}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_is_text_everywhere() {
        let context = json!({ "evil": "[x](javascript:1) @all <img> {code} \n## no" });
        for (style, forbidden) in [
            (Style::Markdown, &["[x](", "<img>", "\n##", " @all"][..]),
            (Style::Wiki, &[" {code}", "\nh2", " [x]"]),
            (Style::Plain, &["\n##"]),
            (Style::Chat, &["<img>", "@all", "\n##"]),
        ] {
            let text = render("{{ evil }}", &context, style).unwrap();
            assert!(forbidden.iter().all(|it| !text.contains(it)), "{style:?}: {text}");
        }
    }

    #[test]
    fn a_wrong_template_is_named_by_its_line() {
        let said = render("a\n{{ nothing }}", &json!({}), Style::Plain).unwrap_err().to_string();
        assert!(said.contains("line 2"), "{said}");
        assert!(render("{% for x in %}", &json!({}), Style::Plain).is_err());
        assert!(
            render(
                "{% for x in range(99999) %}{% for y in range(99999) %}.{% endfor %}{% endfor %}",
                &json!({}),
                Style::Plain
            )
            .is_err()
        );
    }
}
