"""benchmarks/RESULTS.md: one section per benchmark, replaced whole when it is run with `--record`."""

import argparse
import os
import platform
import re
from pathlib import Path

from curation.files import write_bytes
from curation.versions import versions

RESULTS = Path(__file__).with_name("RESULTS.md")
OPENING = """# Measured

Every section is written by the benchmark that it names; run that with `--record` to replace it. Rates
are per CPU-second (user and system, all threads and processes) where nothing else is said.
"""


def can_record(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark the option `--record`; without it nothing in the project changes."""
    parser.add_argument("--record", action="store_true", help="put the table into benchmarks/RESULTS.md")


def write_section(name: str, markdown: str, path: Path = RESULTS) -> None:
    """Put a section between its markers, in place of what is there, else at the end."""
    section = f"<!-- {name} -->\n{markdown.strip()}\n<!-- /{name} -->"
    text = path.read_text(encoding="utf-8") if path.exists() else OPENING
    between = re.compile(rf"<!-- {re.escape(name)} -->\n.*?<!-- /{re.escape(name)} -->", re.DOTALL)
    text = between.sub(lambda _: section, text) if between.search(text) else f"{text.rstrip()}\n\n{section}\n"
    write_bytes(path, text.encode())


def machine(*packages: str) -> str:
    """One line on where it was measured: processor, cores, Python, and the packages' versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [_processor(), f"{cores} cores", f"Python {platform.python_version()}"]
    return ", ".join([*parts, *(f"{name} {version}" for name, version in versions(packages).items())])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
