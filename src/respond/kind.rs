//! The kinds of tokens that can be responded to, and where each may be asked about.

use crate::http::Service;

/// What a token is, as far as the response differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Classic personal access token of GitHub.
    GithubPat,
    /// A token of GitHub without a prefix: the 40 hex digits of before 2021, or the password of a URL.
    GithubBare,
    /// Fine-grained personal access token of GitHub.
    GithubFineGrained,
    /// Token that an OAuth app got for a user.
    GithubOauth,
    /// Token that a GitHub App got for a user.
    GithubAppUser,
    /// Token of an installation of a GitHub App, the `GITHUB_TOKEN` of Actions among them.
    GithubInstallation,
    /// Refresh token of a GitHub App.
    GithubRefresh,
    /// Personal, project, group or impersonation access token of GitLab.
    GitlabPat,
    /// Token that an OAuth application got for a user of GitLab.
    GitlabOauth,
    /// Secret of an OAuth application of GitLab.
    GitlabOauthSecret,
    /// Deploy token.
    GitlabDeploy,
    /// Authentication token of a runner.
    GitlabRunner,
    /// Registration token for runners.
    GitlabRunnerRegistration,
    /// Token of a CI job.
    GitlabJob,
    /// Pipeline trigger token.
    GitlabTrigger,
    /// Feed token.
    GitlabFeed,
    /// Token in the address for incoming mail.
    GitlabMail,
    /// Token of an agent for Kubernetes.
    GitlabAgent,
    /// SCIM, feature-flag client, workspace and session tokens: only an administrator can ask about them.
    GitlabOther,
    /// App password of Bitbucket Cloud.
    BitbucketAppPassword,
    /// Access token of a repository, project or workspace of Bitbucket Cloud, or API key of an Atlassian organisation.
    BitbucketAccess,
    /// Key or secret of an OAuth consumer of Bitbucket Cloud.
    BitbucketConsumer,
    /// HTTP access token of Bitbucket Data Center.
    BitbucketDataCenter,
    /// API token of an Atlassian account or service account.
    AtlassianApi,
    /// Personal access token of Jira or Confluence Data Center.
    AtlassianDataCenter,
}

impl Kind {
    /// Beginnings that leave no doubt, longest first where one begins another.
    const PREFIXES: &'static [(&'static str, Kind)] = &[
        ("ghp_", Kind::GithubPat),
        ("github_pat_", Kind::GithubFineGrained),
        ("gho_", Kind::GithubOauth),
        ("ghu_", Kind::GithubAppUser),
        ("ghs_", Kind::GithubInstallation),
        ("ghr_", Kind::GithubRefresh),
        ("glpat-", Kind::GitlabPat),
        ("gloas-", Kind::GitlabOauthSecret),
        ("gldt-", Kind::GitlabDeploy),
        ("glrtr-", Kind::GitlabRunner),
        ("glrt-", Kind::GitlabRunner),
        ("GR1348941", Kind::GitlabRunnerRegistration),
        ("glcbt-", Kind::GitlabJob),
        ("glptt-", Kind::GitlabTrigger),
        ("glft-", Kind::GitlabFeed),
        ("glimt-", Kind::GitlabMail),
        ("glagent-", Kind::GitlabAgent),
        ("glwt-", Kind::GitlabOther),
        ("glsoat-", Kind::GitlabOther),
        ("glffct-", Kind::GitlabOther),
        ("ATBB", Kind::BitbucketAppPassword),
        ("ATCTT3xFfG", Kind::BitbucketAccess),
        ("ATATT3xFfG", Kind::AtlassianApi),
        ("ATSTT3xFfG", Kind::AtlassianApi),
        ("BBDC-", Kind::BitbucketDataCenter),
    ];

    /// What a token says of itself by its first characters.
    pub fn of_prefix(token: &[u8]) -> Option<Kind> {
        Self::PREFIXES.iter().find(|(prefix, _)| token.starts_with(prefix.as_bytes())).map(|&(_, kind)| kind)
    }

    /// What a rule says of its tokens: its `provider` and `kind`.
    pub fn of_rule(provider: &str, kind: &str, token: &[u8]) -> Option<Kind> {
        if let Some(kind) = Self::of_prefix(token) {
            return Some(kind);
        }
        Some(match (provider, kind) {
            ("github", "fine-grained-pat") => Kind::GithubFineGrained,
            ("github", "oauth") => Kind::GithubOauth,
            ("github", "app-user") => Kind::GithubAppUser,
            ("github", "app-installation" | "app-installation-stateless" | "app-installation-v1") => {
                Kind::GithubInstallation
            }
            ("github", "app-refresh" | "app-refresh-short") => Kind::GithubRefresh,
            ("github", "pat") => Kind::GithubPat,
            ("github", _) => Kind::GithubBare,
            ("gitlab", "oauth-app-secret") => Kind::GitlabOauthSecret,
            ("gitlab", "oauth-access-token") => Kind::GitlabOauth,
            ("gitlab", "deploy-token") => Kind::GitlabDeploy,
            ("gitlab", kind) if kind.starts_with("runner-auth") => Kind::GitlabRunner,
            ("gitlab", "runner-registration") => Kind::GitlabRunnerRegistration,
            ("gitlab", "job-token" | "job-token-jwt") => Kind::GitlabJob,
            ("gitlab", "trigger") => Kind::GitlabTrigger,
            ("gitlab", kind) if kind.starts_with("feed") => Kind::GitlabFeed,
            ("gitlab", "incoming-mail") => Kind::GitlabMail,
            ("gitlab", "agent") => Kind::GitlabAgent,
            ("gitlab", "workspace" | "scim" | "feature-flag-client" | "session" | "routable") => Kind::GitlabOther,
            ("gitlab", _) => Kind::GitlabPat,
            ("bitbucket", "app-password" | "url-credentials" | "netrc") => Kind::BitbucketAppPassword,
            ("bitbucket", "access-token") => Kind::BitbucketAccess,
            ("bitbucket", "dc-http-access-token") => Kind::BitbucketDataCenter,
            ("bitbucket", _) => Kind::BitbucketConsumer,
            ("atlassian", "data-center-pat") => Kind::AtlassianDataCenter,
            ("atlassian", _) => Kind::AtlassianApi,
            _ => return None,
        })
    }

    /// The services that may know a token of this kind.
    pub fn services(self) -> &'static [Service] {
        match self {
            Kind::BitbucketAppPassword | Kind::BitbucketConsumer => &[Service::Bitbucket],
            Kind::BitbucketAccess => &[Service::Bitbucket, Service::Atlassian],
            Kind::BitbucketDataCenter => &[Service::BitbucketDataCenter],
            Kind::AtlassianApi => &[Service::Jira, Service::Bitbucket],
            Kind::AtlassianDataCenter => &[Service::JiraDataCenter, Service::ConfluenceDataCenter],
            Kind::GithubPat
            | Kind::GithubBare
            | Kind::GithubFineGrained
            | Kind::GithubOauth
            | Kind::GithubAppUser
            | Kind::GithubInstallation
            | Kind::GithubRefresh => &[Service::Github],
            // Every kind by name: what is forgotten here would be shown to somebody else's provider.
            Kind::GitlabPat
            | Kind::GitlabOauth
            | Kind::GitlabOauthSecret
            | Kind::GitlabDeploy
            | Kind::GitlabRunner
            | Kind::GitlabRunnerRegistration
            | Kind::GitlabJob
            | Kind::GitlabTrigger
            | Kind::GitlabFeed
            | Kind::GitlabMail
            | Kind::GitlabAgent
            | Kind::GitlabOther => &[Service::Gitlab],
        }
    }

    /// Whether it is GitHub's.
    pub fn is_github(self) -> bool {
        self.services() == [Service::Github]
    }

    /// Two or three words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::GithubPat => "GitHub personal access token",
            Kind::GithubBare => "GitHub token without a prefix",
            Kind::GithubFineGrained => "GitHub fine-grained personal access token",
            Kind::GithubOauth => "GitHub OAuth token",
            Kind::GithubAppUser => "GitHub App user token",
            Kind::GithubInstallation => "GitHub App installation token",
            Kind::GithubRefresh => "GitHub refresh token",
            Kind::GitlabPat => "GitLab access token",
            Kind::GitlabOauth => "GitLab OAuth token",
            Kind::GitlabOauthSecret => "GitLab OAuth application secret",
            Kind::GitlabDeploy => "GitLab deploy token",
            Kind::GitlabRunner => "GitLab runner token",
            Kind::GitlabRunnerRegistration => "GitLab runner registration token",
            Kind::GitlabJob => "GitLab job token",
            Kind::GitlabTrigger => "GitLab pipeline trigger token",
            Kind::GitlabFeed => "GitLab feed token",
            Kind::GitlabMail => "GitLab incoming-mail token",
            Kind::GitlabAgent => "GitLab agent token",
            Kind::GitlabOther => "GitLab token",
            Kind::BitbucketAppPassword => "Bitbucket app password",
            Kind::BitbucketAccess => "Bitbucket access token",
            Kind::BitbucketConsumer => "Bitbucket OAuth consumer",
            Kind::BitbucketDataCenter => "Bitbucket Data Center access token",
            Kind::AtlassianApi => "Atlassian API token",
            Kind::AtlassianDataCenter => "Jira or Confluence Data Center token",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_to_its_own_provider() {
        for (provider, kind, service) in [
            ("github", "pat-bare", Service::Github),
            ("github", "url-credentials", Service::Github),
            ("gitlab", "url-credentials", Service::Gitlab),
        ] {
            assert_eq!(Kind::of_rule(provider, kind, b"0123abcd").unwrap().services(), [service], "{provider} {kind}");
        }
    }

    #[test]
    fn the_token_outranks_the_rule() {
        assert_eq!(Kind::of_rule("gitlab", "url-credentials", b"gldt-x"), Some(Kind::GitlabDeploy));
        assert_eq!(Kind::of_rule("gitlab", "routable", b"corp-glrt-t3_x"), Some(Kind::GitlabOther));
        assert_eq!(Kind::of_rule("github", "token-hex-file", b"0123abcd"), Some(Kind::GithubBare));
        assert_eq!(Kind::of_rule("slack", "bot", b"xoxb-x"), None);
    }
}
