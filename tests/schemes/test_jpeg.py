import base64
import io
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright import sync_api

import leakage
from leakage.schemes import JpegCipher, decrypt_jpeg, encrypt_jpeg
from leakage.schemes.jpeg import hidden_bits_of_jpeg
from leakage.schemes.jpeg_coding import compressed, read_coefficients
from leakage.truth.closed_forms import hidden_bits

NAMES = ["jpeg-dc", "jpeg-ac-sign", "jpeg-ac", "jpeg-dc-ac", "p3"]
every = pytest.mark.parametrize("name", NAMES)
CODINGS = {
    "4:2:0": {},
    "4:2:2": {"subsampling": "4:2:2"},
    "4:4:4": {"subsampling": "4:4:4", "quality": 100},
    "quality 1": {"quality": 1},
    "progressive": {"progressive": True},
    "optimised Huffman tables": {"optimize": True},
    "restart intervals": {"restart_marker_blocks": 3},
    "Exif and comment": {"exif": b"Exif\0\0thumbnail", "comment": b"secret place"},
}


@pytest.fixture(scope="module")
def picture():
    """The busiest of some photographs; its sides are no multiple of a block."""
    images = leakage.load_images(size=128, count=16, mode="rgb").images[:, :121, :107]
    return max(images, key=np.std)


def coded(image, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", **options)
    return file.getvalue()


def equal(first, second):
    one, other = read_coefficients(first), read_coefficients(second)
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def ac(plane):
    return plane.reshape(-1, 64)[:, 1:].astype(int)


@every
@pytest.mark.parametrize("coding", CODINGS)
def test_round_trip_of_coefficients(name, coding, picture, key):
    data = coded(picture, **CODINGS[coding])
    scheme = leakage.get_scheme(name)
    cipher = encrypt_jpeg(data, key, scheme, index=3)
    assert not equal(cipher.data, data)
    plain = decrypt_jpeg(cipher, key, scheme, index=3)
    assert equal(plain, data)
    assert np.array_equal(pixels(plain), pixels(data))
    assert pixels(cipher.data).shape == picture.shape
    # what the same coder wrote comes back byte by byte
    assert decrypt_jpeg(encrypt_jpeg(plain, key, scheme), key, scheme) == plain


@every
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (3, 40), (5, 9, 3)])
def test_gray_small_and_constant_files(name, shape, key, rng):
    scheme = leakage.get_scheme(name)
    for image in (rng.integers(0, 256, shape, np.uint8), np.full(shape, 255, np.uint8),
                  np.zeros(shape, np.uint8)):  # fmt: skip
        data = coded(image, quality=100)
        assert equal(decrypt_jpeg(encrypt_jpeg(data, key, scheme), key, scheme), data)


@every
def test_other_keys_and_indices(name, picture, key):
    data, scheme = coded(picture), leakage.get_scheme(name)
    cipher = encrypt_jpeg(data, key, scheme)
    for wrong in ({"key": key[::-1]}, {"key": bytes([key[0] ^ 1]) + key[1:]}, {"index": 1}):
        arguments = {"key": key, "index": 0} | wrong
        if name == "p3":
            with pytest.raises(ValueError, match="does not belong"):
                decrypt_jpeg(cipher, scheme=scheme, **arguments)
        else:
            assert not equal(decrypt_jpeg(cipher, scheme=scheme, **arguments), data)
            assert encrypt_jpeg(data, scheme=scheme, **arguments).data != cipher.data


def test_what_stays_clear(picture, key):
    data = coded(picture)
    plain = read_coefficients(data)
    found = {
        name: read_coefficients(encrypt_jpeg(data, key, leakage.get_scheme(name)).data)
        for name in NAMES
    }
    for i, plane in enumerate(plain):
        signs, amplitudes, means, both, public = (
            found[name][i] for name in ("jpeg-ac-sign", "jpeg-ac", "jpeg-dc", "jpeg-dc-ac", "p3")
        )
        assert np.array_equal(np.abs(ac(signs)), np.abs(ac(plane)))
        assert np.array_equal(ac(means), ac(plane))
        for changed in (signs, amplitudes):
            assert np.array_equal(changed[..., 0, 0], plane[..., 0, 0])
        for changed in (amplitudes, both):  # the category is the number of bits of the amount
            sizes = [np.frexp(np.abs(ac(p)).astype(float))[1] for p in (changed, plane)]
            assert np.array_equal(*sizes)
        small = np.abs(ac(plane)) <= 15
        assert np.array_equal(ac(public)[small], ac(plane)[small])
        assert (ac(public)[~small] == 15).all()
        assert not public[..., 0, 0].any()


def test_encrypted_parts_are_fair(key):
    """Signs, amplitudes and means of 32 photographs; false alarms below 1e-6 each."""
    images = leakage.load_images(size=128, count=32).images
    flips, changed, shifts = [], [], []
    for index, image in enumerate(images):
        data = compressed(image, 75)
        plane = read_coefficients(data)[0]
        signs, amplitudes, means = (
            read_coefficients(encrypt_jpeg(data, key, leakage.get_scheme(n), index=index).data)[0]
            for n in ("jpeg-ac-sign", "jpeg-ac", "jpeg-dc")
        )
        chosen = ac(plane) != 0
        flips.append(ac(signs)[chosen] != ac(plane)[chosen])
        ones = np.abs(ac(plane)) == 1
        changed.append(ac(amplitudes)[ones] != ac(plane)[ones])
        shifts.append(means[..., 0, 0] - plane[..., 0, 0])
    for bits in (np.concatenate(flips), np.concatenate(changed)):
        assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)
    # quantised by 8, means run from -128 to 127: 256 values, of which a step of 0 has one
    assert abs(np.mean(np.ravel(shifts) == 0) - 1 / 256) < 5 * np.sqrt(1 / 256 / np.size(shifts))


def test_sizes(picture, key):
    data = coded(picture)
    changes = {n: encrypt_jpeg(data, key, leakage.get_scheme(n)).size_change for n in NAMES}
    assert abs(changes["jpeg-ac-sign"]) < 0.01
    assert abs(changes["jpeg-ac"]) < 0.01
    assert 0 < changes["jpeg-dc"] < 1
    cipher = encrypt_jpeg(data, key, leakage.get_scheme("p3"))
    before = len(decrypt_jpeg(cipher, key, leakage.get_scheme("p3")))
    assert (len(cipher.data) + len(cipher.side)) / before - 1 == pytest.approx(cipher.size_change)


def test_nothing_of_the_metadata_survives(picture, key):
    data = coded(picture, **CODINGS["Exif and comment"])
    assert b"thumbnail" in data
    assert b"secret place" in data
    cipher = encrypt_jpeg(data, key, leakage.get_scheme("jpeg-ac"))
    assert b"thumbnail" not in cipher.data
    assert b"secret place" not in cipher.data


@every
def test_rasters(name, key, photographs):
    images = photographs.images[:3]
    scheme = leakage.get_scheme(name, quality=90)
    seen = scheme.encrypt(images, key)
    assert seen.shape == images.shape
    one = encrypt_jpeg(compressed(images[1], 90), key, scheme, index=1)
    assert np.array_equal(seen[1], pixels(one.data))
    with pytest.raises(ValueError, match="decrypt_jpeg"):
        scheme.decrypt(seen, key)


def test_hidden_bits(picture):
    data = coded(picture)
    planes = read_coefficients(data)
    nonzero = sum(np.count_nonzero(ac(p)) for p in planes)
    sizes = sum(np.frexp(np.abs(ac(p)).astype(float))[1].sum() for p in planes)
    hidden = {n: hidden_bits_of_jpeg(data, leakage.get_scheme(n)) for n in NAMES}
    assert hidden["jpeg-ac-sign"] == nonzero
    assert hidden["jpeg-ac"] == sizes
    assert hidden["jpeg-dc-ac"] == pytest.approx(hidden["jpeg-dc"] + hidden["jpeg-ac"])
    blocks = sum(p.shape[0] * p.shape[1] for p in planes)
    assert 6 * blocks < hidden["jpeg-dc"] < 11 * blocks
    scheme = leakage.get_scheme("jpeg-ac", quality=75)
    assert hidden_bits(scheme, picture) == hidden_bits_of_jpeg(compressed(picture, 75), scheme)


def test_refusals_of_files(picture, key, capfd):
    scheme = leakage.get_scheme("jpeg-ac")
    data = coded(picture)
    png = io.BytesIO()
    Image.fromarray(picture).save(png, "PNG")
    cmyk = io.BytesIO()
    Image.fromarray(picture).convert("CMYK").save(cmyk, "JPEG")
    middle = len(data) // 2
    damaged = data[:middle] + b"\xff\xc0" * 20 + data[middle + 40 :]
    for file, says in {
        b"": "no JPEG file",
        png.getvalue(): "no JPEG file",
        data[:2]: "is not an image that can be read",
        data[: len(data) // 2]: "damaged or cut off",
        data[:-2]: "damaged or cut off",
        damaged: "damaged or cut off",
        data[:-2] + bytes(50) + data[-2:]: "extraneous bytes",
        coded(picture, keep_rgb=True): "R, G and B",
        cmyk.getvalue(): "4 components, CMYK",
        data.replace(b"\xff\xc0", b"\xff\xc9", 1): "coding is not supported",  # arithmetic
        # legal Huffman codes of a coefficient of 1024, which 8-bit samples never have
        oversized(): "larger than any",
    }.items():
        with pytest.raises(ValueError, match=says):
            encrypt_jpeg(file, key, scheme)
    with pytest.raises(TypeError, match="as bytes"):
        encrypt_jpeg(picture, key, scheme)
    os.write(2, b"still there")  # stderr is given back
    assert capfd.readouterr().err == "still there"


def oversized() -> bytes:
    """A gray block with a DC of 0 and one AC of 1024: codes 0, 00 and 01, and 11 amplitude bits."""
    scan = int("0011000000000000", 2)
    return bytes.fromhex(
        f"ffd8 ffdb0043 00{'01' * 64} ffc0000b 08 0008 0008 01 01 11 00"
        f"ffc40014 00 01{'00' * 15} 00 ffc40015 10 0002{'00' * 14} 00 0b"
        f"ffda0008 01 01 00 00 3f 00 {scan:04x} ffd9"
    )


def test_threads_share_stderr(picture, key, capfd):
    """What other threads print is no damage, and stderr is given back to all."""
    data, scheme, done = coded(picture), leakage.get_scheme("jpeg-ac"), threading.Event()

    def talk():
        while not done.is_set():
            os.write(2, b"50 %\n")
            done.wait(0.001)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            files = list(pool.map(lambda _: encrypt_jpeg(data, key, scheme).data, range(40)))
    finally:
        done.set()
        talker.join()
    assert len(set(files)) == 1
    os.write(2, b"still there")
    assert set(capfd.readouterr().err.splitlines()) == {"50 %", "still there"}


def test_refusals_of_requests(picture, key):
    data, p3 = coded(picture), leakage.get_scheme("p3")
    with pytest.raises(TypeError, match="JPEG family"):
        encrypt_jpeg(data, key, leakage.get_scheme("skk"))
    with pytest.raises(ValueError, match="needs its secret part"):
        decrypt_jpeg(encrypt_jpeg(data, key, p3).data, key, p3)
    with pytest.raises(ValueError, match="does not belong"):
        decrypt_jpeg(JpegCipher(encrypt_jpeg(data, key, p3).data, b"x" * 50, 0.0), key, p3)
    with pytest.raises(ValueError, match="at least 16"):
        encrypt_jpeg(data, b"short", p3)
    for parameters in ({"quality": 0}, {"quality": 101}, {"quality": 75.5}):
        with pytest.raises(ValueError, match="1 to 100"):
            leakage.get_scheme("jpeg-dc", **parameters)
    with pytest.raises(ValueError, match="1 to 1023"):
        leakage.get_scheme("p3", threshold=0)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_browser_opens_them(picture, key):
    files = [encrypt_jpeg(coded(picture), key, leakage.get_scheme(n)).data for n in NAMES]
    tags = [
        f'<img src="data:image/jpeg;base64,{base64.b64encode(file).decode()}">' for file in files
    ]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("".join(tags))
        widths = page.evaluate(
            "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
        )
        browser.close()
    assert widths == [picture.shape[1]] * len(NAMES)


def test_orientation_and_profile_are_kept_and_nothing_else(picture, key):
    """A thumbnail or a comment would show the plain image."""
    tags = Image.Exif()
    tags[274], tags[270] = 6, "what the picture shows"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = coded(picture, exif=tags, icc_profile=profile, comment=b"a secret")
    scheme = leakage.get_scheme("jpeg-ac-sign")
    cipher = encrypt_jpeg(data, key, scheme)
    for file in (cipher.data, decrypt_jpeg(cipher, key, scheme)):
        with Image.open(io.BytesIO(file)) as image:
            assert dict(image.getexif()) == {274: 6}
            assert image.info["icc_profile"] == profile
            assert "comment" not in image.info
