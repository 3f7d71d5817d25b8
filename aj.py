"""The `aj` command: parse, call, print. Heavy imports happen inside the command that needs them."""

import argparse
import errno
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.errors import NO_ROOM, CurationError, Refusal, Terminated, terminate, to_install
from curation.visible import visible

DONE, NO, INTERRUPTED, TERMINATED = 0, 1, 130, 143
# Commands that keep what they finished when they are stopped.
GO_ON = frozenset({"demo", "fetch", "curate", "run"})
# What a disk or a path can be at fault for; any other error of the system is ours.
DISK_ERRORS = NO_ROOM | {errno.EACCES, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP}
# How the standard library says that no folder for temporary files can be written to.
NO_TEMPORARY = "No usable temporary directory"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 the answer is no, 2 a wrong request."""
    args = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, terminate)
    try:
        return int(args.run(args))
    except CurationError as error:
        told = str(error)
        if args.command in GO_ON:
            told = told.replace("go on with --resume", "run the same command again")
        # Names of files and repositories are others' words: no control code reaches the terminal.
        print(f"aj {args.command}: {visible(told)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print(f"aj {args.command}: {stopped(args.command, str(interrupt))}", file=sys.stderr)
        return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None
        return DONE
    except OSError as error:
        if error.errno not in DISK_ERRORS and NO_TEMPORARY not in str(error):
            raise
        print(f"aj {args.command}: {error.filename or 'disk'}: {error.strerror}", file=sys.stderr)
        return CurationError.exit_code


def stopped(command: str, told: str) -> str:
    """What Ctrl-C or SIGTERM leaves, and how to go on; only `aj train` has --resume. `told`: what it said."""
    what, _, how = (told or "stopped").partition("; ")
    if command in GO_ON:
        how = "the same command goes on from here"
    elif command == "export":
        how = "finished files stay, the same command makes the rest"
    elif command == "train":
        how = how or "run the same command again"
    return f"{what}; {how or 'nothing is half-written, the same command starts anew'}"


class Version(argparse.Action):
    """Prints the installed version; it is looked up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"aj {version('aj-curation')}")
        except PackageNotFoundError:
            print("aj, not installed: run from its folder")
        parser.exit()


class Intermixed(argparse.ArgumentParser):
    """Options may stand anywhere, between the arguments too: `aj why DATASET --json ROW`."""

    inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # argparse takes what follows `--` for options again when it parses the arguments by themselves.
        if self.inside or "--" in args:
            return super().parse_known_args(args, namespace)
        self.inside = True
        return self.parse_known_intermixed_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = argparse.ArgumentParser(
        prog="aj", description="Curate, approve and freeze a mixture of conversations, then train from it."
    )
    top.add_argument("--version", action=Version, nargs=0, help="print the version of this installation")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Intermixed)

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    add_curation(command)
    add_reading(command)
    add_review(command)
    add_approval(command)
    add_training(command)
    add_model(command)
    add_run(command)
    return top


def add_curation(command: Any) -> None:
    """Commands from a recipe to a dataset."""
    demo = command("demo", run_demo, "Curate the small recipe that comes with the project.")
    demo.add_argument("--out", type=Path, default=None, help="dataset folder (default build/demo-v<version>)")
    demo.add_argument("--force", action="store_true", help="replace a finished run")
    demo.add_argument(
        "--train", action="store_true", help="also train, export and ask a tiny model (minutes)"
    )

    init = command("init", run_init, "Look at a folder of files and write a first recipe for it.")
    init.add_argument("folder", type=Path)
    init.add_argument("--out", type=Path, default=Path("recipe.yaml"), help="default recipe.yaml")
    init.add_argument("--force", action="store_true", help="replace an existing recipe")

    check = command("check", run_check, "Check a recipe, its files, and whether its mixture can be had.")
    add_recipe(check)
    check.add_argument("--online", action="store_true", help="ask the hub too: are they there, do they fit?")

    fetch = command("fetch", run_fetch, "Bring what a recipe names by address here, verified.")
    add_recipe(fetch)
    fetch.add_argument("--offline", action="store_true", help="only look whether all is here and unchanged")
    fetch.add_argument("--force", action="store_true", help="fetch again what is here")
    fetch.add_argument("--base-model", action="store_true", help="bring the base model's weights too")

    curate = command("curate", run_curate, "Turn a recipe into a dataset directory with its report.")
    add_recipe(curate)
    curate.add_argument("--out", type=Path, default=None, help="default build/<recipe>-v<version>")
    curate.add_argument("--workers", type=positive, default=None, help="processes (default: one a core)")
    curate.add_argument("--sample", type=positive, default=None, metavar="N", help="preview about N rows")
    curate.add_argument("--force", action="store_true", help="replace a finished run")


def add_reading(command: Any) -> None:
    """Commands that show a dataset to a person."""
    report = command("report", run_report, "Make a dataset's report again, byte for byte.")
    report.add_argument("dataset", type=Path)
    report.add_argument("--out", type=Path, default=None, metavar="FILE", help="write it elsewhere")
    report.add_argument("--force", action="store_true", help="replace an existing --out FILE")

    why = command("why", run_why, "Tell the whole life of a row.")
    why.add_argument("dataset", type=Path)
    why.add_argument("row", nargs="?", help="a row id, its beginning, or source:file:row")
    why.add_argument("--text", default=None, help="find rows that hold this text")
    why.add_argument("--json", action="store_true")

    diff = command("diff", run_diff, "Compare two datasets row by row.")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)
    diff.add_argument("--html", type=Path, default=None, metavar="FILE", help="also write a page")
    diff.add_argument(
        "--rows",
        type=Path,
        default=None,
        metavar="FILE",
        help="also write every differing row, as JSON lines",
    )
    diff.add_argument("--force", action="store_true", help="replace other files at --html and --rows")
    diff.add_argument("--json", action="store_true")


def add_review(command: Any) -> None:
    """The local page."""
    review = command("review", run_review, "Go through a dataset's rows in a browser, mark some, approve.")
    review.add_argument("dataset", type=Path)
    review.add_argument("--marks", type=Path, default=None, metavar="FILE", help="exclusion file")
    review.add_argument("--port", type=int, default=0, help="default: a free one")


def add_approval(command: Any) -> None:
    """Commands from a dataset to a frozen recipe."""
    gate = command("gate", run_gate, "Judge a dataset by its gates again.")
    gate.add_argument("dataset", type=Path)
    gate.add_argument("--junit", type=Path, default=None, metavar="FILE", help="also write JUnit XML")
    gate.add_argument("--force", action="store_true", help="replace another --junit FILE")
    gate.add_argument("--json", action="store_true", help="print gates.json")

    approve = command("approve", run_approve, "Record that a person approves a dataset.")
    approve.add_argument("dataset", type=Path)
    approve.add_argument("--by", required=True, metavar="NAME")
    approve.add_argument("--note", default=None, metavar="TEXT")
    approve.add_argument("--sign", type=Path, default=None, metavar="KEY", help="sign with this SSH key")
    approve.add_argument("--force", action="store_true", help="replace an earlier approval")

    freeze = command("freeze", run_freeze, "Write the frozen recipe of an approved dataset.")
    freeze.add_argument("dataset", type=Path)
    freeze.add_argument("--out", type=Path, default=None, metavar="FILE")
    freeze.add_argument("--force", action="store_true", help="replace an existing frozen recipe")

    verify = command("verify", run_verify, "Re-hash a dataset or a frozen recipe and all it names.")
    verify.add_argument("path", type=Path)
    verify.add_argument("--data", type=Path, default=None, help="dataset of a frozen recipe")
    verify.add_argument("--json", action="store_true")


def add_training(command: Any) -> None:
    """Commands from a frozen recipe to an adapter."""
    train = command("train", run_train, "Train a LoRA adapter from a frozen recipe.")
    train.add_argument("frozen", type=Path, help="a frozen recipe that `aj freeze` wrote")
    train.add_argument("--data", type=Path, default=None, metavar="DIR", help="its dataset's folder")
    train.add_argument(
        "--base-model", type=Path, default=None, metavar="DIR", help="default: the hub's cache"
    )
    train.add_argument("--out", type=Path, default=None, metavar="DIR", help="the adapter's folder")
    train.add_argument(
        "--resume", nargs="?", const=True, default=False, type=Path, metavar="CHECKPOINT",
        help="go on from a checkpoint; default the newest whole one",
    )  # fmt: skip
    train.add_argument("--force", action="store_true", help="replace an adapter, or start anew")
    train.add_argument("--trial-steps", type=positive, default=None, metavar="N", help="a short trial")
    train.add_argument("--dry-run", action="store_true", help="tell steps, memory, time and cost, then stop")
    train.add_argument("--gpu", action="append", default=[], metavar="NAME", help="for --dry-run; repeatable")
    train.add_argument("--price", type=price, default=None, metavar="USD", help="an hour of that GPU")
    train.add_argument("--show", type=positive, default=None, metavar="N", help="print N examples, then stop")
    train.add_argument("--json", action="store_true", help="print the result as JSON")


def add_model(command: Any) -> None:
    """Commands from an adapter to a model that people use."""
    evaluate = command(
        "evaluate", run_evaluate, "Measure a model on the eval split and judge it by its recipe."
    )
    evaluate.add_argument(
        "--frozen", type=Path, default=None, metavar="FILE", help="default: recipes/frozen/…"
    )
    evaluate.add_argument("--data", type=Path, default=None, metavar="DIR", help="its dataset's folder")
    evaluate.add_argument("--rows", type=positive, default=None, metavar="N", help="a preview, not written")
    evaluate.add_argument("--turns", type=positive, default=200, metavar="N", help="tool calls to generate")
    evaluate.add_argument("--max-tokens", type=positive, default=512, metavar="N", help="of a generated turn")
    evaluate.add_argument("--force", action="store_true", help="measure again")
    evaluate.add_argument("--json", action="store_true", help="print evaluation.json")

    talk = command("try", run_try, "Talk with an adapter, a merged model or a GGUF file.")
    talk.add_argument(
        "--tools", action="store_true", help="offer the AJ tools; the next line is a call's result"
    )
    talk.add_argument("--system", default=None, metavar="TEXT", help="a system message")
    talk.add_argument("--max-tokens", type=positive, default=1024, metavar="N", help="of one answer")

    merge = command("merge", run_merge, "Merge an adapter into its base model.")
    merge.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: beside the adapter")
    merge.add_argument("--force", action="store_true", help="replace a merged model")

    export = command("export", run_export, "Write GGUF files for llama.cpp and Ollama, each tried.")
    export.add_argument(
        "--quant",
        action="append",
        default=None,
        metavar="NAME",
        help="f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m (default); repeatable",
    )
    export.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: beside the model")
    export.add_argument("--force", action="store_true", help="replace files")
    export.add_argument("--json", action="store_true", help="print the records")
    for sub in (evaluate, talk, merge, export):
        kinds = {merge: "an adapter", export: "an adapter or a merged model"}
        anything = "an adapter, a merged model or a .gguf file"
        sub.add_argument("model", type=Path, help=kinds.get(sub, anything))
        sub.add_argument(
            "--base-model", type=Path, default=None, metavar="DIR", help="default: the hub's cache"
        )


def add_run(command: Any) -> None:
    """The whole way of a recipe, and where it stands."""
    run = command(
        "run", run_run, "Fetch, curate, approve, freeze, train, evaluate, merge and export, step by step."
    )
    add_recipe(run)
    run.add_argument("--approve-by", default=None, metavar="NAME", help="approve without a person reading")
    run.add_argument("--workers", type=positive, default=None, help="processes (default: one a core)")
    status = command("status", run_status, "Tell which steps of `aj run` are done.")
    add_recipe(status)
    for sub in (run, status):
        sub.add_argument("--base-model", type=Path, default=None, metavar="DIR")
        sub.add_argument("--quant", action="append", default=None, help="default q4_k_m and q8_0")


def add_recipe(sub: argparse.ArgumentParser) -> None:
    """What every command on a recipe takes."""
    sub.add_argument("recipe", type=Path)
    sub.add_argument("--data-root", type=Path, default=None, help="where relative URIs start")
    sub.add_argument("--json", action="store_true", help="print the result as JSON")


def positive(text: str) -> int:
    """A whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


def price(text: str) -> float:
    """US dollars, none or more."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no price; expected US dollars per hour, 0 or more")
    return number


def run_demo(args: argparse.Namespace) -> int:
    """Curate recipes/demo.yaml."""
    from importlib import resources

    args.recipe = Path(str(resources.files("recipes"))) / "demo.yaml"
    if args.train:
        return run_demo_train(args)
    args.data_root = args.workers = args.sample = None
    args.json = False
    return run_curate(args)


def run_demo_train(args: argparse.Namespace) -> int:
    """The whole path with a tiny model: curate, approve, freeze, train, resume, merge, export, answer."""
    need("torch", "transformers", "peft")
    from curation.jobs.curate import curate
    from reports.pages.documents import documents
    from reports.pages.training import training_documents
    from train.use.demo import ship_demo, train_demo

    def curated(recipe: Path, dataset: Path) -> None:
        curate(recipe, documents=documents, out=dataset, force=args.force)

    demo = train_demo(
        args.out or Path("build/demo-train"), args.recipe, curated, training_documents, force=args.force
    )
    print(demo.as_text())
    for line in ship_demo(demo):
        print(line)
    return DONE


def run_init(args: argparse.Namespace) -> int:
    """Write a first recipe."""
    from curation.files import write_bytes
    from curation.jobs.first_recipe import first_recipe, left_out

    if args.out.exists() and not args.force:
        raise CurationError(f"{args.out} exists; use --force to replace it, or --out for another file")
    recipe = first_recipe(args.folder, args.out)
    write_bytes(args.out, recipe.encode())
    unread = [f"unread  {line}" for line in left_out(recipe)]
    print("\n".join([f"wrote   {args.out}", *unread, f"next    look it over, then: aj check {args.out}"]))
    return DONE


def load_early(args: argparse.Namespace) -> Any:
    """A wrong recipe is told at once, before anything heavy is imported."""
    from curation.recipe.load import load_recipe

    return load_recipe(args.recipe, data_root=args.data_root)


def run_check(args: argparse.Namespace) -> int:
    """Check a recipe."""
    load_early(args)
    from curation.jobs.check import check

    found = check(args.recipe, data_root=args.data_root)
    seen = []
    if args.online:
        from curation.jobs.check_online import check_online

        seen = check_online(found.recipe)
    if args.json:
        told = json.loads(found.as_json())
        print(json.dumps({**told, "online": [vars(entry) for entry in seen]} if args.online else told))
    else:
        print("\n".join([*(entry.as_text() for entry in seen), found.as_text(args.recipe)]))
    if any(entry.problem for entry in seen):
        return CurationError.exit_code
    return DONE if found.feasible else NO


def run_fetch(args: argparse.Namespace) -> int:
    """Fetch."""
    from curation.jobs.fetch import as_json, as_text, fetch

    found = fetch(
        args.recipe,
        offline=args.offline,
        force=args.force,
        data_root=args.data_root,
        tell=lambda line: print(line, file=sys.stderr),
    )
    if args.base_model and not args.offline:
        from curation.sources.fetch_model import fetch_base_model

        fetch_base_model(load_early(args), tell=lambda line: print(line, file=sys.stderr))
    print(as_json(found) if args.json else as_text(found, args.recipe))
    return DONE


def run_curate(args: argparse.Namespace) -> int:
    """Curate, print the funnel, the mixture and the gates."""
    load_early(args)
    from curation.jobs.curate import curate
    from reports.pages.documents import documents
    from reports.pages.terminal import finished, finished_json

    run = curate(
        args.recipe,
        documents=documents,
        out=args.out,
        data_root=args.data_root,
        workers=args.workers,
        sample=args.sample,
        force=args.force,
    )
    print(finished_json(run) if args.json else finished(run))
    return DONE if run.passed else NO


def run_report(args: argparse.Namespace) -> int:
    """Make the report again."""
    from reports.pages.documents import remake_report

    path, written = remake_report(args.dataset, out=args.out, force=args.force)
    print(f"report  {path}{'' if written else ' (unchanged)'}")
    print(f"next    read it, then: aj approve {args.dataset} --by NAME")
    return DONE


def run_why(args: argparse.Namespace) -> int:
    """Tell the life of a row, or find rows by their text."""
    from curation.files import canonical
    from reports.rows.why import as_values, why

    if (args.row is None) == (args.text is None):
        raise CurationError("expected a row, or --text with what to look for")
    if args.text is not None:
        from reports.rows.search import find_text, hits

        places = find_text(args.dataset, args.text)
        print(canonical(as_values(places)).decode() if args.json else hits(places, args.dataset, args.text))
        return DONE if places else NO
    from reports.rows.life import lives

    found = why(args.dataset, args.row)
    print(canonical(as_values(found)).decode() if args.json else lives(found, args.dataset))
    return DONE


def run_diff(args: argparse.Namespace) -> int:
    """Compare two datasets."""
    from curation.files import canonical, write_new
    from reports.facts.diff import as_json, diff, differing_rows
    from reports.pages.diff_page import as_html, as_text

    found = diff(args.old, args.new)
    files = {}
    if args.html:
        files[args.html] = as_html(found)
    if args.rows:
        files[args.rows] = differing_rows(args.old, args.new).write_ndjson().encode()
    write_new(files, force=args.force)
    print(canonical(as_json(found)).decode() if args.json else as_text(found))
    return DONE


def run_review(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from reports.pages.review_app import open_server

    server, sitting = open_server(args.dataset, args.marks, args.port)
    print(f"open    {sitting.address}\nmarks   {sitting.review.marks_path}\nstop    Ctrl-C", flush=True)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            marked = len(sitting.review.marks)
            print(f"\n{marked:,} row{'s are' if marked != 1 else ' is'} marked")
    return DONE


def run_gate(args: argparse.Namespace) -> int:
    """Judge again, from the files of the dataset."""
    from curation.dataset.gates import judge_again
    from curation.dataset.junit import to_junit
    from curation.files import canonical, write_new
    from reports.pages.terminal import gates

    found = judge_again(args.dataset)
    if args.junit:
        write_new({args.junit: to_junit(found.gates, str(args.dataset))}, force=args.force)
    print(canonical(found.as_dict()).decode() if args.json else gates(found))
    return DONE if found.passed else NO


def run_approve(args: argparse.Namespace) -> int:
    """Approve."""
    from curation.release.approval import approve

    approve(args.dataset, args.by, args.note, key=args.sign, force=args.force)
    print(f"approved {args.dataset} by {args.by}\nnext     aj freeze {args.dataset}")
    return DONE


def run_freeze(args: argparse.Namespace) -> int:
    """Freeze."""
    from curation.release.freeze import freeze

    path = freeze(args.dataset, out=args.out, force=args.force)
    print(f"frozen  {path}\nnext    aj train {path} --data {args.dataset}")
    return DONE


def run_verify(args: argparse.Namespace) -> int:
    """Verify."""
    from curation.release.verify import verify

    found = verify(args.path, data=args.data)
    print(found.as_json() if args.json else found.as_text())
    return DONE if found.ok else NO


def run_train(args: argparse.Namespace) -> int:
    """Train, or tell what training would do."""
    if (args.gpu or args.price is not None) and not args.dry_run:
        raise CurationError("--gpu and --price are for an estimate: expected --dry-run with them")
    if args.show:
        from train.run.show import show

        text = show(
            args.frozen, args.show, data=args.data, base_model=args.base_model, colour=sys.stdout.isatty()
        )
        print(text)
        return DONE
    if args.dry_run:
        from train.run.dry_run import dry_run, named_gpus

        told = dry_run(
            args.frozen,
            data=args.data,
            base_model=args.base_model,
            trial_steps=args.trial_steps,
            gpus=named_gpus(args.gpu, args.price),
        )
        print(told.as_json() if args.json else told.as_text())
        return DONE
    need("torch", "transformers", "peft")
    from reports.pages.training import training_documents
    from train.run.train import train

    run = train(
        args.frozen,
        data=args.data,
        base_model=args.base_model,
        out=args.out,
        resume=args.resume,
        trial_steps=args.trial_steps,
        force=args.force,
        documents=training_documents,
    )
    print(run.as_json() if args.json else run.as_text(args.base_model))
    return DONE


def run_evaluate(args: argparse.Namespace) -> int:
    """Measure, print, and answer no when a bound of the recipe fails."""
    need("torch", "transformers", "peft")
    from curation.recipe.meanings import evaluated_meanings
    from train.use.evaluate import as_text, evaluate

    found = evaluate(
        args.model,
        frozen=args.frozen,
        data=args.data,
        base=args.base_model,
        rows=args.rows,
        turns=args.turns,
        max_tokens=args.max_tokens,
        force=args.force,
    )
    if found.kind == "adapter" and not found.sample:
        from reports.pages.training import write_evaluation

        write_evaluation(args.model, found.as_dict())
    meanings = evaluated_meanings(found.metrics)
    told = json.dumps(found.as_dict()) if args.json else as_text(found, args.model, args.base_model, meanings)
    print(told)
    return DONE if found.passed else NO


def run_try(args: argparse.Namespace) -> int:
    """Talk."""
    need("torch", "transformers", "peft")
    from train.use.chat import try_model

    try_model(
        args.model, base=args.base_model, tools=args.tools, system=args.system, max_tokens=args.max_tokens
    )
    return DONE


def run_merge(args: argparse.Namespace) -> int:
    """Merge."""
    need("torch", "transformers", "peft")
    from train.ship.merge import beside_adapter, merge

    out = args.out or beside_adapter(args.model)
    print(merge(args.model, out, base=args.base_model, force=args.force).as_text())
    return DONE


def run_export(args: argparse.Namespace) -> int:
    """Export."""
    need("torch", "transformers", "peft", "gguf")
    from train.ship.export import export

    quants = args.quant or ["q4_k_m"]
    made = export(args.model, quants, out=args.out, base=args.base_model, force=args.force)
    told = [one.record.as_dict() for one in made]
    print(json.dumps(told) if args.json else "\n".join(one.as_text() for one in made))
    return DONE


def run_run(args: argparse.Namespace) -> int:
    """Do every step that is not done, and log it."""
    load_early(args)
    from curation.jobs.run import as_json, logged

    with logged(Path.cwd()) as log:
        steps = whole_way(args).steps()
        steps.run(lambda line: print(line, file=sys.stderr, flush=True))
        told = f"all steps are done; log in {log.name}\nnext    aj try {Path(steps.steps[-1].makes()[0])}"
        print(json.dumps(as_json(steps)) if args.json else told)
    return DONE


def run_status(args: argparse.Namespace) -> int:
    """Tell where a run stands."""
    load_early(args)
    from curation.jobs.run import as_json, as_text

    steps = whole_way(args).steps()
    given = {"--data-root": args.data_root, "--base-model": args.base_model}
    options = [text for name, value in given.items() if value is not None for text in (name, str(value))]
    options += [text for quant in args.quant or () for text in ("--quant", quant)]
    again = " ".join(["aj run", str(args.recipe), *options])
    print(json.dumps(as_json(steps)) if args.json else as_text(steps, again))
    return DONE


def whole_way(args: argparse.Namespace) -> Any:
    """A recipe's steps; training is imported when one of its steps runs."""
    from curation.jobs.run import QUANTS, Run, Training
    from reports.pages.documents import documents

    base = args.base_model

    def train_step(frozen: Path, data: Path, adapter: Path, replace: bool) -> str:
        need("torch", "transformers", "peft")
        from reports.pages.training import training_documents
        from train.run.checkpoints import MARKER
        from train.run.train import train

        resume = any(adapter.with_name(f"{adapter.name}.work").glob(f"checkpoints/*/{MARKER}"))
        done = train(
            frozen,
            data=data,
            base_model=base,
            out=adapter,
            resume=resume,
            replace=replace,
            documents=training_documents,
        )
        return done.as_text()

    def evaluate_step(adapter: Path, frozen: Path, data: Path, replace: bool) -> str:
        need("torch", "transformers", "peft")
        from reports.pages.training import write_evaluation
        from train.ship.evaluation import evaluation_path, failed, told
        from train.use.evaluate import evaluate_once

        found = evaluate_once(adapter, frozen=frozen, data=data, base=base, force=replace)
        write_evaluation(adapter, found.as_dict())
        if not found.passed:
            raise Refusal(failed(found, evaluation_path(adapter)))
        return "\n".join(map(told, found.verdicts))

    def merge_step(adapter: Path, merged: Path, replace: bool) -> str:
        from train.ship.merge import merge

        return merge(adapter, merged, base=base, force=replace).as_text()

    def export_step(merged: Path, quants: Sequence[str], folder: Path, replace: bool) -> str:
        from train.ship.export import export

        return "\n".join(e.as_text() for e in export(merged, quants, out=folder, force=replace))

    model = load_early(args).base_model.id
    return Run(
        args.recipe,
        documents,
        Training(train_step, evaluate_step, merge_step, export_step, asks=str(base) if base else None),
        data_root=args.data_root,
        approve_by=getattr(args, "approve_by", None),
        workers=getattr(args, "workers", None),
        quants=tuple(args.quant or QUANTS),
        base=base or (Path(model) if Path(model).is_dir() else None),
    )


def need(*packages: str) -> None:
    """Raise CurationError with how to install what a command needs and is not there."""
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise CurationError(f"{', '.join(missing)} not installed: {to_install('train')}")


if __name__ == "__main__":
    sys.exit(main())
