"""How much do selectively encrypted images still give away, from the shell.

    leakage audit PLAIN CIPHER -o REPORT
    leakage compare REPORT REPORT
    leakage study GRID.yaml -o RESULTS
    leakage board [--estimator MODULE:FUNCTION] [-o FILE.csv]
    leakage book FOLDER -o SITE
    leakage cache [clear]

The same without the program on the PATH:

    python -m leakage audit PLAIN CIPHER -o REPORT
    python -m leakage study GRID.yaml -o RESULTS
"""

import argparse
import ast
import os
import shlex
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leakage import __version__

if TYPE_CHECKING:
    from leakage.audits.report import Audit

_COMMON = "2 bad input or output, 4 our own failure"
CODES = f"exit code: 0 no leak detected, 1 leak detected, 3 undecided, {_COMMON}"
COMPARE_CODES = f"exit code: 0 one leaks more, 3 it cannot be said, {_COMMON}"
BOOK = (
    "Says first how long it will take; interrupted, the same command goes on where it was. "
    f"exit code: 0 the site is there, {_COMMON}"
)
BOARD_CODES = f"exit code: 0 all runs finished, {_COMMON}"
STUDY_CODES = f"exit code: 0 all cells finished, 3 some cells failed, {_COMMON}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    options.command = shlex.join(["leakage", *(sys.argv[1:] if arguments is None else arguments)])
    for name in ("SIGTERM", "SIGHUP"):  # so that what is temporary is removed
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
            signal.signal(getattr(signal, name), _end)
    with warnings.catch_warnings():
        warnings.showwarning = _note
        code = _code_of(lambda: options.run(options))
    try:
        sys.stdout.flush()
    except OSError:  # whoever read our words has gone, or their disk is full; the answer stands
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _code_of(run: Callable[[], int]) -> int:
    try:
        return run()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (OSError, ValueError, TypeError, ImportError) as error:
        if os.environ.get("LEAKAGE_DEBUG"):
            raise
        if isinstance(error, OSError) or _is_refusal(error):
            _complain(f"error: {error}")
            return 2
        return _our_failure(error)
    except Exception as error:
        return _our_failure(error)


def _is_refusal(error: Exception) -> bool:
    """Whether this package raised it, and not a library that it called."""
    if type(error).__module__.partition(".")[0] == "leakage":
        return True  # perhaps of a worker, whose trace ends in what handed it over
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return name.partition(".")[0] in ("leakage", "__main__")


def _our_failure(error: Exception) -> int:
    if os.environ.get("LEAKAGE_DEBUG"):
        raise error
    _complain(
        f"failure: {type(error).__name__}: {error}\n"
        "This is a mistake of the program and no answer. LEAKAGE_DEBUG=1 shows where it happened."
    )
    return 4


def _complain(text: str) -> None:
    with suppress(OSError):  # nobody listens; the exit code tells
        print(text, file=sys.stderr)


def _note(message: Warning | str, *_: object, **__: object) -> None:
    _complain(f"note: {message}")


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _say(text: object) -> None:
    with suppress(OSError):  # as in `main`
        print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leakage", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"leakage {__version__}")
    commands = parser.add_subparsers(required=True)
    _add_audit_options(
        commands.add_parser(
            "audit", help="what do these ciphertexts give away of these images?", epilog=CODES
        )
    )
    _add_compare_options(
        commands.add_parser(
            "compare", help="which of two leaks more of the same images?", epilog=COMPARE_CODES
        )
    )
    _add_study_options(
        commands.add_parser(
            "study",
            help="every cell of a grid of settings; goes on where it stopped",
            epilog=STUDY_CODES,
        )
    )
    _add_board_options(
        commands.add_parser(
            "board",
            help="an estimator on the 40 public tasks whose information is known",
            epilog=BOARD_CODES,
        )
    )
    _add_book_options(
        commands.add_parser("book", help="the whole book, run on your own pictures", epilog=BOOK)
    )
    cache = commands.add_parser("cache", help="what is kept of vectors: where, and how much")
    cache.add_argument("action", nargs="?", choices=("show", "clear"), default="show",
                       help="clear: remove it, and nothing else")  # fmt: skip
    cache.set_defaults(run=_cache)
    return parser


def _add_audit_options(audit: argparse.ArgumentParser) -> None:
    audit.add_argument("plain", help="folder of images (PNG, PGM, PPM, TIFF, BMP, JPEG)")
    audit.add_argument("cipher", nargs="?", help="folder of their ciphertexts, of the same names")
    audit.add_argument("-o", "--output", required=True, help="folder for the report")
    audit.add_argument(
        "--scheme", help="instead of ciphertexts: a name of leakage.list_schemes(), module:Class, "
        "or a program that is called with the names of a PNG file to read and one to write",
    )  # fmt: skip
    audit.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                       dest="settings", help="a parameter of the scheme, such as bits=3; may be "
                       "repeated")  # fmt: skip
    audit.add_argument("--seconds", type=float, default=60.0,
                       help="that a program may take for an image (default: 60)")  # fmt: skip
    audit.add_argument("--mode", choices=("gray", "rgb"),
                       help="default: colour where any pair has some")  # fmt: skip
    audit.add_argument("--groups", help="which pairs belong together: 'folder', a CSV file with "
                       "two columns, name and group, or a regular expression whose part in "
                       "parentheses is the group")  # fmt: skip
    audit.add_argument("--keying", choices=("fresh", "fixed"), default="fresh",
                       help="how nonces were used (default: fresh for every image)")  # fmt: skip
    audit.add_argument("--profile", choices=("quick", "full"), default="quick")
    audit.add_argument("--seed", type=int, default=0)
    audit.add_argument("--title", default="", help="of the report")
    audit.set_defaults(run=_audit)


def _add_compare_options(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("first", help="A: report.json of an audit, or the folder that it is in; "
                         "with --images a folder of ciphertexts, or a scheme")  # fmt: skip
    compare.add_argument("second", help="B, as A")
    compare.add_argument("--images", help="folder of the images that both are of")
    compare.add_argument("--mode", choices=("gray", "rgb"),
                         help="default: colour where any pair has some")  # fmt: skip
    compare.add_argument("--groups", help="which images belong together, as of audit")
    compare.add_argument(
        "--keying",
        choices=("fresh", "fixed"),
        default="fresh",
        help="how schemes use nonces (default: fresh for every image)",
    )
    compare.add_argument("--seed", type=int, default=0)
    compare.set_defaults(run=_compare)


def _add_study_options(study: argparse.ArgumentParser) -> None:
    study.add_argument("grid", help="JSON or YAML file: images, schemes, embeddings, estimators, "
                       "seeds (see leakage.study)")  # fmt: skip
    study.add_argument("-o", "--output", required=True, help="folder for the results")
    study.add_argument("--jobs", type=int, help="processes (default: one for every core)")
    study.add_argument("--scheduler", help="address of a Dask scheduler, or the file that it wrote "
                       "(--scheduler-file): its workers do the work")  # fmt: skip
    study.set_defaults(run=_study)


def _add_board_options(board: argparse.ArgumentParser) -> None:
    board.add_argument("--estimator", help="module:function of x and y, and of seed if it takes "
                       "one, that gives bits; or a method of leakage.estimate_mi "
                       "(default: auto)")  # fmt: skip
    board.add_argument("--n", type=int, default=1000, help="pairs of each run (default: 1000)")
    board.add_argument("--seeds", type=int, default=5, help="runs of each task (default: 5)")
    board.add_argument("--tasks", metavar="TEXT", help="only tasks with this text in their names")
    board.add_argument("-o", "--output", metavar="FILE.csv", help="for a row each run, in bits")
    board.set_defaults(run=_board)


def _add_book_options(book: argparse.ArgumentParser) -> None:
    book.add_argument("folder", help="of pictures (PNG, PGM, PPM, TIFF, BMP, JPEG)")
    book.add_argument("-o", "--output", required=True, help="folder for the site")
    book.add_argument("--mode", choices=("gray", "rgb"),
                      help="default: colour where any picture has colour")  # fmt: skip
    book.add_argument("--jobs", type=int, help="chapters at once (default: one for every core)")
    book.set_defaults(run=_book)


def _audit(options: argparse.Namespace) -> int:
    from leakage.arguments import check_seed
    from leakage.audits.writing import check_output

    if (options.cipher is None) == (options.scheme is None):
        raise ValueError("give a folder of ciphertexts, or --scheme, and not both")
    if options.settings and options.scheme is None:
        raise ValueError("--set belongs to --scheme")
    check_seed(options.seed)
    _check_apart(options.output, options.plain, options.cipher)
    check_output(options.output)
    found = _found(options)
    found = replace(found, origin=replace(found.origin, command=options.command))
    paths = found.save(options.output)
    _say(found.verdict)
    _say(f"report: {paths['report.html']}")
    return {False: 0, True: 1, None: 3}[found.leaks]


def _check_apart(output: str | Path, *read: str | None) -> None:
    """Refuse to write into a folder of pictures: the next audit would read the report's as well."""
    for folder in read:
        if folder is None or not Path(folder).is_dir():
            continue
        if Path(output).resolve().is_relative_to(Path(folder).resolve()):
            raise ValueError(
                f"{output} is in {folder}, whose pictures are read: the next audit would find "
                "those of the report there; choose a folder outside, with -o"
            )


def _found(options: argparse.Namespace) -> "Audit":
    """The audit that the options ask for."""
    from leakage.audits.auditing import audit
    from leakage.schemes import get_scheme, list_schemes

    common = {"keying": options.keying, "profile": options.profile, "seed": options.seed,
              "groups": options.groups, "title": options.title,
              "progress": sys.stderr.isatty()}  # fmt: skip
    if options.cipher is not None:
        return audit(options.plain, options.cipher, mode=options.mode, **common)
    settings = dict(map(_setting, options.settings))
    known = options.scheme in list_schemes().index
    if known or (":" in options.scheme and not Path(options.scheme).is_file()):
        from leakage.audits.schemes import scheme_from
        from leakage.pictures.image_sets import load_images

        if settings and not known:
            raise ValueError("--set is for schemes of leakage.list_schemes(); give others defaults")
        scheme = get_scheme(options.scheme, **settings) if known else scheme_from(options.scheme)
        images = load_images(options.plain, size=None, mode=options.mode)
        return audit(scheme=scheme, images=images, **common)
    if not Path(options.scheme).is_file():
        raise ValueError(
            f"--scheme {options.scheme!r} is no file, no module:Class and none of "
            f"{', '.join(list_schemes().index)}"
        )
    from leakage.audits.programs import encrypted_by

    if settings:
        raise ValueError("--set is for schemes of leakage.list_schemes(), not for a program")
    with tempfile.TemporaryDirectory() as folder:
        *sides, notes = encrypted_by(
            options.scheme, options.plain, folder, mode=options.mode, seconds=options.seconds
        )
        for note in notes:
            _complain(f"note: {note}")
        return audit(*sides, **common)


def _compare(options: argparse.Namespace) -> int:
    from leakage.audits.comparing import compare

    found = compare(
        options.first, options.second, options.images, groups=options.groups,
        keying=options.keying, mode=options.mode, seed=options.seed,
    )  # fmt: skip
    _say(found.verdict)
    _say(found.views.to_string(float_format="{:.4g}".format, na_rep=""))
    return 3 if found.more is None else 0


def _setting(text: str) -> tuple[str, object]:
    """A name and the value behind its equals sign, which is a word where it is no literal."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"--set {text}: write name=value, such as bits=3")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name, value


def _study(options: argparse.Namespace) -> int:
    from leakage.studies.running import study

    common = {"out": options.output, "n_jobs": options.jobs}
    if options.scheduler is None:
        table = study(options.grid, **common)
    else:
        import joblib

        try:
            from distributed import Client
        except ImportError:
            raise ValueError("--scheduler needs Dask: pip install 'leakage[scale]'") from None
        file = Path(options.scheduler).is_file()
        where = {"scheduler_file" if file else "address": options.scheduler}
        try:
            client = Client(**where, set_as_default=False)
        except OSError as error:
            raise ValueError(f"no Dask scheduler at {options.scheduler}: {error}") from None
        with client, joblib.parallel_config(backend="dask", client=client):
            table = study(options.grid, **common)
    failed = table.loc[table["error"] != "", "error"]
    _say(f"{len(table) - len(failed)} of {len(table)} cells finished")
    for reason, count in failed.value_counts().items():
        _say(f"{count} failed: {reason}")
    _say(f"table: {Path(options.output, 'table.parquet')}")
    return 3 if len(failed) else 0


def _board(options: argparse.Namespace) -> int:
    from leakage.studies.board_runs import board_score, board_summary, run_board

    table = run_board(
        options.estimator, options.n, options.seeds, options.tasks,
        out=options.output, progress=sys.stderr.isatty(),
    )  # fmt: skip
    _say(board_summary(table).round(3).to_string(index=False, na_rep=""))
    _say("")
    for name, value in board_score(table).dropna().items():
        _say(f"{str(name).replace('_', ' ')}: {value:.4g}")
    if options.output is not None:
        _say(f"table: {options.output}")
    return 0


def _book(options: argparse.Namespace) -> int:
    from leakage.notebook.own_book import make_book

    page = make_book(options.folder, options.output, mode=options.mode, jobs=options.jobs)
    _say(f"open {page}")
    return 0


def _cache(options: argparse.Namespace) -> int:
    from leakage.vectors.vector_cache import cache_entries, cache_folder, cache_limit, clear_cache

    folder = cache_folder()
    if folder is None:
        _say("no vectors are kept: LEAKAGE_CACHE is empty, or there is no home folder")
        return 0
    clear = options.action == "clear"
    entries = clear_cache(folder) if clear else cache_entries(folder)
    size = sum(entry.size for entry in entries) / 1e6
    told = "removed" if clear else f"of at most {cache_limit() / 1e6:.1f} MB"
    _say(f"{folder}: {len(entries)} entries, {size:.1f} MB, {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
