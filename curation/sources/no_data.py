"""What a file is that holds no rows which aj reads, and what to do: by its first bytes, else by its suffix.

The next kind is a line of the table.
"""

import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from curation.sources import decoding
from curation.sources.decoding import Stored, marked_encoding


class Kind(NamedTuple):
    """A kind of file: what to say of it, how it begins, how names of it end."""

    what: str
    magic: bytes | None = None
    suffixes: tuple[str, ...] = ()


_PICKLE = (
    "holds pickled Python objects, which may run code when opened; save its rows as JSON lines or Parquet"
)
_WEIGHTS = "holds tensors or a model's weights, and no rows"
_PICTURE = "is a picture"
_SOUND = "is sound or a film"
_TABLE = "save its table as CSV or Parquet"
_EXPORT = "export its tables as CSV or JSON lines"
_TEXT = "save its text as .txt"
_PAGE = "is a web page: the download gave a page in place of the file"

# `magic` is a pattern for the first 512 bytes, decompressed.
_KINDS = (
    Kind("is a Git LFS pointer, not the file itself; run `git lfs pull`", rb"version https://git-lfs"),
    Kind(
        "is the text of a link, not the file itself; copy it with links followed (`cp -L`)",
        rb"(?:\.\./)+\S+\s*\Z",
    ),
    Kind(
        "is an error message of a server, not the file itself; fetch it again",
        rb"(?:Entry not found|Repository not found|Invalid username or password|"
        rb"Access to (?:dataset|model|repo) )|\s*<\?xml[^>]*>\s*<Error>",
    ),
    Kind(f"is a PDF; {_TEXT}", rb"%PDF-", (".pdf",)),
    Kind(
        f"is an old Word or Excel file; {_TEXT}, or {_TABLE}", rb"\xd0\xcf\x11\xe0", (".doc", ".xls", ".ppt")
    ),
    Kind(f"is a rich text; {_TEXT}", rb"\{\\rtf", (".rtf",)),
    Kind(f"is a SQLite database; {_EXPORT}", rb"SQLite format 3", (".sqlite", ".sqlite3")),
    Kind(f"is a DuckDB database; {_EXPORT}", rb".{8}DUCK", (".duckdb",)),
    Kind(f"is a database; {_EXPORT}", None, (".db", ".mdb", ".accdb", ".dbf", ".lmdb")),
    Kind("is an HDF5 file; save its rows as Parquet", rb"\x89HDF\r\n\x1a\n", (".h5", ".hdf5")),
    Kind("is an Avro file; save its rows as Parquet or JSON lines", rb"Obj\x01", (".avro",)),
    Kind("is an ORC file; save its rows as Parquet", rb"ORC(?![\s!-~]{5})", (".orc",)),
    Kind("belongs to a Lance table; save its rows as Parquet", None, (".lance",)),
    Kind("is a Feather file of version 1; save its table as Parquet", rb"FEA1(?![\s!-~]{4})"),
    Kind("is an encrypted Parquet file; decrypt it first", rb"PARE(?![\s!-~]{4})"),
    Kind("holds records of TensorFlow; save its rows as JSON lines", None, (".tfrecord", ".tfrecords")),
    Kind("is a NumPy array; save its rows as JSON lines", rb"\x93NUMPY", (".npy", ".npz")),
    Kind("is an R data file; save its table as CSV", rb"RD[XA][23]\n", (".rds", ".rdata")),
    Kind(f"is a Stata, SAS or SPSS file; {_TABLE}", rb"<stata_dta>|\$FL2", (".dta", ".sav", ".sas7bdat")),
    Kind(_PICKLE, rb"\x80[\x02-\x05][\x95\x8a\]}(cXK]", (".pkl", ".pickle", ".joblib")),
    Kind(_WEIGHTS, rb"GGUF.\0{3}|.{4}\0{4}\{\"", (".safetensors", ".gguf", ".pt", ".pth", ".ckpt", ".onnx")),
    Kind("is tokens for one trainer; its text cannot be read back", rb"MMIDIDX"),
    Kind("is a 7z archive; pack it as .zip or .tar.gz", rb"7z\xbc\xaf\x27\x1c", (".7z",)),
    Kind("is a RAR archive; pack it as .zip or .tar.gz", rb"Rar!\x1a\x07", (".rar",)),
    Kind("is compressed with LZ4; decompress it (`lz4 -d`)", rb"\x04\x22\x4d\x18", (".lz4",)),
    Kind("is compressed with Brotli; decompress it (`brotli -d`)", None, (".br",)),
    Kind("is compressed; decompress it (`uncompress`)", rb"\x1f\x9d", (".z",)),
    Kind("is compressed with LZMA; pack it anew as .xz", rb"\x5d\0\0.{2}\xff{8}|\x5d\0\0\x80\0", (".lzma",)),
    Kind(_PICTURE, rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*"),
    Kind(_PICTURE, None, (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ico", ".svg")),
    Kind(_SOUND, rb"ID3[\2-\4]\0|fLaC|OggS|RIFF.{4}(?:WAVE|AVI )|\0\0..ftyp|\x1aE\xdf\xa3"),
    Kind(_SOUND, None, (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".mp4", ".mkv", ".webm", ".avi", ".mov")),
    Kind("is a program", rb"\x7fELF|MZ\x90\0", (".exe", ".dll", ".so")),
)
_PAGES = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", re.IGNORECASE)
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml")
_MAGIC = [(kind.what, re.compile(kind.magic, re.DOTALL)) for kind in _KINDS if kind.magic is not None]
_SUFFIXES = {suffix: kind.what for kind in _KINDS for suffix in kind.suffixes}
# Names in a ZIP archive that tell whose format it is.
_ZIPPED = (
    ("[Content_Types].xml xl/", f"is an Excel workbook; {_TABLE}"),
    ("[Content_Types].xml word/", f"is a Word document; {_TEXT}"),
    ("[Content_Types].xml ppt/", f"is a set of slides; {_TEXT}"),
    ("content.xml mimetype", f"is an OpenDocument file; {_TEXT}, or {_TABLE}"),
    ("META-INF/container.xml", f"is an EPUB book; {_TEXT}"),
    ("META-INF/MANIFEST.MF", "is a Java program"),
)


def no_data(path: Stored) -> str | None:
    """What a file is that holds no rows at all, and what to do; else None."""
    head = stored = decoding.first_bytes(path, 512)
    if decoding.compression(path, stored) is not None:
        head = decoding.opening(path)
    for what, magic in _MAGIC:
        if magic.match(head):
            return what
    suffix = path.suffix.lower()
    if suffix in decoding.SUFFIX and not any(map(stored.startswith, decoding.MAGIC.values())):
        return _PAGE if _PAGES.match(stored) else f"is named {suffix} but is not compressed so; rename it"
    bare = decoding.bare_name(path)
    suffix = bare[bare.rfind(".") :]
    if suffix in (".html", ".htm", ".xhtml", ".mhtml"):
        return f"is a web page; {_TEXT}"
    if _PAGES.match(head):
        return _PAGE
    if _XML.match(head) or suffix == ".xml":
        return f"is XML; save its records as JSON lines, or {_TEXT}"
    if stored.startswith(b"PK\x03\x04"):
        return _zipped(path) if isinstance(path, Path) else None
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if head[1:4:2] == b"\0\0" and head[:1].isascii() and marked_encoding(head) is None:
        return "has a zero byte after each letter: UTF-16 without a mark; set `encoding: utf-16-le`"
    return None


def _zipped(path: Path) -> str | None:
    """What a ZIP archive is that is a document of some program, and no archive of data."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "is a ZIP archive that breaks off or is damaged; fetch it again"
    for words, what in _ZIPPED:
        if all(any(name.startswith(word) for name in names) for word in words.split()):
            return what
    if any(name.endswith("/data.pkl") for name in names):
        return _WEIGHTS
    return _SUFFIXES[".npy"] if names and all(name.endswith(".npy") for name in names) else None
