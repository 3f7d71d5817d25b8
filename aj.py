"""The `aj` command: main, errors, exit codes. Its verbs are in curation/commands/."""

import errno
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches

import click

from curation.commands.printing import DONE, colour
from curation.commands.verbs import HELP, commands
from curation.errors import NO_ROOM, CurationError, Terminated, terminate
from curation.visible import visible

WRONG, INTERRUPTED, TERMINATED = CurationError.exit_code, 130, 143
# Commands that keep what they finished when they are stopped.
GO_ON = frozenset({"demo", "fetch", "curate", "run"})
# What a disk or a path can be at fault for; any other error of the system is ours.
DISK_ERRORS = NO_ROOM | {errno.EACCES, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP}
# How the standard library says that no folder for temporary files can be written to.
NO_TEMPORARY = "No usable temporary directory"
# What a shell sets to ask for its completion script, or for what could stand next.
COMPLETE = "_AJ_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 the answer is no, 2 a wrong request."""
    if os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(commands, {}, "aj", COMPLETE, os.environ[COMPLETE])
    given = sys.argv[1:] if arguments is None else [*arguments]
    signal.signal(signal.SIGTERM, terminate)
    try:
        with commands.make_context("aj", given, color=colour()) as context:
            return answer(context)
    except click.exceptions.NoArgsIsHelpError as error:
        with suppress(OSError):
            click.echo(error.format_message(), err=True)
        return WRONG
    except click.UsageError as error:
        return fail(error.ctx.command_path if error.ctx else "aj", wrong(error), WRONG)
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        sys.stdout = None
        return DONE
    except OSError as error:
        # What was to be printed cannot be, such as the help on a full disk.
        if error.errno not in DISK_ERRORS:
            raise
        sys.stdout = None
        return fail("aj", f"output: {error.strerror}", WRONG)


def answer(context: click.Context) -> int:
    """Run the command that a context was made for; what a user can mend is told in one line."""
    try:
        return int(commands.invoke(context))
    except CurationError as error:
        verb, message = context.invoked_subcommand, str(error)
        if verb in GO_ON:
            message = message.replace("go on with --resume", "run the same command again")
        return fail(f"aj {verb}", message, error.exit_code)
    except KeyboardInterrupt as interrupt:
        verb = context.invoked_subcommand or ""
        code = TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
        return fail(f"aj {verb}".rstrip(), stopped(verb, str(interrupt)), code)
    except OSError as error:
        # A reader that has gone away is for `main`, any other fault for whoever mends this code.
        if error.errno not in DISK_ERRORS and NO_TEMPORARY not in str(error):
            raise
        message = f"{error.filename or 'disk'}: {error.strerror}"
        return fail(f"aj {context.invoked_subcommand}", message, WRONG)


def fail(speaker: str, message: str, code: int) -> int:
    """Tell on stderr, in red on a terminal, why a command did not do what was asked; returns `code`."""
    # Names of files and repositories are others' words: no control code reaches the terminal.
    with suppress(OSError):
        click.secho(f"{speaker}: {visible(message)}", fg="red", err=True, color=colour())
    return code


def wrong(error: click.UsageError) -> str:
    """What is wrong with a command line, and what was probably meant."""
    match error:
        case click.NoSuchCommand():
            message, near = f"no such command {error.command_name}", nearest(error.command_name, HELP)
        case click.NoSuchOption():
            options = [name for each in error.ctx.command.params for name in each.opts] if error.ctx else []
            message, near = f"no such option {error.option_name}", nearest(error.option_name, options)
        case click.MissingParameter(param=click.Parameter() as missing):
            message, near = f"{missing.param_type_name} {named(missing)} is missing", None
        case click.BadParameter(param=click.Parameter() as bad):
            message, near = f"{named(bad)}: {error.message.rstrip('.')}", None
        case _:
            message, near = error.message[:1].lower() + error.message[1:].rstrip("."), None
    if near:
        return f"{message}; did you mean {near}?"
    return f"{message}; see {error.ctx.command_path if error.ctx else 'aj'} --help"


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: one that begins so, else one spelt nearly so."""
    known = {name.lstrip("-"): name for name in names}
    bare = word.lstrip("-")
    begins = [name for name in known if name.startswith(bare)]
    found = begins or get_close_matches(bare, known, n=1, cutoff=0.7)
    return known[found[0]] if found else None


def named(parameter: click.Parameter) -> str:
    """A parameter as the help spells it."""
    if isinstance(parameter, click.Option):
        return parameter.opts[0]
    return parameter.human_readable_name


def stopped(command: str, message: str) -> str:
    """What Ctrl-C or SIGTERM leaves, and how to go on; only `aj train` has --resume. `message`: its own."""
    what, _, how = (message or "stopped").partition("; ")
    if command in GO_ON:
        how = "the same command goes on from here"
    elif command == "export":
        how = "finished files stay, the same command makes the rest"
    elif command == "train":
        how = how or "run the same command again"
    return f"{what}; {how or 'nothing is half-written, the same command starts anew'}"


if __name__ == "__main__":
    sys.exit(main())
