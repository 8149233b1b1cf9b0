//! Turns URLs of repositories into where they are, whatever way leads there.

use std::borrow::Cow;

/// Ways that lead to a host, with what they are one of and the port that they take if none is said.
const WAYS: [(&str, &str, &str); 6] = [
    ("https", "https", "443"),
    ("ssh", "ssh", "22"),
    ("git+ssh", "ssh", "22"),
    ("ssh+git", "ssh", "22"),
    ("http", "http", "80"),
    ("git", "git", "9418"),
];

/// Whether two URLs lead to one repository: by the same words, or by host and path, as people fetch by https and push by ssh.
/// What is not understood leads nowhere else than where its own words lead.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || Location::of(one).is_some_and(|one| Location::of(other) == Some(one))
}

/// As [`is_same`], for a URL that git wrote down: it leaves out the user, and so whose home it was.
pub(super) fn is_noted(noted: &str, url: &str) -> bool {
    let nobodys = |url| Location::of(url).map(|it| Location { home: None, ..it });
    bare(noted) == bare(&nameless(url)) || nobodys(noted).is_some_and(|noted| nobodys(url) == Some(noted))
}

/// A URL without its user, as git writes it down.
fn nameless(url: &str) -> Cow<'_, str> {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, _)| url.split_at(scheme.len() + 3));
    let is_remote = !scheme.is_empty() || matches!(rest.split_once(':'), Some((host, _)) if !host.contains('/'));
    match rest.split_once('@').filter(|(user, _)| is_remote && !user.contains('/')) {
        Some((_, rest)) => format!("{scheme}{rest}").into(),
        None => url.into(),
    }
}

/// Where a repository is.
#[derive(Debug, PartialEq, Eq)]
struct Location<'u> {
    /// In lower case; empty for this machine.
    host: String,
    /// Another port than the usual one may be another server; the same number means something else for another way.
    port: Option<(&'u str, &'u str)>,
    /// Who has the home directory in which the path begins.
    home: Option<&'u str>,
    path: &'u str,
}

impl<'u> Location<'u> {
    fn of(url: &'u str) -> Option<Location<'u>> {
        if let Some((scheme, rest)) = url.split_once("://") {
            // What comes before the path in `file://HOST/PATH` is another machine.
            let local = || Location::local(Some(rest).filter(|rest| rest.starts_with('/'))?);
            return if scheme == "file" { local() } else { Location::remote(scheme, rest) };
        }
        // As git tells `host:path` and a path: by what comes first.
        match url.split_once(':') {
            Some((host, path)) if !host.contains('/') && !is_drive(host) => Location::scp(host, path),
            _ => Location::local(url),
        }
    }

    fn local(path: &'u str) -> Option<Location<'u>> {
        let is_plain = !path.is_empty() && !path.contains('%');
        is_plain.then(|| Location { host: String::new(), port: None, home: None, path: bare(path) })
    }

    fn remote(scheme: &str, rest: &'u str) -> Option<Location<'u>> {
        let (_, way, usual) = WAYS.iter().find(|(name, ..)| *name == scheme)?;
        // Where a host ends that has one of these, programs do not agree.
        let (authority, path) = rest.split_once('/').filter(|(authority, _)| !authority.contains(['?', '#', '\\']))?;
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = match host.rsplit_once(':').filter(|_| !host.ends_with(']')) {
            Some((host, port)) => (host, Some(port).filter(|port| port != usual)),
            None => (host, None),
        };
        let user = user.split(':').next().unwrap_or_default();
        Location::at(host, port.map(|port| (*way, port)), user, path, path.starts_with("~/"))
    }

    /// `USER@HOST:PATH`: without a slash the path begins at home.
    fn scp(host: &'u str, path: &'u str) -> Option<Location<'u>> {
        let (user, host) = host.rsplit_once('@').unwrap_or(("", host));
        // `~NAME` says whose home it is.
        let is_home = !path.starts_with('/') && (!path.starts_with('~') || path.starts_with("~/"));
        // In a URL it would be the start of an escape.
        let path = Some(path).filter(|path| !path.contains('%'))?;
        Location::at(host, None, user, path.strip_prefix('/').unwrap_or(path), is_home)
    }

    fn at(
        host: &str,
        port: Option<(&'u str, &'u str)>,
        user: &'u str,
        path: &'u str,
        is_home: bool,
    ) -> Option<Location<'u>> {
        // Programs differ in what these mean.
        let is_plain = |text: &str| !text.is_empty() && !text.contains(['?', '#', '\\', ' ']);
        let lower = path.to_ascii_lowercase();
        let is_steady = path.split('/').all(|part| part != "." && part != "..");
        let is_steady = is_steady && !["%2e", "%2f", "%5c"].iter().any(|escape| lower.contains(escape));
        // The home of `git` is where hosts of many repositories keep them all.
        let home = Some(user).filter(|user| is_home && *user != "git");
        let is_host = is_plain(host) && !host.contains('%') && (!host.contains(':') || host.starts_with('['));
        let is_known = is_host && is_plain(path) && is_steady;
        is_known.then(|| Location { host: host.to_ascii_lowercase(), port, home, path: bare(path) })
    }
}

/// `C:\x` is a path.
fn is_drive(host: &str) -> bool {
    cfg!(windows) && host.len() == 1
}

/// A path without what may be left out at its end.
fn bare(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(".git").filter(|path| !path.is_empty() && !path.ends_with('/')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_many_urls() {
        let one = "https://git.example.org/team/app";
        for other in [
            "https://git.example.org/team/app.git",
            "https://git.example.org/team/app/",
            "https://me@git.example.org:443/team/app.git/",
            "http://GIT.example.org/team/app",
            "git://git.example.org/team/app",
            "ssh://git@git.example.org/team/app.git",
            "ssh://me@git.example.org:22/team/app",
            "git+ssh://git@git.example.org/team/app",
            "git@git.example.org:team/app.git",
            "git@git.example.org:/team/app",
        ] {
            assert!(is_same(one, other) && is_same(other, one), "{other}");
        }
        assert!(is_same("git@h.org:~me/app", "https://h.org/~me/app"));
        assert!(is_same("/srv/app.git", "file:///srv/app/") && is_same("../app", "../app/"));
        assert!(is_same("ssh://git@[::1]/app", "ssh://[::1]:22/app"));
        assert!(is_same("ext::sh -c x", "ext::sh -c x"));
        assert!(is_same("https://me@h.org/My%20Team/@x/a", "https://h.org/My%20Team/@x/a.git"));
    }

    #[test]
    fn what_is_not_the_same_for_sure_is_another_place() {
        let one = "https://git.example.org/team/app";
        for other in [
            "https://git.example.org/team/app2",
            "https://git.example.org/Team/app",
            "https://git.example.org/team",
            "https://git.example.org/team/x/../app",
            "https://git.example.org//team/app",
            "https://git.example.org/team/%61pp",
            "https://git.example.org/team%2fapp",
            "https://git.example.org/team/app?x",
            "https://example.org/team/app",
            "https://git.example.org.evil.org/team/app",
            "https://git.example.org@evil.org/team/app",
            "https://evil.org#@git.example.org/team/app",
            "https://evil.org?@git.example.org/team/app",
            "https://git.example.org:8443/team/app",
            "ssh://git@git.example.org:2222/team/app",
            "me@git.example.org:team/app",
            "git.example.org:team/app",
            "git@git.example.org:~/team/app2",
            "file://git.example.org/team/app",
            "/team/app",
            "git.example.org/team/app",
            "ext::ssh git@git.example.org team/app",
            "ftp://git.example.org/team/app",
            "",
        ] {
            assert!(!is_same(one, other) && !is_same(other, one), "{other}");
        }
        assert!(!is_same("ssh://h:2222/a", "https://h:2222/a") && is_same("ssh://h:2222/a", "ssh://git@h:2222/a.git"));
        assert!(is_noted("https://h.org/My%20Team/a", "https://me:x@h.org/My%20Team/a.git/"));
        assert!(is_noted("/a%b@c:d", "/a%b@c:d.git") && is_noted("ext::x y", "ext::x y"));
        assert!(is_noted("h:a", "me@h:a.git") && !is_noted("h:a", "me@h:b") && !is_noted("h2:a", "me@h:a"));
        assert!(!is_same("me@h:a", "you@h:a") && !is_same("/a/.git", "/a") && !is_same("", "/"));
    }
}
