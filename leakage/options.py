"""What the shell's commands take, and what their exit codes say."""

import argparse

from leakage import __version__

USAGE = """How much do selectively encrypted images still give away, from the shell.

    leakage audit PLAIN CIPHER -o REPORT
    leakage audit PLAIN --plan
    leakage compare REPORT REPORT
    leakage table REPORT REPORT ... -o TABLE.csv
    leakage study GRID.yaml -o RESULTS
    leakage board [--estimator MODULE:FUNCTION] [-o FILE.csv]
    leakage book FOLDER -o SITE
    leakage cache [clear]

The same without the program on the PATH:

    python -m leakage audit PLAIN CIPHER -o REPORT
    python -m leakage study GRID.yaml -o RESULTS
"""

_COMMON = "2 bad input or output, 4 our own failure"
CODES = (
    f"exit code: 0 no leak detected, 1 leak detected, 3 undecided, {_COMMON}, "
    "5 worse than the baseline"
)
TABLE_CODES = f"exit code: 0 the table is there, {_COMMON}"
COMPARE_CODES = f"exit code: 0 one leaks more, 3 it cannot be said, {_COMMON}"
BOOK = (
    "Says first how long it will take; interrupted, the same command goes on where it was. "
    f"exit code: 0 the site is there, {_COMMON}"
)
BOARD_CODES = f"exit code: 0 all runs finished, {_COMMON}"
STUDY_CODES = f"exit code: 0 all cells finished, 3 some cells failed, {_COMMON}"


def parser() -> argparse.ArgumentParser:
    """Of the whole command line; ``run`` of what it gives is the name of the command."""
    every = argparse.ArgumentParser(
        prog="leakage", description=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every.add_argument("--version", action="version", version=f"leakage {__version__}")
    commands = every.add_subparsers(required=True)
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
    _add_table_options(
        commands.add_parser(
            "table", help="several audits in one table, for a page or a paper", epilog=TABLE_CODES
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
    cache.set_defaults(run="cache")
    return every


def _add_audit_options(audit: argparse.ArgumentParser) -> None:
    audit.add_argument("plain", help="folder of images (PNG, PGM, PPM, TIFF, BMP, JPEG)")
    audit.add_argument("cipher", nargs="?", help="folder of their ciphertexts, of the same names")
    audit.add_argument("-o", "--output", help="folder for the report")
    audit.add_argument("--plan", action="store_true", help="no audit: what one of the images "
                       "would find, by their number, before anything is encrypted")  # fmt: skip
    audit.add_argument(
        "--scheme", help="instead of ciphertexts: a name of leakage.list_schemes(), module:Class, "
        "or a program that is called with the names of a PNG file to read and one to write",
    )  # fmt: skip
    audit.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                       dest="settings", help="a parameter of the scheme, such as bits=3; may be "
                       "repeated")  # fmt: skip
    audit.add_argument("--seconds", type=float,
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
    audit.add_argument("--baseline", metavar="REPORT", help="report.json of an earlier audit of "
                       "the same images: is this one worse?")  # fmt: skip
    audit.add_argument("--fail-on", metavar="WORDS", help="leak, undecided, worse, or several with "
                       "commas between: only these end with another exit code than 0")  # fmt: skip
    audit.add_argument("--junit", metavar="FILE.xml", help="also the findings as tests in JUnit's "
                       "XML, which pipelines show")  # fmt: skip
    audit.set_defaults(run="audit")


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
    compare.set_defaults(run="compare")


def _add_table_options(table: argparse.ArgumentParser) -> None:
    table.add_argument("reports", nargs="+", help="report.json of audits, or their folders")
    table.add_argument("-o", "--output", required=True, metavar="FILE",
                       help=".csv, .tex or .html")  # fmt: skip
    table.set_defaults(run="table")


def _add_study_options(study: argparse.ArgumentParser) -> None:
    study.add_argument("grid", help="JSON or YAML file: images, schemes, embeddings, estimators, "
                       "seeds (see leakage.study)")  # fmt: skip
    study.add_argument("-o", "--output", required=True, help="folder for the results")
    study.add_argument("--jobs", type=int, help="processes (default: one for every core)")
    study.add_argument("--scheduler", help="address of a Dask scheduler, or the file that it wrote "
                       "(--scheduler-file): its workers do the work")  # fmt: skip
    study.set_defaults(run="study")


def _add_board_options(board: argparse.ArgumentParser) -> None:
    board.add_argument("--estimator", help="module:function of x and y, and of seed if it takes "
                       "one, that gives bits; or a method of leakage.estimate_mi "
                       "(default: auto)")  # fmt: skip
    board.add_argument("--n", type=int, default=1000, help="pairs of each run (default: 1000)")
    board.add_argument("--seeds", type=int, default=5, help="runs of each task (default: 5)")
    board.add_argument("--tasks", metavar="TEXT", help="only tasks with this text in their names")
    board.add_argument("-o", "--output", metavar="FILE.csv", help="for a row each run, in bits")
    board.set_defaults(run="board")


def _add_book_options(book: argparse.ArgumentParser) -> None:
    book.add_argument("folder", help="of pictures (PNG, PGM, PPM, TIFF, BMP, JPEG)")
    book.add_argument("-o", "--output", required=True, help="folder for the site")
    book.add_argument("--mode", choices=("gray", "rgb"),
                      help="default: colour where any picture has colour")  # fmt: skip
    book.add_argument("--jobs", type=int, help="chapters at once (default: one for every core)")
    book.set_defaults(run="book")
