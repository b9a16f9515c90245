"""One word for one thing, in all that readers see: chapters and pages."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *sorted((ROOT / "book").glob("*.md"))]
#: What is not written, and what to write instead.
NOT_OURS = {
    r"\bsecure(ly)?\b": "no measurement shows that; say what was looked for and not found",
    r"\bprovably\b": "say what is proven, and under what assumption",
    r"\b(it is )?worth noting\b|\bimportantly\b|\bcrucially\b|\bnotably\b": "leave it out",
    r"\bvery unique\b|\bobviously\b|\bof course\b": "leave it out",
    r"\bpixels? pairs?\b": "a pair is a plain and an encrypted vector",
    r"\bimage patch(es)?\b|\bpatch images?\b": "a patch is a square cut out of a photograph",
    r"\bground truth value\b": "exact value",
    r"\bciphered\b|\bcyphertexts?\b|\bcipher ?texts? images?\b": "ciphertext",
    r"\bMI\b(?! )(?!\()": "mutual information",
    r"\bp ?= ?0\.0+\b": "p < 0.001",
}


def prose(path):
    """Text that is shown: Markdown, and what cells say; no code, no links' addresses."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(
            cell.source
            for cell in cells
            if cell.cell_type == "markdown" or re.search(r"^\s*(say|claim)\(", cell.source, re.M)
        )
    else:
        text = path.read_text(encoding="utf8")
    text = re.sub(r"```.*?```", " ", text, flags=re.S)
    return re.sub(r"\]\([^)]*\)|`[^`]*`|\{[^{}]*\}", " ", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_vocabulary(path):
    text = prose(path)
    found = {
        text[max(0, m.start() - 30) : m.end() + 30]: instead
        for pattern, instead in NOT_OURS.items()
        for m in re.finditer(pattern, text, re.IGNORECASE)
    }
    assert not found


def test_such_words_are_found():
    patterns = "|".join(f"(?:{pattern})" for pattern in NOT_OURS)
    said = "This scheme is secure. Of course, p = 0.0000 of all image patches."
    assert len(re.findall(patterns, said, re.IGNORECASE)) == 4
