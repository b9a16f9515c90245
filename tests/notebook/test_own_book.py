"""The book on a reader's own pictures: what is refused, what chapters are given, what is said."""

from dataclasses import replace

import nbformat
import numpy as np
import pytest
from PIL import Image

from leakage.notebook import own_book


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in (
        ("a.png", (90, 80)),
        ("deeper/b.png", (70, 64, 3)),
        (".hidden.png", (9, 9)),
    ):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    return folder


def test_looks_at_all_files_and_no_hidden_ones(folder):
    found = own_book.look_at(folder)
    assert found.shapes == ((90, 80), (70, 64))
    assert (found.mode, found.smallest) == ("rgb", 64)
    assert found.notes == ("1 of 2 pictures are gray and were read as three equal channels",)
    assert own_book.look_at(folder, "gray").mode == "gray"
    state = found.state
    Image.new("L", (70, 70)).save(folder / "c.png")
    assert own_book.look_at(folder).state != state


def test_gray_where_no_picture_has_colour(folder):
    (folder / "deeper" / "b.png").unlink()
    assert own_book.look_at(folder).mode == "gray"


def test_what_cannot_be_read_is_named_all_at_once_and_bounded(folder):
    for number in range(50):
        (folder / f"broken-{number}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="50 of 52 files cannot be used") as caught:
        own_book.look_at(folder)
    assert "and 30 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 22


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: [p.unlink() for p in f.rglob("*.png")], "no images in"),
        (lambda f: Image.new("L", (8, 8)).save(f / "icon.png"), "a side of 8 pixels"),
    ],
)
def test_refused(folder, spoil, says):
    spoil(folder)
    with pytest.raises(ValueError, match=says):
        own_book.look_at(folder)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        own_book.look_at(tmp_path / "nothing")


def test_other_files_are_never_replaced(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="holds other files"):
        own_book.check_site(tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        own_book.check_site(tmp_path / "mine.txt")
    (tmp_path / own_book.MARK).write_text("index.html")
    with pytest.raises(ValueError, match=r"mine\.txt"):
        own_book.check_site(tmp_path)
    (tmp_path / "mine.txt").rename(tmp_path / "index.html")
    own_book.check_site(tmp_path)


def test_chapters_get_no_more_than_there_is(folder):
    found = own_book.look_at(folder)
    declared = {"source": "photographs", "size": 256, "count": 0, "seed": 0, "picture": 52}
    given = own_book.parameters(declared, found)
    assert given == {"source": str(folder), "size": 64, "count": 2, "picture": 0}
    assert own_book.parameters({"source": "", "size": 32, "count": 1}, found)["count"] == 1
    assert own_book.parameters({"samples": 3}, found) == {}
    odd = replace(found, shapes=((100, 70), (321, 481)))
    assert own_book.parameters(declared, odd)["size"] == 64, "a multiple of 16"


def test_a_chapter_that_refuses_says_so_in_its_place(tmp_path):
    path = tmp_path / "chapter.ipynb"
    cells = [nbformat.v4.new_markdown_cell("# A title\n\nMore."), nbformat.v4.new_code_cell("1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    own_book._say_refused(path, "Traceback\n\x1b[31mValueError\x1b[0m: too few pictures\n")
    (cell,) = nbformat.read(path, 4).cells
    assert cell.source.startswith("# A title\n")
    assert "ValueError: too few pictures" in cell.source
    assert "\x1b" not in cell.source


def test_without_the_chapters_the_package_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(own_book, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(ValueError, match="clone the repository"):
        own_book.book_sources()
