"""`aj check --online`: is every address there, how large is it, and do its first rows fit the reader?

Nothing is downloaded whole: of a Parquet file its footer and its first rows, of others their
beginning.
"""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import get_session, hf_hub_url

from curation.errors import CurationError, SourceError
from curation.jobs.fetch_plan import Job, look
from curation.readers.reading import probe
from curation.recipe.load import Recipe
from curation.recipe.source import Source
from curation.sources.download import web
from curation.sources.fetched import TOKENIZER, addresses
from curation.sources.hub import Hub, patiently

FIRST_ROWS = 20
BEGINNING = 1 << 20
BLOCK = 1 << 18


@dataclass(frozen=True)
class Seen:
    """One address as it is now. `bytes` is None where the server does not say.

    columns: the names in its first file, where it is Parquet. problem: why `aj fetch` or its reader
    would refuse it, None when neither would.
    """

    name: str
    uri: str
    commit: str | None
    files: int
    bytes: int | None
    columns: list[str]
    problem: str | None

    def as_text(self) -> str:
        """One line for a person."""
        if self.problem:
            return f"{self.name.rstrip(':')}  NOT READY  {self.problem}"
        size = "of unknown size" if self.bytes is None else f"{self.bytes / 1e6:,.1f} MB"
        columns = f"; columns {', '.join(self.columns)}" if self.columns else ""
        return f"{self.name.rstrip(':')}  there: {self.files} files, {size}{columns}"


def check_online(recipe: Recipe) -> list[Seen]:
    """Look at everything that the recipe names by address. What is wrong is returned, not raised."""
    seen = []
    with web() as client:
        hub = Hub()
        for address in addresses(recipe):
            columns: list[str] = []
            try:
                job = look(address, {}, hub, client, force=True)
            except CurationError as error:
                seen.append(Seen(address.name, address.uri, None, 0, None, [], str(error)))
                continue
            problem = None
            if job.snapshot is not None and address.name != TOKENIZER:
                try:
                    columns = check_rows(hub, job, address.name)
                except CurationError as error:
                    problem = str(error)
            known = [size for size in job.sizes.values() if size is not None]
            total = sum(known) if len(known) == len(job.sizes) else None
            seen.append(Seen(address.name, address.uri, job.commit, len(job.sizes), total, columns, problem))
    return seen


def check_rows(hub: Hub, job: Job, name: str) -> list[str]:
    """Try the reader on the first rows of the first file; returns its columns where it is Parquet.

    Raises SourceError when none of them fits, with what was found and what would be right.
    """
    path = next(path for path in job.sizes if path not in job.answers)
    remote = Remote(hub, job, path)
    source = job.address.source
    with tempfile.TemporaryDirectory(prefix="aj-") as folder:
        local = Path(folder) / path.rpartition("/")[2]
        columns: list[str] = []
        if path.endswith((".parquet", ".pq")):
            columns = first_rows(remote, local)
        elif path.endswith((".jsonl", ".ndjson", ".csv", ".tsv")):
            beginning = remote.read(BEGINNING)
            whole = beginning if len(beginning) < BEGINNING else beginning.rpartition(b"\n")[0] + b"\n"
            local.write_bytes(whole)
        elif remote.size <= BEGINNING:
            local.write_bytes(remote.read(remote.size))
        else:
            return []  # an archive or one large document tells nothing by its beginning
        probe([local], without_files(source), name=name)
        refuse_absent(columns, [*(source.where or {}), *source.failed], name)
    return columns


def without_files(source: Source) -> Source:
    """The source as a reader of one file."""
    return msgspec.structs.replace(source, files=None)


def refuse_absent(columns: list[str], where: Sequence[str], name: str) -> None:
    """Raise SourceError when `where` or `failed` names a column that is not there."""
    if columns and (absent := [key for key in where if key.partition(".")[0] not in columns]):
        raise SourceError(
            f"source {name}: no column '{absent[0]}' for `where` or `failed`; it has {', '.join(columns)}"
        )


def first_rows(remote: "Remote", local: Path) -> list[str]:
    """Write the first rows of a remote Parquet file to a local one; returns all its columns."""
    try:
        with pq.ParquetFile(pa.PythonFile(remote, mode="r")) as file:
            batch = next(file.iter_batches(FIRST_ROWS, row_groups=[0]), None)
            rows = file.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])
            pq.write_table(rows, local)
            return [field.name for field in file.schema_arrow]
    except pa.ArrowException as error:
        raise SourceError(f"{remote.path}: no readable Parquet file: {error}") from error


class Remote(io.RawIOBase):
    """A file of a hub repository, read by ranges; the last blocks are kept."""

    def __init__(self, hub: Hub, job: Job, path: str) -> None:
        assert job.snapshot is not None
        at = job.snapshot
        self.path = path
        self.size = at.files[path].bytes
        self.url = hf_hub_url(at.repo, path, repo_type=at.kind, revision=at.commit, endpoint=hub.endpoint)
        self.headers = {"Authorization": f"Bearer {hub.token}"} if hub.token else {}
        self.place = 0
        self.blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        return self.place

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, from blocks that are fetched as they are needed."""
        end = self.size if size is None or size < 0 else min(self.place + size, self.size)
        out = b""
        while self.place < end:
            number, offset = divmod(self.place, BLOCK)
            piece = self.block(number)[offset : offset + end - self.place]
            if not piece:
                raise SourceError(f"{self.path}: ends before the size that the hub tells")
            out += piece
            self.place += len(piece)
        return out

    def block(self, number: int) -> bytes:
        if number not in self.blocks:
            asked = f"bytes={number * BLOCK}-{min((number + 1) * BLOCK, self.size) - 1}"

            def get() -> bytes:
                response = get_session().get(self.url, headers={**self.headers, "Range": asked})
                response.raise_for_status()
                data = response.content
                return data[number * BLOCK : (number + 1) * BLOCK] if response.status_code == 200 else data

            self.blocks[number] = patiently(f"{self.path}", get)
        return self.blocks[number]
