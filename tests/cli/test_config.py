"""The configuration file: what it may say, what comes before it, and what it must not hold."""

import json
import re

import pytest

import archives
import tool

NUMBERED = (b'{"event":"messages.update","instance":"i","data":{"keyId":"K","status":2},'
            b'"date_time":"2025-10-20T10:00:00Z"}\n')


@pytest.fixture
def archive(tmp_path):
    archives.save(tmp_path / "a", NUMBERED, 1760900000)
    return "a"


@pytest.fixture
def configured(tmp_path, archive):
    """configured(text, arguments...): an offline replay with that configuration file."""
    def run(text, *arguments, mode=0o600, **more):
        path = tmp_path / "conf"
        path.write_text(text)
        path.chmod(mode)
        return tool.run("replay", ["--config", "conf", "--offline", *arguments, archive], tmp_path,
                        **more)
    return run


def seen(done):
    assert done.status == 0, done
    return json.loads(done.out)["seen"]


STATES = ("--states-out", "-", "-o", "r")


def test_file_environment_and_command_line_come_in_this_order(configured, tmp_path):
    app = tool.environment(tmp_path, RECONCILE_STATUS_CODES="app")
    assert seen(configured("status-codes = baileys\n", *STATES)) == ["sent"]
    assert seen(configured("status-codes = baileys\n", *STATES, env=app)) == ["delivered"]
    assert seen(configured("", "--status-codes", "baileys", *STATES, env=app)) == ["sent"]
    assert seen(configured("status-codes = app\n", "--status-codes=baileys", *STATES)) == ["sent"]


def test_what_a_file_names_is_named(tmp_path):
    """Without a dialect, a 5 keeps --apply from writing; the file's word counts. NUMBERED has one."""
    archives.save(tmp_path / "a", NUMBERED.replace(b":2}", b":5}"), 1760900000)
    (tmp_path / "conf").write_text("status-codes = baileys\n")
    for config, warned in [("/dev/null", True), ("conf", False)]:
        done = tool.run("replay", ["--config", config, "--offline", "a"], tmp_path)
        assert (" 1 status code 4 or 5, " in done.said) == warned, done


def test_lists_repeat_and_a_nearer_list_replaces_them(configured, tmp_path):
    for name in ("s1", "s2", "s3"):
        line = NUMBERED.replace(b'"K"', b'"%s"' % name.encode())
        archives.save(tmp_path / "one", line, 1760900000)
        done = tool.run("replay", ["--offline", "--states-out", name, "-o", "r", "one"], tmp_path)
        assert done.status == 0, done

    def ids(done):
        assert done.status == 0, done
        return [json.loads(line)["message_id"] for line in done.out.splitlines()]

    text = "states-in = s1\nstates-in = s2\n"
    assert ids(configured(text, *STATES)) == ["K", "s1", "s2"]
    assert ids(configured(text, "--states-in", "s3", *STATES)) == ["K", "s3"]


def test_flags_are_named_alone_or_with_yes_or_no(configured):
    assert "error" not in configured("quiet\nverbose = no\n").said
    done = configured("offline = yes\nquiet = yes\n")
    assert done.status == 0, done
    done = configured("quiet = perhaps\n")
    assert done.status == 2
    assert 'line 1: invalid value "perhaps" for quiet: yes or no is needed' in done.said


WRONG = [
    ("settle = 15m\nno-such-option = 1\n", 'line 2: unknown option "no-such-option"'),
    ("settle = 5w\n", 'line 1: invalid value "5w" for settle'),
    ("settle\n", "line 1: settle needs a value"),
    ("\n\nsettle = 1m\nsettle = 2m\n", 'line 4: "settle" is in line 3 already'),
    ("settle 15m\n", 'line 1: "name = value"'),
    ("--settle = 15m\n", "line 1: unknown option"),
    ("config = other\n", 'line 1: "config" has no meaning in a configuration file'),
    ("help\n", 'line 1: "help" has no meaning'),
    ("version\n", 'line 1: "version" has no meaning'),
    ("format = xml\n", 'line 1: invalid value "xml" for format'),
    ("connections = 1000\n", 'line 1: invalid value "1000" for connections'),  # a poll's
    ("o = x\n", 'line 1: unknown option "o"'),
]


@pytest.mark.parametrize("text,said", WRONG, ids=[w[0].strip() for w in WRONG])
def test_what_cannot_be_is_an_error_with_file_and_line(configured, text, said):
    done = configured(text)
    assert done.status == 2, done
    assert len(done.lines) == 1 and done.lines[0].startswith(
        'replay: error: configuration file "conf", ' + said), done.said


def test_a_byte_order_mark_before_the_first_line_is_skipped(configured):
    assert configured("\ufeffquiet\n").status == 0
    done = configured("\ufeffbogus\n")
    assert done.status == 2 and 'line 1: unknown option "bogus"' in done.said, done
    done = configured("quiet\n\ufeffverbose\n")
    assert done.status == 2 and "line 2: " in done.said, "a mark is at the start of a file alone"


def test_one_file_serves_all_tools(configured):
    """What belongs to other tools is read over, and so is what this run cannot use."""
    done = configured("evolution-url = https://evolution.example.com\nconnections = 2\n"
                      "sent-since = 7d\ndbname = service=x\nmax-corrections = 5%\napply\n")
    assert done.status == 0, done


def test_the_command_line_wins_where_the_file_excludes_it(tmp_path):
    (tmp_path / "conf").write_text("all\ndbname = host=%s\n" % tmp_path)
    for tool_arguments in (["replay", "--campaign", "x", "--states-in", "s"],
                           ["reconcile", "audit", "--sent-since", "7d"]):
        done = tool.run(tool_arguments[0], tool_arguments[1:] + ["--config", "conf"], tmp_path)
        assert done.status == 4 and "could not connect" in done.said, done
    (tmp_path / "conf").write_text("all\ncampaign = x\n")
    done = tool.run("replay", ["--config", "conf", "--states-in", "s"], tmp_path)
    assert done.status == 2 and "--all cannot be used with --campaign" in done.said, done


SECRETS = ["dbname = host=h password=geheim\n", "dbname = postgresql://u:geheim@h/d\n",
           'dbname = "host=h sslpassword = geheim"\n', "dbname = postgresql://h/d?password=geheim\n",
           "evolution-url = https://u:geheim@evolution.example.com\n"]


@pytest.mark.parametrize("text", SECRETS, ids=[s.strip() for s in SECRETS])
def test_a_password_in_a_file_that_all_may_read_is_refused(configured, text):
    done = configured(text, mode=0o644)
    assert done.status == 2 and len(done.lines) == 1, done
    assert 'file "conf", line 1: %s holds a password' % text.split(" ")[0] in done.said
    assert "geheim" not in done.said
    for mode in (0o600, 0o640):
        assert configured(text, mode=mode).status == 0
    harmless = "dbname = host=h user=u\nevolution-url = https://evolution.example.com/a?b\n"
    assert configured(harmless, mode=0o644).status == 0


def test_a_file_that_everybody_may_write_to_is_refused(configured):
    done = configured("settle = 1m\n", mode=0o666)
    assert done.status == 2 and "every user may write to it" in done.said, done


def test_a_file_that_was_named_has_to_be_there(replay, archive, tmp_path):
    done = replay("--offline", "--config", "nowhere", archive)
    assert done.status == 2 and 'could not open configuration file "nowhere"' in done.said, done
    env = tool.environment(tmp_path, RECONCILE_CONFIG="nowhere")
    assert replay("--offline", archive, env=env).status == 2
    for none in ("", "/dev/null"):
        assert replay("--offline", "--config", none, archive, env=env).status == 0
    assert replay("--offline", "--config", ".", archive).status == 2


def test_help_is_given_whatever_the_file_says(replay, tmp_path):
    (tmp_path / "conf").write_text("no-such-option\n")
    for option in "--help", "--version":
        assert replay("--config", "conf", option).status == 0
    assert replay("--config", "conf", "--offline", "a").status == 2


def examples():
    """The fenced blocks of the documentation that are configuration files."""
    for page in "formats.md", "operations.md":
        text = (tool.ROOT / "docs" / page).read_text()
        for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if not kind and re.search(r"^dbname = ", block, re.MULTILINE):
                yield page, block


@pytest.mark.parametrize("page,text", list(examples()), ids=lambda e: e[:14])
def test_the_examples_of_the_documentation_are_understood(configured, page, text):
    for mode in (0o600, 0o644):
        done = configured(text, "-v", mode=mode)
        assert done.status == 0, done


def test_there_are_examples():
    assert [page for page, _ in examples()] == ["formats.md", "operations.md"]
