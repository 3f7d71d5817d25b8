"""croissant.json: what the dataset holds, for machines (Croissant 1.0, https://docs.mlcommons.org/croissant/)."""

from typing import Any

from curation.dataset.manifest import SPLITS, Manifest, shard_files
from curation.files import pretty
from curation.visible import visible

# The JSON-LD context of the format's specification, appendix 1.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "equivalentProperty": "cr:equivalentProperty",
    "samplingRate": "cr:samplingRate",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
COLUMNS = {
    "id": ("sc:Text", "sha256 of messages and tools"),
    "source": ("sc:Text", "source in the recipe"),
    "group": ("sc:Text", "group of the mixture"),
    "tools": ("sc:Text", "JSON array of the functions offered, or null"),
    "repeat": ("sc:Integer", "1 for the first copy, more for repeats"),
    "tokens": ("sc:Integer", "length under the recipe's template and tokenizer, or null"),
}
MESSAGE = ("role", "content", "name", "tool_call_id")


def croissant(manifest: Manifest) -> bytes:
    """The metadata of a dataset: every shard with its digest, and its columns."""
    splits = [split for split in SPLITS if shard_files(manifest, split)]
    about = f"Conversations for supervised fine-tuning, curated from {len(manifest.sources)} sources."
    return pretty(
        {
            "@context": CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.0",
            "name": manifest.recipe.name,
            "version": manifest.recipe.version,
            "description": about,
            "identifier": f"sha256:{manifest.root}",
            "license": sorted(
                {visible(s.licence or "not stated") for s in manifest.sources.values() if s.train + s.eval}
            ),
            "isBasedOn": sorted({source.uri for source in manifest.sources.values()}),
            "distribution": [entry for split in splits for entry in distribution(manifest, split)],
            "recordSet": [record_set(split) for split in splits],
        }
    )


def distribution(manifest: Manifest, split: str) -> list[dict[str, Any]]:
    """The shards of a split, each with its digest, and the set of them, which no archive holds."""
    files = shard_files(manifest, split)
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path,
            "contentUrl": file.path,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": "application/x-parquet",
            "sha256": file.sha256,
        }
        for file in files
    ]
    whole = {
        "@type": "cr:FileSet",
        "@id": f"{split}-shards",
        "name": f"{split}-shards",
        "encodingFormat": "application/x-parquet",
        "includes": f"{split}/*.parquet",
    }
    return [*objects, whole]


def record_set(split: str) -> dict[str, Any]:
    """The columns of a split. Arguments of tool calls are in the shards, below `messages`."""
    fields = [field(split, name, *described) for name, described in COLUMNS.items()]
    messages: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{split}/messages",
        "name": f"{split}/messages",
        "description": "the conversation",
        "repeated": True,
        "subField": [
            field(split, f"messages/{key}", "sc:Text", key.replace("_", " "), column="messages", path=key)
            for key in MESSAGE
        ],
    }
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "field": [*fields, messages]}


def field(
    split: str, name: str, kind: str, text: str, *, column: str | None = None, path: str | None = None
) -> dict[str, Any]:
    """One column, or one key of a column's objects."""
    source: dict[str, Any] = {"fileSet": {"@id": f"{split}-shards"}, "extract": {"column": column or name}}
    if path:
        source["transform"] = {"jsonPath": f"$[*].{path}"}
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{name}",
        "name": f"{split}/{name}",
        "description": text,
        "dataType": kind,
        "source": source,
    }
