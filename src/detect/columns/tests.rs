use proptest::prelude::*;

use super::*;

/// The cells below the first `password` of a text.
fn read(text: &str) -> Vec<&str> {
    let at = text.find("password").unwrap();
    cells(KIND, text.as_bytes(), &(at..at + "password".len())).into_iter().map(|cell| &text[cell]).collect()
}

fn written(cell: &str, separator: &str, form: u8) -> String {
    match (separator, form) {
        ("|" | "│", 0) => format!(" {cell} "),
        ("|" | "│", 1) => format!(" `{cell}`"),
        ("|" | "│", _) => cell.to_owned(),
        ("\t", 1) => cell.to_owned(),
        (_, 0) => format!("\"{cell}\""),
        (_, 1) => format!(" {cell}"),
        _ => cell.to_owned(),
    }
}

proptest! {
    #[test]
    fn every_cell_is_read_however_the_table_is_written(
        rows in prop::collection::vec(prop::collection::vec(("[A-Za-z0-9][A-Za-z0-9!$%+/.@-]{4,29}", 0u8..3), 5), 1..6),
        column in 0usize..5,
        separator in prop::sample::select(vec![",", ";", "\t", "|", "│"]),
        outer in any::<bool>(),
        end in prop::sample::select(vec!["\n", "\r\n"]),
        lead in prop::sample::select(vec!["", "text before\n\n", "```csv\n", "# a comment\r\n", "All that we have\n", "\u{feff}"]),
        tail in prop::sample::select(vec!["", "\n", "\n\nno", "\nother"]),
    ) {
        let edge = if separator.trim_end_matches(['|', '│']).is_empty() && outer { separator } else { "" };
        let line = |cells: Vec<String>| format!("{edge}{}{edge}", cells.join(separator));
        let names = (0..5).map(|at| if at == column { "password".to_owned() } else { format!("name{at}") });
        // What has no edge begins with a blank in no sound table, and with no quote either.
        let mut lines = vec![line(names.map(|name| written(&name, separator, 2 * u8::from(!outer))).collect())];
        if edge.is_empty() == (separator != "|") {
            lines.push(line(vec!["---".to_owned(); 5]));
        }
        if !matches!(separator, "|" | "│") {
            lines.truncate(1);
        }
        prop_assume!(lines.len() == 2 || !matches!(separator, "|" | "│"));
        lines.extend(rows.iter().map(|row| line(row.iter().map(|(cell, form)| written(cell, separator, *form)).collect())));
        let text = format!("{lead}{}{tail}", lines.join(end));
        let wanted: Vec<&str> = rows.iter().map(|row| row[column].0.as_str()).collect();
        prop_assert_eq!(read(&text), wanted, "{}", text);
    }

    #[test]
    fn nothing_is_too_strange(
        parts in prop::collection::vec(prop::sample::select(vec![
            ",", ";", "|", "||", "\t", "\n", "\r\n", "\"", "\"\"", "-", "---", "password", "a", " ", "  ", "`", "\\", "\u{feff}",
            "\u{e9}", "12345", "+", ":", "=", "│", "─", "<tr>", "<td>", "<th", ">", "</tr>", "</table>", "|===",
        ]), 0..60),
        start in any::<prop::sample::Index>(),
        len in 1usize..14,
    ) {
        let text = parts.concat();
        let start = start.index(text.len() + 1);
        for cell in cells(KIND, text.as_bytes(), &(start..text.len().min(start + len))) {
            prop_assert!(cell.start > 0 && LENGTHS.contains(&cell.len()) && cell.end <= text.len());
        }
    }
}

#[test]
fn what_is_no_table_has_no_cells() {
    for text in [
        "a = [\nname,password\nsome,value",
        "call(a,password\nsome,value",
        "name,password\n\nsome,value\n\nother,value,too,many",
        "| name | password |\n| some | value |\n",
        "a: name,password\nsome,value",
        "password\nvalue\n",
        "name,password\nsome,two words",
        "def f():\n  for password, salt in vectors:\n    value, salt\n",
        "All of them:\nthe user, the password\nvalue, other, and more\nthird\n",
        "db\n\npassword:\tfiles\nvalue:\tfiles\n",
        "name,password\nsome,abc",
        "name,password_hint\nsome,value",
        "name,password policy\nsome,value",
        "name,hashed password\nsome,value",
        "name,/* password\nsome,value",
        "name,password\nsome,(hidden)",
        "| a | b |\n+---+---+\n| c | password |\n+---+---+\n| d | value |\n+---+---+\n",
        "x\n| password | value | other |\ny",
        "password  hint\nvalue     other\n",
        "<p>password</p><p>value</p>",
        "| Option | Default | Note |\n|---|---|---|\n| password | value | c |\n",
        "name,password\na,HISTORY_5\nb,SCRAM-SHA-256$4096:x\n",
    ] {
        let expected: &[&str] = if text.starts_with("name,password\n\n") { &["value"] } else { &[] };
        assert_eq!(read(text), expected, "{text}");
    }
    // Behind something else, an empty line ends it.
    assert_eq!(read("Names:\nname,password\nsome,value\n\nother,thing"), ["value"]);
}

#[test]
fn tables_of_every_kind_are_read() {
    for (text, wanted) in [
        ("name,password\n\"a, \"\"b\"\"\",value\nc,other\n\nd,third", &["value", "other", "third"][..]),
        ("name,note,password\n\"a\",\"two\nlines, \"\"x\"\"\",value\nb,,other\nc\n", &["value", "other"]),
        ("name,password,note\na,value\nb,other,,\nc,third,x,y,z\n", &["value", "other"]),
        ("id,password,secret\n1,value,x\n", &["value"]),
        ("name, password, port\ndb, value, 1\n", &["value"]),
        (",password\n0,value\n1,other\n", &[]),
        (",name,password\n0,a,value\n1,b,other\n", &["value", "other"]),
        ("name,userpassword *\na,value\n", &["value"]),
        ("name;password (initial)\na;value\n", &["value"]),
        (
            "+---+---+\n| n | password |\n+---+---+\n| a | value |\n| b | other |\n+---+---+\n2 rows\n",
            &["value", "other"],
        ),
        (
            "+---+---+\n| n | password |\n+===+===+\n| a | value |\n+---+---+\n| b | other |\n+---+---+\n",
            &["value", "other"],
        ),
        ("> | n | password |\n> |---|---|\n> | a | value |\n> | b | other (old) |\n\n", &["value", "other"]),
        ("| n | password |\n|-|-|\n| a\\|b | value |\n| c | `other` |\n|---|---|\n| d | third |", &["value", "other"]),
        ("10:00:01 db | n | password |\n10:00:01 db |---|---|\n10:00:02 db | a | value |\n", &["value"]),
        ("  Given users\n    | n | password |\n    | a | value |\n    | b | other |\n", &["value", "other"]),
        ("|===\n|n |password\n\n|a |value\n\n|b |other\n|===\n", &["value", "other"]),
        ("||n||password||\n|a|value|\n|b|other|\n", &["value", "other"]),
        ("n|id|password\na|1|value\nb|2|other\n", &["value", "other"]),
        ("-[ RECORD 1 ]--\nname     | a\npassword | value\n", &["value"]),
        ("| Field | Value |\n|---|---|\n| host | a |\n| password | value |\n", &["value"]),
        ("n  password\n-- --------\na  value\nb  other\n\nc  third", &["value", "other"]),
        (
            "=== ========\nn   password\n=== ========\na   value\nb   other\n=== ========\nc   third",
            &["value", "other"],
        ),
        (
            "<table><thead><tr><th>n</th><th class=x>password</th></tr></thead>\n<tr><td>a</td><td><b>value</b></td></tr>\
             <tr><td>b<td>other</table><tr><td>c</td><td>third</td></tr>",
            &["value", "other"],
        ),
        ("Setting,Value\nhost,db1\npassword,value\n", &["value"]),
        ("Servers;;;\nname;ip;user;password\na;b;c;value\n", &["value"]),
        (
            "COPY public.users (id, email, password, role) FROM stdin;\n1\ta@b.test\tvalue\tx\n2\tc\tother\ty\n\\.\n",
            &["value", "other"],
        ),
        ("| Setting | Value | Note |\n|---|---|---|\n| host | a | b |\n| password | value | c |\n", &["value"]),
        ("|| host || a ||\n||host|a|\n||password|value|\n", &["value"]),
        (
            "<Row><Cell><Data ss:Type=\"String\">n</Data></Cell><Cell><Data>password</Data></Cell></Row>\n<Row><Cell><Data>a</Data></Cell>\
             <Cell><Data>value</Data></Cell></Row></Table>",
            &["value"],
        ),
        ("<tr><td>password</td><td> value </td></tr><tr><td>other</td><td>third</td></tr>", &["value"]),
    ] {
        assert_eq!(read(text), wanted, "{text}");
    }
}

#[test]
fn a_name_that_may_be_another_needs_an_account_beside_it() {
    let read = |text: &str, name: &str| {
        let at = text.find(name).unwrap();
        cells(KIND, text.as_bytes(), &(at..at + name.len())).len()
    };
    assert_eq!(read("user,pass\nbob,value\n", "pass"), 1);
    assert_eq!(read("test,pass\nbob,value\n", "pass"), 0);
    assert_eq!(read("Email,access token\nbob,value\n", "token"), 1);
    assert_eq!(read("n,access token\nbob,value\n", "token"), 1);
    assert_eq!(read("n,token\nbob,value\n", "token"), 0);
    assert_eq!(read("user,page token\nbob,value\n", "token"), 0);
}

#[test]
fn a_cell_that_may_go_on_is_not_told() {
    let (value, row) = ("v".repeat(40), |value: &str| format!("<tr><td>some</td><td>{value}</td></tr>\n"));
    let html = format!("<tr><th>name</th><th>password</th></tr>\n{}", row(&value).repeat(2 * REACH / 60));
    let csv = format!("name,password\n{}", format!("\"two\nlines\",{value}\n").repeat(2 * REACH / 50));
    for text in [html, csv] {
        assert!(read(&text).iter().all(|cell| *cell == value));
        assert!(read(&text).len() > 200);
    }
}

#[test]
fn a_table_is_read_as_far_as_all_that_a_search_of_a_part_is_sure_to_have() {
    let long = format!("name,password\n{}", "some,value\n".repeat(2 * REACH / 11));
    assert_eq!(read(&long).len(), REACH / 11);
}

/// The values of passwords, and of keys, in rows of SQL.
fn rows(text: &str) -> [Vec<&str>; 2] {
    [KIND, KEYS].map(|kind| {
        let lower = text.to_ascii_lowercase();
        let starts = lower.match_indices("insert into ").chain(lower.match_indices("create table "));
        let mut found: Vec<_> =
            starts.flat_map(|(at, word)| cells(kind, text.as_bytes(), &(at..at + word.len()))).collect();
        // Where a file begins, nothing stands before.
        found.sort_by_key(|cell| cell.start);
        found.dedup();
        found.into_iter().map(|cell| &text[cell]).collect()
    })
}

#[test]
fn every_row_of_sql_is_read() {
    let (none, one, two) = (Vec::new(), vec!["J7xk2Lm9"], vec!["J7xk2Lm9", "it''s,(x)"]);
    let insert = "INSERT INTO users (id, login, password) VALUES (1, 'bob', 'J7xk2Lm9'), (2, 'al, (x)', 'it''s,(x)');";
    let values = "(1,'a\\'b',NULL,'J7xk2Lm9'),(2,'c',now(),'it''s,(x)')";
    let dump = format!(
        "CREATE TABLE `app`.`users` (\n  `id` int(11) NOT NULL,\n  `login` varchar(20) DEFAULT 'a,b',\n  `made` date,\n  \
         `passwd` varchar(60),\n  PRIMARY KEY (`id`),\n  KEY `x` (`login`)\n) ENGINE=InnoDB;\n--\nLOCK TABLES `users` WRITE;\n\
         INSERT INTO `other` VALUES {values};\nINSERT INTO `users` VALUES {values};\n"
    );
    for (text, passwords, keys) in [
        (insert, &two, &none),
        (&insert.replace("), (", "),\n  -- the second\n  (").replace(" VALUES ", "\nvalues\n  "), &two, &none),
        (
            &insert.replace("users", "[dbo].[users]").replace("password", "[userPassword]").replace("'J", "N'J"),
            &two,
            &none,
        ),
        (&insert.replace("password", "api_key"), &none, &two),
        (&insert.replace("password", "password_hash"), &none, &none),
        (&insert.replace("password", "reset_password"), &none, &none),
        (&insert.replace("'J7xk2Lm9'", "crypt('J7xk2Lm9', gen_salt('bf'))"), &vec!["it''s,(x)"], &none),
        (&insert.replace("'J7xk2Lm9'", "'J7xk2Lm9' || 'x'"), &vec!["it''s,(x)"], &none),
        (&insert.replace("'J7xk2Lm9'", "'J7xk2Lm9'::text"), &two, &none),
        (&insert.replace("VALUES", "SELECT"), &none, &none),
        (&insert.replace("(2, 'al", "2, ('al"), &one, &none),
        (&dump, &two, &none),
        (&dump.replace('\n', " "), &two, &none),
        (&dump.replace("--\n", "CREATE TABLE users (id int);"), &none, &none),
        (
            "create table if not exists k (name text, auth_token text); insert into k values ('a', 'J7xk2Lm9');",
            &none,
            &one,
        ),
    ] {
        assert_eq!(rows(text), [passwords.clone(), keys.clone()], "{text}");
    }
}

proptest! {
    #[test]
    fn no_sql_is_too_strange(
        parts in prop::collection::vec(prop::sample::select(vec![
            "insert into ", "create table ", "t", "(", ")", "password", ",", "'", "''", "\\", "values", " ", "\n", "--", ";", "N'",
            "\"", "`", "a12345", "::", "\u{e9}", "primary key",
        ]), 0..80),
    ) {
        let text = parts.concat();
        for cell in rows(&text).concat() {
            prop_assert!(LENGTHS.contains(&cell.len()));
        }
    }
}
