//! Rotating: the old one is dead, the new one is where the old one was, and nothing is lost on the way.

use std::path::{Path, PathBuf};

use stanch::http::Http;
use stanch::respond::act::{End, Moment};
use stanch::respond::incident::Incident;
use stanch::respond::kind::Kind;
use stanch::respond::plan::{Action, Policy, Verb};
use stanch::secret::Fingerprint;

use crate::act::{ledger, policy, respond, text};
use crate::cli::Home;
use crate::house::House;
use crate::server::{Reply, Server};
use crate::support::{door, faults, github_token, gitlab_token, host, hurried, incident, noise, together};

/// The kinds of rotation, each with the way in which it is done.
pub fn cases() -> Vec<(Incident, &'static str)> {
    vec![
        (incident(&gitlab_token(), Kind::GitlabPat), "rotate"),
        (incident(&format!("glrt-{}", noise(20)), Kind::GitlabRunner), "reset"),
        (deploy_token(&format!("gldt-{}", noise(20))), "make"),
    ]
}

/// A deploy token as it stands in an address.
pub fn deploy_token(token: &str) -> Incident {
    let mut deploy = incident(token, Kind::GitlabDeploy);
    deploy.hints.users = vec!["gitlab+deploy-token-5".to_owned()];
    deploy.hints.paths = vec!["group/app".to_owned()];
    deploy
}

/// A policy that rotates into every place of the house, with a file of last resort in `dir`.
pub fn rotates(house: &House, case: &Incident, dir: &Path) -> Policy {
    let policy = policy(&house.places(case.id));
    Policy { otherwise: Action::Rotate, successor_file: Some(dir.join("spare")), ..policy }
}

struct Scene {
    dir: tempfile::TempDir,
    house: House,
    case: Incident,
    policy: Policy,
}

impl Scene {
    fn new(case: Incident) -> Self {
        let (dir, house) = (tempfile::tempdir().unwrap(), House::with(&text(&case)));
        let policy = rotates(&house, &case, dir.path());
        Scene { dir, house, case, policy }
    }

    fn http(&self) -> Http {
        door(&self.house.hosts())
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }

    fn spare(&self) -> PathBuf {
        self.dir.path().join("spare")
    }

    fn run(&self) -> End {
        self.run_by(&self.http(), &mut |_, _| ())
    }

    fn run_by(&self, http: &Http, tell: &mut dyn FnMut(Moment, &[Fingerprint])) -> End {
        let (_, mut ends) = respond(http, vec![self.case.clone()], &self.policy, &self.ledger(), tell);
        assert_eq!(ends.len(), 1);
        ends.remove(0).1
    }

    fn made(&self) -> usize {
        self.house.state.lock().unwrap().made.len()
    }

    /// The old one is dead, one successor lives, and every place has it.
    fn is_done(&self, story: &str) {
        assert!(!self.house.is_live(&text(&self.case)), "{story}: the old one lives");
        let living = self.house.living();
        assert_eq!(living.len(), 1, "{story}: {} successors live", living.len());
        assert!(self.house.held().iter().all(|held| held.as_ref() == Some(&living[0])), "{story}: not delivered");
        assert!(!self.house.state.lock().unwrap().trapped, "{story}");
        assert!(!self.spare().exists(), "{story}: the file of last resort stays behind");
    }

    /// No file holds what is alive, but for those named.
    fn leaks_nothing(&self, but: &[&str]) {
        for token in self.house.living() {
            for entry in std::fs::read_dir(self.dir.path()).unwrap() {
                let path = entry.unwrap().path();
                let named = but.iter().any(|name| path.ends_with(name));
                let bytes = std::fs::read(&path).unwrap_or_default();
                let half = &token.as_bytes()[token.len() / 2..];
                assert!(named || !bytes.windows(half.len()).any(|it| it == half), "{}", path.display());
            }
        }
    }
}

#[test]
fn the_successor_is_delivered_and_the_old_one_is_dead() {
    for (case, how) in cases() {
        let scene = Scene::new(case);
        let end = scene.run();
        assert!(matches!(end, End::Closed(_)), "{how}: {end:?}");
        scene.is_done(how);
        scene.leaks_nothing(&[]);
        assert_eq!(scene.house.state.lock().unwrap().vault.last().unwrap()["user"], "jane", "other keys stay");
        // Again: it is dead, and nothing is done.
        let end = scene.run();
        assert!(matches!(end, End::Closed(_)), "{how}: {end:?}");
        assert_eq!(scene.made(), 1);
        let rows = ledger(&scene.ledger()).rows(None).unwrap();
        let count = |event: &str| rows.iter().filter(|row| row.event == event).count();
        assert_eq!((count("delivered"), count("closed"), count("intent")), (1, 1, count("outcome")));
    }
}

#[test]
fn beside_a_living_token_nothing_is_ended_before_the_new_one_is_there() {
    let scene = Scene::new(cases().remove(2).0);
    scene.run();
    let lines = scene.house.server.lines();
    let at = |end: &str| lines.iter().position(|line| line.contains(end)).unwrap();
    assert!(at("POST /api/v4/projects/group%2Fapp/deploy_tokens") < at("PUT /github"), "{lines:?}");
    assert!(at("PUT /github") < at("DELETE /api/v4/projects/group%2Fapp/deploy_tokens/5"), "{lines:?}");
    // A place that does not take it keeps the old one alive, and no second one stays behind for ever.
    let scene = Scene::new(cases().remove(2).0);
    scene.house.state.lock().unwrap().trouble =
        Some(("PUT /github/repos/acme/site/actions/secrets/DEPLOY", Reply::json(403, "{}"), false, 3));
    let end = scene.run();
    assert!(matches!(&end, End::Failed(why) if why.contains("old one lives")), "{end:?}");
    assert!(scene.house.is_live(&text(&scene.case)));
    let end = scene.run();
    assert!(matches!(end, End::Closed(_)), "{end:?}");
    scene.is_done("the second run");
    assert_eq!(scene.made(), 2);
}

#[test]
fn a_successor_that_the_next_run_finds_is_not_rotated() {
    for (case, how) in cases() {
        let mut scene = Scene::new(case);
        assert!(matches!(scene.run(), End::Closed(_)), "{how}");
        let new = scene.house.living().remove(0);
        scene.case = Incident { hints: scene.case.hints.clone(), ..incident(&new, scene.case.kind.unwrap()) };
        scene.policy = rotates(&scene.house, &scene.case, scene.dir.path());
        for _ in 0..2 {
            let end = scene.run();
            assert!(matches!(&end, End::Left(why) if why.contains("successor that was made for")), "{how}: {end:?}");
        }
        assert!(scene.house.is_live(&new) && scene.made() == 1, "{how}");
    }
}

#[test]
fn files_and_programs_take_it_too() {
    let mut scene = Scene::new(cases().remove(0).0);
    let (file, copy) = (scene.dir.path().join("token"), scene.dir.path().join("copy"));
    std::fs::write(&file, text(&scene.case) + "\n").unwrap();
    let entry = |sink: String| format!("[[respond.deliver]]\nname = \"ci\"\n{sink}\n");
    let config = entry(format!("file = {file:?}")) + &entry(format!("command = [\"dd\", \"of={}\"]", copy.display()));
    scene.policy.deliver = policy(&config).deliver;
    assert!(matches!(scene.run(), End::Closed(_)));
    let new = scene.house.living().remove(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{new}\n"));
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    scene.leaks_nothing(&["token", "copy"]);
}

#[test]
fn what_cannot_be_delivered_is_not_rotated() {
    type Break = fn(&mut Scene);
    let breaks: &[(&str, Break)] = &[
        ("something else", |it| it.house.state.lock().unwrap().variable = Some("another".to_owned())),
        ("no such variable", |it| it.house.state.lock().unwrap().variable = None),
        ("does not allow `update`", |it| it.house.state.lock().unwrap().capabilities = vec!["read"]),
        ("(403)", |it| {
            it.house.state.lock().unwrap().trouble = Some(("/public-key", Reply::json(403, "{}"), false, usize::MAX));
        }),
        ("read by others", |it| {
            std::fs::write(it.spare(), "").unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(it.spare(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        }),
        ("is no plain file", |it| {
            let target = it.dir.path().join("elsewhere");
            std::fs::write(&target, "").unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(target, it.spare()).unwrap();
        }),
        ("is no plain file", |it| {
            #[cfg(unix)]
            std::os::unix::fs::symlink(it.dir.path().join("not there"), it.spare()).unwrap();
        }),
        ("is no plain file", |it| std::fs::create_dir(it.spare()).unwrap()),
        ("successor-file", |it| it.policy.successor_file = None),
        ("no [[respond.deliver]]", |it| {
            (it.policy.successor_file, it.policy.deliver) = (None, Vec::new());
        }),
        ("frozen", |it| it.policy.freeze = vec![it.case.id]),
        ("max_irreversible", |it| it.policy.max_irreversible = 0),
        ("belongs to jane", |it| it.policy.owners = vec!["somebody".to_owned()]),
        ("not known", |it| {
            it.house.state.lock().unwrap().trouble = Some(("_tokens/self", Reply::json(403, "{}"), false, usize::MAX));
        }),
    ];
    for (why, breaks) in breaks {
        let mut scene = Scene::new(cases().remove(0).0);
        breaks(&mut scene);
        let end = scene.run();
        assert!(matches!(&end, End::Failed(said) | End::Left(said) if said.contains(why)), "{why}: {end:?}");
        assert!(scene.house.is_live(&text(&scene.case)) && scene.made() == 0, "{why}");
    }
    // Without the scope, the number and a credential of ours are needed.
    let scene = Scene::new(cases().remove(0).0);
    scene.house.state.lock().unwrap().scopes = vec!["read_api"];
    let cases =
        stanch::respond::inspect(&scene.http(), vec![scene.case.clone()], &mut |_| std::ops::ControlFlow::Continue(()));
    let way = |config: &str| {
        let http = door(config);
        let plan = stanch::respond::plan::make(&cases, &scene.policy, &http.hosts);
        match &plan.steps[0].verb {
            Verb::Rotate(it) => it.how.make().to_string().replace(&scene.house.server.url, ""),
            Verb::Hold(why) => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    let with = way(&scene.house.hosts());
    assert_eq!(with, "POST /api/v4/personal_access_tokens/7/rotate with the configured credential");
    assert!(way(&host("gitlab", &scene.house.server.url, "")).contains("do not let it rotate itself"));
}

/// Only root can give a file away; whoever is not root has nothing to test here.
#[cfg(unix)]
#[test]
fn a_successor_does_not_go_into_a_file_of_another_user() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let scene = Scene::new(cases().remove(0).0);
    std::fs::write(scene.spare(), "").unwrap();
    std::fs::set_permissions(scene.spare(), std::fs::Permissions::from_mode(0o600)).unwrap();
    if chown(scene.spare(), Some(12_345), None).is_err() {
        return;
    }
    let end = scene.run();
    assert!(matches!(&end, End::Failed(why) if why.contains("belongs to another user")), "{end:?}");
    assert!(scene.house.is_live(&text(&scene.case)) && scene.made() == 0);
    // One of our own, with what an earlier run left in it, is added to.
    chown(
        scene.spare(),
        Some(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(scene.dir.path()).unwrap())),
        None,
    )
    .unwrap();
    std::fs::write(scene.spare(), "before\n").unwrap();
    assert!(matches!(scene.run(), End::Closed(_)));
    assert_eq!(std::fs::read_to_string(scene.spare()).unwrap(), "before\n");
}

#[test]
fn a_credential_that_is_the_leak_itself_delivers_nothing() {
    let scene = Scene::new(incident(crate::house::OURS, Kind::GitlabPat));
    let end = scene.run();
    assert!(matches!(&end, End::Failed(why) if why.contains("very token")), "{end:?}");
    assert!(scene.house.is_live(crate::house::OURS) && scene.made() == 0);
}

#[test]
fn a_place_that_changes_its_mind_costs_nothing() {
    let scene = Scene::new(cases().remove(0).0);
    let fault = ("PUT /api/v4/projects/acme%2Fsite/variables/DEPLOY", Reply::json(500, "{}"), false, usize::MAX);
    scene.house.state.lock().unwrap().trouble = Some(fault);
    let end = scene.run();
    assert!(matches!(&end, End::Left(why) if why.contains("spare") && why.contains("variable DEPLOY")), "{end:?}");
    let new = scene.house.living().remove(0);
    assert_eq!(std::fs::read_to_string(scene.spare()).unwrap(), format!("{} {new}\n", scene.case.id));
    let [vault, variable, sealed] = scene.house.held();
    assert_eq!((vault.as_ref(), sealed.as_ref()), (Some(&new), Some(&new)), "the other places have it");
    assert_eq!(variable, Some(text(&scene.case)));
    assert!(!scene.house.is_live(&text(&scene.case)));
    // A hidden variable cannot be read back, and takes it all the same.
    let scene = Scene::new(cases().remove(0).0);
    scene.house.state.lock().unwrap().hidden = true;
    assert!(matches!(scene.run(), End::Closed(_)));
    scene.is_done("hidden");
}

#[test]
fn a_ledger_that_fails_in_the_middle_loses_no_successor() {
    let scene = Scene::new(cases().remove(0).0);
    let path = scene.ledger();
    let cases =
        stanch::respond::inspect(&scene.http(), vec![scene.case.clone()], &mut |_| std::ops::ControlFlow::Continue(()));
    let http = scene.http();
    let plan = stanch::respond::plan::make(&cases, &scene.policy, &http.hosts);
    let mut own = ledger(&path);
    let broken = std::cell::Cell::new(false);
    let mut tell = |moment, _: &[Fingerprint]| {
        if moment == Moment::Acted && !broken.replace(true) {
            // Whoever makes the table vanish makes every later row fail.
            let other = rusqlite::Connection::open(&path).unwrap();
            other.execute_batch("ALTER TABLE rows RENAME TO gone").unwrap();
        }
    };
    let patience = crate::act::PATIENCE;
    let mut actor = stanch::respond::act::Actor { http: &http, ledger: &mut own, patience, tell: &mut tell };
    assert!(actor.run(&cases, &plan).is_err());
    let new = scene.house.living().remove(0);
    assert!(scene.house.held().iter().all(|held| held.as_ref() == Some(&new)));
}

#[test]
fn every_fault_of_the_request_is_found_out_and_nothing_is_rotated_twice() {
    let faults = [
        Reply::Silence,
        Reply::Reset,
        Reply::Truncated,
        Reply::Html(200),
        Reply::json(200, "{}"),
        Reply::json(403, "{}"),
        Reply::json(408, "{}"),
        Reply::json(429, "{}").with("retry-after", "3600"),
        Reply::json(500, "{}"),
        Reply::Redirect("http://127.0.0.1:9/elsewhere".to_owned()),
    ];
    let lines = [
        "POST /api/v4/personal_access_tokens/self/rotate",
        "POST /api/v4/runners/reset_authentication_token",
        "POST /api/v4/projects/group%2Fapp/deploy_tokens",
    ];
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for ((case, how), line) in cases().into_iter().zip(lines) {
        for fault in &faults {
            for done in [false, true] {
                let sure = matches!(fault, Reply::Json(403 | 429, ..));
                if done && sure {
                    continue;
                }
                let (case, fault) = (case.clone(), fault.clone());
                jobs.push(Box::new(move || {
                    let story = format!("{how}, {fault:?}, done {done}");
                    let scene = Scene::new(case);
                    scene.house.state.lock().unwrap().trouble = Some((line, fault, done, 1));
                    let http = hurried(scene.http());
                    let first = scene.run_by(&http, &mut |_, _| ());
                    let second = scene.run_by(&http, &mut |_, _| ());
                    assert!(!matches!(first, End::Closed(_)), "{story}: {first:?}");
                    if done && how != "make" {
                        // Nobody has the successor: that stays open until somebody says what was done about it.
                        assert!(matches!(&second, End::Left(why) if why.contains("settle")), "{story}: {second:?}");
                        assert_eq!(scene.made(), 1, "{story}");
                        assert!(!scene.house.state.lock().unwrap().trapped, "{story}");
                    } else {
                        assert!(matches!(second, End::Closed(_)), "{story}: {first:?} {second:?}");
                        scene.is_done(&story);
                    }
                }));
            }
        }
    }
    together(jobs);
}

#[test]
fn every_fault_of_every_request_of_a_rotation_loses_nothing_unsaid() {
    let faults = faults("http://127.0.0.1:9/elsewhere");
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for (case, how) in cases() {
        let scene = Scene::new(case.clone());
        assert!(matches!(scene.run(), End::Closed(_)), "{how}");
        let places = |line: &str| ["/vault/", "/github/", "/variables/"].iter().any(|it| line.contains(it));
        for (at, line) in scene.house.server.lines().into_iter().enumerate() {
            // The places of one swap are those of the other.
            if how == "reset" && places(&line) {
                continue;
            }
            for fault in &faults {
                // Who says no to making a token, and makes it, is not believed to lie.
                let sure = matches!(fault, Reply::Json(403 | 429, ..)) && line.contains("/api/v4/");
                for done in [false, true].into_iter().filter(|done| !done || !(line.starts_with("GET") || sure)) {
                    let (case, fault, line) = (case.clone(), fault.clone(), line.clone());
                    jobs.push(Box::new(move || faulty(case, how, &line, (at, fault, done))));
                }
            }
        }
    }
    together(jobs);
}

/// One request goes wrong once; runs follow until the incident is closed, or it is said what is lost.
fn faulty(case: Incident, how: &str, line: &str, trouble: (usize, Reply, bool)) {
    let story = format!("{how}: {line} with {:?}, done {}", trouble.1, trouble.2);
    let scene = Scene::new(case);
    scene.house.state.lock().unwrap().trouble_after = Some(trouble);
    let http = hurried(scene.http());
    let mut end = scene.run_by(&http, &mut |_, _| ());
    for _ in 0..3 {
        let dead = !scene.house.is_live(&text(&scene.case));
        assert!(dead || !matches!(end, End::Closed(_)), "{story}: closed, but alive");
        if matches!(end, End::Closed(_)) {
            break;
        }
        end = scene.run_by(&http, &mut |_, _| ());
    }
    assert!(!scene.house.state.lock().unwrap().trapped, "{story}");
    assert!(how == "make" || scene.made() == 1, "{story}: made {} times", scene.made());
    match end {
        End::Closed(_) => scene.is_done(&story),
        // Only the answer that holds the successor can take it along.
        End::Left(why) if why.contains("settle") => {
            assert!(line.ends_with("rotate") || line.ends_with("_token"), "{story}")
        }
        other => panic!("{story}: {other:?}"),
    }
}

#[test]
fn two_runs_at_once_rotate_once() {
    let scene = Scene::new(cases().remove(0).0);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| scene.run())).collect();
        for run in runs {
            let end = run.join().unwrap();
            assert!(matches!(end, End::Closed(_)), "{end:?}");
        }
    });
    scene.is_done("four at once");
    assert_eq!(scene.made(), 1);
}

#[test]
fn what_no_request_replaces_says_what_does() {
    let token = github_token("ghs_");
    let server = Server::start(|_| Reply::json(200, r#"{"total_count":0,"repositories":[]}"#));
    let http = door(&host("github", &server.url, ""));
    let policy = Policy { otherwise: Action::Rotate, ..policy("") };
    let dir = tempfile::tempdir().unwrap();
    let case = incident(&token, Kind::GithubInstallation);
    let (_, ends) = respond(&http, vec![case], &policy, &dir.path().join("l.db"), &mut |_, _| ());
    assert!(matches!(&ends[0].1, End::Left(why) if why.contains("/app/installations/{id}/access_tokens")), "{ends:?}");
    assert!(server.lines().iter().all(|line| line.starts_with("GET")));
}

#[test]
fn the_program_rotates_and_says_nothing_of_the_successor() {
    let token = gitlab_token();
    let house = House::with(&token);
    let id = Fingerprint::of_strong(token.as_bytes());
    let home = Home::with(&token, &(house.hosts() + &house.places(id)));
    let (code, said) = home.stanch("rotate", &["--yes", "."]);
    assert!(code == 1 && said.contains("--successor-file") && house.is_live(&token), "{said}");
    let spare = home.path("spare");
    let words = ["--yes", "--successor-file", spare.to_str().unwrap(), "."];
    let (code, said) = home.stanch("rotate", &words[1..]);
    assert!(code == 1 && said.contains("this is the plan only") && house.is_live(&token), "{said}");
    assert!(said.contains("rotate   POST") && said.contains("deliver  vault"), "{said}");
    let (code, said) = home.stanch("rotate", &words);
    assert_eq!(code, 0, "{said}");
    let new = house.living().remove(0);
    assert!(house.held().iter().all(|held| held.as_ref() == Some(&new)));
    home.holds_nothing_of(&new);
    home.holds_nothing_of(&token);
    let (_, said) = home.incidents(&["list"]);
    assert!(said.starts_with("closed "), "{said}");
}

#[test]
fn what_got_lost_is_open_until_a_person_settles_it() {
    let token = gitlab_token();
    let house = House::with(&token);
    let home = Home::with(&token, &house.hosts());
    let line = "POST /api/v4/personal_access_tokens/self/rotate";
    house.state.lock().unwrap().trouble = Some((line, Reply::json(500, "{}"), true, 1));
    let spare = home.path("spare");
    let words = ["--yes", "--successor-file", spare.to_str().unwrap(), "."];
    for _ in 0..2 {
        let (code, said) = home.stanch("rotate", &words);
        assert!(code == 1 && said.contains("got lost"), "{code} {said}");
    }
    // Revoking finds it dead, and does not hide what is lost.
    assert_eq!(home.stanch("revoke", &["--yes", "."]).0, 1);
    let id = Fingerprint::of_strong(token.as_bytes()).to_string();
    assert!(home.incidents(&["list"]).1.starts_with("open"));
    for none in ["zz", "../evil"] {
        assert_eq!(home.incidents(&["settle", none, "--reason", "x"]).0, 2);
    }
    assert!(!home.path(".local/state/stanch/evil").exists(), "what is no incident makes no file");
    let reason = format!("made '{}' by hand", gitlab_token());
    let (code, said) = home.incidents(&["settle", &id, "--reason", &reason]);
    assert!(code == 2 && said.contains("looks like a token") && !said.contains("glpat-"), "{said}");
    assert_eq!(home.incidents(&["settle", &id[..8], "--reason", "made another by hand"]).0, 0);
    assert!(home.incidents(&["show", &id]).1.contains("settled by a person: made another by hand"));
    let (code, said) = home.stanch("rotate", &words);
    assert_eq!(code, 0, "{said}");
    assert!(home.incidents(&["list"]).1.starts_with("closed"));
    assert_eq!(home.incidents(&["verify"]).0, 0);
}
