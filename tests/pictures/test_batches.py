"""Batches give what whole image sets give, in memory that does not grow with them."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

import leakage
from leakage.sealed import replacing
from leakage.studies.array_files import ArrayFile, read_batches


@pytest.fixture
def folder(tmp_path, rng):
    """Five noisy images of two sizes."""
    for i, side in enumerate((64, 64, 96, 64, 96)):
        noise = rng.integers(0, 256, (side, side + 10, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        {"size": 64},
        {"size": 32, "count": 17, "seed": 3},
        {"size": 128, "count": 40, "mode": "rgb"},
    ],
)
def test_batches_hold_the_images_of_load_images(options):
    whole = leakage.load_images(**options)
    parts = list(leakage.image_batches(**options, batch=16))
    assert {len(part) for part in parts[:-1]} == {16}
    assert 0 < len(parts[-1]) <= 16
    assert np.array_equal(np.concatenate([part.images for part in parts]), whole.images)
    assert np.array_equal(np.concatenate([part.groups for part in parts]), whole.groups)
    assert parts[0].names == whole.names
    assert parts[-1].credits == whole.credits


def test_batches_of_a_folder(folder):
    whole = leakage.load_images(folder, size=30, mode="rgb")
    parts = list(leakage.image_batches(folder, size=30, mode="rgb", batch=7))
    assert np.array_equal(np.concatenate([part.images for part in parts]), whole.images)
    assert np.array_equal(np.concatenate([part.groups for part in parts]), whole.groups)


def test_bad_files_are_named_before_any_image_is_given(folder):
    with pytest.raises(ValueError, match=r"(?s)0.png is 74x64 pixels, smaller.*3.png"):
        next(leakage.image_batches(folder, size=80))
    with pytest.raises(ValueError, match=r"4\.png is 106x96 pixels, the others 74x64: give size"):
        next(leakage.image_batches(folder, size=None))


def refusal(read, **options):
    with pytest.raises(ValueError, match="files cannot be used") as caught:
        read(**options)
    return str(caught.value)


@pytest.mark.parametrize("size", [30, None])
def test_batches_refuse_what_load_images_refuses(folder, size):
    """Deep samples, transparency, several pictures, no pictures; other formats are skipped."""
    noise = np.random.default_rng(1).integers(0, 256, (64, 74, 4), np.uint8)
    Image.fromarray(noise[..., 0]).save(folder / "modern.webp", lossless=True)
    Image.fromarray(noise[..., 0]).save(folder / "moving.gif")
    Image.fromarray(noise).save(folder / "clear.png")
    Image.fromarray(noise[..., 0].astype(np.uint16) * 9).save(folder / "deep.png")
    pages = [Image.fromarray(noise[..., i]) for i in range(3)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    (folder / "text.png").write_text("no image")
    small = Image.fromarray(noise[:9, :9, :3])
    small.save(folder / "small.png")
    whole = refusal(leakage.load_images, source=folder, size=size)
    first = refusal(
        lambda **options: next(leakage.image_batches(**options)), source=folder, size=size
    )
    assert first == whole
    for name in ("clear.png", "deep.png", "pages.tif", "text.png"):
        assert name in first
    for name in ("modern.webp", "moving.gif"):
        assert name not in first
    assert "small.png is 9x9 pixels" in first


def test_a_file_broken_further_on_is_named(folder):
    data = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"4\.png cannot be read"):
        list(leakage.image_batches(folder, size=30))


@pytest.mark.parametrize("bits", [0, 4, 8])
def test_counting_in_batches(photographs, key, bits):
    plain = photographs.images[:60]
    cipher = leakage.get_scheme("bitplane", bits=bits).encrypt(plain, key)
    whole = leakage.pixel_mi(plain, cipher, permutations=19)

    def batches(step):
        return lambda: ((plain[i : i + step], cipher[i : i + step]) for i in range(0, 60, step))

    one, several = (
        leakage.pixel_mi_in_batches(batches(step), permutations=19) for step in (60, 16)
    )
    for found in (one, several):
        assert (found.bits, found.n, found.method) == (whole.bits, whole.n, whole.method)
        assert (found.low, found.high) == pytest.approx((whole.low, whole.high), rel=1e-9)
    assert one.p_value == whole.p_value
    # 0.05 is the smallest that 19 permutations can give
    assert several.p_value == 0.05 if bits < 8 else several.p_value > 0.05


@pytest.mark.slow
def test_shuffling_within_batches_keeps_the_level(rng):
    """Where nothing leaks, p-values are uniform."""
    p_values = []
    for seed in range(60):
        plain, cipher = rng.integers(0, 4, (2, 8, 16, 16), np.uint8) * 85
        halves = lambda x=plain, y=cipher: ((x[i : i + 4], y[i : i + 4]) for i in (0, 4))  # noqa: E731
        found = leakage.pixel_mi_in_batches(halves, permutations=19, seed=seed)
        p_values.append(found.p_value)
    assert 0.35 < np.mean(p_values) < 0.7
    assert np.mean(np.array(p_values) <= 0.1) < 0.25


def test_memory_does_not_grow_with_the_number_of_images(tmp_path, key):
    peaks = []
    for count in (150, 900):
        file = tmp_path / f"{count}.npy"
        scheme = leakage.get_scheme("bitplane", bits=4)
        tracemalloc.start()
        with replacing(file) as stream:
            array = ArrayFile(stream, count)
            for part in leakage.image_batches(size=64, count=count, batch=50):
                array.add(part.images)
            array.close()

        def pairs(file=file, scheme=scheme):
            cipher = leakage.encrypt_batches(read_batches(file, 50), scheme, key)
            return zip(read_batches(file, 50), cipher, strict=True)

        found = leakage.pixel_mi_in_batches(pairs, permutations=5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.n == count * 64 * 64
        assert np.array_equal(np.load(file), leakage.load_images(size=64, count=count).images)
    assert peaks[1] < 1.1 * peaks[0]
