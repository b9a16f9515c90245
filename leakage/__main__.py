"""How much do selectively encrypted images still give away, from the shell.

    leakage audit PLAIN CIPHER -o REPORT
    leakage study GRID.yaml -o RESULTS
    leakage book FOLDER -o SITE
    leakage cache [clear]

The same without the program on the PATH:

    python -m leakage audit PLAIN CIPHER -o REPORT
    python -m leakage study GRID.yaml -o RESULTS
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from leakage import __version__

CODES = "exit code: 0 no leak detected, 1 leak detected, 2 bad input, 3 undecided"
BOOK = "Says first how long it will take; interrupted, the same command goes on where it was."
STUDY_CODES = "exit code: 0 all cells finished, 2 bad input, 3 some cells failed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


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
    _add_study_options(
        commands.add_parser(
            "study",
            help="every cell of a grid of settings; goes on where it stopped",
            epilog=STUDY_CODES,
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
    audit.add_argument("plain", help="folder of images (PNG, PGM, TIFF, BMP, JPEG)")
    audit.add_argument("cipher", nargs="?", help="folder of their ciphertexts, of the same names")
    audit.add_argument("-o", "--output", required=True, help="folder for the report")
    audit.add_argument(
        "--scheme", help="instead of ciphertexts: a name of leakage.list_schemes(), module:Class, "
        "or a program that is called with the names of a PNG file to read and one to write",
    )  # fmt: skip
    audit.add_argument("--mode", choices=("gray", "rgb"), default="gray")
    audit.add_argument("--keying", choices=("fresh", "fixed"), default="fresh",
                       help="how nonces were used (default: fresh for every image)")  # fmt: skip
    audit.add_argument("--profile", choices=("quick", "full"), default="quick")
    audit.add_argument("--seed", type=int, default=0)
    audit.set_defaults(run=_audit)


def _add_study_options(study: argparse.ArgumentParser) -> None:
    study.add_argument("grid", help="JSON or YAML file: images, schemes, embeddings, estimators, "
                       "seeds (see leakage.study)")  # fmt: skip
    study.add_argument("-o", "--output", required=True, help="folder for the results")
    study.add_argument("--jobs", type=int, help="processes (default: one for every core)")
    study.add_argument("--scheduler", help="address of a Dask scheduler, or the file that it wrote "
                       "(--scheduler-file): its workers do the work")  # fmt: skip
    study.set_defaults(run=_study)


def _add_book_options(book: argparse.ArgumentParser) -> None:
    book.add_argument("folder", help="of pictures (PNG, PGM, PPM, TIFF, BMP, JPEG)")
    book.add_argument("-o", "--output", required=True, help="folder for the site")
    book.add_argument("--mode", choices=("gray", "rgb"),
                      help="default: colour where any picture has colour")  # fmt: skip
    book.add_argument("--jobs", type=int, help="chapters at once (default: one for every core)")
    book.set_defaults(run=_book)


def _audit(options: argparse.Namespace) -> int:
    import tempfile

    from leakage.audits.auditing import audit

    if (options.cipher is None) == (options.scheme is None):
        raise ValueError("give a folder of ciphertexts, or --scheme, and not both")
    if Path(options.output).is_file():
        raise ValueError(f"{options.output} is a file; name a folder for the report")
    common = {"keying": options.keying, "profile": options.profile, "seed": options.seed,
              "mode": options.mode}  # fmt: skip
    if options.cipher is not None:
        found = audit(options.plain, options.cipher, **common)
    elif Path(options.scheme).is_file():
        with tempfile.TemporaryDirectory() as folder:
            sides = _through_program(options.scheme, options.plain, folder, options.mode)
            found = audit(*sides, **common)
    else:
        from leakage.pictures.image_sets import load_images

        images = load_images(options.plain, size=None, mode=options.mode).images
        found = audit(scheme=options.scheme, images=images, **common)
    paths = found.save(options.output)
    print(found.verdict)
    print(f"report: {paths['report.html']}")
    return {False: 0, True: 1, None: 3}[found.leaks]


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
    print(f"{len(table) - len(failed)} of {len(table)} cells finished")
    for reason, count in failed.value_counts().items():
        print(f"{count} failed: {reason}")
    print(f"table: {Path(options.output, 'table.parquet')}")
    return 3 if len(failed) else 0


def _book(options: argparse.Namespace) -> int:
    from leakage.notebook.own_book import make_book

    page = make_book(options.folder, options.output, mode=options.mode, jobs=options.jobs)
    print(f"open {page}")
    return 0


def _cache(options: argparse.Namespace) -> int:
    from leakage.vectors.vector_cache import cache_entries, cache_folder, cache_limit, clear_cache

    folder = cache_folder()
    if folder is None:
        print("no vectors are kept: LEAKAGE_CACHE is empty, or there is no home folder")
        return 0
    clear = options.action == "clear"
    entries = clear_cache(folder) if clear else cache_entries(folder)
    size = sum(entry.size for entry in entries) / 1e6
    told = "removed" if clear else f"of at most {cache_limit() / 1e6:.1f} MB"
    print(f"{folder}: {len(entries)} entries, {size:.1f} MB, {told}")
    return 0


def _through_program(program: str, plain: str, folder: str, mode: str) -> tuple[Path, Path]:
    """Folders of the images and of what a program makes of them, one call an image."""
    import subprocess

    from PIL import Image

    from leakage.pictures.image_sets import load_images

    images = load_images(plain, size=None, mode=mode)
    sides = Path(folder, "plain"), Path(folder, "cipher")
    for side in sides:
        side.mkdir()
    for i, image in enumerate(images.images):
        names = [side / f"{i:06}.png" for side in sides]
        Image.fromarray(image).save(names[0])
        call = subprocess.run(
            [str(Path(program).resolve()), *map(str, names)], capture_output=True, check=False
        )
        if call.returncode or not names[1].is_file():
            raise ValueError(
                f"{program} failed on image {i} with exit code {call.returncode}: "
                f"{call.stderr.decode(errors='replace')[-300:]}"
            )
    return sides


if __name__ == "__main__":
    sys.exit(main())
