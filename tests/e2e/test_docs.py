# SPDX-License-Identifier: Apache-2.0
"""README, man pages and --help agree with what the programs do."""
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMCP_BIN", ROOT / "build/release/bin"))
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")) + [ROOT / "keys/README.md"]


def output(*argv):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def verbs(program):
    """The verbs that a program's --help lists."""
    return re.findall(r"^  ([a-z-]+) {2,}\S", output(BIN / program, "--help"), re.M)


def flags(*words):
    text = output(BIN / words[0], *words[1:], "--help")
    return set(re.findall(r"^  (--[a-z0-9-]+)", text, re.M))


def commands():
    """Every command with a --help of its own."""
    for program in ("vmcp", "vmcp-launch"):
        for verb in verbs(program):
            if verb != "help":
                yield (program, verb)
    yield ("vmcpd",)
    yield ("gce-emulator",)


@pytest.fixture(scope="module")
def man(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    output(sys.executable, ROOT / "docs/man/make.py", BIN, folder)
    return folder


def shell_blocks(text):
    """Indented blocks, with their continued lines joined."""
    return re.findall(r"^    (\S.*)$", text.replace("\\\n", " "), re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_line_in_a_page_exists(page):
    known = {words: flags(*words) for words in commands()}
    for line in shell_blocks(page.read_text(encoding="utf-8")):
        words = line.split("#")[0].split()
        if not words or words[0] not in ("vmcp", "vmcpd", "vmcp-launch", "gce-emulator"):
            continue
        command = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
        if command not in known:
            # the picture of the chain, and lists of verbs, are no command lines
            assert not re.search(r" --\w", line), line
            continue
        for flag in re.findall(r"(?<=\s)(--[a-z0-9-]+)", line):
            assert flag in known[command], f"{page.name}: {line}: {flag} is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_verb_of_the_readme_exists():
    listed = set(re.findall(r"^  ([a-z]+)\s", output("make", "-C", ROOT, "help"), re.M))
    for page in PAGES:
        for verb in re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")):
            assert verb in listed, f"{page.name}: make {verb}"


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_man_page_has_every_flag(words, man):
    [page] = man.glob(f"{words[0]}.?")
    text = page.read_text(encoding="utf-8").replace("\\-", "-")
    start = text.index(f".Ss {' '.join(words)}\n")
    part = text[start:].split("\n.Ss ")[1 if text[start:].startswith("\n") else 0]
    for flag in flags(*words):
        assert f".It {flag}" in part, f"{' '.join(words)} {flag}"


def example(verb):
    """The lines of the example in a verb's --help."""
    text = output(BIN / "vmcp", verb, "--help")
    assert "\nexample:\n" in text, f"vmcp {verb} --help has no example"
    return textwrap.dedent(text.split("\nexample:\n")[1])


@pytest.mark.parametrize("verb", verbs("vmcp"))
def test_each_verb_is_documented(verb, man):
    """--help, --json and an example; a section of the man page with all of it."""
    text = output(BIN / "vmcp", verb, "--help")
    name, summary = text.splitlines()[0].split(" - ")
    assert name == f"vmcp {verb}" and summary
    assert f"usage: vmcp {verb} [options]" in text
    assert {"--json", "--help"} <= flags("vmcp", verb)
    assert f"vmcp {verb}" in example(verb)
    page = (man / "vmcp.1").read_text(encoding="utf-8").replace("\\-", "-").replace("\\e", "\\")
    part = page.split(f"\n.Ss vmcp {verb}\n")[1].split("\n.S")[0]
    assert f"vmcp {verb} [options]" in part and ".It --json" in part
    shown = part.split("Example:\n.Bd -literal -offset indent\n")[1].split(".Ed")[0]
    assert textwrap.dedent(shown) == example(verb)


@pytest.fixture
def desk(tmp_path, keys, vmcp):
    """A folder with the files that the examples speak of."""
    for name, alg in (("cfg.key", "ed25519"), ("cfg.rsa.key", "rsa-2048")):
        shutil.copy(keys[alg].path, tmp_path / name)
        shutil.copy(keys[alg].pub, tmp_path / f"{name}.pub")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copy(ROOT / "configs/batch-worker.json", tmp_path / "web.json")
    (tmp_path / "etc/bash_completion.d").mkdir(parents=True)
    (tmp_path / "answer.jose").write_text(vmcp(
        "sign", "--key", tmp_path / "cfg.key", "--domain", "cfg.example.org", "--hostid", "h1",
        "--salt", "abc", tmp_path / "web.json").out)
    return tmp_path


@pytest.mark.parametrize("verb", verbs("vmcp"))
def test_each_example_runs(verb, desk, vmcpd, vmcp):
    """As it stands, in a bash on a terminal, but for the server's address and /etc. An example that
    asks for a passphrase gets one."""
    script = example(verb).replace("/etc/", "./etc/")
    if verb in ("fetch", "explain"):
        server = vmcpd(domain="127.0.0.1" if verb == "fetch" else "cfg.example.org",
                       key=("ed25519",))
        script = script.replace("https://cfg.example.org", f"http://127.0.0.1:{server.port}")
    if verb == "keystore":
        vmcp("keygen", "--alg", "rsa-2048", "--out", desk / "root.key")
    before = set(desk.rglob("*"))
    shell = Terminal(["bash", "--norc", "-euc", script], folder=desk,
                     PATH=f"{BIN.resolve()}:{os.environ['PATH']}")
    for _ in range(script.count("prompt")):
        for times in (1, 2):
            shell.read(rf"(?is)(passphrase.*?:.*){{{times}}}")
            shell.type("a passphrase for a test\n")
    text = shell.read()
    assert shell.close() == 0, text
    assert re.search(r"\w", text) or set(desk.rglob("*")) > before, text


def test_man_pages_are_well_formed(man):
    if not shutil.which("groff"):
        pytest.skip("groff is not here")
    for page in man.iterdir():
        done = subprocess.run(["groff", "-Kutf8", "-mdoc", "-Tutf8", "-ww", "-b", "-z", str(page)],
                              capture_output=True, text=True, check=True, timeout=60)
        assert not done.stderr, done.stderr


def test_man_page_lists_every_code(man):
    header = (ROOT / "vmcp/lib/error.h").read_text(encoding="utf-8")
    names = re.findall(r'^ +X\(\w+, "([a-z0-9-]+)"', header, re.M)
    assert len(names) > 50
    page = (man / "vmcp.1").read_text(encoding="utf-8").replace("\\-", "-")
    for name in names:
        assert f".It {name} (exit" in page, name


@pytest.mark.parametrize("program", ["vmcp", "vmcpd", "vmcp-launch"])
def test_versions_agree(program):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    version = re.search(r"^VERSION := (\S+)", makefile, re.M).group(1)
    assert output(BIN / program, "--version") == f"{program} {version}\n"
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_lint_page_lists_every_download():
    """The table of the page and the one of the program are the same."""
    source = (ROOT / "vmcp/lib/download.c").read_text(encoding="utf-8")
    known = {name: words or "" for name, words in
             re.findall(r'^    \{"([^"]+)", (?:"([^"]*)"|NULL)\},$', source, re.M)}
    text = (ROOT / "docs/lint.md").read_text(encoding="utf-8").split("one must follow:\n\n")[1]
    listed = {}
    for line in text.split("\n\n")[0].splitlines():
        names, _, words = re.sub(r" {2,}", "\t", line.strip()).partition("\t")
        listed.update({name: words for name in names.split(", ")})
    assert len(known) > 40 and listed == known


def test_protocol_page_names_real_codes():
    header = (ROOT / "vmcp/lib/error.h").read_text(encoding="utf-8")
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    for codes in re.findall(r"\[(`[^\]]+`)\]", text):
        for code in re.findall(r"`([^`]+)`", codes):
            assert f'"{code}"' in header, code
