//! The names by which gitleaks' users know our rules, and gitleaks' versions.

use toml::Spanned;

use super::draft::Source;
use super::error::Error;

/// gitleaks' ids for kinds of tokens that we know under other ids.
pub(super) const GITLEAKS: &[(&str, &[&str])] = &[
    ("adafruit-api-key", &["adafruit-io-key"]),
    ("age-secret-key", &["private-key-age"]),
    ("airtable-personnal-access-token", &["airtable-access-token"]),
    ("algolia-api-key", &["algolia-admin-api-key", "algolia-search-api-key", "algolia-api-key-in-call"]),
    ("alibaba-secret-key", &["alibaba-access-key-secret", "alibaba-access-key-secret-by-position"]),
    ("anthropic-admin-api-key", &["anthropic-admin-key"]),
    ("authress-service-client-access-key", &["authress-access-key"]),
    ("aws-access-token", &["aws-access-key-id", "aws-temporary-access-key-id"]),
    ("aws-amazon-bedrock-api-key-long-lived", &["aws-bedrock-api-key"]),
    ("aws-amazon-bedrock-api-key-short-lived", &["aws-bedrock-api-key-short-term"]),
    ("azure-ad-client-secret", &["azure-entra-client-secret"]),
    ("beamer-api-token", &["beamer-api-key"]),
    ("bitbucket-client-id", &["bitbucket-oauth-consumer-key"]),
    ("bitbucket-client-secret", &["bitbucket-oauth-consumer-secret"]),
    ("clickhouse-cloud-api-secret-key", &["clickhouse-cloud-api-secret"]),
    ("clojars-api-token", &["clojars-deploy-token"]),
    (
        "cloudflare-api-key",
        &["cloudflare-user-api-token", "cloudflare-account-api-token", "cloudflare-api-token-unprefixed"],
    ),
    ("codecov-access-token", &["codecov-upload-token", "codecov-yml-token"]),
    ("cohere-api-token", &["cohere-api-key", "cohere-api-key-in-call"]),
    ("coinbase-access-token", &["coinbase-api-secret"]),
    ("confluent-secret-key", &["confluent-cloud-api-secret", "confluent-cloud-api-secret-named"]),
    ("contentful-delivery-api-token", &["contentful-delivery-token"]),
    ("curl-auth-header", &["http-auth-basic", "http-auth-bearer", "http-auth-header", "http-auth-scheme"]),
    ("curl-auth-user", &["command-line-curl"]),
    ("databricks-api-token", &["databricks-pat"]),
    ("datadog-access-token", &["datadog-application-key", "datadog-api-key"]),
    ("defined-networking-api-token", &["defined-api-key"]),
    ("digitalocean-access-token", &["digitalocean-oauth-token"]),
    ("discord-api-token", &["discord-bot"]),
    ("doppler-api-token", &["doppler-personal-token"]),
    ("droneci-access-token", &["drone-token"]),
    ("dropbox-api-token", &["dropbox-app-secret"]),
    ("dropbox-long-lived-api-token", &["dropbox-long-lived-token"]),
    ("dropbox-short-lived-api-token", &["dropbox-short-lived-token"]),
    ("duffel-api-token", &["duffel-live-token", "duffel-test-token"]),
    ("dynatrace-api-token", &["dynatrace-access-token"]),
    ("easypost-api-token", &["easypost-api-key"]),
    ("easypost-test-api-token", &["easypost-test-key"]),
    ("facebook-page-access-token", &["facebook-access-token"]),
    ("facebook-secret", &["facebook-app-secret"]),
    ("finicity-api-token", &["finicity-app-key"]),
    ("flyio-access-token", &["fly-macaroon", "fly-access-token"]),
    ("gcp-api-key", &["google-api-key"]),
    (
        "generic-api-key",
        &[
            "generic-quoted",
            "generic-bare",
            "generic-element",
            "generic-argument",
            "generic-login",
            "generic-statement",
            "generic-call",
            "generic-url-credentials",
            "generic-dsn",
            "generic-authorization",
            "generic-key",
            "generic-default",
            "generic-line",
            "generic-command-mysql",
            "generic-command-redis",
            "generic-command-ldap",
            "generic-command-smb",
            "generic-command-database",
            "generic-command-option",
            "generic-command-rabbitmq",
            "generic-command-htpasswd",
            "generic-command-redis-config",
            "generic-command-keystore",
            "generic-command-passphrase",
            "generic-command-lftp",
            "generic-command-openssl",
            "generic-command-net-use",
            "generic-command-rdp",
            "generic-chpasswd",
            "generic-oracle",
            "generic-word",
            "generic-escaped",
            "generic-short-name",
            "generic-long",
            "generic-foreign-name",
            "generic-connect",
            "generic-crypto-call",
            "generic-key-bare",
            "generic-command-stdin",
            "generic-command-tool",
            "generic-salt",
            "generic-bytes",
            "generic-key-setting",
            "generic-directive",
            "generic-foreign-word",
            "generic-fallback",
            "generic-sentence",
            "generic-insert",
            "generic-key-insert",
            "generic-column",
            "generic-key-column",
            "generic-log-line",
            "generic-symbol",
            "generic-url-key",
            "generic-encoded-call",
            "generic-combination",
            "generic-session-cookie",
        ],
    ),
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
    ("gocardless-api-token", &["gocardless-access-token"]),
    ("grafana-cloud-api-token", &["grafana-cloud-access-policy"]),
    ("grafana-service-account-token", &["grafana-service-account"]),
    ("harness-api-key", &["harness-pat", "harness-sat"]),
    ("hashicorp-tf-api-token", &["terraform-cloud-token"]),
    ("heroku-api-key-v2", &["heroku-api-key"]),
    ("huggingface-access-token", &["hugging-face-access-token"]),
    ("huggingface-organization-api-token", &["hugging-face-organization-token"]),
    ("infracost-api-token", &["infracost-api-key"]),
    ("intercom-api-key", &["intercom-access-token"]),
    ("jfrog-api-key", &["artifactory-api-key"]),
    ("jfrog-identity-token", &["artifactory-reference-token"]),
    ("jwt", &["jwt-token"]),
    ("jwt-base64", &["jwt-token"]),
    ("kraken-access-token", &["kraken-private-key"]),
    ("kubernetes-secret-yaml", &["kubernetes-secret-value"]),
    ("launchdarkly-access-token", &["launchdarkly-api-token", "launchdarkly-sdk-key"]),
    ("linear-client-secret", &["linear-webhook-secret"]),
    ("lob-pub-api-key", &["lob-test-key"]),
    ("mailgun-private-api-token", &["mailgun-api-key", "mailgun-key"]),
    ("mailgun-pub-key", &["mailgun-public-key"]),
    ("mapbox-api-token", &["mapbox-secret-token", "mapbox-public-token"]),
    ("mattermost-access-token", &["mattermost-token"]),
    ("messagebird-api-token", &["messagebird-access-key"]),
    ("new-relic-browser-api-token", &["newrelic-browser-key"]),
    ("new-relic-insert-key", &["newrelic-insert-key"]),
    ("new-relic-user-api-key", &["newrelic-user-key"]),
    ("notion-api-token", &["notion-integration-token", "notion-legacy-integration-token"]),
    ("okta-access-token", &["okta-api-token", "okta-api-token-header"]),
    ("openshift-user-token", &["openshift-access-token"]),
    ("pkcs12-file", &["private-key-pkcs12"]),
    ("plaid-api-token", &["plaid-access-token", "plaid-sandbox-access-token"]),
    ("plaid-secret-key", &["plaid-secret"]),
    ("planetscale-api-token", &["planetscale-service-token"]),
    ("postman-api-token", &["postman-api-key"]),
    ("prefect-api-token", &["prefect-api-key"]),
    (
        "private-key",
        &["private-key-pem", "private-key-pem-begun", "private-key-openssh-body", "private-key-der-base64"],
    ),
    ("pulumi-api-token", &["pulumi-access-token"]),
    ("pypi-upload-token", &["pypi-api-token", "pypi-test-api-token"]),
    ("rapidapi-access-token", &["rapidapi-key", "rapidapi-key-anywhere"]),
    ("readme-api-token", &["readme-api-key"]),
    ("rubygems-api-token", &["rubygems-api-key"]),
    ("sendbird-access-token", &["sendbird-api-token"]),
    ("sendgrid-api-token", &["sendgrid-api-key"]),
    ("sendinblue-api-token", &["brevo-api-key", "brevo-smtp-key"]),
    ("sentry-access-token", &["sentry-auth-token-unprefixed"]),
    ("settlemint-application-access-token", &["settlemint-access-token"]),
    ("settlemint-personal-access-token", &["settlemint-access-token"]),
    ("settlemint-service-access-token", &["settlemint-access-token"]),
    ("shippo-api-token", &["shippo-live-token", "shippo-test-token"]),
    ("shopify-custom-access-token", &["shopify-custom-app-token"]),
    ("shopify-private-app-access-token", &["shopify-private-app-password"]),
    ("slack-app-token", &["slack-app-level"]),
    ("slack-bot-token", &["slack-bot"]),
    ("slack-config-access-token", &["slack-config-access"]),
    ("slack-config-refresh-token", &["slack-refresh"]),
    ("slack-legacy-bot-token", &["slack-bot"]),
    ("slack-legacy-token", &["slack-legacy-session"]),
    ("slack-legacy-workspace-token", &["slack-workspace-access", "slack-workspace-refresh"]),
    ("slack-user-token", &["slack-user"]),
    ("slack-webhook-url", &["slack-webhook", "slack-workflow-webhook"]),
    (
        "sonar-api-token",
        &["sonarqube-user-token", "sonarqube-project-token", "sonarqube-global-token", "sonarqube-token-unprefixed"],
    ),
    ("stripe-access-token", &["stripe-secret-key", "stripe-restricted-key", "stripe-test-key"]),
    ("sumologic-access-token", &["sumologic-access-key"]),
    ("telegram-bot-api-token", &["telegram-bot"]),
    ("travisci-access-token", &["travis-api-token"]),
    ("twitch-api-token", &["twitch-client-secret"]),
    ("twitter-access-secret", &["twitter-access-token"]),
    ("twitter-api-key", &["twitter-api-secret"]),
    ("typeform-api-token", &["typeform-access-token"]),
    ("yandex-access-token", &["yandex-iam-token", "yandex-oauth-token"]),
    ("yandex-api-key", &["yandex-cloud-api-key"]),
    ("zendesk-secret-key", &["zendesk-token"]),
];

/// Our ids for the kind of token that gitleaks (8.30, betterleaks 1.7) calls `id`; none where the id is ours too or the
/// kind is not among ours.
pub fn ours(id: &str) -> &'static [&'static str] {
    GITLEAKS.iter().find(|(theirs, _)| *theirs == id).map_or(&[], |(_, ours)| ours)
}

/// The ids that `id` means among those that there are: itself, or ours for the same kind of token.
pub fn ids_meant(id: &str, is_there: impl Fn(&str) -> bool) -> Vec<&str> {
    match is_there(id) {
        true => vec![id],
        false => ours(id).iter().copied().filter(|id| is_there(id)).collect(),
    }
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
