"""Every kind of file: the samples that another decoder finds, or a refusal, never a third thing."""

import io
import re
import struct
import time
import zlib

import cv2
import numpy as np
import psutil
import pytest
import tifffile
from pictures.files import all_files
from PIL import Image

from leakage.pictures.formats import exif_of
from leakage.pictures.reading import read_header, read_image

FILES = all_files()
UPRIGHT = {  # (transposed, flipped up to down, flipped left to right), Exif 2.32, tag 274
    1: (0, 0, 0), 2: (0, 0, 1), 3: (0, 1, 1), 4: (0, 1, 0),
    5: (1, 0, 0), 6: (1, 0, 1), 7: (1, 1, 1), 8: (1, 1, 0),
}  # fmt: skip


def second(data: bytes, orientation: int) -> list[np.ndarray]:
    """Samples by another decoder, upright; none where it cannot read them."""
    if data[:2] in (b"P2", b"P3"):  # neither of them reads plain text
        words = re.sub(rb"#[^\n]*\n", b"", data).split()
        wide, high = int(words[1]), int(words[2])
        return [np.array(words[4:], np.uint8).reshape((high, wide, 3)[: 2 + (words[0] == b"P3")])]
    if data[:2] in (b"II", b"MM"):
        try:
            found = tifffile.imread(io.BytesIO(data))
        except Exception:  # whatever it says of a file that it cannot read
            pass
        else:
            planes = found.ndim == 3 and found.shape[0] == 3
            return [turned(np.moveaxis(found, 0, 2) if planes else found, orientation)]
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        return []
    if found.ndim == 3 and found.shape[2] == 3:
        found = found[..., ::-1]
    # OpenCV turns TIFF and no others when it is asked for the samples as they are
    return [turned(found, orientation), found]


def turned(samples: np.ndarray, orientation: int) -> np.ndarray:
    transposed, down, left = UPRIGHT[orientation]
    samples = samples.swapaxes(0, 1) if transposed else samples
    samples = samples[::-1] if down else samples
    return samples[:, ::-1] if left else samples


def agree(data: bytes, found: np.ndarray, orientation: int) -> bool:
    """Whether another decoder finds the same samples."""
    expected = second(data, orientation)
    if found.ndim == 2:  # a palette of grays is gray
        expected = [
            e[..., 0] if e.ndim == 3 and e.shape[2] == 3 and not np.ptp(e, axis=2).any() else e
            for e in expected
        ]
    return any(e.dtype == np.uint8 and np.array_equal(e, found) for e in expected)


def test_there_are_many():
    assert len(FILES) >= 200
    assert len({made.name for made in FILES}) == len(FILES)


@pytest.mark.parametrize("made", FILES, ids=lambda made: made.name)
def test_equal_samples_or_a_refusal(made):
    found, refusal = tried(made.data)
    if found is None:
        assert not made.taken, refusal
        assert refusal[0].islower()
        assert len(refusal) < 200
        return
    assert made.taken is not False
    assert agree(made.data, found, made.orientation)
    header = read_header(made.data)
    assert header.shape == found.shape[:2]
    assert header.colour == (found.ndim == 3)
    assert header.orientation == made.orientation


def tried(data: bytes) -> tuple[np.ndarray | None, str]:
    """The samples, or the reason why there are none."""
    try:
        return read_image(data), ""
    except ValueError as error:
        return None, str(error)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut out, doubled or cut off, as broken disks and hostile people do."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        place, length = int(rng.integers(len(changed))), int(rng.integers(1, 9))
        match rng.integers(5):
            case 0:
                changed[place] ^= 1 << rng.integers(8)
            case 1:
                changed[place : place + length] = rng.bytes(length)
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length]
            case 4 if len(changed) > 64:
                del changed[max(64, place) :]
            case _:  # where headers lie
                changed[int(rng.integers(min(64, len(changed))))] = int(rng.integers(256))
    return bytes(changed)


def test_mutated_files():
    """3,000: right samples or a ValueError, in little time and memory, and no other program."""
    rng = np.random.default_rng(3)
    some = [made for made in FILES if made.taken]
    process, taken = psutil.Process(), 0
    before = process.memory_info().rss
    for i in range(3000):
        data = mutated(some[i % len(some)].data, rng)
        start = time.perf_counter()
        found, _ = tried(data)
        assert time.perf_counter() - start < 2
        assert not process.children()
        if found is not None:
            taken += 1
            assert agree(data, found, read_header(data).orientation), some[i % len(some)].name
    assert process.memory_info().rss - before < 600 * 2**20
    assert taken > 100


def test_a_palette_without_colours(tmp_path):
    """Pillow reads it as gray."""
    file = tmp_path / "palette.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).quantize(4).save(file)
    content = file.read_bytes()
    at = content.index(b"PLTE") - 4
    length = int.from_bytes(content[at : at + 4])
    file.write_bytes(content[:at] + content[at + 12 + length :])
    with pytest.raises(ValueError, match="a palette without its colours"):
        read_image(file)


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(*chunks):
    header = struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


PALETTE = chunk(b"PLTE", bytes(range(6)))
SAMPLES = chunk(b"IDAT", zlib.compress(bytes([0, 0, 1, 0, 1, 0])))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(PALETTE, chunk(b"ABCD", b"x"), SAMPLES), "no standard has"),
        (png(PALETTE, PALETTE, SAMPLES), "a second palette"),
        (png(SAMPLES, PALETTE), "after the samples"),
        (b"P2 2 2 255\n1 1_2 3 4\n", "is no number"),
        (b"P2 2 2 255\n1 +2 3 4\n", "is no number"),
        (b"P5 0 0 255\n", "has no pixels"),
        (b"P5\n2#c\n2\n255\n0000", "a comment touches a number"),
    ],
)
def test_files_that_are_none_are_refused(content, reason):
    with pytest.raises(ValueError, match=reason):
        read_image(content)


def test_a_palette_in_its_place_is_read():
    assert read_image(png(PALETTE, SAMPLES)).shape == (2, 2, 3)


def segments(*parts):
    """A JPEG file with these APP1 segments."""
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, "JPEG")
    app1 = b"".join(b"\xff\xe1" + struct.pack(">H", len(p) + 2) + p for p in parts)
    return file.getvalue()[:2] + app1 + file.getvalue()[2:]


def test_orientation_that_decoders_read_differently():
    six, xmp = exif_of(6), b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    for parts in ((exif_of(1), six), (six, exif_of(1)), (xmp,), (exif_of(3), xmp)):
        with pytest.raises(ValueError, match="which decoders read differently"):
            read_image(segments(*parts))
    upright = read_image(segments())
    for parts in ((six,), (six, six), (six, xmp)):
        assert np.array_equal(read_image(segments(*parts)), np.rot90(upright, -1))
