"""What the cells of a study share, computed once: image sets, their ciphertexts, their vectors."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from leakage.pictures.batches import image_batches
from leakage.schemes.batches import encrypt_batches
from leakage.sealed import OutputError, is_whole, sealing, write_json
from leakage.studies.array_files import ArrayFile, read_batches
from leakage.studies.cells import PIXELS, Cell, key_of, model_of, scheme_of
from leakage.studies.files import CellFiles, about, image_set_files, is_shared, text_of
from leakage.studies.provenance import check_worker
from leakage.studies.trials import is_request_to_end, problems_with, refuse, told

#: Pixels that are encrypted and embedded at once, and so in memory.
_TOGETHER = 2**22
#: Settings of an embedding that one pass of a network has in common.
_RUN = ("model", "device", "precision")


class ReadSet(NamedTuple):
    """An image set that was read through: its settings, the source of each image, a digest."""

    settings: dict
    groups: np.ndarray
    digest: str


def read_image_sets(cells: list[Cell]) -> dict[str, ReadSet]:
    """Each image set, by its settings as text; everything is tried on it, and nothing stored."""
    read: dict[str, ReadSet] = {}
    problems: list[str] = []
    by_images: dict[str, list[Cell]] = {}
    for cell in cells:
        by_images.setdefault(text_of(cell.images), []).append(cell)
    for label, own in by_images.items():
        try:
            first, read[label] = _read_through(own[0].images)
        except (ValueError, TypeError) as error:
            problems.append(f"images {label}: {error}")
            continue
        problems += problems_with(own, first, read[label].groups)
    refuse(problems)
    return read


def _read_through(settings: dict) -> tuple[np.ndarray, ReadSet]:
    """The first image of a set, and what is to be known of all."""
    firsts: list[np.ndarray] = []
    groups, digest = [], hashlib.sha256()
    for part in image_batches(**settings):
        firsts = firsts or [part.images[:1].copy()]
        groups.append(part.groups)
        digest.update(part.images.data)
    joined = np.concatenate(groups).astype(np.int64)
    digest.update(joined.tobytes() + repr(firsts[0].shape).encode())
    return firsts[0], ReadSet(settings, joined, digest.hexdigest())


def store_image_set(read: ReadSet, folder: Path, damaged: set[Path]) -> None:
    """Write the images of a set and their groups, where they are not there, or damaged."""
    images_file, groups_file = image_set_files(folder, read.digest)
    if groups_file in damaged or not groups_file.is_file():
        with sealing(groups_file) as stream:
            np.save(stream, read.groups)
    if images_file in damaged or not images_file.is_file():
        with sealing(images_file) as stream:
            array = ArrayFile(stream, len(read.groups))
            for part in image_batches(**read.settings):
                array.add(part.images)
            array.close()


def shared_tasks(
    wanted: list[tuple[Cell, CellFiles]], damaged: set[Path], origin: dict[str, str]
) -> list[tuple[Callable[..., list[tuple[Path, str]]], tuple]]:
    """One task for each image set and each of its encryptions, with all embeddings that lack."""
    lacking: dict[str, tuple[Path, dict | None, dict[Path, dict]]] = {}
    for cell, files in wanted:
        for vectors, scheme in ((files.plain, None), (files.cipher, cell.scheme)):
            parts = {vectors, about(vectors)}
            lacking_one = parts & damaged or not all(part.is_file() for part in parts)
            if vectors != files.images and lacking_one:
                label = f"{files.images} {text_of(scheme)}"
                _, _, embeddings = lacking.setdefault(label, (files.images, scheme, {}))
                embeddings[vectors] = cell.embedding
    return [(_share, (*task, origin)) for task in lacking.values()]


def _share(
    images: Path, scheme: dict | None, wanted: dict[Path, dict], origin: dict[str, str]
) -> list[tuple[Path, str]]:
    """Encrypt and embed an image set, a batch at a time; returns files that failed, with errors."""
    from leakage.estimators.threads import one_thread

    wanted = {path: embedding for path, embedding in wanted.items() if not is_shared(path)}
    try:
        check_worker(origin)
        with one_thread():
            _embed_batches(images, scheme, wanted)
    except OutputError:
        raise
    except (Exception, SystemExit) as error:  # whatever it is, the other cells go on
        if is_request_to_end(error):
            raise
        if len(wanted) == 1:
            return [(path, told(error)) for path in wanted]
        # one embedding may be at fault: each by itself
        return [
            failed for path, embedding in wanted.items()
            for failed in _share(images, scheme, {path: embedding}, origin)
        ]  # fmt: skip
    return []


def _embed_batches(images: Path, scheme: dict | None, wanted: dict[Path, dict]) -> None:
    """Write the vectors of each embedding, and beside them what computing them took."""
    from leakage.devices import found_device

    if not is_whole(images):
        raise ValueError(f"{images} is damaged; run the same study again")
    shape = np.load(images, mmap_mode="r").shape
    batches: Iterable[np.ndarray] = read_batches(images, max(1, _TOGETHER // (shape[1] * shape[2])))
    if scheme is not None:
        batches = encrypt_batches(
            batches, scheme_of(scheme), key_of(scheme), keying=scheme["keying"]
        )
    runs: dict[tuple, dict[Path, str]] = {}  # rungs by what one pass of a network can give
    for path, embedding in wanted.items():
        run = tuple(embedding[name] for name in _RUN)
        runs.setdefault(run, {})[path] = embedding["rung"]
    seconds: dict[tuple | None, float] = dict.fromkeys([None, *runs], 0.0)  # None: encryption
    with ExitStack() as stack:
        arrays = {p: ArrayFile(stack.enter_context(sealing(p)), shape[0]) for p in wanted}
        for batch in _timed(batches, seconds):
            for run, rungs in runs.items():
                start = time.perf_counter()
                for path, vectors in _vectors(batch, rungs, dict(zip(_RUN, run, strict=True))):
                    arrays[path].add(vectors)
                seconds[run] += time.perf_counter() - start
        for run, rungs in runs.items():
            for path, rung in rungs.items():
                arrays[path].close()
                took: dict[str, object] = {"seconds": seconds[None] + seconds[run]}
                if rung != PIXELS:
                    took["device"] = found_device(wanted[path]["device"])
                write_json(about(path), took)


def _vectors(
    batch: np.ndarray, rungs: dict[Path, str], options: dict
) -> Iterator[tuple[Path, np.ndarray]]:
    """Vectors of a batch for each file; pixels stay what they are."""
    from leakage.vectors.embeddings import representations

    deep = [rung for rung in rungs.values() if rung != PIXELS]
    options = options | {"model": model_of(options)}
    found = representations(batch, deep, cache=False, **options) if deep else {}
    for path, rung in rungs.items():
        yield path, batch if rung == PIXELS else found[rung]


def _timed(
    batches: Iterable[np.ndarray], seconds: dict[tuple | None, float]
) -> Iterator[np.ndarray]:
    """The batches, with the time that making them took added up."""
    start = time.perf_counter()
    for batch in batches:
        seconds[None] += time.perf_counter() - start
        yield batch
        start = time.perf_counter()
