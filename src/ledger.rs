//! What was intended and what came of it. A row is written and synced before an act and another one after it, so that
//! whoever finds the first without the second knows that nobody knows, and looks before doing anything.
//!
//! Rows are chained by SHA-256: changing, removing or inserting one breaks every later hash. No row holds a secret.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

mod error;

use error::explain;

pub use error::Error;

/// `PRAGMA application_id`: tells our files from other SQLite databases ("stnc").
const APPLICATION: i64 = 0x7374_6e63;

/// `PRAGMA user_version`. A change of the table raises it.
const SCHEMA: i64 = 1;

/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(20);

/// The hash before the first row.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The incident was seen for the first time.
    Found,
    /// A provider was asked.
    Inspected,
    /// An act is about to be done.
    Intent,
    /// What came of the act.
    Outcome,
    /// The successor of a token is where it should be, or in the file of last resort.
    Delivered,
    /// The token is proven dead.
    Closed,
    /// A task was opened, commented or closed.
    Task,
}

impl Event {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Found => "found",
            Event::Inspected => "inspected",
            Event::Intent => "intent",
            Event::Outcome => "outcome",
            Event::Delivered => "delivered",
            Event::Closed => "closed",
            Event::Task => "task",
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// 1, 2, 3, …
    pub seq: i64,
    /// The fingerprint of the secret.
    pub incident: String,
    /// An [`Event`]'s word.
    pub event: String,
    /// What is or was done; the same text for an intent and its outcome. Empty for other events.
    pub step: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// More, as JSON.
    pub detail: String,
    /// The hash of the row before.
    pub prev: String,
    /// The hash of this row.
    pub hash: String,
}

/// Something to be done for an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The fingerprint of the secret.
    pub incident: String,
    /// What is done, always in the same words.
    pub step: String,
}

/// What is known of a step from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    /// Never tried.
    New,
    /// An intent without an outcome: it was done, or not.
    Doubt {
        /// What was to be done.
        step: String,
    },
    /// Done, or found out later.
    Outcome {
        /// What was done.
        step: String,
        /// What came of it.
        detail: Value,
    },
}

/// The right to act for an incident; other processes wait until it is dropped. The system takes it back from the dead.
#[derive(Debug)]
pub struct Turn {
    _held: File,
}

/// Tells the time, as RFC 3339.
pub type Clock = Arc<dyn Fn() -> String + Send + Sync>;

/// An open ledger.
pub struct Ledger {
    db: Connection,
    path: PathBuf,
    clock: Clock,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.path.display())
    }
}

/// What `verify` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Every row follows from the one before.
    Whole {
        /// How many there are.
        rows: usize,
        /// The last hash: whoever notes it down elsewhere sees later whether rows were cut off the end.
        head: String,
    },
    /// This row is not what was written.
    Broken {
        /// The first that does not fit.
        seq: i64,
    },
}

impl Ledger {
    /// Opens the ledger, or begins one. The file is readable by its owner alone.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Open { path: path.to_owned(), why: error.to_string() };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        private().create(true).truncate(false).write(true).open(path).map_err(|error| match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Error::ReadOnly(path.to_owned()),
            io::ErrorKind::StorageFull => Error::Full(path.to_owned()),
            _ => failed(error),
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::connect(path, flags, clock)
    }

    /// Opens a ledger that is there, to read it.
    pub fn open_to_read(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if let Err(error) = std::fs::metadata(path) {
            return Err(Error::Open { path: path.to_owned(), why: error.to_string() });
        }
        match Self::connect(path, flags, Arc::new(String::new)) {
            // Whoever was killed in the middle of a row left a journal, which only a writer may play back.
            Err(Error::ReadOnly(_)) if roll_back(path).is_ok() => Self::connect(path, flags, Arc::new(String::new)),
            outcome => outcome,
        }
    }

    fn connect(path: &Path, flags: OpenFlags, clock: Clock) -> Result<Self, Error> {
        let failed = |error| explain(path, error);
        let mut db = Connection::open_with_flags(path, flags).map_err(failed)?;
        db.busy_timeout(BUSY).map_err(failed)?;
        let writes = flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
        if writes {
            // A rollback journal with EXTRA also syncs the directory: a committed row survives a loss of power.
            db.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
            db.pragma_update(None, "synchronous", "EXTRA").map_err(failed)?;
            create(&mut db).map_err(failed)?;
        }
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
        if pragma("application_id")? != APPLICATION {
            return Err(Error::NotOurs(path.to_owned()));
        }
        match pragma("user_version")? {
            SCHEMA => {}
            found => return Err(Error::Schema { path: path.to_owned(), found }),
        }
        let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if sound != "ok" {
            return Err(Error::Corrupt(path.to_owned()));
        }
        Ok(Ledger { db, path: path.to_owned(), clock })
    }

    /// Waits until nobody else acts for these incidents. Taken in one order by all, so that two never wait for each
    /// other. `waits` is told before a wait begins.
    pub fn turns(&self, incidents: &[&str], waits: &mut dyn FnMut()) -> Result<Vec<Turn>, Error> {
        let mut sorted = incidents.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut dir = self.path.clone().into_os_string();
        dir.push(".turns");
        let dir = PathBuf::from(dir);
        let mut take = |id: &&str| -> io::Result<Turn> {
            std::fs::create_dir_all(&dir)?;
            let file = private().create(true).truncate(false).write(true).open(dir.join(id))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waits();
                    file.lock()?;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(Turn { _held: file })
        };
        let failed = |error: io::Error| Error::Open { path: dir.clone(), why: error.to_string() };
        sorted.iter().map(&mut take).collect::<io::Result<_>>().map_err(failed)
    }

    /// Writes one row, synced.
    pub fn note(&mut self, incident: &str, event: Event, detail: &Value) -> Result<(), Error> {
        self.append(&[(incident, event, "", detail.clone())])
    }

    /// Writes the intents, acts, writes the outcomes. If an intent cannot be written, nothing is done. `act` returns
    /// the detail of the outcome, which is the same for all intents, and whatever else.
    pub fn around<T>(&mut self, intents: &[Intent], act: impl FnOnce() -> (Value, T)) -> Result<T, Error> {
        self.intend(intents)?;
        let (detail, result) = act();
        self.record(intents, &detail)?;
        Ok(result)
    }

    /// The first half of [`Ledger::around`].
    pub fn intend(&mut self, intents: &[Intent]) -> Result<(), Error> {
        let rows: Vec<_> =
            intents.iter().map(|it| (it.incident.as_str(), Event::Intent, it.step.as_str(), Value::Null)).collect();
        self.append(&rows)
    }

    /// Writes the outcome of steps: the second half of [`Ledger::around`], or what an inspection found out about an
    /// intent whose outcome was never written.
    pub fn record(&mut self, intents: &[Intent], detail: &Value) -> Result<(), Error> {
        let rows: Vec<_> =
            intents.iter().map(|it| (it.incident.as_str(), Event::Outcome, it.step.as_str(), detail.clone())).collect();
        self.append(&rows)
    }

    /// What the last act of a kind came to: the last step of the incident that begins with `verb`.
    pub fn past(&self, incident: &str, verb: &str) -> Result<Past, Error> {
        let acts = [Event::Intent.as_str(), Event::Outcome.as_str()];
        let rows = self.rows(Some(incident))?;
        let last = rows.into_iter().rev().find(|row| acts.contains(&row.event.as_str()) && row.step.starts_with(verb));
        Ok(match last {
            None => Past::New,
            Some(row) if row.event == Event::Intent.as_str() => Past::Doubt { step: row.step },
            Some(row) => {
                Past::Outcome { detail: serde_json::from_str(&row.detail).unwrap_or(Value::Null), step: row.step }
            }
        })
    }

    /// The rows of one incident, or all of them, oldest first.
    pub fn rows(&self, incident: Option<&str>) -> Result<Vec<Row>, Error> {
        let failed = |error| explain(&self.path, error);
        let sql = "SELECT seq, incident, event, step, at, detail, prev, hash FROM rows \
                   WHERE ?1 IS NULL OR incident = ?1 ORDER BY seq";
        let mut query = self.db.prepare(sql).map_err(failed)?;
        let rows = query.query_map([incident], read_row).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    /// Whether every row is what was written.
    pub fn verify(&self) -> Result<Chain, Error> {
        let rows = self.rows(None)?;
        let mut head = GENESIS.to_owned();
        for (row, seq) in rows.iter().zip(1..) {
            if row.seq != seq || row.prev != head || row.hash != hash(row) {
                return Ok(Chain::Broken { seq });
            }
            head.clone_from(&row.hash);
        }
        Ok(Chain::Whole { rows: rows.len(), head })
    }

    fn append(&mut self, rows: &[(&str, Event, &str, Value)]) -> Result<(), Error> {
        let at = (self.clock)();
        let write = |db: &mut Connection| -> rusqlite::Result<()> {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (incident, event, step, detail) in rows {
                append_one(&transaction, incident, *event, step, &at, detail)?;
            }
            transaction.commit()
        };
        write(&mut self.db).map_err(|error| explain(&self.path, error))
    }
}

fn append_one(
    transaction: &Transaction<'_>,
    incident: &str,
    event: Event,
    step: &str,
    at: &str,
    detail: &Value,
) -> rusqlite::Result<()> {
    let last = transaction.query_row("SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    });
    let (seq, prev) = match last {
        Ok(last) => last,
        Err(rusqlite::Error::QueryReturnedNoRows) => (0, GENESIS.to_owned()),
        Err(error) => return Err(error),
    };
    let mut row = Row {
        seq: seq + 1,
        incident: incident.to_owned(),
        event: event.as_str().to_owned(),
        step: step.to_owned(),
        at: at.to_owned(),
        detail: detail.to_string(),
        prev,
        hash: String::new(),
    };
    row.hash = hash(&row);
    transaction.execute(
        "INSERT INTO rows (seq, incident, event, step, at, detail, prev, hash) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
        params![row.seq, row.incident, row.event, row.step, row.at, row.detail, row.prev, row.hash],
    )?;
    Ok(())
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        seq: row.get(0)?,
        incident: row.get(1)?,
        event: row.get(2)?,
        step: row.get(3)?,
        at: row.get(4)?,
        detail: row.get(5)?,
        prev: row.get(6)?,
        hash: row.get(7)?,
    })
}

/// Every field with its length before it, so that no two rows are the same bytes.
fn hash(row: &Row) -> String {
    let mut hash = Sha256::new();
    let seq = row.seq.to_string();
    for part in [&row.prev, &seq, &row.incident, &row.event, &row.step, &row.at, &row.detail] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// Makes the table in an empty file. Two processes may begin at once: the second finds it made.
fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    let id: i64 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if tables == 0 && id == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
        transaction.execute_batch(
            "CREATE TABLE rows (
                seq INTEGER PRIMARY KEY, incident TEXT NOT NULL, event TEXT NOT NULL, step TEXT NOT NULL,
                at TEXT NOT NULL, detail TEXT NOT NULL, prev TEXT NOT NULL UNIQUE, hash TEXT NOT NULL
            ) STRICT;
            CREATE INDEX rows_incident ON rows (incident, seq);",
        )?;
    }
    transaction.commit()
}

/// Takes back what an interrupted writer left half written. Reading is enough: SQLite does it by itself.
fn roll_back(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    db.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn clock() -> Clock {
        Arc::new(|| "2026-11-21T00:00:00Z".to_owned())
    }

    fn ledger() -> (tempfile::TempDir, Ledger) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("state/ledger.db"), clock()).unwrap();
        (dir, ledger)
    }

    fn intent(incident: &str) -> Intent {
        Intent { incident: incident.to_owned(), step: "revoke".to_owned() }
    }

    #[test]
    fn an_intent_stands_before_the_act_and_an_outcome_after() {
        let (_dir, mut ledger) = ledger();
        let path = ledger.path.clone();
        assert_eq!(ledger.past("a", "revoke").unwrap(), Past::New);
        let seen = ledger.around(&[intent("a")], || {
            let other = Ledger::open_to_read(&path).unwrap();
            (json!({ "status": 204 }), other.past("a", "revoke").unwrap())
        });
        let step = "revoke".to_owned();
        assert_eq!(
            seen.unwrap(),
            Past::Doubt { step: step.clone() },
            "somebody else sees the intent while the act is done"
        );
        let detail = json!({ "status": 204 });
        assert_eq!(ledger.past("a", "revoke").unwrap(), Past::Outcome { step, detail });
        assert_eq!(ledger.past("a", "task").unwrap(), Past::New);
        assert_eq!(ledger.past("b", "revoke").unwrap(), Past::New);
    }

    #[test]
    fn every_change_breaks_the_chain() {
        for (sql, at) in [
            ("UPDATE rows SET detail = '{}' WHERE seq = 2", 2),
            ("UPDATE rows SET at = '' WHERE seq = 1", 1),
            ("DELETE FROM rows WHERE seq = 1", 1),
            ("DELETE FROM rows WHERE seq = 2", 2),
            ("UPDATE rows SET incident = 'b' WHERE seq = 3", 3),
        ] {
            let (_dir, mut ledger) = ledger();
            for n in 0..3 {
                ledger.note("a", Event::Found, &json!({ "n": n })).unwrap();
            }
            assert!(matches!(ledger.verify().unwrap(), Chain::Whole { rows: 3, .. }));
            ledger.db.execute(sql, []).unwrap();
            assert_eq!(ledger.verify().unwrap(), Chain::Broken { seq: at }, "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_done() {
        let (_dir, mut ledger) = ledger();
        ledger.db.pragma_update(None, "query_only", true).unwrap();
        let outcome = ledger.around(&[intent("a")], || unreachable!("the act must not be done"));
        assert!(matches!(outcome, Err::<(), _>(Error::ReadOnly(_))));
        ledger.db.pragma_update(None, "query_only", false).unwrap();
        let pages: i64 = ledger.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        ledger.db.pragma_update(None, "max_page_count", pages).unwrap();
        let mut refused = None;
        for _ in 0..200 {
            if let Err(error) = ledger.note("a", Event::Found, &json!({ "long": "x".repeat(500) })) {
                refused = Some(error);
                break;
            }
        }
        assert!(matches!(refused, Some(Error::Full(_))), "{refused:?}");
        assert!(matches!(ledger.verify().unwrap(), Chain::Whole { .. }));
    }

    #[test]
    fn what_a_killed_writer_left_is_taken_back_for_readers_too() {
        let (dir, mut ledger) = ledger();
        ledger.note("a", Event::Found, &Value::Null).unwrap();
        // A transaction so large that SQLite writes pages before the commit; the copy is what a kill leaves.
        ledger.db.pragma_update(None, "cache_size", 1).unwrap();
        ledger.db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for n in 0..500 {
            let sql = "INSERT INTO rows VALUES (?1, 'a', 'found', '', '', ?2, ?3, '')";
            ledger.db.execute(sql, params![n + 100, "x".repeat(500), n.to_string()]).unwrap();
        }
        let (path, copy) = (ledger.path.clone(), dir.path().join("copy.db"));
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(path.with_extension("db-journal"), dir.path().join("copy.db-journal")).unwrap();
        let read = Ledger::open_to_read(&copy).unwrap();
        assert!(matches!(read.verify().unwrap(), Chain::Whole { rows: 1, .. }));
    }

    #[test]
    fn a_file_that_is_no_ledger_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::write(&path, "this is no database at all, but it is longer than the header of one: ".repeat(20))
            .unwrap();
        assert!(matches!(Ledger::open(&path, clock()), Err(Error::Corrupt(_))));
        std::fs::remove_file(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE rows (x)").unwrap();
        drop(other);
        assert!(matches!(Ledger::open(&path, clock()), Err(Error::NotOurs(_))));
        assert!(matches!(Ledger::open(&path.join("below"), clock()), Err(Error::Open { .. })));
        assert!(matches!(Ledger::open_to_read(&dir.path().join("none")), Err(Error::Open { .. })));
    }

    #[test]
    fn another_schema_is_named_and_not_touched() {
        let (_dir, ledger) = ledger();
        for version in [0, 2] {
            ledger.db.pragma_update(None, "user_version", version).unwrap();
            let again = Ledger::open(&ledger.path, clock());
            assert!(matches!(again, Err(Error::Schema { found, .. }) if found == version), "{again:?}");
        }
    }

    #[test]
    fn a_broken_page_is_seen_on_opening() {
        let (_dir, mut ledger) = ledger();
        for n in 0..200 {
            ledger.note("a", Event::Found, &json!({ "n": n, "text": "x".repeat(100) })).unwrap();
        }
        let path = ledger.path.clone();
        drop(ledger);
        let mut bytes = std::fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[4096..len].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Ledger::open(&path, clock()), Err(Error::Corrupt(_))));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, ledger) = ledger();
        assert_eq!(std::fs::metadata(&ledger.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn turns_are_taken_one_after_the_other() {
        let (_dir, ledger) = ledger();
        let path = ledger.path.clone();
        let held = ledger.turns(&["b", "a"], &mut || ()).unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let other = Ledger::open(&path, clock()).unwrap();
            let mut waited = false;
            let turns = other.turns(&["a"], &mut || waited = true).unwrap();
            assert!(waited);
            send.send(()).unwrap();
            drop(turns);
        });
        assert!(receive.recv_timeout(Duration::from_millis(300)).is_err());
        drop(held);
        receive.recv_timeout(Duration::from_secs(20)).unwrap();
        waiter.join().unwrap();
    }

    #[test]
    fn two_writers_make_one_chain() {
        let (_dir, ledger) = ledger();
        let path = ledger.path.clone();
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let mut ledger = Ledger::open(&path, clock()).unwrap();
                    for _ in 0..10 {
                        ledger.note("a", Event::Found, &Value::Null).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        assert!(matches!(ledger.verify().unwrap(), Chain::Whole { rows: 40, .. }));
    }
}
