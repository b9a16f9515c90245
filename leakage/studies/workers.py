"""Processes of a study: they end with the one that started them, and leave nothing half-written."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from joblib.parallel import LokyBackend, get_active_backend

#: Seconds after which a worker notices that its parent is gone.
_NOTICED = 0.5
_PR_SET_PDEATHSIG = 1


class _Local(LokyBackend):
    """joblib's own processes, each of which watches its parent."""

    def configure(self, *arguments: object, **options: object) -> int:
        """As of joblib."""
        # Linux counts as parent the thread that starts a process; only the main one never ends
        lasting = threading.current_thread() is threading.main_thread()
        watch = {"initializer": end_with_parent, "initargs": (os.getpid(), lasting)}
        return super().configure(*arguments, **(watch | options))


def local_backend() -> LokyBackend | None:
    """joblib's own processes, made to end with this one; None where other workers were chosen."""
    chosen = get_active_backend()[0]
    if type(chosen) is not LokyBackend:
        return None
    options = getattr(chosen, "backend_kwargs", {})  # since joblib 1.5
    return _Local(inner_max_num_threads=chosen.inner_max_num_threads, **options)


def end_with_parent(parent: int, lasting: bool) -> None:
    """End this process soon after its parent has ended, however that came.

    Parameters
    ----------
    parent : int
        The process that started this one.
    lasting : bool
        It was started by a thread that lasts as long as its process: then Linux ends it at once.
    """
    if lasting and sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_NOTICED)
    os._exit(1)


@contextmanager
def ending_whole(clean: Callable[[], None]) -> Iterator[None]:
    """Clean up before and after; a request to end is an exception meanwhile.

    Parameters
    ----------
    clean : callable
        Removes what killed processes left.
    """
    clean()
    with _requests_to_end():
        try:
            yield
        finally:
            clean()


@contextmanager
def _requests_to_end() -> Iterator[None]:
    """SIGTERM and SIGHUP as `SystemExit`, where nobody else handles them."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    mine = {getattr(signal, name) for name in names}
    mine = {number for number in mine if signal.getsignal(number) is signal.SIG_DFL}
    if threading.current_thread() is not threading.main_thread():
        mine = set()

    def end(number: int, _: FrameType | None) -> None:
        for each in mine:
            signal.signal(each, signal.SIG_IGN)  # it ends already
        raise SystemExit(128 + number)

    for number in mine:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)
