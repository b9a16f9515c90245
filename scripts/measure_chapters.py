"""Time and peak memory of every chapter: `python scripts/measure_chapters.py`.

Each notebook is run by papermill with its default parameters, in an empty folder, with no cached
embeddings, one at a time. The result goes to leakage/notebook/records/chapters.csv, which the
book's status page shows, after every chapter; those named as arguments replace their own rows
there. Memory is what the notebook's kernel and its children hold together, looked at ten times a
second: pages that several of them share, such as torch's code, count once, as they do for Binder.

With `--limit 2` (GiB) a notebook that holds more is stopped and fails, as in a free Binder session.
`--parameters FILE` takes other parameters, by notebook, from a YAML file: tests/overrides.yaml for
a quick look.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import psutil
import yaml
from check_book import pages_of_toc
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from provenance import stamp  # noqa: E402

RECORDED = ROOT / "leakage" / "notebook" / "records" / "chapters.csv"
PACKAGES = ["numpy", "scipy", "scikit-learn", "torch", "torchvision", "ipykernel", "papermill"]
MIB = 2**20


def memory_and_time(processes: list[psutil.Process]) -> tuple[float, dict[int, float]]:
    """Resident MiB of all processes together, and seconds of processor time of each by its id."""
    resident, seconds = 0.0, {}
    for process in processes:
        try:
            resident += own_memory(process) / MIB
            seconds[process.pid] = sum(process.cpu_times()[:2])
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            continue  # it ended between being listed and being looked at
    return resident, seconds


def own_memory(process: psutil.Process) -> int:
    """Resident bytes, of shared pages this process's part where the system tells (Linux)."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        return process.memory_info().rss
    fields = dict(line.split(":", 1) for line in rollup.read_text().splitlines()[1:])
    return int(fields["Pss"].split()[0]) * 1024


def measure(
    notebook: Path, parameters: Mapping[str, object], limit: float | None = None
) -> dict[str, float]:
    """Run one notebook.

    Parameters
    ----------
    notebook : Path
        Its file.
    parameters : mapping
        Other values than the defaults.
    limit : float, optional
        MiB that the kernel and its children may hold together.

    Returns
    -------
    dict
        ``peak_mib``, ``seconds`` (wall) and ``cpu_seconds``.

    Raises
    ------
    RuntimeError
        The notebook failed, the end of its output says why; or it held more than `limit`.
    """
    given = [word for name, value in parameters.items() for word in ("-y", f"{name}: {value!r}")]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = [sys.executable, "-m", "papermill", str(notebook), os.devnull, *given]
        environment = os.environ | {"LEAKAGE_CACHE": str(Path(folder, "cache"))}
        cwd = Path(folder, "empty")
        cwd.mkdir()
        started = time.perf_counter()
        with log.open("w") as out:
            run = subprocess.Popen(
                [*command, "--no-progress-bar", "--cwd", str(cwd)],
                stdout=out, stderr=subprocess.STDOUT, env=environment,
            )  # fmt: skip
            peak, spent = 0.0, {}
            while run.poll() is None:
                family = psutil.Process(run.pid).children(recursive=True)
                resident, seconds = memory_and_time(family)
                peak, spent = max(peak, resident), spent | seconds
                if limit and resident > limit:
                    for process in (*family, run):
                        process.kill()
                    run.wait()
                    raise RuntimeError(f"{notebook.name} holds more than {limit:.0f} MiB")
                time.sleep(0.1)
        elapsed = time.perf_counter() - started
        if run.returncode:
            raise RuntimeError(f"{notebook.name} failed:\n{log.read_text()[-2000:]}")
    return {"peak_mib": peak, "seconds": elapsed, "cpu_seconds": sum(spent.values())}


def main(arguments: list[str] | None = None) -> int:
    """Measure all chapters, or those named, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="names, for instance mine; default: all")
    parser.add_argument("--output", type=Path, default=RECORDED)
    parser.add_argument("--limit", type=float, help="GiB that a notebook may hold")
    parser.add_argument("--parameters", type=Path, help="YAML file, notebook to parameters")
    asked = parser.parse_args(arguments)
    known = [Path(p).name for p in pages_of_toc() if p.startswith("notebooks/")]
    if unknown := sorted(set(asked.chapters) - set(known)):
        parser.error(f"no chapter {', '.join(unknown)}; there are {', '.join(known)}")
    overrides = yaml.safe_load(asked.parameters.read_text("utf8")) if asked.parameters else {}
    limit = asked.limit and asked.limit * 1024
    names = asked.chapters or known
    cores = len(os.sched_getaffinity(0))
    words = " ".join(["scripts/measure_chapters.py", *(arguments or sys.argv[1:])])
    first = stamp(words, PACKAGES).replace("; python", f", {cores} cores; python")
    # chapters that were not asked for keep what was measured before
    table = pd.DataFrame(columns=["chapter"])
    if asked.chapters and asked.output.exists():
        table = pd.read_csv(asked.output, comment="#")
    for name in tqdm(names, unit="chapter"):
        path = ROOT / "notebooks" / f"{name}.ipynb"
        row = {"chapter": name, **measure(path, overrides.get(name, {}), limit)}
        table = pd.concat([table[table["chapter"] != name], pd.DataFrame([row])])
        table = table.sort_values("chapter", key=lambda c: c.map(known.index)).round(1)
        with asked.output.open("w", encoding="utf8") as out:
            out.write(first)
            table.to_csv(out, index=False)
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
