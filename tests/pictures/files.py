"""Picture files of every kind, written byte by byte where no library writes them."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import tifffile
from PIL import Image

HIGH, WIDE = 13, 17
RNG = np.random.default_rng(20)
GRAY = RNG.integers(0, 256, (HIGH, WIDE), np.uint8)
RGB = RNG.integers(0, 256, (HIGH, WIDE, 3), np.uint8)


@dataclass(frozen=True)
class Made:
    """A file, and whether the reader has to take it; None where either answer will do."""

    name: str
    data: bytes = field(repr=False)
    taken: bool | None
    orientation: int = 1

    @property
    def suffix(self) -> str:
        return "." + self.name.split()[0]


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def exif(orientation: int) -> bytes:
    found = Image.Exif()
    found[274] = orientation
    return found.tobytes()


def png(depth: int, colour: int, *, before: bytes = b"", after: bytes = b"", interlace: int = 0,
        entries: int | None = None) -> bytes:  # fmt: skip
    """Random samples of any depth and colour type."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = [(HIGH, WIDE)]
    if interlace:
        passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                  (0, 1, 2, 2), (1, 0, 2, 1))  # fmt: skip
        rows = [(len(range(y, HIGH, dy)), len(range(x, WIDE, dx))) for y, x, dy, dx in passes]
    raw = b""
    most = min(entries or 256, 1 << depth)
    for high, wide in rows:
        if wide:
            for _ in range(high):
                if depth == 8:
                    line = RNG.integers(0, most, wide * channels, np.uint8).tobytes()
                else:
                    line = RNG.bytes(-(-wide * channels * depth // 8))
                raw += b"\0" + line
    palette = chunk(b"PLTE", RNG.bytes(3 * (entries or 1 << depth))) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", WIDE, HIGH, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + before
            + chunk(b"IDAT", zlib.compress(raw)) + after + chunk(b"IEND", b""))  # fmt: skip


def png_files() -> Iterator[Made]:
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for colour, of in depths.items():
        for depth in of:
            plain = (colour, depth) in ((0, 8), (2, 8)) or colour == 3
            for interlace in (0, 1):
                name = f"png type {colour} depth {depth} interlace {interlace}"
                yield Made(name, png(depth, colour, interlace=interlace), plain)
                if colour in (0, 2, 3):
                    clear = chunk(b"tRNS", bytes({0: 2, 2: 6, 3: 1}[colour]))
                    made = png(depth, colour, interlace=interlace, before=clear)
                    yield Made(f"{name} transparent", made, False)
    for colour in (0, 2):
        for turn in range(1, 9):
            tag = chunk(b"eXIf", exif(turn).removeprefix(b"Exif\0\0"))
            yield Made(f"png type {colour} turned {turn}", png(8, colour, before=tag), True, turn)
            yield Made(
                f"png type {colour} turned {turn} behind", png(8, colour, after=tag), True, turn
            )
    yield Made("png few colours", png(8, 3, entries=200), True)
    yield Made("png gamma", png(8, 2, before=chunk(b"gAMA", struct.pack(">I", 45455))), True)
    yield Made("png significant bits", png(8, 0, before=chunk(b"sBIT", b"\x05")), True)
    yield Made("png animation", png(8, 2, before=chunk(b"acTL", struct.pack(">II", 2, 0))), False)
    yield Made("png cut", png(8, 2)[:300], False)
    yield Made("png behind its end", png(8, 2) + b"more", None)
    whole = bytearray(png(8, 0))
    whole[-40] ^= 1
    yield Made("png one bit wrong", bytes(whole), False)


def netpbm_files() -> Iterator[Made]:
    for kind in b"2356":
        samples = GRAY if kind in b"25" else RGB
        for most in (1, 15, 100, 200, 254, 255, 256, 1023, 4095, 65535):
            for comment in ("", "# by hand\n"):
                head = f"P{kind - 48}\n{comment}{WIDE} {HIGH}\n{most}\n".encode()
                if kind in b"23":
                    body = " ".join(str(int(v) * most // 255) for v in samples.ravel()).encode()
                else:
                    scaled = samples.astype(int) * most // 255
                    body = scaled.astype(">u2" if most > 255 else np.uint8).tobytes()
                name = f"pnm P{kind - 48} maximum {most}{' comment' * bool(comment)}"
                yield Made(name, head + body, most == 255)
                if most == 255 and not comment:
                    yield Made(f"{name} twice", 2 * (head + body), False)
                    yield Made(f"{name} cut", (head + body)[:-9], False)
    bits = b"\n%d %d\n" % (WIDE, HIGH)
    yield Made("pnm P1", b"P1" + bits + b"1 " * (WIDE * HIGH), False)
    yield Made("pnm P4", b"P4" + bits + bytes(3 * HIGH), False)
    pam = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n" % (
        WIDE,
        HIGH,
    )
    yield Made("pnm P7", pam + GRAY.tobytes(), False)
    yield Made("pnm Pf", b"Pf\n%d %d\n-1.0\n" % (WIDE, HIGH) + bytes(4 * WIDE * HIGH), False)


def bmp(
    bits: int, *, down: bool = False, coding: int = 0, colours: int = 0, most: int = 256
) -> bytes:
    stride = -(-WIDE * bits // 32) * 4
    rows = RNG.integers(0, most, (HIGH, stride), np.uint8)
    palette = RNG.bytes(4 * (colours or 1 << bits)) if bits <= 8 else b""
    head = struct.pack(
        "<IiiHHIIiiII", 40, WIDE, -HIGH if down else HIGH, 1, bits, coding, 0, 0, 0, colours, 0
    )
    start = 14 + 40 + len(palette)
    return (
        struct.pack("<2sIHHI", b"BM", start + rows.size, 0, 0, start)
        + head
        + palette
        + rows.tobytes()
    )


def bmp_files() -> Iterator[Made]:
    for bits in (1, 4, 8, 16, 24, 32):
        for down in (False, True):
            yield Made(
                f"bmp {bits} bits {'down' if down else 'up'}", bmp(bits, down=down), bits in (8, 24)
            )
    yield Made("bmp few colours", bmp(8, colours=100, most=100), True)
    yield Made("bmp beyond its colours", bmp(8, colours=100), False)
    yield Made("bmp run lengths", bmp(8, coding=1), False)
    yield Made("bmp cut", bmp(24)[:-50], False)
    old = struct.pack("<IHHHH", 12, WIDE, HIGH, 1, 24)
    body = RNG.bytes(-(-WIDE * 24 // 32) * 4 * HIGH)
    yield Made(
        "bmp OS/2", struct.pack("<2sIHHI", b"BM", 26 + len(body), 0, 0, 26) + old + body, False
    )
    for mode in ("L", "RGB", "RGBA", "1"):
        file = io.BytesIO()
        Image.fromarray(RGB).convert(mode).save(file, "BMP")
        yield Made(f"bmp Pillow {mode}", file.getvalue(), mode in ("L", "RGB"))


def tiff(samples: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


def tiff_files() -> Iterator[Made]:
    kinds = {
        "gray": (GRAY, "minisblack", True),
        "inverted": (GRAY, "miniswhite", False),
        "rgb": (RGB, "rgb", True),
        "rgba": (np.dstack([RGB, GRAY]), "rgb", False),
        "gray alpha": (np.dstack([GRAY, GRAY]), "minisblack", False),
        "16 bits": (GRAY.astype(np.uint16) * 257, "minisblack", False),
        "16 bits rgb": (RGB.astype(np.uint16) * 257, "rgb", False),
        "32 bits": (GRAY.astype(np.uint32), "minisblack", False),
        "signed": (GRAY.astype(np.int8), "minisblack", False),
        "real": (GRAY.astype(np.float32), "minisblack", False),
        "one bit": (GRAY > 127, "minisblack", False),
    }
    for name, (samples, photometric, taken) in kinds.items():
        for order in "<>":
            for coding in (None, "zlib"):
                for shape in ({}, {"rowsperstrip": 4}, {"tile": (16, 16)}):
                    if name == "one bit" and (coding or shape):
                        continue
                    made = tiff(
                        samples,
                        photometric=photometric,
                        byteorder=order,
                        compression=coding,
                        **shape,
                    )
                    yield Made(f"tif {name} {order} {coding} {shape}", made, taken)
    yield Made(
        "tif planes",
        tiff(np.moveaxis(RGB, 2, 0).copy(), photometric="rgb", planarconfig="separate"),
        True,
    )
    yield Made(
        "tif predictor", tiff(RGB, photometric="rgb", compression="zlib", predictor=True), True
    )
    yield Made("tif two pages", tiff(np.stack([GRAY, GRAY]), photometric="minisblack"), False)
    yield Made("tif cut", tiff(GRAY, photometric="minisblack")[:-40], False)
    for coding in ("tiff_lzw", "packbits", "jpeg", "group4"):
        file = io.BytesIO()
        picture = Image.fromarray(GRAY)
        (picture.convert("1") if coding == "group4" else picture).save(
            file, "TIFF", compression=coding
        )
        yield Made(f"tif Pillow {coding}", file.getvalue(), coding in ("tiff_lzw", "packbits"))
    for mode in ("P", "CMYK", "YCbCr", "LAB", "RGBA"):
        file = io.BytesIO()
        Image.fromarray(RGB).convert(mode if mode != "LAB" else "RGB").save(file, "TIFF")
        yield Made(f"tif Pillow {mode}", file.getvalue(), mode == "LAB")
    for samples in (GRAY, RGB):
        for turn in range(1, 9):
            made = tiff(samples, photometric="minisblack" if samples.ndim == 2 else "rgb",
                        extratags=[(274, 3, 1, turn, True)])  # fmt: skip
            yield Made(f"tif {samples.ndim} turned {turn}", made, True, turn)


def jpeg(samples: np.ndarray, mode: str | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(samples)
    (picture.convert(mode) if mode else picture).save(file, "JPEG", **options)
    return file.getvalue()


def jpeg_files() -> Iterator[Made]:
    for samples in (GRAY, RGB):
        for progressive in (False, True):
            for quality in (50, 95):
                for restart in (0, 1):
                    for sampling in (0, 1, 2):
                        made = jpeg(samples, progressive=progressive, quality=quality,
                                    restart_marker_rows=restart, subsampling=sampling)  # fmt: skip
                        yield Made(
                            f"jpg {samples.ndim} {progressive} {quality} {restart} {sampling}",
                            made,
                            True,
                        )
        for turn in range(1, 9):
            yield Made(
                f"jpg {samples.ndim} turned {turn}", jpeg(samples, exif=exif(turn)), True, turn
            )
    whole = jpeg(RGB, quality=90)
    yield Made("jpg RGB components", jpeg(RGB, keep_rgb=True), True)
    yield Made("jpg CMYK", jpeg(RGB, "CMYK"), False)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    gray = jpeg(GRAY)
    yield Made("jpg gray with an Adobe marker", gray[:2] + adobe + gray[2:], True)
    yield Made("jpg cut", whole[: len(whole) // 2], False)
    yield Made("jpg without its last marker", whole[:-2], None)
    yield Made("jpg behind its end", whole + b"more", None)
    place = whole.index(b"\xff\xda")
    yield Made("jpg stray bytes", whole[:place] + b"\x01\x02\x03" + whole[place:], None)
    sof = whole.index(b"\xff\xc0")
    yield Made("jpg 12 bits", whole[: sof + 4] + b"\x0c" + whole[sof + 5 :], False)
    yield Made("jpg lossless", whole[: sof + 1] + b"\xc3" + whole[sof + 2 :], False)
    yield Made("jpg no height", whole[: sof + 5] + b"\0\0" + whole[sof + 7 :], False)
    middle = place + (len(whole) - place) // 2
    yield Made("jpg damaged", whole[:middle] + b"\xff\xd3" + whole[middle + 2 :], False)
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "MPO", save_all=True, append_images=[Image.fromarray(RGB)])
    yield Made("jpg MPO", file.getvalue(), False)


def all_files() -> list[Made]:
    kinds = (png_files, netpbm_files, bmp_files, tiff_files, jpeg_files)
    return [made for kind in kinds for made in kind()]
