//! The names by which gitleaks' users know our rules, and gitleaks' versions.

use toml::Spanned;

use super::draft::Source;
use super::error::Error;

/// gitleaks' ids for kinds of tokens that we know under other ids.
pub(super) const GITLEAKS: &[(&str, &[&str])] = &[
    ("bitbucket-client-id", &["bitbucket-oauth-consumer-key"]),
    ("bitbucket-client-secret", &["bitbucket-oauth-consumer-secret"]),
    ("github-app-token", &["github-app-user", "github-app-installation", "github-app-installation-stateless"]),
    ("github-refresh-token", &["github-app-refresh", "github-app-refresh-short"]),
    ("gitlab-cicd-job-token", &["gitlab-job-token", "gitlab-job-token-jwt"]),
    ("gitlab-feature-flag-client-token", &["gitlab-feature-flag-client"]),
    ("gitlab-feed-token", &["gitlab-feed", "gitlab-feed-path"]),
    ("gitlab-incoming-mail-token", &["gitlab-incoming-mail"]),
    ("gitlab-kubernetes-agent-token", &["gitlab-agent"]),
    ("gitlab-pat-routable-versioned", &["gitlab-pat-routable"]),
    ("gitlab-ptt", &["gitlab-trigger"]),
    ("gitlab-rrt", &["gitlab-runner-registration"]),
    ("gitlab-runner-authentication-token", &["gitlab-runner-auth", "gitlab-runner-auth-typed"]),
    ("gitlab-runner-authentication-token-routable", &["gitlab-runner-auth-routable"]),
    ("gitlab-scim-token", &["gitlab-scim"]),
    ("gitlab-session-cookie", &["gitlab-session"]),
];

/// Our ids for the kind of token that gitleaks (8.30, betterleaks 1.7) calls `id`; none where the id is ours too or the
/// kind is not among ours.
pub fn ours(id: &str) -> &'static [&'static str] {
    GITLEAKS.iter().find(|(theirs, _)| *theirs == id).map_or(&[], |(_, ours)| ours)
}

/// The one of `ids` that is most like `id`, if one is like it at all.
pub fn nearest<'a>(id: &str, ids: impl Iterator<Item = &'a String>) -> Option<String> {
    let like = |other: &'a String| (strsim::jaro_winkler(id, other), other);
    let best = ids.map(like).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.8).then(|| best.1.clone())
}

/// The version whose schema is known here.
const KNOWN: [u64; 2] = [8, 30];

/// A note if the file asks for a newer gitleaks than is known here (gitleaks itself only warns).
pub(super) fn newer_than_known(source: &Source<'_>, min: Option<&Spanned<String>>) -> Result<Option<String>, Error> {
    let Some(min) = min.filter(|min| !min.as_ref().is_empty()) else { return Ok(None) };
    let parts = min.as_ref().trim_start_matches('v').split('.').take(2).map(|part| part.parse::<u64>().ok());
    match parts.collect::<Option<Vec<_>>>() {
        Some(parts) if parts.as_slice() > KNOWN.as_slice() => {
            let [major, minor] = KNOWN;
            Ok(Some(format!(
                "{}: minVersion is newer than gitleaks {major}.{minor}, whose keys are known",
                source.at(min)
            )))
        }
        Some(_) => Ok(None),
        None => Err(Error::Word {
            at: source.at(min),
            key: "minVersion",
            word: min.as_ref().chars().take(20).collect(),
            expected: "a version such as v8.25.0".to_owned(),
        }),
    }
}
