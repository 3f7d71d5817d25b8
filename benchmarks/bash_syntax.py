"""What the tools stage takes for bash, beside `bash -n`.

    python -m benchmarks.bash_syntax [--show N] [--record] PATH...

A PATH is a file with a command a line, or one of these, or a folder with such: pages of tldr (.md: the
commands in them), sources of shellcheck (.hs: the strings of its `prop_` lines), scripts (.sh, .tests, .sub:
each whole), Python and JavaScript (.py, .js, .mjs: up to 20 lines that begin or end a statement). What is no
UTF-8 is left out.

Lost are commands that bash accepts and the stage drops, kept those that bash refuses and the stage keeps.
Python and JavaScript are not shown to bash: of them as many as can should be dropped.
"""

import argparse
import ast
import random
import re
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import can_record, machine, write_section
from curation.calls.bash.syntax import bash_error

LINES_OF_A_FILE = 20
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "&": ""}


class Result(NamedTuple):
    """A kind of text, how many the stage drops, and those of which bash says otherwise."""

    kind: str
    texts: int
    dropped: int
    lost: list[str]
    kept: list[str]
    cpu_s: float


def of_tldr(text: str) -> Iterator[str]:
    """The commands of a page, their placeholders filled with what they name."""
    for command in re.findall(r"^`(.+)`$", text, re.MULTILINE):
        filled = re.sub(r"\{\{\[.*?\|(.*?)\]\}\}", r"\1", command.strip("`").strip())
        yield re.sub(r"\{\{(.*?)\}\}(?!\})", r"\1", filled)


def of_shellcheck(text: str) -> Iterator[str]:
    """The strings of its own tests."""
    for line in re.findall(r"^prop_\w+ *=.*$", text, re.MULTILINE):
        for string in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
            yield re.sub(
                r"\\(\d+|.)", lambda m: chr(int(m[1])) if m[1].isdigit() else ESCAPES.get(m[1], m[1]), string
            )


def of_python(text: str) -> Iterator[str]:
    """A few lines that begin a statement."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    lines = text.splitlines()
    numbers = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)}
    yield from some([lines[number - 1].strip() for number in sorted(numbers)])


def of_javascript(text: str) -> Iterator[str]:
    """A few lines that end as statements do."""
    lines = [line.strip() for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines()]
    yield from some([line for line in lines if line.endswith((";", "{")) and not line.startswith("//")])


def some(lines: Sequence[str]) -> list[str]:
    """Up to 20 that say something, the same in every run. What bash takes for a comment does nothing."""
    telling = [line for line in lines if len(line) > 5 and line[0] != "#"]
    return random.Random(len(telling)).sample(telling, min(LINES_OF_A_FILE, len(telling)))


def whole(text: str) -> Iterator[str]:
    """A script."""
    yield text


READERS: dict[str, tuple[str, Callable[[str], Iterator[str]]]] = {
    ".md": ("tldr", of_tldr),
    ".hs": ("shellcheck", of_shellcheck),
    **dict.fromkeys((".sh", ".tests", ".sub"), ("scripts", whole)),
    ".py": ("Python", of_python),
    **dict.fromkeys((".js", ".mjs"), ("JavaScript", of_javascript)),
}
OTHERS = ("Python", "JavaScript")


def commands(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Different texts, by kind."""
    found: dict[str, dict[str, None]] = {}
    for top in paths:
        inside = sorted(path for path in top.rglob("*") if path.suffix in READERS and path.is_file())
        for path in inside if top.is_dir() else [top]:
            kind, reader = READERS.get(path.suffix, ("commands", str.splitlines))
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            texts = (one for one in reader(text) if one.strip() and "\0" not in one)
            found.setdefault(kind, {}).update(dict.fromkeys(texts))
    return {kind: list(texts) for kind, texts in found.items()}


def bash_accepts(command: str) -> bool:
    """What `bash -n` says, with extended patterns or without. A complaint counts, a warning does not."""
    for options in ([], ["-O", "extglob"]):
        run = subprocess.run(
            ["bash", "--norc", "-n", *options], input=command.encode(), capture_output=True, check=False
        )
        if run.returncode == 0 and all(b": warning: " in line for line in run.stderr.split(b"\n") if line):
            return True
    return False


def measure(kind: str, texts: Sequence[str]) -> Result:
    """Both judges on the texts of a kind."""
    start = time.process_time()
    are_kept = [bash_error(text) is None for text in texts]
    spent = time.process_time() - start
    said = are_kept
    if kind not in OTHERS:
        with ThreadPoolExecutor() as threads:
            said = list(threads.map(bash_accepts, texts))
    both = list(zip(texts, said, are_kept, strict=True))
    lost = [text for text, is_valid, is_kept in both if is_valid and not is_kept]
    kept = [text for text, is_valid, is_kept in both if is_kept and not is_valid]
    return Result(kind, len(texts), are_kept.count(False), lost, kept, spent)


def table(results: Sequence[Result]) -> str:
    """The section of benchmarks/RESULTS.md."""
    head = "| texts | | dropped | lost | kept | CPU-µs each |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
    return head + "\n".join(
        f"| {one.kind} | {one.texts:,} | {one.dropped:,} ({one.dropped / max(1, one.texts):.2%}) "
        + ("| | " if one.kind in OTHERS else f"| {len(one.lost)} | {len(one.kept)} ")
        + f"| {one.cpu_s * 1e6 / max(1, one.texts):.0f} |"
        for one in results
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, record if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bash_syntax", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="show N texts on which they differ")
    can_record(parser)
    options = parser.parse_args(arguments)
    if shutil.which("bash") is None:
        raise SystemExit("there is no bash on this machine, and it is what is measured against")
    results = [measure(kind, texts) for kind, texts in sorted(commands(options.paths).items())]
    print(table(results))
    for one in results:
        for word, texts in (("lost", one.lost), ("kept", one.kept)):
            for text in texts[: options.show]:
                print(f"{one.kind}, {word}: {text[:200]!r}")
    if options.record:
        command = f"python -m benchmarks.bash_syntax {' '.join(path.name for path in options.paths)}"
        head = f"## Commands beside `bash -n`\n\n`{command}`, {machine()}.\n\n"
        write_section("bash_syntax", head + table(results))


if __name__ == "__main__":
    main()
