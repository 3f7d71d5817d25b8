"""What a run says about itself: the lines before it starts, and run.json."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from curation.dataset.thinking import all_of, share_text
from curation.recipe.kinds import as_stored
from train.data.packing import fill_rate
from train.data.steps import evaluated_once, warm_up_caution
from train.model.load_model import Loaded
from train.model.sizes import limits
from train.run.checkpoints import Checkpoint
from train.run.journal import Journal, read_metrics
from train.run.prepare import Prepared, used_versions


def summary(prepared: Prepared, loaded: Loaded, start: Checkpoint | None) -> str:
    """What is about to happen, in a few lines."""
    how, lengths = loaded.how, prepared.examples.sequences.lengths()
    fill = fill_rate(lengths, prepared.packs, prepared.settings.max_seq_length)
    commit, named = prepared.base.commit, prepared.admitted.frozen.base_commit
    at = f" at {commit[:12]}" if commit else ""
    if named and not commit:
        at = f" (nothing in {prepared.base.folder} tells whether it is {named[:12]}, which was frozen)"
    trained = sum(source.trained for source in prepared.examples.sources.values())
    lines = [
        f"data      {prepared.admitted.frozen.name} {prepared.admitted.frozen.version}, root "
        f"{prepared.admitted.frozen.root[:12]}…, approved by "
        f"{', '.join(entry.document.by for entry in prepared.admitted.frozen.approvals)}",
        f"examples  {len(lengths):,}, {sum(lengths):,} tokens, {trained / max(sum(lengths), 1):.1%} trained",
        *(
            f"          {name:20} {source.tokens:>12,} tokens, {source.trained_share:6.1%} trained"
            for name, source in prepared.examples.sources.items()
        ),
        f"thinking  {share_text(all_of(prepared.examples.thoughts))}",
        f"packed    {len(prepared.packs):,} sequences of {prepared.settings.max_seq_length:,}, {fill:.1%} "
        f"full",
        f"base      {prepared.base.id}{at}, fingerprint {prepared.base.fingerprint[:12]}…",
        f"model     {prepared.base.id}: {how['backend']} on {how['device']}, {how['dtype']}, "
        f"{how['attention']}, {how['trainable_parameters']:,} trainable of {how['parameters']:,}",
        f"steps     {prepared.steps:,} of {prepared.effective} sequences, {prepared.epochs:.2f} epochs",
    ]
    lines += [f"warning: {line}" for line in prepared.remarks]
    lines += [f"warning: {line}" for line in limits(prepared.base.config, prepared.settings)]
    if prepared.held_out.rows:
        once = evaluated_once(prepared.settings, prepared.steps)
        count = f"{prepared.held_out.rows:,} row{'' if prepared.held_out.rows == 1 else 's'}"
        lines.append(f"held out  {', '.join([count, *once])}")
    if not prepared.trial:
        lines += [f"warm-up   {line}" for line in warm_up_caution(prepared.settings, prepared.steps)]
    if start is not None:
        lines.append(f"resumed   {start.path.name}, step {start.step:,}")
    return "\n".join(lines)


def mixture(prepared: Prepared) -> dict[str, float]:
    """The share of every group: as the recipe asks, natural ones as the rows have them."""
    recipe, sources = prepared.admitted.recipe, prepared.examples.sources
    if not isinstance(recipe.mixture.shares, str):
        return dict(recipe.mixture.shares)
    rows = dict.fromkeys(recipe.groups, 0)
    for name, source in sources.items():
        rows[recipe.sources[name].group] += source.rows
    return {group: round(count / max(sum(rows.values()), 1), 4) for group, count in rows.items()}


def run_record(
    prepared: Prepared, loaded: Loaded, journal: Journal, batches: Sequence[Mapping[str, int]]
) -> dict[str, Any]:
    """run.json: what was trained on what, by which settings, and how it went."""
    frozen, recipe = prepared.admitted.frozen, prepared.admitted.recipe
    template = prepared.encoder.template
    metrics = read_metrics(journal.folder)
    losses = [line["loss"] for line in metrics if line["kind"] == "train"]
    held_out = [line for line in metrics if line["kind"] == "eval"]
    lengths = prepared.examples.sequences.lengths()
    return {
        "format": 1,
        "model": frozen.model,
        "trial": prepared.trial,
        "frozen": {
            "name": frozen.name,
            "version": frozen.version,
            "root": frozen.root,
            "recipe_sha256": frozen.recipe_sha256,
            "manifest_sha256": frozen.manifest_sha256,
            "self_sha256": frozen.as_dict()["self_sha256"],
        },
        "approvals": [
            {
                "by": entry.document.by,
                "at": entry.document.at,
                "note": entry.document.note,
                "mode": entry.document.mode,
                "signed": entry.signature is not None,
            }
            for entry in frozen.approvals
        ],
        "base": prepared.base.as_dict(),
        "template": {"name": template.name, "digest": template.digest},
        "tokenizer": {"sha256": prepared.binding["tokenizer"]},
        "settings": prepared.binding["settings"],
        "evaluation": as_stored(recipe.bounds),
        "steps": prepared.steps,
        "epochs": round(prepared.epochs, 4),
        "tokens": prepared.run.tokens(0, prepared.steps * prepared.effective),
        "mixture": mixture(prepared),
        "sources": {
            name: {
                "group": recipe.sources[name].group,
                "licence": frozen.sources[name].licence,
                "uri": frozen.sources[name].uri,
                "revision": frozen.sources[name].revision,
                "rows": source.rows,
                "tokens": source.tokens,
                "trained_share": round(source.trained_share, 4),
                "turns_without_loss": source.without_loss,
                "exposure": round(source.max_repeat * prepared.epochs, 3),
            }
            for name, source in prepared.examples.sources.items()
        },
        "thoughts": {group: one._asdict() for group, one in prepared.examples.thoughts.items()},
        "packing": {
            "sequences": len(prepared.packs),
            "fill": round(fill_rate(lengths, prepared.packs, prepared.settings.max_seq_length), 4),
        },
        "batches": list(batches),
        "losses": {
            "first loss": losses[0] if losses else None,
            "last loss": losses[-1] if losses else None,
            "last eval loss": held_out[-1]["loss"] if held_out else None,
        },
        "held_out": {"rows": prepared.held_out.rows, "measured_at": [line["step"] for line in held_out]},
        "events": [line for line in metrics if line["kind"] == "event"],
        "loaded": loaded.how,
        "versions": used_versions(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "binding": prepared.binding,
    }
