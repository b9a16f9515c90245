"""Run every chapter for `make book`, as many at once as there are cores.

`python scripts/run_chapters.py [--jobs N]` fills `_build/.jupyter_cache`, from which
`jupyter-book build .` takes what it shows. A chapter that fails is
named with its traceback, after all others have run.
"""

import argparse
import sys
from pathlib import Path

from check_book import pages_of_toc

from leakage.notebook.chapters import digest, drop_stale, run_chapters

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, metavar="N", help="chapters at once")
    arguments = parser.parse_args()
    cache = ROOT / "_build" / ".jupyter_cache"
    drop_stale(cache, digest(ROOT))
    notebooks = [file for page in pages_of_toc() if (file := ROOT / f"{page}.ipynb").is_file()]
    failed = run_chapters(notebooks, cache, jobs=arguments.jobs)
    for name, trace in failed.items():
        print(f"== {name} failed\n{trace}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
