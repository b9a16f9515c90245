"""Audits of folders of every kind: what is wrong is found, refused or undecided, never cleared."""

import numpy as np
import pytest
from PIL import Image

import leakage
from leakage.audits.pairs import from_folders, groups_of

COUNT = 60


@pytest.fixture(scope="module")
def pictures():
    """Colour photographs in patches of 64x64, all different."""
    return leakage.load_images(size=64, count=COUNT, mode="rgb", seed=3).images


@pytest.fixture(scope="module")
def noise(pictures):
    return leakage.get_scheme("bitplane", bits=8).encrypt(pictures, bytes(16))


def write(folder, images, suffix="png", **options):
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}.{suffix}", **options)
    return folder


def audited(tmp_path, plain, cipher, **options):
    sides = write(tmp_path / "plain", plain), write(tmp_path / "cipher", cipher)
    return leakage.audit(*sides, progress=False, **options)


def test_one_clear_plane_of_one_channel_is_found(tmp_path, pictures, noise):
    cipher = noise.copy()
    cipher[..., 1] ^= (cipher[..., 1] ^ pictures[..., 1]) & 1
    found = audited(tmp_path, pictures, cipher)
    assert found.leaks is True
    assert found.settings["channels"] == 3


def test_gray_is_said_to_leave_colour_out(tmp_path, pictures, noise):
    sides = write(tmp_path / "plain", pictures[:4]), write(tmp_path / "cipher", noise[:4])
    assert from_folders(*sides).shapes[0] == (64, 64, 3)
    gray = from_folders(*sides, mode="gray")
    assert gray.shapes[0] == (64, 64)
    assert gray.notes == ("the colour of 4 of 4 pairs was left out: they were read as gray",)


def test_thirty_pictures_twice_are_thirty(tmp_path, pictures, noise):
    found = audited(tmp_path, np.repeat(pictures[:30], 2, axis=0), noise)
    assert found.settings["independent images"] == 30
    assert "30 of 60 pictures are equal" in found.settings["notes"]
    assert found.leaks is None
    assert "60 pairs of 30 independent pictures" in found.verdict


def test_one_picture_under_many_keys(tmp_path, pictures):
    scheme = leakage.get_scheme("bitplane", bits=8)
    cipher = np.concatenate([scheme.encrypt(pictures[:1], bytes([i] * 16)) for i in range(COUNT)])
    found = audited(tmp_path, np.repeat(pictures[:1], COUNT, axis=0), cipher)
    assert found.leaks is None
    assert "60 pairs of 1 independent picture" in found.verdict
    assert "one picture alone" in [finding.name for finding in found.findings]
    clear = cipher & 254 | pictures[:1] & 1
    assert audited(tmp_path, np.repeat(pictures[:1], COUNT, axis=0), clear).leaks is True


def test_a_pair_of_which_one_side_is_turned_is_refused(tmp_path, pictures, noise):
    tag = Image.Exif()
    tag[274] = 3
    plain = write(tmp_path / "plain", pictures[:3], exif=tag)
    cipher = write(tmp_path / "cipher", noise[:3])
    with pytest.raises(
        ValueError, match=r"(?s)3 of 3 .*turned by an orientation tag in plain alone"
    ):
        leakage.audit(plain, cipher)
    both = from_folders(plain, plain)
    assert np.array_equal(both.read(0)[0], pictures[0, ::-1, ::-1])
    assert both.notes == ("3 of 3 pairs were turned upright, as their orientation tags ask",)


def test_sixteen_bits_are_refused(tmp_path, pictures, noise):
    plain = write(tmp_path / "plain", pictures[:3, ..., 0])
    cipher = tmp_path / "cipher"
    cipher.mkdir()
    for i, (image, high) in enumerate(zip(pictures[:3, ..., 0], noise[:3, ..., 0], strict=True)):
        Image.fromarray(high.astype(np.uint16) << 8 | image).save(cipher / f"{i:03}.png")
    with pytest.raises(ValueError, match=r"(?s)3 of 3 .*holds 16 bits a sample"):
        leakage.audit(plain, cipher)


def test_colour_on_one_side_is_refused_unless_asked_for(tmp_path, pictures, noise):
    sides = write(tmp_path / "plain", pictures[:3]), write(tmp_path / "cipher", noise[:3, ..., 0])
    with pytest.raises(ValueError, match="has colour in plain alone; give a mode"):
        from_folders(*sides)
    assert from_folders(*sides, mode="rgb").shapes[0] == (64, 64, 3)


def test_jpeg_ciphertexts_are_never_cleared(tmp_path, pictures, noise):
    plain = write(tmp_path / "plain", pictures)
    cipher = write(tmp_path / "cipher", noise, "jpg")
    found = leakage.audit(plain, cipher, progress=False)
    assert found.leaks is not False
    assert "60 of 60 ciphertexts are JPEG files, which are lossy" in found.settings["notes"]


def test_what_is_skipped_is_noted(tmp_path, pictures, noise):
    sides = write(tmp_path / "plain", pictures[:3]), write(tmp_path / "cipher", noise[:3])
    (sides[1] / "labels.csv").write_text("0,cat")
    (sides[1] / "._000.png").write_bytes(b"what macOS leaves")
    assert from_folders(*sides).notes == ("cipher: 1 file of another kind was skipped: labels.csv",)
    for file in sides[1].glob("*.png"):
        file.unlink()
    write(sides[1], noise[:3], "webp", lossless=True)
    with pytest.raises(ValueError, match="000 has no partner in"):
        from_folders(*sides)


def test_groups(tmp_path):
    names = ["cat/1", "cat/2", "dog/1"]
    same = [0, 1, 2]
    assert groups_of(names, same).tolist() == [0, 1, 2]
    assert groups_of(names, same, "folder").tolist() == [0, 0, 1]
    assert groups_of(names, same, r".*/(\d)").tolist() == [0, 1, 0]
    table = tmp_path / "groups.csv"
    table.write_text("cat/1.png,a\ncat/2.png,b\ndog/1.png,b\n")
    assert groups_of(names, same, table).tolist() == [0, 1, 1]
    assert groups_of(names, [0, 0, 2], ["x", "y", "y"]).tolist() == [0, 0, 0]  # equal joins them


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ("cat", "one part in parentheses"),
        ("(cat)/.*", "does not match 1 names, 'dog/1'"),
        ("(", "no regular expression"),
        ("nowhere.csv", "cannot be read"),
        (["a", "b"], "there are 3 pairs"),
    ],
)
def test_groups_refused(groups, says):
    with pytest.raises(ValueError, match=says):
        groups_of(["cat/1", "cat/2", "dog/1"], [0, 1, 2], groups)


def test_lines_that_contradict_each_other(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("cat/1.png,a\ncat/2.png,b\ncat/1.png,b\n")
    with pytest.raises(ValueError, match="puts 'cat/1' into two groups, 'a' and 'b'"):
        groups_of(["cat/1", "cat/2"], [0, 1], table)
