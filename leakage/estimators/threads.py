"""One thread for small products."""

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch and of numpy inside, as many as before outside.

    These products are small: a second thread brings little when the machine is idle, and when two
    processes share its cores their threads wait for each other, which costs up to fifty times the
    time. The values also no longer depend on the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
