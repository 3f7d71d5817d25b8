"""Several examples in one sequence that do not see each other: best-fit, and what the model is given.

No attention mask is given: position ids that start again at 0 mark where an example begins, and
transformers builds the block-causal mask (or the cumulative lengths of flash attention) from them.
That needs `use_cache=False`, and for flash attention a batch in one row: of several it takes each for
one example. Unsloth reads lengths instead. `train/model/leaks.py` tests it on the loaded model.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORED = -100
Pack = list[int]


def best_fit(lengths: Sequence[int], capacity: int) -> list[Pack]:
    """Pack lengths into sequences of `capacity`: longest first, each where least room is left.

    Returns the positions of the lengths in every pack. Deterministic; O(n) big-integer steps.
    """
    assert not lengths or max(lengths) <= capacity, "curation splits rows that do not fit"
    packs: list[Pack] = []
    open_at: dict[int, list[int]] = {}
    # Bit r is set when some pack has r tokens of room.
    rooms = 0
    for position in sorted(range(len(lengths)), key=lambda p: (-lengths[p], p)):
        length = lengths[position]
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            pack = open_at[room].pop()
            if not open_at[room]:
                rooms ^= 1 << room
        else:
            room, pack = capacity, len(packs)
            packs.append([])
        packs[pack].append(position)
        left = room - length
        if left:
            open_at.setdefault(left, []).append(pack)
            rooms |= 1 << left
    return packs


def fill_rate(lengths: Sequence[int], packs: Sequence[Pack], capacity: int) -> float:
    """Share of the sequences' tokens that belong to an example."""
    return sum(lengths) / (len(packs) * capacity) if packs else 0.0


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of packs in an epoch: ascending sha256 of (seed, epoch, pack), the same everywhere."""
    ranks = [hashlib.sha256(f"{seed}\t{epoch}\t{pack}".encode()).digest() for pack in range(count)]
    return np.array(sorted(range(count), key=ranks.__getitem__), dtype=np.int64)


@dataclass(frozen=True)
class Sequences:
    """Token ids and masks of many examples, end to end; example i is `[starts[i], starts[i + 1])`."""

    ids: NDArray[np.int32]
    trained: NDArray[np.bool_]
    starts: NDArray[np.int64]

    def lengths(self) -> list[int]:
        """Tokens of each example."""
        return [int(length) for length in np.diff(self.starts)]

    def targets(self) -> NDArray[np.int64]:
        """Tokens of each example that a loss falls on; its first is never one."""
        starts = self.starts[:-1]
        if not len(starts):
            return np.zeros(0, dtype=np.int64)
        trained: NDArray[np.int64] = np.add.reduceat(self.trained, starts, dtype=np.int64)
        return trained - self.trained[starts]

    def joined(self, pack: Pack) -> dict[str, list[int]]:
        """A pack as input_ids, labels and position_ids; the first token of each example is no target."""
        ids: list[int] = []
        labels: list[int] = []
        positions: list[int] = []
        for example in pack:
            window = slice(int(self.starts[example]), int(self.starts[example + 1]))
            part = self.ids[window]
            targets = np.where(self.trained[window], part, IGNORED)
            targets[0] = IGNORED
            ids += part.tolist()
            labels += targets.tolist()
            positions += range(len(part))
        return {"input_ids": ids, "labels": labels, "position_ids": positions}


def joined(ids: Sequence[NDArray[np.int32]], trained: Sequence[NDArray[np.bool_]]) -> Sequences:
    """The ids and masks of examples, end to end."""
    starts = np.concatenate([[0], np.cumsum([len(part) for part in ids])]).astype(np.int64)
    return Sequences(
        np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32),
        np.concatenate(trained) if trained else np.zeros(0, dtype=np.bool_),
        starts,
    )


class PackedRun:
    """The sequences of a whole run in the order they are trained, epochs one after the other.

    The order is a function of (seed, epoch) alone, so a resumed run, and one whose batch was halved,
    go on with exactly the sequences that are due.
    """

    def __init__(self, sequences: Sequences, packs: Sequence[Pack], count: int, seed: int) -> None:
        self.sequences, self.packs, self.count, self.seed = sequences, packs, count, seed
        self.orders: dict[int, NDArray[np.int64]] = {}
        self.sizes = self.per_pack(np.diff(sequences.starts))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        epoch, place = divmod(index, len(self.packs))
        return self.sequences.joined(self.packs[int(self.order(epoch)[place])])

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The packs of an epoch in their order."""
        if epoch not in self.orders:
            self.orders = {epoch: epoch_order(len(self.packs), self.seed, epoch)}
        return self.orders[epoch]

    def per_pack(self, per_example: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts of examples, added up for each pack."""
        return np.array([int(per_example[pack].sum()) for pack in self.packs], dtype=np.int64)

    @cached_property
    def trained(self) -> NDArray[np.int64]:
        """Targets of each pack."""
        return self.per_pack(self.sequences.targets())

    def tokens(self, first: int, last: int) -> int:
        """Tokens of examples, padding left out, in the sequences from `first` up to `last`."""
        return self.total(self.sizes, first, last)

    def targets(self, first: int, last: int) -> int:
        """Tokens that the loss falls on in the sequences from `first` up to `last`."""
        return self.total(self.trained, first, last)

    def total(self, counts: NDArray[np.int64], first: int, last: int) -> int:
        """Counts of packs, added up over the sequences from `first` up to `last`."""
        total = 0
        while first < last:
            epoch, place = divmod(first, len(self.packs))
            until = min(last - first + place, len(self.packs))
            if until - place == len(self.packs):
                total += int(counts.sum())
            else:
                total += int(counts[self.order(epoch)[place:until]].sum())
            first += until - place
        return total


@dataclass(frozen=True)
class Collator:
    """Rows of a batch to equal length: padding is an example of its own, without targets.

    The length is that of the longest, rounded up to `multiple`, at most `capacity`. flat: all in one
    row, end to end, padded at its end. lengths: with `packed_seq_lengths`, which Unsloth reads.
    """

    pad_id: int
    capacity: int
    multiple: int = 64
    flat: bool = False
    lengths: bool = False

    def __call__(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
        """input_ids, labels, position_ids as int64 tensors. No attention mask, on purpose."""
        import torch

        capacity = self.capacity
        if self.flat:
            capacity *= len(rows)
            rows = [{key: list(chain.from_iterable(row[key] for row in rows)) for key in rows[0]}]
        longest = max(len(row["input_ids"]) for row in rows)
        width = min(-(-longest // self.multiple) * self.multiple, capacity)
        fills = {"input_ids": self.pad_id, "labels": IGNORED}
        batch: dict[str, Any] = {}
        for key in ("input_ids", "labels", "position_ids"):
            padded = []
            for row in rows:
                missing = width - len(row[key])
                padding = [fills[key]] * missing if key in fills else list(range(missing))
                padded.append(row[key] + padding)
            batch[key] = torch.tensor(padded, dtype=torch.int64)
        if self.lengths:
            starts = torch.nonzero(batch["position_ids"].reshape(-1) == 0).reshape(-1)
            ends = torch.cat([starts[1:], torch.tensor([batch["position_ids"].numel()])])
            batch["packed_seq_lengths"] = (ends - starts).to(torch.int32)
        return batch
