"""What every test file shares."""

import numpy as np
import pytest

import leakage


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
