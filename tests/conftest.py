"""What every test file shares."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

import leakage


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the marks
def pytest_collection_modifyitems(items):
    """Under ``--dist loadgroup`` a file is run by one worker, except for tests in a smaller group.

    So what the tests of a file share is made, or started, once.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            file = item.nodeid.partition("::")[0]
            item.add_marker(pytest.mark.xdist_group(file))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Embeddings are cached in a folder of the test session, never in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAKAGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def photographs():
    return leakage.load_images()


@pytest.fixture
def key():
    return bytes(range(16))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def serve():
    """Run a Jupyter server, a module of this Python, and wait until it answers; its address."""

    @contextmanager
    def running(module, *options, log, answers, **environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", module, f"--port={port}", "--no-browser", *options]
        environment = os.environ | {"JUPYTER_CONFIG_DIR": str(log.parent)} | environment
        with log.open("w") as out:
            server = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=log.parent
            )
        address = f"http://127.0.0.1:{port}/"
        try:
            for _ in range(120):
                assert server.poll() is None, log.read_text()
                try:
                    urlopen(address + answers, timeout=5).close()
                    break
                except HTTPError:  # an answer too
                    break
                except OSError:
                    time.sleep(0.5)
            yield address
        finally:
            server.terminate()
            server.wait(30)

    return running
