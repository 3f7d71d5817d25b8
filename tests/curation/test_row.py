import hashlib

import polars as pl

from curation.row import digest, ranks_of, root_digest, seeded


def test_ranks_are_the_digests_of_the_row_module():
    rows = pl.DataFrame({"id": ["x", "y"]})
    assert ranks_of(rows, 17).to_list() == [digest(17, "x"), digest(17, "y")]
    assert seeded("order", rows["id"], 17, 1).to_list() == [digest(17, "x", 1), digest(17, "y", 1)]


def test_the_root_is_the_digest_of_split_id_and_repeat():
    lines = [("train", "sha256:aa", 1), ("train", "sha256:aa", 2), ("eval", "sha256:bb", 1)]
    text = b"train\tsha256:aa\t1\ntrain\tsha256:aa\t2\neval\tsha256:bb\t1\n"
    assert root_digest(lines) == hashlib.sha256(text).hexdigest()
