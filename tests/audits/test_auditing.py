import base64
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import leakage
from leakage.__main__ import main
from leakage.audits.auditing import audit
from leakage.audits.pairs import from_arrays, from_folders
from leakage.audits.pictures import attacked
from leakage.audits.schemes import scheme_key
from leakage.audits.structure import Structure


@pytest.fixture(scope="module")
def images():
    found = leakage.load_images().images
    return found[np.random.default_rng(0).choice(len(found), 60, replace=False)]


@pytest.fixture
def noise(images, key):
    """What full AES-CTR makes of the images."""
    return leakage.get_scheme("bitplane", bits=8).encrypt(images, key)


def found(plain, cipher):
    """Names of the exact checks that find a leak, and raw p-values of the others."""
    findings = looked_at(plain, cipher).findings()
    leaks = {f.name for f in findings if f.leaks}
    return leaks | {f.name for f in findings if f.p_value is not None and f.p_value <= 5e-4}


def looked_at(plain, cipher):
    pairs = from_arrays(plain, cipher)
    checks = Structure(pairs)
    for pair in pairs:
        checks.add(*pair)
    return checks


ZOO = {
    "bitplane": ({"bits": 4}, "clear bit planes"),
    "nonzero-key": ({"bits": 8}, "missing differences"),
    "aes-ecb": ({}, "equal blocks stay equal"),
    "region": ({}, "uneven keystream"),
    "pixel-shuffle": ({}, "histogram"),
    "block-shuffle": ({}, "histogram"),
    "cat-map": ({}, "histogram"),
    "etc": ({}, "folded histogram"),
    "le": ({}, "folded half bytes"),
    "ele": ({}, "folded half bytes"),
    "skk": ({}, "folded histogram"),
    "tpe-shuffle": ({}, "block sums"),
    "tpe-sum": ({}, "block sums"),
    "logistic-xor": ({}, "uneven keystream"),
    "identity": ({}, "images in the clear"),
    "reused-keystream": ({}, "keystream reused"),
    "biased-keystream": ({"bias": 0.51}, "uneven keystream"),
}


@pytest.mark.parametrize("name", ZOO)
def test_structure_of_the_zoo(name, images, key):
    parameters, expected = ZOO[name]
    cipher = leakage.get_scheme(name, **parameters).encrypt(images, key)
    assert expected in found(images, cipher)


@pytest.mark.parametrize("mode", ["gray", "rgb"])
def test_nothing_is_invented(mode):
    """Full AES-CTR under 100 keys; false alarms of this test: below 0.05 (p-values only)."""
    images = leakage.load_images(count=30, mode=mode).images
    scheme = leakage.get_scheme("bitplane", bits=8)
    for seed in range(50):
        assert not found(images, scheme.encrypt(images, np.random.default_rng(seed).bytes(16)))


def test_uneven_ciphertexts_that_know_nothing_are_no_leak(images, rng):
    """Bytes of a skewed law, drawn without the images."""
    cipher = rng.binomial(255, 0.4, images.shape).astype(np.uint8)
    assert "uneven keystream" not in found(images, cipher)


def keystream_of(images, key):
    return leakage.get_scheme("bitplane", bits=8).encrypt(np.zeros_like(images), key)


def periodic(images, key):
    stream = keystream_of(images, key).reshape(len(images), -1)
    return images ^ np.tile(stream[:, :1024], (1, 4)).reshape(images.shape)


def restarting_rows(images, key):
    return images ^ keystream_of(images, key)[:, :1]


def one_in_ten_reused(images, key):
    stream = keystream_of(images, key)
    stream[::10] = stream[0]
    return images ^ stream


def biased_bits(images, key):
    return leakage.get_scheme("biased-keystream", bias=0.51).encrypt(images, key)


def low_nibble_of_every_16th(images, key):
    stream = keystream_of(images, key)
    stream.reshape(-1)[::16] &= 0xF0
    return images ^ stream


def some_in_clear(images, key):
    cipher = images ^ keystream_of(images, key)
    cipher[::20] = images[::20]
    return cipher


def brightness_only(images, key):
    """Noise whose mean is the image's: an ideal thumbnail of one block."""
    return leakage.get_scheme("tpe-sum", block=images.shape[1]).encrypt(images, key)


FLAWS = {
    periodic: "keystream repeated",
    restarting_rows: "keystream repeated",
    one_in_ten_reused: "keystream reused",
    biased_bits: "uneven keystream",
    low_nibble_of_every_16th: "uneven keystream",
    some_in_clear: "images in the clear",
    brightness_only: "block sums",
}


@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.__name__)
def test_planted_flaws(flaw, images, key):
    assert FLAWS[flaw] in found(images, flaw(images, key))


def test_a_leak_and_no_leak(images, noise, key):
    """The whole audit; its family-wise level is 0.01."""
    clean = audit(images, noise, progress=False)
    assert clean.leaks is None  # 60 images cannot tell a leak of any size from none
    assert clean.detectable_bits is None
    assert "Undecided" in clean.verdict
    assert clean.certified_bits == 0
    assert not [f for f in clean.findings if f.leaks]
    leaky = audit(scheme=leakage.get_scheme("skk"), images=images, progress=False)
    assert leaky.leaks is True
    assert leaky.findings[0].level == "structure"
    shown = ["plain", "cipher", "inversions folded away"]
    assert list(leaky.pictures) == [*shown, "most exposed", "most exposed, encrypted"]
    assert list(clean.pictures) == ["plain", "cipher"]
    assert leaky.exact.bits == leakage.exact_leakage(leakage.get_scheme("skk"), images).bits
    pixel = next(f for f in leaky.findings if f.level == "pixel")
    assert pixel.estimate.low <= leaky.exact.bits + 0.2
    for result in (clean, leaky):
        assert {f.level for f in result.findings} == {
            "structure", "pixel", "patch", "critic", "embedding", "identification",
        }  # fmt: skip
        assert "secure" not in result.verdict
        assert key.hex() not in repr(result)
        assert "PSNR, dB" in result.metrics.index


@pytest.mark.parametrize("shape", ["header", "vignette"])
def test_ciphertexts_that_know_only_the_place_are_no_leak(shape, images, noise, rng):
    """Whatever the image, the upper rows are dark; photographs too are unlike above and below."""
    if shape == "header":
        cipher = noise.copy()
        cipher[:, :8] = 0
    else:
        chance = np.linspace(0.35, 0.65, images.shape[1])[:, None]
        cipher = rng.binomial(255, chance, images.shape).astype(np.uint8)
    result = audit(images, cipher, progress=False)
    assert not result.leaks
    assert result.certified_bits == 0


def test_strong_leaks_are_certified(images):
    result = audit(images, images ^ np.uint8(85), progress=False)
    assert 0 < result.certified_bits < np.log2(len(images))


@pytest.mark.parametrize(
    ("name", "parameters", "closest"),
    [
        ("bitplane", {"bits": 1}, "encrypted planes guessed from the others"),
        ("skk", {}, "inversions folded away"),
        ("tpe-shuffle", {}, "means of small squares"),
    ],
)
def test_attacked_pictures(name, parameters, closest, images, key):
    """What the attack makes is closer to the image's own than to others'."""
    cipher = leakage.get_scheme(name, **parameters).encrypt(images, key)
    checks = looked_at(images, cipher)
    names = {finding.name for finding in checks.findings() if finding.leaks}
    pictures = attacked(cipher, checks.clear_planes, names)
    target = leakage.attacks.fold(images) if name == "skk" else images
    target = target[:, : pictures[closest].shape[1], : pictures[closest].shape[2]]
    found = leakage.attacks.identify(pictures[closest], target)
    assert found.low > 0.2  # by guessing 1 in 60


def test_no_pictures_without_structure(noise):
    assert attacked(noise, 0, {"single samples"}) == {}


def test_few_pairs_are_undecided(images, noise):
    result = audit(images[:20], noise[:20], progress=False)
    assert result.leaks is None
    assert "too few" in result.verdict
    assert result.detectable_bits is None or result.detectable_bits > 1


def test_a_public_keystream_needs_the_scheme(images, key):
    scheme = leakage.get_scheme("public-keystream")
    assert not found(images, scheme.encrypt(images, key))
    result = audit(scheme=scheme, images=images[:20], progress=False)
    assert result.leaks
    assert result.findings[0].name == "independent of the key"


class Careful:
    """Adds a keystream, then changes what stayed the same."""

    def encrypt(self, images, key):
        stream = np.random.default_rng(list(key)).integers(0, 256, images.shape, np.uint8)
        cipher = images + stream
        return np.where(cipher == images, images ^ 1, cipher)


def test_a_scheme_of_ones_own(images):
    result = audit(scheme=Careful(), images=images[:20], progress=False)
    assert result.leaks
    assert "missing differences" in {f.name for f in result.findings if f.leaks}


class Failing:
    def encrypt(self, images, key):
        raise RuntimeError("boom")


def test_a_scheme_of_ones_own_that_fails_is_named(images):
    with pytest.raises(ValueError, match=r"Failing\.encrypt failed, RuntimeError: boom"):
        audit(scheme=Failing(), images=images[:20], progress=False)


def test_bad_requests(images, noise):
    with pytest.raises(TypeError, match="not both"):
        audit(images, noise, scheme=leakage.get_scheme("skk"), images=images)
    with pytest.raises(TypeError, match="give plain and cipher"):
        audit()
    with pytest.raises(ValueError, match="its own ciphertext of the same size"):
        audit(images, noise[:, :32])
    with pytest.raises(ValueError, match="at least 32"):
        audit(images[:, :16], noise[:, :16])
    with pytest.raises(ValueError, match="groups has shape"):
        audit(images, noise, groups=np.arange(3))
    with pytest.raises(ValueError, match="'quick' or 'full'"):
        audit(images, noise, profile="slow")
    with pytest.raises(ValueError, match="'fresh' or 'fixed'"):
        audit(images, noise, keying="none")
    with pytest.raises(ValueError, match="module:Class"):
        audit(scheme="nothing", images=images)
    with pytest.raises(ValueError, match=r"cannot find leakage\.schemes\.controls:Nothing"):
        audit(scheme="leakage.schemes.controls:Nothing", images=images)
    with pytest.raises(TypeError, match="has a method encrypt"):
        audit(scheme=3, images=images)


def write(folder, images, suffix=".png"):
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}{suffix}")


def test_folders(images, noise, tmp_path):
    write(tmp_path / "plain", images[:5], ".pgm")
    write(tmp_path / "cipher", noise[:5])
    pairs = from_folders(tmp_path / "plain", tmp_path / "cipher")
    for (plain, cipher), (a, b) in zip(pairs, from_arrays(images[:5], noise[:5]), strict=True):
        assert np.array_equal(plain, a)
        assert np.array_equal(cipher, b)
    (tmp_path / "plain" / "001.pgm").write_bytes(b"P5 not an image")
    (tmp_path / "cipher" / "002.png").unlink()
    Image.fromarray(noise[3, :32]).save(tmp_path / "cipher" / "003.png")
    with pytest.raises(ValueError, match="3 of 5 files cannot be used") as caught:
        from_folders(tmp_path / "plain", tmp_path / "cipher")
    for name in ("001", "002", "003"):
        assert name in str(caught.value)


def test_command(images, noise, tmp_path, capsys):
    write(tmp_path / "plain", images[:20])
    write(tmp_path / "cipher", noise[:20])
    folders = [str(tmp_path / name) for name in ("plain", "cipher")]
    report = tmp_path / "report"
    assert main(["audit", *folders, "-o", str(report)]) == 3
    assert "Undecided" in capsys.readouterr().out
    assert json.loads((report / "report.json").read_text())["leaks"] is None
    assert main(["audit", folders[0], folders[0], "-o", str(report)]) == 1
    assert json.loads((report / "report.json").read_text())["leaks"] is True
    assert main(["audit", str(tmp_path / "nowhere"), folders[1], "-o", str(tmp_path / "no")]) == 2
    assert "not a folder" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_program_as_scheme(images, tmp_path, capsys):
    write(tmp_path / "plain", images[:20])
    program = tmp_path / "scheme.sh"
    program.write_text('#!/bin/sh\ncp "$1" "$2"\n')
    program.chmod(0o755)
    arguments = ["audit", str(tmp_path / "plain"), "--scheme", str(program), "-o",
                 str(tmp_path / "report")]  # fmt: skip
    assert main(arguments) == 1
    assert "images in the clear" in capsys.readouterr().out
    program.write_text("#!/bin/sh\nexit 7\n")
    assert main(arguments) == 2
    assert "exit code 7" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_folders_of_other_programs(images, tmp_path, capsys):
    """Pixels encrypted by openssl, in files that another program wrote; then three defects."""
    plain, cipher, report = (tmp_path / name for name in ("plain", "cipher", "report"))
    write(plain, images[:20])
    cipher.mkdir()
    for i, image in enumerate(images[:20]):
        height, width = image.shape
        made = subprocess.run(
            ["openssl", "enc", "-aes-128-ctr", "-K", "00" * 16, "-iv", f"{i:016x}{0:016x}"],
            input=image.tobytes(), capture_output=True, check=True,
        ).stdout  # fmt: skip
        # a comment in the header, as ImageMagick and others write it
        header = f"P5\n# made elsewhere\n{width} {height}\n255\n".encode()
        (cipher / f"{i:03}.pgm").write_bytes(header + made)
    arguments = ["audit", str(plain), str(cipher), "-o", str(report)]
    assert main(arguments) == 3  # 20 pairs are too few to clear a scheme
    assert "Undecided" in capsys.readouterr().out

    shutil.rmtree(report)
    (cipher / "003.pgm").write_bytes(b"P5\n64 64\n255\nshort")
    (cipher / "004.pgm").unlink()
    (cipher / "005.pgm").write_bytes(b"P5\n32 32\n255\n" + bytes(1024))
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "3 of 20 files cannot be used" in message
    assert all(name in message for name in ("003", "004", "005"))
    assert not report.exists()


MAGICK = shutil.which("magick") or shutil.which("convert", path="/usr/bin:/opt/homebrew/bin")


@pytest.mark.skipif(MAGICK is None, reason="needs ImageMagick")
def test_files_of_imagemagick(images, tmp_path):
    write(tmp_path / "plain", images[:5])
    (tmp_path / "cipher").mkdir()
    for i in range(5):
        name = tmp_path / "cipher" / f"{i:03}.tiff"
        subprocess.run([MAGICK, tmp_path / "plain" / f"{i:03}.png", "-negate", name], check=True)
    pairs = from_folders(tmp_path / "plain", tmp_path / "cipher")
    for (plain, cipher), image in zip(pairs, images[:5], strict=True):
        assert np.array_equal(plain, image)
        assert np.array_equal(cipher, 255 - image)


def test_no_secrets(images, tmp_path, capsys):
    """Neither key nor keystream in any file, on the screen or in an error."""
    seed = 5
    key = scheme_key(seed)
    scheme = leakage.get_scheme("bitplane", bits=8)
    result = audit(scheme=scheme, images=images[:20], seed=seed, progress=True)
    paths = result.save(tmp_path)
    stream = scheme.encrypt(np.zeros_like(images[:1]), key).tobytes()
    texts = [path.read_bytes() for path in paths.values()]
    texts += [repr(result).encode(), *(text.encode() for text in capsys.readouterr())]
    for secret in (key, stream[:32], stream[-32:]):
        forms = [secret, secret.hex().encode(), secret.hex().upper().encode(),
                 base64.b64encode(secret)[:-4], repr(secret)[2:-1].encode(),
                 str(list(secret))[1:-1].encode()]  # fmt: skip
        for text in texts:
            assert not [form for form in forms if form in text]
    with pytest.raises(TypeError) as caught:
        audit(scheme=key, images=images)
    assert repr(key) not in str(caught.value)


@pytest.mark.parametrize(
    "sources",
    [range(25), range(29), [0] * 30 + list(range(1, 31)), [*range(26), *[25] * 60]],
    ids=["25", "29", "half in one group", "most in one group"],
)
def test_any_sizes_of_groups_are_audited(sources):
    """Folds of five have no more than five to choose from, and a large group fills a fold."""
    groups = np.array(sources)
    plain = leakage.load_images("scenes", size=32, count=len(groups)).images
    found = audit(plain, plain ^ 0xA5, groups=groups, progress=False)
    assert found.leaks
    assert {limit.adversary.partition(",")[0] for limit in found.limits} >= {
        "finds the image of a ciphertext", "knows that image and ciphertext belong together"
    }  # fmt: skip
    (identified,) = (f for f in found.findings if f.level == "identification")
    assert identified.leaks


class InPlace:
    """Encrypts the very array that it is given."""

    def encrypt(self, images, key):
        images ^= np.random.default_rng(list(key)).integers(0, 256, images.shape, np.uint8)
        return images


class Ends:
    def encrypt(self, images, key):
        raise SystemExit(0)


class EndsLater(InPlace):
    def decrypt(self, cipher, key):
        raise SystemExit(0)


def test_a_scheme_that_encrypts_in_place_is_compared_with_what_it_was_given(images):
    before = images[:12].copy()
    found = audit(scheme=InPlace(), images=images[:12], progress=False)
    assert not found.leaks
    assert np.array_equal(images[:12], before)


def test_a_scheme_that_ends_the_process_ends_no_audit(images):
    with pytest.raises(ValueError, match="encrypt failed, SystemExit: 0"):
        audit(scheme=Ends(), images=images[:12], progress=False)
    with pytest.raises(ValueError, match="decrypt failed, SystemExit: 0"):
        audit(scheme=EndsLater(), images=images[:12], progress=False)


def test_the_same_places_in_the_clear_are_named(rng):
    plain, cipher = rng.integers(0, 256, (2, 20, 32, 32), np.uint8)
    cipher[:, ::8, ::8] = plain[:, ::8, ::8]
    found = audit(plain, cipher, progress=False)
    assert found.findings[0].name == "places in the clear"
    assert "the same 16 of 1024 samples" in found.findings[0].meaning


def test_few_images_leave_no_place_in_the_clear_by_chance(rng):
    """One bit of each sample is encrypted: half of the samples are as they were, by chance."""
    plain = rng.integers(0, 256, (6, 32, 32), np.uint8)
    cipher = plain ^ rng.integers(0, 2, plain.shape, np.uint8)
    found = audit(plain, cipher, progress=False)
    assert not next(f for f in found.findings if f.name == "places in the clear").leaks


def test_equal_blocks_of_one_image_are_no_codebook(rng):
    """One image and its ciphertext repeat their rows, as pictures of something else may."""
    plain, cipher = rng.integers(0, 256, (2, 30, 32, 32), np.uint8)
    plain[3], cipher[3] = plain[3, :1], cipher[3, :1]
    found = audit(plain, cipher, progress=False)
    assert not next(f for f in found.findings if f.name == "equal blocks stay equal").leaks
    plain[7], cipher[7] = plain[7, :1], cipher[7, :1]
    found = audit(plain, cipher, progress=False)
    assert next(f for f in found.findings if f.name == "equal blocks stay equal").leaks


def test_what_is_measured_and_not_confirmed_is_open(images):
    """Eleven images in the clear: neighbourhoods share all bits, and can hardly be exchanged."""
    found = audit(images[:11], images[:11], progress=False)
    unconfirmed = [
        f for f in found.findings if f.estimate and f.estimate.low and f.estimate.low > 0
    ]
    assert unconfirmed
    assert all(f.leaks is not False for f in unconfirmed)
