"""The shells complete what the programs understand, in the shells themselves."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

import tool

MADE = tool.BUILD / "completions"
COMMANDS = [("replay",), ("reconcile", "poll"), ("reconcile", "audit")]


def helped(words, tmp_path):
    """option -> its argument or None, as --help tells them."""
    done = tool.run(words[0], list(words[1:]) + ["--help"], tmp_path)
    found = re.findall(r"^ +(?:-(\w), )?--([a-z-]+)(?: (\S+))?", done.out.decode(), re.MULTILINE)
    assert len(found) > 15
    return {"--" + name: argument or None for _, name, argument in found}


def commands_of_help(tmp_path):
    out = tool.run("reconcile", ["--help"], tmp_path).out.decode()
    return re.findall(r"^  (\w+)", out.split("Commands:")[1].split("\n\n")[0], re.MULTILINE)


def bash(line, cwd):
    """What bash would offer where the line ends; "=" parts words, as COMP_WORDBREAKS has it."""
    words = [w for w in re.split(r" |(=)", line) if w] + ([""] if line.endswith(" ") else [])
    script = """
        set -u
        . "$1"; shift
        compopt() { :; }   # which only works while readline completes
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        "_$1"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", str(MADE / words[0]), *words],
                          cwd=str(cwd), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 0 and done.stderr == b"", done
    return [offered for offered in done.stdout.decode().split("\n") if offered]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_bash_offers_every_option_and_no_other(words, tmp_path):
    assert sorted(bash(" ".join(words) + " --", tmp_path)) == sorted(helped(words, tmp_path))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_bash_offers_the_words_of_a_choice(words, tmp_path):
    choices = {o: a for o, a in helped(words, tmp_path).items() if a and re.match(r"[a-z-]+\|", a)}
    assert len(choices) >= 2
    for option, argument in choices.items():
        for joint in " ", "=":
            line = " ".join(words) + " " + option + joint
            assert bash(line, tmp_path) == argument.split("|"), line
            first = argument.split("|")[0]
            assert bash(line + first[:2], tmp_path) == [
                w for w in argument.split("|") if w.startswith(first[:2])]


def test_bash_offers_files_zones_and_nothing_where_it_knows_nothing(tmp_path):
    (tmp_path / "a b.jsonl.gz").touch()
    for line in "replay ", "replay -o ", "replay --states-in=", "reconcile poll --api-key-file ":
        assert bash(line, tmp_path) == ["a b.jsonl.gz"], line
    assert bash("replay --date-time-zone America/Sao", tmp_path) == ["America/Sao_Paulo"]
    for line in "replay -d ", "reconcile audit ", "reconcile poll --rate ":
        assert bash(line, tmp_path) == [], line


@pytest.mark.parametrize("words", [("replay",), ("reconcile", "apply")], ids=" ".join)
def test_bash_offers_no_options_where_they_have_ended(words, tmp_path):
    (tmp_path / "-a").touch()
    for line in " -- -", " -d x -- --", " -- -a -":
        offered = bash(" ".join(words) + line, tmp_path)
        assert offered == (["-a"] if line[-2:] == " -" else []), line
    assert bash(" ".join(words) + " -- --format ", tmp_path) == ["-a"], "it is a file's name there"
    assert bash("reconcile audit -- -", tmp_path) == [], "it takes no file"


def test_bash_offers_the_commands(tmp_path):
    commands = commands_of_help(tmp_path)
    assert {"poll", "audit"} <= set(commands)
    assert bash("reconcile ", tmp_path) == commands + ["--help", "--version"]


@pytest.mark.parametrize("program", ["replay", "reconcile"])
def test_what_bash_reads_is_clean(program):
    shellcheck = tool.find("shellcheck")
    if not shellcheck:
        pytest.skip("no shellcheck: make lint installs it")
    done = subprocess.run([shellcheck, "-s", "bash", str(MADE / program)], stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout.decode()


class Zsh:
    """An interactive zsh on a terminal of its own."""

    def __init__(self, cwd):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(str(cwd))
            os.environ.update(TERM="dumb", LC_ALL="C.UTF-8", HOME=str(cwd), COLUMNS="400")
            os.execv(tool.program("zsh"), ["zsh", "-f", "-i"])
        self.type("PS1= PS2= RPS1= ; unsetopt zle_bracketed_paste 2>/dev/null; stty cols 400 rows 200\n"
                  "fpath=(%s $fpath); autoload -Uz compinit && compinit -u -D\n"
                  "tell() { zle -I; print -r -- \"<<$BUFFER>>\"; BUFFER= }; zle -N tell\n"
                  "bindkey '^X^T' tell; LISTMAX=0; echo re''ady\n" % MADE)
        self.read_until("\nready")

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def read_until(self, text, seconds=15.0):
        seen, until = "", time.monotonic() + seconds
        while text not in seen.replace("\r", ""):
            left = until - time.monotonic()
            assert left > 0, "zsh did not show %r but %r" % (text, seen[-2000:])
            if select.select([self.terminal], [], [], left)[0]:
                seen += os.read(self.terminal, 65536).decode("utf-8", "replace")
        return seen.replace("\r", "")

    def complete(self, line):
        """What the line is after TAB has been pressed behind it."""
        self.type(line + "\t\x18\x14")
        return re.search("<<(.*)>>", self.read_until(">>")).group(1)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def zsh(tmp_path):
    shell = Zsh(tmp_path)
    yield shell
    shell.close()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_zsh_knows_every_option_and_no_other(words, tmp_path, zsh):
    """_arguments, which does the work, is asked what it was told."""
    zsh.type("_arguments() { print -rl -- \"$@\" >told; state=arguments line=(%s) }\n"
             "compdef() { : }; source %s/_%s; echo do''ne\n"
             % (words[-1], MADE, words[0]))
    zsh.read_until("\ndone")
    told = (tmp_path / "told").read_text()
    found = re.findall(r"^(?:\*|\([^)]*\))?(--?[a-z-]+)[=+]?\[", told, re.MULTILINE)
    assert sorted(o for o in found if o.startswith("--")) == sorted(helped(words, tmp_path))


def test_zsh_completes(tmp_path, zsh):
    (tmp_path / "only.jsonl").touch()
    for line, completed in [
            ("replay --rej", "replay --rejects="),
            ("replay --status-codes=ba", "replay --status-codes=baileys "),
            ("replay --failed-wins u", "replay --failed-wins unless-delivered "),
            ("replay --offline on", "replay --offline only.jsonl "),
            ("replay -o on", "replay -o only.jsonl "),
            ("replay -- --rej", "replay -- --rej"),
            ("reconcile au", "reconcile audit "),
            ("reconcile poll --evo", "reconcile poll --evolution-url="),
            ("reconcile audit --evo", "reconcile audit --evo")]:
        assert zsh.complete(line) == completed
