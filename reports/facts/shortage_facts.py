"""What the mixture could not have, worked out again from the finished dataset."""

from typing import NamedTuple

from curation.dataset.manifest import Manifest
from curation.mixture.quotas import Available, Infeasible, plan
from curation.mixture.shortage import render
from curation.recipe.load import Recipe


class Shortage(NamedTuple):
    """asked, got: the totals, `max` included. limits: groups that set the total. answer: the ways out."""

    asked: int | str
    got: int
    action: str
    limits: list[str]
    answer: str | None


def shortage_facts(manifest: Manifest, recipe: Recipe) -> Shortage:
    """How the total came about. Groups stand for their sources here, which changes no figure of a group."""
    wanted = recipe.mixture
    got = sum(group.got for group in manifest.mixture.groups.values())
    answer = None if wanted.total == "max" else infeasible(manifest, recipe)
    return Shortage(
        asked=wanted.total,
        got=got,
        action=wanted.on_shortage if answer else "",
        limits=[
            name
            for name, group in manifest.mixture.groups.items()
            if group.quota and group.quota >= group.available * wanted.max_repeat
        ],
        answer=render(answer) if answer else None,
    )


def infeasible(manifest: Manifest, recipe: Recipe) -> Infeasible | None:
    """The mixture as the recipe asked for it, if it could not be had."""
    by_rows = manifest.mixture.unit == "rows"
    available = {
        name: Available(
            rows=group.available if by_rows else group.unique,
            tokens=0 if by_rows else group.available,
            group=name,
        )
        for name, group in manifest.mixture.groups.items()
    }
    answer = plan(
        available,
        shares=recipe.mixture.shares,
        unit=manifest.mixture.unit,
        total=recipe.mixture.total,
        max_repeat=recipe.mixture.max_repeat,
        on_shortage="stop",
    )
    return answer if isinstance(answer, Infeasible) else None
