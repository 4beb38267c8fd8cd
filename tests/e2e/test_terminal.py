# SPDX-License-Identifier: Apache-2.0
"""vmcp on a terminal: completion in a real bash, and colour only where it is wanted."""
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import BIN, DOMAIN, MACHINE, run, write_json
from terminal import Terminal

VERBS = re.findall(r"^  ([a-z-]+) {2,}\S", subprocess.run(
    [BIN / "vmcp", "--help"], capture_output=True, text=True, check=True, timeout=20).stdout, re.M)


# -- completion ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    """complete("vmcp ver") gives the line after one Tab, in an interactive bash."""
    if not shutil.which("bash"):
        pytest.skip("bash is not here")
    folder = tmp_path_factory.mktemp("bash")
    (folder / "my.json").write_text("{}")
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"], PATH=f"{BIN}:{os.environ['PATH']}",
                     PS1="> ", INPUTRC="/dev/null", HISTFILE="/dev/null", LC_ALL="C.UTF-8")
    shell.type(f"cd {folder}; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; "
               "source <(vmcp completion bash); echo rea''dy\n")
    shell.read(r"ready\r\n")

    def complete(line):
        shell.text = ""
        shell.type(f"{line}\t\x01echo '<'\x05'>'\n")  # to its beginning, to its end
        shell.read(r"\n<[^\n]*>\r\n")
        return re.search(r"\n< ?([^\n]*?) ?>\r\n", shell.text)[1]

    yield complete
    shell.type("\x03\nexit 0\n")
    shell.read()
    assert shell.close() == 0


@pytest.mark.parametrize("line, want", [
    ("vmcp keyg", "vmcp keygen"), ("vmcp thu", "vmcp thumbprint"), ("vmcp --v", "vmcp --version"),
    ("vmcp keygen --a", "vmcp keygen --alg"), ("vmcp keygen --alg ed", "vmcp keygen --alg ed25519"),
    ("vmcp keygen --alg=ed", "vmcp keygen --alg=ed25519"),
    ("vmcp keygen --alg rsa-20", "vmcp keygen --alg rsa-2048"),
    ("vmcp sign --alg Ed", "vmcp sign --alg EdDSA"), ("vmcp sign --alg PS", "vmcp sign --alg PS256"),
    ("vmcp verify --format v", "vmcp verify --format v"),  # v1 and v2 begin so far alike
    ("vmcp pubkey --format d", "vmcp pubkey --format der"),
    ("vmcp keystore s", "vmcp keystore sign"), ("vmcp completion b", "vmcp completion bash"),
    ("vmcp lint --str", "vmcp lint --strict"), ("vmcp lint m", "vmcp lint my.json"),
    ("vmcp sign --key my", "vmcp sign --key my.json"),
    ("vmcp sign --format v1 m", "vmcp sign --format v1 my.json"),
    ("vmcp explain --comp", "vmcp explain --complete"),
])
def test_completion_in_bash(bash, line, want):
    assert bash(line) == want


def test_completion_knows_every_verb_and_option(vmcp, keys, scratch):
    """The lists, as bash's function makes them."""
    script = vmcp("completion", "bash").out

    def words(*line):
        text = f"{script}\nCOMP_WORDS=({' '.join(map(repr, line))}); COMP_CWORD={len(line) - 1}; " \
               "_vmcp; printf '%s\\n' \"${COMPREPLY[@]}\""
        return run("bash", "-c", text).out.split()

    assert words("vmcp", "") == ["--help", "--version", "help", *VERBS]
    assert words("vmcp", "help", "") == [*VERBS]
    assert words("vmcp", "sign", "--passphrase", "") == ["file:", "fd:", "env:", "credential:",
                                                         "prompt"]
    for verb in VERBS:
        options = re.findall(r"^  (--[a-z0-9-]+)", vmcp(verb, "--help").out, re.M)
        assert sorted(words("vmcp", verb, "--")) == sorted(options)
    assert words("vmcp", "fetch", "--format", "") == ["v1", "v2"]
    assert words("vmcp", "keygen", "--alg", "") == ["ed25519", "p-256", "rsa-2048", "rsa-3072",
                                                    "rsa-4096"]
    # what is offered is taken
    for form in words("vmcp", "pubkey", "--format", ""):
        vmcp("pubkey", keys["ed25519"].pub, "--format", form)
    for alg in words("vmcp", "sign", "--alg", ""):
        key = {"EdDSA": "ed25519", "ES256": "p-256"}.get(alg, "rsa-2048")
        vmcp("sign", "--key", keys[key].path, "--alg", alg, "--salt", "s", "--domain", DOMAIN,
             "--hostid", "h", write_json(scratch / "web.json", MACHINE))


# -- colour ----------------------------------------------------------------------------------------

@pytest.fixture
def coloured(vmcp, keys, scratch):
    """Command lines of the verbs that colour."""
    web = write_json(scratch / "web.json", {"machine": MACHINE})
    answer = scratch / "answer"
    answer.write_text(vmcp("sign", "--key", keys["ed25519"].path, "--domain", DOMAIN, "--hostid",
                           "h", "--salt", "s", web).out)
    bad = write_json(scratch / "bad.json", {"name": "A", "secret": 1, "zone": "x"})
    return [["explain", "--trust", keys["ed25519"].pub, "--salt", salt, answer]
            for salt in ("s", "other")] + [["lint", bad]]


def on_terminal(argv, **env):
    shell = Terminal([BIN / "vmcp", *argv], **env)
    text = shell.read()
    shell.close()
    assert len(text) > 20
    return text


def test_json_steers_no_terminal(vmcp, keys, scratch):
    """DEL and C1 of a machine that is verified: escapes on a terminal, as they are in a pipe."""
    name = "a\x7fb\x80c\x9b2Jd\xa0é"
    answer = scratch / "answer"
    web = write_json(scratch / "web.json", {**MACHINE, "userData": name})
    answer.write_text(vmcp("sign", "--key", keys["ed25519"].path, "--domain", DOMAIN, "--hostid",
                           "h", "--salt", "s", web).out)
    argv = ["verify", "--trust", keys["ed25519"].pub, "--salt", "s", answer]
    shown = on_terminal(argv)
    assert "a\\u007fb\\u0080c\\u009b2Jd\xa0é" in shown
    assert not set(shown) & set(map(chr, range(0x7f, 0xa0)))
    assert name in vmcp(*argv).out


def test_colour_only_on_a_terminal(coloured):
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    for argv in coloured:
        assert "\x1b[" in on_terminal(argv, NO_COLOR="")
        for env in ({"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "dumb"}):
            assert "\x1b" not in on_terminal(argv, **env)
        assert "\x1b" not in on_terminal([*argv, "--json"], NO_COLOR="")
        assert "\x1b" not in run(BIN / "vmcp", *argv, env={**environment, "TERM": "xterm"}).out


def test_colours_say_what_the_words_say(coloured):
    good, bad, lint = (on_terminal(argv, NO_COLOR="") for argv in coloured)
    assert "\x1b[31m" not in good and "\x1b[32mok" in good
    assert "\x1b[31mFAIL" in bad
    assert "\x1b[31merror:\x1b[0m" in lint and "\x1b[33mwarning:\x1b[0m" in lint


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_never_coloured(verb):
    assert "\x1b" not in on_terminal([verb, "--help"], NO_COLOR="")


def test_json_is_json_on_a_terminal(coloured):
    text = on_terminal([*coloured[0], "--json"], NO_COLOR="")
    assert json.loads(text[text.index("{"):text.rindex("}") + 1])["code"] == "ok"
