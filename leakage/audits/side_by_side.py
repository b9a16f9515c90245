"""Questions of an audit that are asked side by side: their answers do not depend on each other."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from joblib import cpu_count

from leakage.estimators.threads import one_thread

#: Questions that are asked at a time: each of them needs memory of its own.
AT_A_TIME = 2


@contextmanager
def side_by_side() -> Iterator[ThreadPoolExecutor]:
    """Threads for questions, of which two are asked at a time where there are two cores.

    They share what is in memory, and spend most of their time in numpy and torch, which let each
    other run. Each has one core alone: answers depend neither on how many there are nor on what
    else is asked. After an error no further question is begun.

    Examples
    --------
    >>> with side_by_side() as threads:
    ...     asked = [threads.submit(pow, 2, power) for power in range(4)]
    >>> [answer.result() for answer in asked]
    [1, 2, 4, 8]
    """
    # what threads do to the filters of warnings, which all share, ends here
    with (
        one_thread(),
        warnings.catch_warnings(),
        ThreadPoolExecutor(min(AT_A_TIME, cpu_count())) as threads,
    ):
        try:
            yield threads
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
