#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make the man pages: the prose of the templates, and what the programs say of themselves.

usage: make.py BIN_FOLDER OUT_FOLDER

A template NAME.SECTION.in is mdoc(7) with lines of these kinds filled in:

  @HELP PROGRAM [VERB]@   the section of a command, from its --help
  @VERBS PROGRAM@         the sections of all verbs that the program's --help lists
  @CODES@                 the table of error codes, from vmcp/lib/error.h

So the pages cannot say other than the programs do.
"""
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ERROR_H = HERE.parents[1] / "vmcp/lib/error.h"


def escape(text):
    """Text for mdoc: no line begins with a control character, backslashes and dashes stay."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def help_of(bin_folder, words):
    done = subprocess.run([bin_folder / words[0], *words[1:], "--help"], capture_output=True,
                          text=True, check=True)
    return done.stdout


def parse_help(text):
    """(name, summary, usage, details, options, example) of a --help text."""
    head, _, rest = text.partition("\n\n")
    name, _, summary = head.partition(" - ")
    body, _, tail = rest.partition("\noptions:\n")
    usage, _, details = body.partition("\n")
    options, _, example = tail.partition("\nexample:\n")
    rows = re.findall(r"^  (--\S.*?)(?:  +|\n {4,})(\S.*)$", options, re.M)
    return name, summary, usage.removeprefix("usage: "), details.strip(), rows, example.rstrip("\n")


def section(bin_folder, words):
    name, summary, usage, details, options, example = parse_help(help_of(bin_folder, words))
    out = [f".Ss {escape(name)}", escape(summary[0].upper() + summary[1:]) + ".",
           ".Bd -literal -offset indent", escape(usage), ".Ed"]
    if details:
        out += [".Pp", re.sub(r"\n\n+", "\n.Pp\n", escape(details))]
    out.append(".Bl -tag -width Ds")
    for flag, text in options:
        out += [f".It {escape(flag)}", escape(text)]
    out.append(".El")
    if example:
        out += [".Pp", "Example:", ".Bd -literal -offset indent", escape(example), ".Ed"]
    return "\n".join(out)


def verbs(bin_folder, program):
    names = re.findall(r"^  ([a-z-]+) {2,}\S", help_of(bin_folder, [program]), re.M)
    return "\n".join(section(bin_folder, [program, name]) for name in names)


def codes():
    """The rows of the X-macro VMCP_CODES."""
    rows = re.findall(r'X\((\w+),\s*"([^"]+)",\s*(\d+),\s*(\d+),\s*"((?:[^"\\]|\\.)*)"\)',
                      ERROR_H.read_text(encoding="utf-8").replace("\\\n", " "))
    out = [".Bl -tag -width Ds"]
    for _, name, http, exit_code, meaning in rows:
        out += [f".It {escape(name)} (exit {exit_code}, HTTP {http})",
                escape(meaning[0].upper() + meaning[1:]) + "."]
    out.append(".El")
    return "\n".join(out)


def fill(template, bin_folder):
    def replace(match):
        kind, *words = match.group(1).split()
        if kind == "CODES":
            return codes()
        return verbs(bin_folder, words[0]) if kind == "VERBS" else section(bin_folder, words)
    return re.sub(r"^@(.+)@$", replace, template, flags=re.M)


def main():
    bin_folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for template in sorted(HERE.glob("*.in")):
        page = fill(template.read_text(encoding="utf-8"), bin_folder)
        (out / template.stem).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
