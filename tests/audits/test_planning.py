"""How many images a question needs."""

import numpy as np
import pytest
from PIL import Image

import leakage
from leakage.__main__ import main


def test_more_images_find_less(tmp_path, capsys):
    images = leakage.load_images("scenes", size=32, count=60).images
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    assert main(["audit", str(tmp_path), "--plan"]) == 0
    told = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines()[3:6]}
    assert list(rows) == ["25", "50", "60"]
    assert "nothing" in rows["25"]
    assert float(rows["60"][0]) < float(rows["25"][0])
    assert "60 images are too few for an audit to clear anything" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{}", "{}", "--plan"], "give no ciphertexts"),
        (["{}", "--plan", "--scheme", "etc"], "give no ciphertexts"),
        (["{}", "--plan"], "too few to plan with"),
        (["{}", "{}"], "give a folder for the report, with -o"),
    ],
)
def test_bad_input(tmp_path, capsys, arguments, says):
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "a.png")
    assert main(["audit", *(a.format(tmp_path) for a in arguments)]) == 2
    assert says in capsys.readouterr().err
