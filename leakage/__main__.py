"""The program `leakage`: its commands, and the exit codes that they end with."""

import argparse
import ast
import io
import os
import shlex
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.options import parser

if TYPE_CHECKING:
    import numpy as np

    from leakage.audits.report import Audit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):  # a word that they cannot write must change no answer
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    options.command = shlex.join(["leakage", *(sys.argv[1:] if arguments is None else arguments)])
    for name in ("SIGTERM", "SIGHUP"):  # so that what is temporary is removed
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
            signal.signal(getattr(signal, name), _end)
    with warnings.catch_warnings():
        warnings.showwarning = _note
        code = _code_of(lambda: _COMMANDS[options.run](options))
    try:
        if sys.stdout is not None:  # as where nobody ever opened it
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


def _audit(options: argparse.Namespace) -> int:
    from leakage.arguments import check_seed
    from leakage.audits import pipeline
    from leakage.audits.reports import read_report, scores_of
    from leakage.audits.writing import write_file

    if options.plan:
        return _plan(options)
    if options.output is None:
        raise ValueError("give a folder for the report, with -o")
    if (options.cipher is None) == (options.scheme is None):
        raise ValueError("give a folder of ciphertexts, or --scheme, and not both")
    if options.seconds is not None and not options.seconds > 0:
        raise ValueError(f"--seconds must be above 0, not {options.seconds:g}")
    if options.seconds is not None and (
        options.scheme is None or _kind_of(options.scheme) in ("ours", "class")
    ):
        raise ValueError("--seconds limits a program that --scheme names; nothing else has a limit")
    if options.settings and options.scheme is None:
        raise ValueError("--set belongs to --scheme")
    fail_on = pipeline.conditions(options.fail_on, options.baseline is not None)
    before = None if options.baseline is None else read_report(options.baseline)
    check_seed(options.seed)
    _check_written(options)
    if before is not None:  # what it lacks is told now
        pipeline.check_baseline(
            scores_of(before, options.baseline), _images(options.plain, options.mode)
        )
    found = _found(options)
    found = replace(found, origin=replace(found.origin, command=options.command))
    paths = found.save(options.output)
    _say(found.verdict)
    got_worse = None
    if before is not None:
        got_worse = pipeline.worse(before, found, options.seed)
        _say(
            "\n".join(f"worse than before: {text}" for text in got_worse) or "not seen to be worse"
        )
    _say(f"report: {paths['report.html']}")
    if options.junit is not None:
        write_file(options.junit, pipeline.to_junit(found, fail_on, got_worse))
        _say(f"tests: {options.junit}")
    return pipeline.exit_code(found.leaks, bool(got_worse), fail_on)


def _check_written(options: argparse.Namespace) -> None:
    """Refuse places for the report, and for tests beside it, before any work."""
    from leakage.audits.writing import FILES, check_file
    from leakage.sealed import check_writable

    for written in (options.output, options.junit):
        _check_apart(written, options.plain, options.cipher)
    check_writable(Path(options.output))
    report = Path(options.output).resolve()
    taken = (report, *(report / name for name in FILES))
    if options.junit is not None:
        check_file(options.junit)
        if Path(options.junit).resolve() in taken:
            raise ValueError(f"--junit {options.junit} is where the report goes; name another file")
    if options.baseline is not None and Path(options.baseline).resolve() in taken:
        raise ValueError(
            f"--baseline {options.baseline} is where the report goes, and would be lost; name "
            "another folder for the report"
        )


def _plan(options: argparse.Namespace) -> int:
    from leakage.audits.planning import plan

    if options.cipher is not None or options.scheme is not None:
        raise ValueError("--plan asks of the images alone: give no ciphertexts and no scheme")
    if options.output is not None or options.junit is not None or options.baseline is not None:
        raise ValueError("--plan prints a table: -o, --junit and --baseline belong to an audit")
    table = plan(options.plain, groups=options.groups, mode=options.mode, seed=options.seed)
    _say("bits that are found in eight of ten cases, of a sample, two of a patch, two of an image:")
    _say(table.to_string(float_format="{:.2g}".format, na_rep="nothing"))
    enough = table.index[table.notna().all(axis=1)]
    _say(
        f"{enough[0]} images are enough for an audit to clear what it looked at" if len(enough)
        else f"{table.index[-1]} images are too few for an audit to clear anything"
    )  # fmt: skip
    return 0


def _check_apart(output: str | Path | None, *read: str | None) -> None:
    """Refuse to write into a folder of pictures: the next audit would read the report's as well."""
    for folder in read:
        if output is None or folder is None or not Path(folder).is_dir():
            continue
        if Path(output).resolve().is_relative_to(Path(folder).resolve()):
            raise ValueError(
                f"{output} is in {folder}, whose pictures are read: the next audit would find "
                "those of the report there; choose a folder outside, with -o"
            )


def _images(plain: str, mode: str | None) -> "Iterator[np.ndarray]":
    """The images as an audit of them reads them."""
    from leakage.pictures.surveys import refuse_files, survey

    looked_at = survey(plain, mode)
    refuse_files(looked_at.problems, len(looked_at.files))
    return map(looked_at.read, looked_at.files)


def _kind_of(scheme: str) -> str:
    """What --scheme names: one of ours, a program, a class of a module, or nothing."""
    from leakage.schemes import list_schemes

    if scheme in list_schemes().index:
        return "ours"
    if Path(scheme).is_file():
        return "program"
    return "class" if ":" in scheme else "nothing"


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
    kind = _kind_of(options.scheme)
    if kind == "program":
        return _of_program(options, common)
    if kind != "nothing":
        from leakage.audits.schemes import scheme_from
        from leakage.pictures.image_sets import load_images

        known = kind == "ours"
        if settings and not known:
            raise ValueError("--set is for schemes of leakage.list_schemes(); give others defaults")
        scheme = get_scheme(options.scheme, **settings) if known else scheme_from(options.scheme)
        images = load_images(options.plain, size=None, mode=options.mode)
        return audit(scheme=scheme, images=images, **common)
    raise ValueError(
        f"--scheme {options.scheme!r} is no file, no module:Class and none of "
        f"{', '.join(list_schemes().index)}"
    )


def _of_program(options: argparse.Namespace, common: dict[str, Any]) -> "Audit":
    from leakage.audits.auditing import audit
    from leakage.audits.origin import Folder
    from leakage.audits.programs import SECONDS, encrypted_by

    if options.settings:
        raise ValueError("--set is for schemes of leakage.list_schemes(), not for a program")
    seconds = SECONDS if options.seconds is None else options.seconds
    with tempfile.TemporaryDirectory() as folder:
        *sides, notes = encrypted_by(
            options.scheme, options.plain, folder, mode=options.mode, seconds=seconds
        )
        for note in notes:
            _complain(f"note: {note}")
        found = audit(*sides, **common)
    read = (Folder.of("plain", options.plain),) if Path(options.plain).is_dir() else ()
    remarks = (*notes, *found.origin.remarks)
    return replace(found, origin=replace(found.origin, folders=read, remarks=remarks))


def _compare(options: argparse.Namespace) -> int:
    from leakage.audits.comparing import compare

    found = compare(
        options.first, options.second, options.images, groups=options.groups,
        keying=options.keying, mode=options.mode, seed=options.seed,
    )  # fmt: skip
    _say(found.verdict)
    _say(found.views.to_string(float_format="{:.4g}".format, na_rep=""))
    return 3 if found.more is None else 0


def _table(options: argparse.Namespace) -> int:
    from leakage.audits.tables import audit_table, form_of, table_text
    from leakage.audits.writing import check_file, write_file

    check_file(options.output)
    form = form_of(options.output)
    text = table_text(audit_table(options.reports), form)
    write_file(options.output, text.encode("utf8", "replace"))
    _say(f"table: {options.output}")
    return 0


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


_COMMANDS = {
    "audit": _audit, "compare": _compare, "table": _table, "study": _study, "board": _board,
    "book": _book, "cache": _cache,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
