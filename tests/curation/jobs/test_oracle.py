"""A whole run against DESIGN.md told once more in plain Python: no part of the program decides here.

Every pair of rows is compared, every choice is made by sorting a list. What must agree is the list
of written rows in their order, the root over it, and the fate of every input row.
"""

import hashlib
import json
import random
import re
from collections import Counter
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from curation.jobs.curate import curate
from tests.small_recipe import conversation, no_documents, sentence, small_recipe, write_jsonl

THRESHOLD = 0.8
SOURCES = {"one": ("first", 1.0), "two": ("first", 3.0), "three": ("second", 1.0)}
KEEP = ("two", "one", "three")


class Read(NamedTuple):
    """An input row as it stands in its file."""

    source: str
    row: int
    messages: list
    id: str


def sha(*values):
    return hashlib.sha256("\t".join(map(str, values)).encode()).hexdigest()


def id_of(messages):
    whole = [
        {
            "role": m["role"],
            "content": m["content"],
            "name": None,
            "tool_calls": m.get("tool_calls"),
            "tool_call_id": m.get("tool_call_id"),
        }
        for m in messages
    ]
    text = json.dumps([whole, None], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def grams(messages):
    said = [m["content"] for m in messages if m["role"] in ("user", "assistant")]
    words = re.findall(r"\w+", "\n".join(said).casefold())
    return {tuple(words[n : n + 5]) for n in range(max(1, len(words) - 4))}


def similarity(one, other):
    return len(one & other) / len(one | other)


def files(seed):
    """Conversations with copies, near copies in chains, shared questions and other system prompts."""
    choice = random.Random(seed)
    found = {}
    for number, name in enumerate(SOURCES):
        rows = [conversation(1000 * number + n, words=60)["messages"] for n in range(60)]
        for _ in range(14):
            near = json.loads(json.dumps(choice.choice(rows)))
            words = near[-1]["content"].split()
            words[choice.randrange(len(words))] = "bamboo"
            near[-1]["content"] = " ".join(words)
            if near[0]["role"] == "user" and choice.random() < 0.3:
                near.insert(0, {"role": "system", "content": choice.choice(["Be brief.", "Be kind."])})
            rows.append(near)
        for _ in range(6):
            asked = choice.choice(rows)[-2]
            rows.append([asked, {"role": "assistant", "content": sentence(choice, 25)}])
        rows += [choice.choice(rows) for _ in range(6)]
        choice.shuffle(rows)
        found[name] = rows
    # The same rows arrive through another source too.
    found["two"] += found["one"][:8] + found["three"][:5]
    return found


def expected(rows, *, seed, share, shares, total, max_repeat, take, on_shortage="stop"):
    """[(split, id, repeat)] in shard order, and {(source, row): (fate, reason)}."""
    fates = {}
    read = [
        Read(s, n, messages, id_of(messages))
        for s, inside in rows.items()
        for n, messages in enumerate(inside)
    ]
    for name, most in take.items():
        ranked = sorted((r for r in read if r.source == name), key=lambda r: (sha(seed, r.id), r.row))
        for left in ranked[most:]:
            fates[left.source, left.row] = ("unselected", None)
    read = [r for r in read if (r.source, r.row) not in fates]

    unique = {}
    for one in sorted(read, key=lambda r: (KEEP.index(r.source), list(SOURCES).index(r.source), r.row)):
        if one.id in unique:
            fates[one.source, one.row] = ("dropped", "exact_duplicate")
        else:
            unique[one.id] = one

    said = {one.id: grams(one.messages) for one in unique.values()}
    system = {i: [m["content"] for m in r.messages if m["role"] == "system"] for i, r in unique.items()}
    near = {
        frozenset(pair)
        for pair in combinations(unique, 2)
        if similarity(said[pair[0]], said[pair[1]]) >= THRESHOLD
    }
    stay = []
    for one in sorted(unique.values(), key=lambda r: (KEEP.index(r.source), r.id)):
        if any(frozenset((one.id, s.id)) in near and system[one.id] == system[s.id] for s in stay):
            fates[one.source, one.row] = ("dropped", "near_duplicate")
        else:
            stay.append(one)

    cluster = {i: {i} for i in unique}
    asked = {}
    for one in stay:
        asked.setdefault(next(m["content"] for m in one.messages if m["role"] == "user"), []).append(one.id)
    links = [tuple(pair) for pair in near] + [pair for ids in asked.values() for pair in combinations(ids, 2)]
    for one, other in links:
        if cluster[one] is not cluster[other]:
            cluster[one] |= cluster[other]
            for member in cluster[other]:
                cluster[member] = cluster[one]

    group = {one.id: SOURCES[one.source][0] for one in stay}
    room = {g: int(Fraction(str(share)) * n) for g, n in Counter(group.values()).items()}
    whole = {id(cluster[i]): sorted(cluster[i] & set(group)) for i in group}
    held = set()
    for members in sorted(whole.values(), key=lambda members: sha(seed, members[0])):
        needs = Counter(group[i] for i in members)
        if all(room[g] >= n for g, n in needs.items()):
            held |= set(members)
            room = {g: left - needs[g] for g, left in room.items()}

    train = [one for one in stay if one.id not in held]
    written = [("eval", i, 1) for i in held]
    for name, count in quotas(train, shares, total, max_repeat, on_shortage).items():
        ranked = sorted((r for r in train if r.source == name), key=lambda r: sha(seed, r.id))
        written += [("train", ranked[n % len(ranked)].id, n // len(ranked) + 1) for n in range(count)]
    written.sort(key=lambda w: (w[0] == "eval", sha(seed, w[1], w[2])))
    splits = {i: split for split, i, _ in written}
    for one in stay:
        fates[one.source, one.row] = (splits.get(one.id, "unselected"), None)
    return written, fates


def by_remainder(parts):
    """Fractions rounded so that their sum stays: the largest remainders go up, ties by name."""
    floors = {name: int(part) for name, part in parts.items()}
    order = sorted(parts, key=lambda name: (floors[name] - parts[name], name))
    for name in order[: int(sum(parts.values())) - sum(floors.values())]:
        floors[name] += 1
    return floors


def quotas(train, shares, total, max_repeat, on_shortage="stop"):
    """Rows per source, repeats included; two groups, of which one may run out, and no source."""
    counted = Counter(one.source for one in train)
    held = Counter(SOURCES[one.source][0] for one in train)
    room = {group: count * max_repeat for group, count in held.items()}
    part = {group: Fraction(str(share)) for group, share in shares.items()}
    largest = min(int(room[group] / part[group]) for group in shares)
    if total == "max" or (on_shortage == "shrink" and total > largest):
        total = largest
    parts = {group: total * part[group] for group in shares}
    if on_shortage == "redistribute":
        (full,) = [group for group in parts if parts[group] > room[group]]
        parts = {g: Fraction(room[full] if g == full else total - room[full]) for g in parts}
    if on_shortage == "repeat":
        max_repeat = max(-(-parts[group] // held[group]) for group in parts)
        assert 4 < max_repeat <= 16
    found = {}
    for group, quota in by_remainder(parts).items():
        inside = {n: Fraction(str(w)) * counted[n] for n, (g, w) in SOURCES.items() if g == group}
        caps = {name: max_repeat * counted[name] for name in inside}
        if sum(caps.values()) == quota:
            found |= caps
            continue
        whole = sum(inside.values())
        wished = {name: quota * weight / whole for name, weight in inside.items()}
        assert all(wish <= caps[name] for name, wish in wished.items())
        found |= by_remainder(wished)
    return found


CASES = [
    {"seed": 1, "share": 0.1, "shares": {"first": 0.6, "second": 0.4}, "total": 100, "max_repeat": 4,
     "take": {}},
    {"seed": 2, "share": 0.25, "shares": {"first": 0.333, "second": 0.667}, "total": 101, "max_repeat": 3,
     "take": {}},
    {"seed": 3, "share": 0.07, "shares": {"first": 0.5, "second": 0.5}, "total": 187, "max_repeat": 4,
     "take": {"one": 31, "three": 50}},
    {"seed": 4, "share": 0.0, "shares": {"first": 0.2, "second": 0.8}, "total": "max", "max_repeat": 2,
     "take": {"two": 60}},
    {"seed": 5, "share": 0.1, "shares": {"first": 0.3, "second": 0.7}, "total": 9000, "max_repeat": 4,
     "take": {}, "on_shortage": "shrink"},
    {"seed": 6, "share": 0.1, "shares": {"first": 0.35, "second": 0.65}, "total": 420, "max_repeat": 4,
     "take": {}, "on_shortage": "redistribute"},
    {"seed": 7, "share": 0.1, "shares": {"first": 0.3, "second": 0.7}, "total": 500, "max_repeat": 4,
     "take": {}, "on_shortage": "repeat"},
]  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"seed-{case['seed']}")
def run(request, tmp_path_factory):
    """What a run wrote, and what it should have written."""
    case = request.param
    folder = tmp_path_factory.mktemp("oracle")
    rows = files(case["seed"])
    sources = {
        name: {"uri": f"data/{name}.jsonl", "reader": "messages", "group": group, "weight": weight}
        | ({"take": case["take"][name]} if name in case["take"] else {})
        for name, (group, weight) in SOURCES.items()
    }
    recipe = small_recipe(
        folder,
        seed=case["seed"],
        sources=sources,
        mixture={key: case[key] for key in ("shares", "total", "max_repeat", "on_shortage") if key in case},
        split={"eval": case["share"]},
        stages=[
            "normalise",
            "chat",
            {"exact_duplicates": {"keep": list(KEEP)}},
            {"near_duplicates": {"similarity": THRESHOLD, "keep": list(KEEP)}},
        ],
    )
    for name, inside in rows.items():
        write_jsonl(folder / f"data/{name}.jsonl", [{"messages": messages} for messages in inside])
    finished = curate(recipe, documents=no_documents, out=folder / "dataset", workers=1)
    return rows, finished, *expected(rows, **case)


def shards(dataset: Path, split: str) -> pl.DataFrame:
    found = sorted((dataset / split).glob("*.parquet"))
    return pl.concat(map(pl.read_parquet, found)) if found else pl.DataFrame({"id": [], "repeat": []})


def test_the_written_rows_are_those_of_the_design_in_its_order(run):
    _, finished, written, _ = run
    got = [
        (split, *entry)
        for split in ("train", "eval")
        for entry in shards(finished.dataset, split).select("id", "repeat").iter_rows()
    ]
    assert got == written


def test_the_root_is_the_digest_of_that_list(run):
    _, finished, written, _ = run
    lines = "".join(f"{split}\t{i}\t{repeat}\n" for split, i, repeat in written)
    assert finished.manifest.root == hashlib.sha256(lines.encode()).hexdigest()


def test_every_input_row_has_the_fate_of_the_design(run):
    _, finished, _, fates = run
    ledger = pl.read_parquet(finished.dataset / "ledger")
    got = {
        (source, row): (fate, reason if fate == "dropped" else None)
        for source, row, fate, reason in ledger.select("source", "row", "fate", "reason").iter_rows()
    }
    assert got == fates


def test_a_near_duplicate_names_a_row_that_stays_and_their_true_similarity(run):
    rows, finished, _, fates = run
    ledger = pl.read_parquet(finished.dataset / "ledger").filter(pl.col("reason") == "near_duplicate")
    assert ledger.height > 10
    by_id = {id_of(messages): messages for inside in rows.values() for messages in inside}
    for source, row, detail in ledger.select("source", "row", "detail").iter_rows():
        told = json.loads(detail)
        survivor, gone = by_id[told["duplicate_of"]], rows[source][row]
        true = similarity(grams(survivor), grams(gone))
        assert told["similarity"] == pytest.approx(true, abs=1e-4)
        assert true >= THRESHOLD
        kept = {fates[s, n][0] for s, inside in rows.items() for n, m in enumerate(inside) if m == survivor}
        assert kept & {"train", "eval", "unselected"}


def test_the_manifest_counts_what_the_ledger_and_the_shards_hold(run):
    rows, finished, written, fates = run
    manifest = finished.manifest
    for name, source in manifest.sources.items():
        mine = Counter(fate for (s, _), fate in fates.items() if s == name)
        assert source.read == len(rows[name]) == sum(mine.values())
        assert source.dropped == {r: n for (f, r), n in mine.items() if f == "dropped"}
        assert (source.train, source.eval) == (mine["train", None], mine["eval", None])
        assert source.unselected == mine["unselected", None]
    splits = Counter(split for split, _, _ in written)
    assert (manifest.written.train, manifest.written.eval) == (splits["train"], splits["eval"])
    asked = manifest.mixture.groups
    assert sum(group.got for group in asked.values()) == manifest.mixture.total == splits["train"]
