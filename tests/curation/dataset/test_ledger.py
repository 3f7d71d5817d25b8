"""Every input row has one fate; a split row has the best of its pieces'."""

import json

import polars as pl

from curation.dataset.ledger import lives_of
from curation.mixture.choice import FATES_SCHEMA


def event(pos: int, piece: int, fate: str, **told: str) -> dict[str, object]:
    row_id = f"sha256:{pos}.{piece}" if fate != "dropped" else None
    return {"pos": pos, "piece": piece, "id": row_id, "fate": fate, "notes": None, **told}


def lives(*events: dict[str, object]) -> dict[int, dict[str, object]]:
    told = lives_of(pl.DataFrame(list(events), schema={**FATES_SCHEMA, "notes": pl.String}))
    return {life["pos"]: life for life in told.iter_rows(named=True)}


def test_a_whole_row_keeps_its_id_and_fate():
    life = lives(event(7, 0, "train"))[7]
    assert (life["fate"], life["id"], life["detail"]) == ("train", "sha256:7.0", None)


def test_repairs_and_flags_are_in_the_detail():
    notes = '{"repair":"ids","stage":"tools"}\n{"flag":"bash_syntax","stage":"tools"}'
    life = lives(event(1, 0, "train") | {"notes": notes})[1]
    assert json.loads(life["detail"]) == {
        "repairs": [{"repair": "ids", "stage": "tools"}],
        "flags": [{"flag": "bash_syntax", "stage": "tools"}],
    }


def test_the_member_of_an_archive_is_in_the_detail_and_is_no_repair():
    life = lives(event(1, 0, "train") | {"notes": '{"member":"d/a.jsonl","stage":"read"}'})[1]
    assert json.loads(life["detail"]) == {"member": "d/a.jsonl"}


def test_the_fate_of_a_split_row_is_the_best_of_its_pieces():
    dropped = event(2, 1, "dropped", stage="length", reason="too_long", detail='{"tokens":9000}')
    life = lives(dropped, event(2, 2, "unselected", stage="mixture"), event(2, 3, "train"))[2]
    assert (life["fate"], life["id"], life["stage"], life["reason"]) == ("train", None, None, None)
    assert json.loads(life["detail"])["parts"] == [
        [None, "dropped", "too_long"],
        ["sha256:2.2", "unselected", None],
        ["sha256:2.3", "train", None],
    ]


def test_a_row_whose_pieces_were_all_dropped_keeps_the_first_reason():
    life = lives(
        event(3, 1, "dropped", stage="length", reason="too_long"),
        event(3, 2, "dropped", stage="dedupe", reason="near_duplicate"),
    )[3]
    assert (life["fate"], life["stage"], life["reason"]) == ("dropped", "length", "too_long")
    assert len(json.loads(life["detail"])["parts"]) == 2


def test_turns_without_loss_are_listed_with_the_reason_and_in_a_split_row_with_the_piece():
    notes = '{"no_loss":[[1,"marked"]]}\n{"repair":"ids","stage":"tools"}'
    detail = json.loads(lives(event(1, 0, "train") | {"notes": notes})[1]["detail"])
    assert detail == {"masked": [[1, "marked"]], "repairs": [{"repair": "ids", "stage": "tools"}]}
    first, second = (
        {"notes": f'{{"no_loss":[[{turn},"{why}"]]}}'} for turn, why in ((1, "marked"), (3, "copy"))
    )
    split = lives(event(2, 1, "train") | first, event(2, 2, "train"), event(2, 3, "train") | second)[2]
    assert json.loads(split["detail"])["masked"] == [[1, "marked", 0], [3, "copy", 2]]
    assert "repairs" not in json.loads(split["detail"])
