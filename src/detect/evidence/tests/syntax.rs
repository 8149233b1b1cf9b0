//! What is written as something else than a secret, by forms that large source trees have.

use super::*;

#[test]
fn what_is_something_else_in_the_syntax_of_a_language_is_no_secret() {
    for text in [
        // Signatures, types and members.
        "ndr_token_peek: uint32_t (struct ndr_token_list **, const void *)\n",
        "val reset_token : scanbuf -> unit\n",
        "string tokenValue = currentExtent.Text;\n",
        "{tmpToken: tmpTokenWurstbrot, x}\n",
        "condvar3_2.pass: condvar3_1.pass\n",
        // Places for values.
        "process_credentials(\"$ENV{HOME}/.astcli\")",
        "my $password = \"$ARGV[5]\";",
        "apiKey: $newrelic-apiKey\n",
        "token_htdocs='$tmp/htdocs'",
        "password = \"'$ORIG_PASS'\"",
        "auth_token = \"0x%02hhX\"",
        "PasswordPattern = `^.{8,32}$`",
        "ret['password'] = '$encrypted$'",
        "<a password=\"&lt;password&gt;\">",
        // Options, fields and measures.
        "\"--no-ask-password\",\n\"--fsck=yes\"",
        "docker build --secret id=npmrc,src=.npmrc .",
        "introPasswordHintTop: 151px;",
        "DRSUAPI_ATTID_dBCSPwd = 0x00090037,\n",
        "password: $6$salt$hash\n",
        // Names of other things.
        "client_token: \"IdempotencyToken\"",
        "\"ClientToken\": \"5236cffc-ee13-4a32-bb5b-388d9da09d96\"",
        "secret_uuid = 'b028130c-bdcb-4d5f-9bca-b9175ca6c28c'",
        "GUID_CHANGE_PASSWORD = \"ab721a53-1e2f-11d0-9819-00aa0040529b\"",
        "[\"lmPwdHistory\", \"password\", \"ntPwdHistory\"]",
        "copy_id21_to_sam_passwd(\"INFO_21\", pwd, id21);",
        "nonSecret = text.getBytes(\"ISO-8859-1\");",
        // Where something is.
        "keystone_credential_setup: \"quay.io/corp/keystone:2025.1-ubuntu_jammy\"",
        "\"@corp/api-key\": \"workspace:^\"",
        "password:ou=application,dc=cdhdt,dc=com\n",
        // Sentences.
        "\"PasswordStored\": \"%1$s警告：%2$s このパスワードは見える設定ファイルに保存されます。\"",
        "'enterRoomPassword': 'Raum \"%s\" ist durch ein Passwort geschützt'",
        "passwordError = \"Le mot de passe doit contenir entre 4 et 20 caractères!\"",
        "To enable password authentication, then any hostname\n",
        // What stands between two strings.
        "s = append(s, \"Tokens: \"+fmt.Sprintf(\"%#v\", this.Tokens)+\",\")",
        "\"publicKey\": \"token\", \"secret\": \"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\"",
    ] {
        assert!(!leaks(text), "{text}: {:?}", found(text));
    }
}

/// The same of trees that were looked at later.
#[test]
fn what_names_another_thing_is_no_secret() {
    for text in [
        "Cannot be set with `basicAuth`, `bearerTokenSecret` or `oauth2v1`.",
        ":token:`~pkg-dep:dep_specification`",
        "'pass' => ['1/2/3/foo:bar'],",
        "--volume /etc/passwd:/etc/passwd:ro",
        "API_KEY: !GetAtt ApiKey.ApiKey\n",
        "TRAFFIC_SECRET = \"%[ssl_xx_client_early_traffic_secret]\"",
        "allow_credentials = \"'true'\"",
        "`--ask-password=false` to it",
        "\"EventSourceToken\": \"amzn1.ask.skill.12345678-1234-1234-1234-123456789\"",
        "urlWithCredentials = \"jdbc:ch:https\"",
        "credentials=\"v1.19.2\"",
        "pass: 'fe80:0000:0000:0000:0204:61ff:fe9d:f156'",
        "secret = fixtures.hs384_secret\n",
        "\"login_password\", \"azuread_administrator.0.azuread_authentication_only\"",
        "setUserToken: '0xe7897444',",
        "char imap_password[] = \"+ UGFzc3dvcmQ6\";",
        "\"incorrect-username-password\": \"Pengguna/kata laluan tidak betul.\"",
        "\"incorrect-username-password\": \"Skeivt brúkaranavn/loyniorð.\"",
        "this._noAuthorization=!e.headers.authorization,this._reqHeaders=r.headers",
        "// Format is \"Bearer authorization=\\\"<site>\\\"",
        "password: env.SEQ_MSSQL_PW || null,",
    ] {
        assert!(!leaks(text), "{text}: {:?}", found(text));
    }
}

/// What looks like these and may well be a password.
#[test]
fn what_only_begins_so_is_one() {
    for (seed, form) in (0..).zip([
        "password = \"$§\"",
        "password = \"$x/§\"",
        "password: §;\n",
        "--password \"--§\"",
        "client_token = \"§\"",
        "password = \"§=§\"",
        "password = \"0x§\"",
        "setPassword(\"§\")",
        "db_password = \"quay§\"",
        "password = \"+§+\"",
        "f(\"a\", password=\"§\")",
        "setAuthUrl(\"otpauth://totp/Thing%20(Tenant):tenant@thing.corp?issuer=Thing+%28Tenant%29&secret=§\");",
        "password = \"true§\"",
        "password = \"v1.§\"",
        "password = \"amzn1§\"",
        "password = os.environ[\"PW\"] or \"§\"",
        "'password' => ['§']",
        "password: '/§'",
    ]) {
        let text = form.replace('§', &chosen(seed));
        assert!(leaks(&text), "{text}: {:?}", found(&text));
    }
}

/// A word in quotes behind another is part of a sentence; what was drawn at random is not, nor is what a command sets.
#[test]
fn what_is_drawn_at_random_is_no_word_of_a_sentence() {
    for (seed, form) in (0..).zip(["I log in as \"bob\" with the password \"§\"", "Given the token \"§\" of bob"]) {
        let text = form.replace('§', &super::forms::drawn(seed));
        assert!(leaks(&text), "{text}: {:?}", found(&text));
    }
    assert!(leaks(&format!("npm config set _authToken {}\n", chosen(1))));
    for text in [
        "the password \"of the user\" is",
        "print PWD \"$ctx->{unix_name}:x:$ctx->{unix_uid}:65531:\";",
        "You may pass `julia_version=nothing` to it.",
        "will pass `--build-threads-of-all` on",
        "sign with the token \"getAccessTokenOfUser\" of the session",
    ] {
        assert!(!leaks(text), "{text}: {:?}", found(text));
    }
}
