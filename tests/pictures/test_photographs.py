"""The bundled photographs are there, and the book names who made them."""

from pathlib import Path

from PIL import Image

from leakage.pictures.photographs import PHOTOGRAPHS

ROOT = Path(__file__).resolve().parents[2]


def test_every_photograph_is_a_file_with_a_name_of_its_own():
    assert len({p.name for p in PHOTOGRAPHS}) == len(PHOTOGRAPHS)
    for p in PHOTOGRAPHS:
        with Image.open(p.file()) as picture:
            assert min(picture.size) >= 64


def test_credits_page_lists_every_photograph():
    page = (ROOT / "book" / "photographs.md").read_text(encoding="utf8")
    for p in PHOTOGRAPHS:
        assert f"| {p.name} | {p.subject} | {p.author} | {p.licence} |" in page
