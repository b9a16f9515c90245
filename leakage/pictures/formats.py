"""What the header of a picture file says, and every reason not to take its samples as they are.

Pillow decodes files that it has to convert first: sixteen bits become eight, a maximum of 200
becomes 255, transparent pixels lose their transparency. So the bytes are looked at before it is
asked. PNG: ISO/IEC 15948; JPEG: ITU-T T.81; TIFF 6.0; PGM and PPM: Netpbm; BMP: Windows.
"""

import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

from PIL import Image

#: Samples are decoded in one piece; more pixels than these take more than half a gigabyte.
MOST_PIXELS = 64_000_000
#: No coding of these formats makes more samples of a byte: deflate does 1,032, LZW up to 1,365.
_SAMPLES_A_BYTE = 1_400
_LONGEST_HEADER = 4096  # of PGM and PPM, with comments
#: How the Exif data of a JPEG file begin.
EXIF = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])\s*[\"'<]")
_ORIENTATION = 274  # a tag of TIFF and Exif
#: Bytes of a value of each type of TIFF.
_TIFF_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_GRAY, _RGB, _PALETTE = 0, 2, 3  # colour types of PNG that have no alpha channel

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
_KNOWN_NETPBM = (b"2", b"3", b"5", b"6")
_BITS = "convert it to 8 bits a sample"


class Facts(NamedTuple):
    """What a header says: of its samples, of how to turn them, and of the colours of a palette."""

    height: int
    width: int
    bands: int
    orientation: int = 1
    colours: int = 256


def kind_of(file: BinaryIO) -> str:
    """Pillow's name of a file's format, by its first bytes and not by its name."""
    start = file.read(8)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    if re.match(rb"P[1-7][\s#]", start):
        if start[1:2] in (b"1", b"4"):
            raise ValueError(f"holds 1 bit a sample; {_BITS}")
        if start[1:2] in _KNOWN_NETPBM:
            return "PPM"
    raise ValueError("is not an image that can be read")


def check_size(facts: Facts, stored: int) -> None:
    """Refuse what would fill the memory, and what `stored` bytes cannot hold."""
    height, width, bands = facts[:3]
    if height < 1 or width < 1:
        raise ValueError("has no pixels")
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"is {width}x{height} pixels, more than {MOST_PIXELS:,}; cut it into several files"
        )
    if height * width * bands > stored * _SAMPLES_A_BYTE:
        raise ValueError(f"has {stored} bytes, too few for {width}x{height} pixels")


def check_png(file: BinaryIO, whole: bool) -> Facts:
    """Refuse a PNG file that is not 8 bits of gray, of RGB or of a palette, or is damaged.

    Parameters
    ----------
    file : binary file
        Of which nothing but the signature was looked at.
    whole : bool
        Check the sums over the samples too, which Pillow does not.

    Returns
    -------
    Facts
        The orientation of its eXIf chunk, and the colours of its palette.
    """
    file.seek(8)
    orientation, colours, header, samples = 1, 0, b"", False
    for kind, length in _chunks(file):
        if not header:
            header = _checked(file, kind, length)
            _check_png_header(kind, header)
        elif kind == b"eXIf":
            orientation = orientation_of(_checked(file, kind, length))
        else:
            _pass_chunk(file, kind, length, whole)
        if kind == b"PLTE":
            if colours or samples:
                raise ValueError("cannot be read (a second palette, or one after the samples)")
            colours = length // 3
        samples = samples or kind == b"IDAT"
        if kind == b"IEND":
            break
    if header[9] == _PALETTE and not colours:
        raise ValueError("cannot be read (a PNG file of a palette without its colours)")
    width, height = struct.unpack_from(">II", header)
    return Facts(height, width, 3 if header[9] == _RGB else 1, orientation, colours or 256)


def _pass_chunk(file: BinaryIO, kind: bytes, length: int, whole: bool) -> None:
    """Go to the next chunk, and check this one if a decoder has to understand it."""
    if kind == b"tRNS":
        raise ValueError("has transparent pixels; flatten it first")
    if kind == b"acTL":
        raise ValueError("is an animation; save one picture of it")
    if kind[:1].islower() or (kind == b"IDAT" and not whole):
        file.seek(length + 4, 1)
    elif kind in (b"PLTE", b"IDAT", b"IEND"):
        _checked(file, kind, length)
    else:
        raise ValueError(f"cannot be read (a chunk {kind!r} that no standard has)")


def _check_png_header(kind: bytes, content: bytes) -> None:
    if kind != b"IHDR" or len(content) != 13:
        raise ValueError("cannot be read (a PNG file without a header)")
    depth, colour = content[8:10]
    if colour not in (_GRAY, _RGB, _PALETTE):
        raise ValueError("has an alpha channel; flatten it first")
    if depth == 16:
        raise ValueError(f"holds 16 bits a sample; {_BITS}")
    if colour == _GRAY and depth != 8:
        raise ValueError(f"holds {depth} bits a sample; {_BITS}")


def exif_of(orientation: int) -> bytes:
    """Exif data that say how a picture is to be turned, and nothing else.

    Examples
    --------
    >>> orientation_of(exif_of(6))
    6
    """
    said = Image.Exif()
    said[_ORIENTATION] = orientation
    return said.tobytes()


def orientation_of(exif: bytes) -> int:
    """What Exif data say of how a picture is to be turned; 1, upright, where they say nothing.

    Examples
    --------
    >>> orientation_of(b"no Exif data")
    1
    """
    found = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found.load(exif)
            value = found.get(_ORIENTATION, 1)
        except Exception:  # damaged, of which Pillow says what it likes: no decoder turns by it
            return 1
    return value if value in range(1, 9) else 1


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk, up to and without the end of the file."""
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("cannot be read (the PNG file is cut off)")
        length, kind = struct.unpack(">I4s", head)
        if not kind.isalpha():
            raise ValueError("cannot be read (damaged: a part of the PNG file has no name)")
        yield kind, length


def _checked(file: BinaryIO, kind: bytes, length: int) -> bytes:
    """The content of a chunk, its sum checked."""
    content, stored = file.read(length), file.read(4)
    if len(content) < length or stored != struct.pack(">I", zlib.crc32(kind + content)):
        raise ValueError("cannot be read (damaged: a check sum of the PNG file is wrong)")
    return content


def check_jpeg(file: BinaryIO) -> Facts:
    """Refuse a JPEG file that is not 8 bits of one or three components."""
    file.seek(2)
    turned: list[tuple[bytes, int]] = []
    while True:
        marker = _next_marker(file)
        if marker in (0xDA, 0xD9):
            raise ValueError("cannot be read (a JPEG file without a header)")
        length = struct.unpack(">H", _exactly(file, 2))[0] - 2
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            break
        content = _exactly(file, max(length, 0))
        if marker == 0xE1:
            turned += _turned(content)
    depth, height, width, components = struct.unpack(">BHHB", _exactly(file, 6))
    if marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
        raise ValueError("is lossless or hierarchical JPEG; convert it to PNG")
    if depth != 8:
        raise ValueError(f"holds {depth} bits a sample; {_BITS}")
    if components not in (1, 3):
        raise ValueError(f"has {components} components, CMYK perhaps; convert it to gray or RGB")
    if height == 0:
        raise ValueError("says its height only at its end; save it again")
    return Facts(height, width, components, _orientation(turned))


def _turned(content: bytes) -> list[tuple[bytes, int]]:
    """What an APP1 segment of JPEG says of the orientation, and in which form."""
    if content.startswith(EXIF):
        return [(EXIF, orientation_of(content))]
    said = _XMP_ORIENTATION.search(content)
    return [(b"XMP", int(said[1]))] if said else []


def _orientation(turned: list[tuple[bytes, int]]) -> int:
    """The one orientation that all segments tell."""
    values = {value for _, value in turned} or {1}
    if len(values) > 1 or (values != {1} and EXIF not in dict(turned)):
        raise ValueError(
            "is turned by XMP, or by two Exif segments, which decoders read differently; save it "
            "upright, without the tags"
        )
    return values.pop()


def _next_marker(file: BinaryIO) -> int:
    while _exactly(file, 1) != b"\xff":
        pass
    while (marker := _exactly(file, 1)[0]) == 0xFF:
        pass
    return marker


def _exactly(file: BinaryIO, length: int) -> bytes:
    content = file.read(length)
    if len(content) < length:
        raise ValueError("cannot be read (it is cut off)")
    return content


def check_bmp(file: BinaryIO) -> Facts:
    """Refuse a BMP file that is not plain 24-bit RGB or an 8-bit palette."""
    stored = file.seek(0, 2)
    file.seek(0)
    head = _exactly(file, 18)
    if struct.unpack_from("<I", head, 14)[0] < 40:
        raise ValueError("is a BMP file of OS/2, which decoders read differently; save it again")
    width, height, planes, bits, coding, _, _, _, colours = struct.unpack(
        "<iiHHIIIII", _exactly(file, 32)
    )
    if planes != 1:
        raise ValueError("cannot be read (its header is damaged)")
    if bits == 32:
        raise ValueError("has a fourth channel; save it as RGB, 24 bits a pixel")
    if bits not in (8, 24):
        raise ValueError(f"holds {bits} bits a pixel; save it with 8 or 24")
    if coding != 0:
        raise ValueError("is a compressed BMP file; save it without compression, or as PNG")
    start, row = struct.unpack_from("<I", head, 10)[0], (width * bits + 31) // 32 * 4
    if width < 1 or start + row * abs(height) > stored:
        raise ValueError("cannot be read (it is cut off)")
    # the colours of 24 bits are a hint for screens of few
    shown = 256 if bits == 24 else colours or 256
    return Facts(abs(height), width, 3 if bits == 24 else 1, colours=shown)


def check_netpbm(file: BinaryIO) -> Facts:
    """Refuse a PGM or PPM file whose maximum is not 255, or that holds more or less than one."""
    stored = file.seek(0, 2)
    file.seek(0)
    start = file.read(_LONGEST_HEADER)
    number = rb"\s(?:\s|#[^\r\n]*[\r\n])*(\d{1,9})"
    head = re.match(rb"P([2356])" + 3 * number + rb"\s", start)
    if head is None:
        raise ValueError("cannot be read (its header is damaged, or a comment touches a number)")
    width, height, most = (int(head[i]) for i in (2, 3, 4))
    if most != 255:
        bits = ", 16 bits each" if most > 255 else ", not 255"
        raise ValueError(f"holds samples up to {most}{bits}; {_BITS}")
    facts = Facts(height, width, 3 if head[1] in b"36" else 1)
    wanted = height * width * facts.bands
    found = stored - head.end()
    if head[1] in b"23":
        file.seek(head.end())
        body = file.read()
        if b"#" in body:
            raise ValueError("has comments among its samples; save it again")
        if re.search(rb"[^\s\d]", body):
            raise ValueError("cannot be read (something among its samples is no number)")
        found = len(body.split())
    if found != wanted:
        raise ValueError(
            f"holds {found} samples, {wanted} were expected: it is cut off, or several pictures"
        )
    return facts


def check_tiff_directory(file: BinaryIO, stored: int) -> None:
    """Refuse a TIFF file whose first list of tags is damaged, or is not the only one."""
    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    place = struct.unpack(f"{order}HI", _exactly(file, 6))[1]
    file.seek(place)
    count = struct.unpack(f"{order}H", _exactly(file, 2))[0]
    entries = list(struct.iter_unpack(f"{order}HHII", _exactly(file, 12 * count)))
    tags = [tag for tag, _, _, _ in entries]
    if any(one >= other for one, other in pairwise(tags)):
        raise ValueError("cannot be read (damaged: its tags are not in order)")
    for _, kind, length, value in entries:
        size = length * _TIFF_BYTES.get(kind, stored + 1)
        if not 0 < size <= stored or (size > 4 and value + size > stored):
            raise ValueError("cannot be read (damaged: a tag points beyond its end)")
    if struct.unpack(f"{order}I", _exactly(file, 4))[0]:
        raise ValueError("holds several pictures; save one alone")


def check_tiff(tags: Mapping[int, Any], stored: int) -> Facts:
    """Refuse a TIFF file that is not one picture of 8-bit gray or RGB, coded without loss.

    Parameters
    ----------
    tags : dict
        Of its first directory, by number, as Pillow gives them.
    stored : int
        Bytes of the file.
    """

    if _values(tags, 258, 1) != {8}:
        bits = "/".join(map(str, sorted(map(str, _values(tags, 258, 1)))))
        raise ValueError(f"holds {bits} bits a sample; {_BITS}")
    if 338 in tags or _values(tags, 277, 1) - {1, 3}:
        raise ValueError("has an alpha channel or more than three; flatten it first")
    if _values(tags, 262, -1) - {1, 2} or (_values(tags, 262, -1) == {2}) != (
        _values(tags, 277, 1) == {3}
    ):
        raise ValueError("is neither gray from black to white nor RGB; convert it")
    if _values(tags, 259, 1) - {1, 5, 8, 32773, 32946}:
        raise ValueError("is compressed in a way that is not supported; save it with LZW or none")
    _check_layout(tags, stored)
    orientation = tags.get(_ORIENTATION, 1)
    high, wide, bands = (int(str(tags.get(t, 1))) for t in (257, 256, 277))
    return Facts(high, wide, bands, int(str(orientation)) if orientation in range(1, 9) else 1)


def _values(tags: Mapping[int, Any], number: int, usual: int) -> set[Any]:
    value = tags.get(number, usual)
    return set(value) if isinstance(value, tuple) else {value}


def _check_layout(tags: Mapping[int, Any], stored: int) -> None:
    """Refuse samples that are no bytes, or do not lie where a decoder looks for them."""
    if _values(tags, 339, 1) != {1}:
        raise ValueError("holds signed or real samples; convert it to 8 bits without sign")
    if _values(tags, 266, 1) != {1}:
        raise ValueError("has its bits in reversed order; save it again")
    if _values(tags, 284, 1) - {1, 2}:
        raise ValueError("cannot be read (damaged: an order of planes that there is not)")
    if 330 in tags:
        raise ValueError("holds further pictures; save one alone")
    if _values(tags, 259, 1) == {1} and not _all_there(tags, stored):
        raise ValueError("cannot be read (it is cut off, or its directory is damaged)")


def check_tiff_sums(file: BinaryIO, tags: Mapping[int, Any]) -> None:
    """Check the sums behind deflated strips and tiles, which libtiff does not look at."""
    if tags.get(259) not in (8, 32946):
        return
    places, lengths, sizes = _pieces(tags)
    for place, length, size in zip(places, lengths, sizes, strict=True):
        file.seek(place)
        part = zlib.decompressobj()
        try:
            found = part.decompress(file.read(length), size + 1)
        except zlib.error:
            found = b""
        if len(found) != size or not part.eof:
            raise ValueError("cannot be read (damaged: a check sum of the TIFF file is wrong)")


def _pieces(tags: Mapping[int, Any]) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Where the strips or tiles of a file lie, how long they are, and how many samples each has."""
    wide, high, bands = tags[256], tags[257], tags.get(277, 1)
    apart = bands if tags.get(284, 1) == 2 else 1  # planes one after the other
    if 322 in tags:  # tiles, padded at the edges
        columns, rows = tags[322], tags[323]
        sizes = [columns * rows * (bands // apart)] * (-(-wide // columns) * -(-high // rows))
        return tags[324], tags[325], sizes * apart
    rows = min(tags.get(278, high), high)
    sizes = [min(rows, high - top) * wide * (bands // apart) for top in range(0, high, rows)]
    return tags[273], tags[279], sizes * apart


def _all_there(tags: Mapping[int, Any], stored: int) -> bool:
    """Whether the strips or tiles of an uncompressed file lie in it and hold all samples."""
    try:
        places, lengths, sizes = _pieces(tags)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return False  # tags are missing or of another type
    return (
        list(lengths) == sizes
        and len(places) == len(sizes)
        and all(place + size <= stored for place, size in zip(places, sizes, strict=True))
    )
