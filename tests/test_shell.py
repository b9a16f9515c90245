"""The command line: an exit code for every way to end, kept whatever fails."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import leakage
import leakage.__main__ as shell
from leakage import options

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(leakage.__file__).parents[1])}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Six pictures, and as many ciphertexts."""
    monkeypatch.chdir(tmp_path)
    images = leakage.load_images(size=32, count=6).images
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(images, bytes(16))
    for name, side in (("plain", images), ("cipher", cipher)):
        Path(name).mkdir()
        for i, image in enumerate(side):
            Image.fromarray(image).save(f"{name}/{i}.png")
    return tmp_path


def program(name, text):
    Path(name).write_text(f"#!/bin/sh\n{text}\n")
    Path(name).chmod(0o755)
    return f"./{name}"


def test_codes_of_answers(folder, capsys):
    assert shell.main(["audit", "plain", "cipher", "-o", "report"]) == 3
    assert "Undecided" in capsys.readouterr().out
    assert shell.main(["audit", "plain", "--scheme", "bitplane", "--set", "bits=3", "-o", "r"]) == 1
    assert "clear bit planes" in capsys.readouterr().out
    assert json.loads(Path("r/report.json").read_text())["settings"]["scheme"].startswith(
        "BitPlane"
    )


def test_the_code_of_no_leak(folder, capsys):
    """It takes some 200 pictures to say so."""
    images = leakage.load_images(size=32, count=220, seed=1).images
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(images, bytes(16))
    for name, side in (("plain", images), ("cipher", cipher)):
        for i, image in enumerate(side):
            Image.fromarray(image).save(f"{name}/{i}.png")
    assert shell.main(["audit", "plain", "cipher", "-o", "report"]) == 0
    assert "No leak detected: this audit would have detected" in capsys.readouterr().out


def test_the_book_has_the_codes():
    """As the help has them; each is a test of this file, or of those of studies and of the book."""
    page = Path(leakage.__file__).parents[1] / "book" / "commands.md"
    table = page.read_text("utf8").split("## Exit codes")[1].split("## Files")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()
            if line.startswith("|")][2:]  # fmt: skip
    assert [row[0] for row in rows] == list("012345")
    epilogs = (
        options.CODES, options.COMPARE_CODES, options.TABLE_CODES, options.STUDY_CODES,
        options.BOARD_CODES, options.BOOK,
    )  # fmt: skip
    for column, epilog in enumerate(epilogs, 1):
        said = {code: row[column] for code, row in zip("012345", rows, strict=True)}
        for code, meaning in said.items():
            assert (f"{code} {meaning}" in epilog) == (meaning != "not used")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plain", "nowhere"], "nowhere is not a folder"),
        (["plain", "cipher", "--groups", "x"], "one part in parentheses"),
        (["plain", "cipher", "--set", "bits=3"], "--set belongs to --scheme"),
        (["plain", "cipher", "--scheme", "etc"], "and not both"),
        (["plain"], "give a folder of ciphertexts"),
        (["plain", "--scheme", "bitplane", "--set", "bits=30"], "bits must be"),
        (["plain", "--scheme", "bitplane", "--set", "bit=3"], "bit"),
        (["plain", "--scheme", "bitplane", "--set", "3"], "write name=value"),
        (["plain", "--scheme", "nothing"], "no file, no module:Class"),
        (["plain", "--scheme", "no.such:Thing"], "cannot find no.such:Thing"),
        (["plain", "--scheme", "plain/0.png"], "cannot be run"),
        (["plain", "cipher", "--seed", "-1"], "seed must be from 0"),
    ],
)
def test_bad_input(folder, capsys, arguments, says):
    assert shell.main(["audit", *arguments, "-o", "report"]) == 2
    assert says in capsys.readouterr().err
    assert not Path("report").exists()


def test_compare(tmp_path, capsys, monkeypatch):
    """Of folders and of schemes; a report that is none is bad input."""
    monkeypatch.chdir(tmp_path)
    images = leakage.load_images("scenes", size=48, count=40).images
    sides = {"plain": images}
    for bits in (2, 3):
        scheme = leakage.get_scheme("bitplane", bits=bits)
        sides[f"planes{bits}"] = scheme.encrypt(images, bytes(16))
    for name, side in sides.items():
        Path(name).mkdir()
        for i, image in enumerate(side):
            Image.fromarray(image).save(f"{name}/{i}.png")
    assert shell.main(["compare", "planes3", "planes2", "--images", "plain"]) == 0
    assert capsys.readouterr().out.startswith("B leaks more: ")
    assert shell.main(["compare", "etc", "etc", "--images", "plain"]) == 3
    assert capsys.readouterr().out.startswith("It cannot be said which leaks more")
    assert shell.main(["compare", "planes3", "planes2"]) == 2
    assert "cannot be read as a report" in capsys.readouterr().err


def test_a_report_says_how_to_make_it_again(folder):
    shell.main(["audit", "plain", "cipher", "-o", "report", "--title", "Ours & <theirs>"])
    report = json.loads(Path("report/report.json").read_text("utf8"))
    assert report["command"].startswith("leakage audit plain cipher -o report --title ")
    assert [part["name"] for part in report["folders"]] == ["plain", "cipher"]
    page = Path("report/report.html").read_text("utf8")
    assert "<h1>Ours &amp; &lt;theirs&gt;</h1>" in page
    assert report["folders"][1]["digest"] in page


def test_bad_options_end_with_the_code_of_bad_input(folder):
    for arguments in ([], ["audit"], ["audit", "plain", "cipher", "-o", "r", "--mode", "cmyk"]):
        with pytest.raises(SystemExit) as ended:
            shell.main(arguments)
        assert ended.value.code == 2


def test_bad_output_is_found_before_the_work(folder, capsys, monkeypatch):
    Path("file").touch()
    for output in ("file", "file/below"):
        assert shell.main(["audit", "plain", "cipher", "-o", output]) == 2
        assert "file is no folder" in capsys.readouterr().err
    if Path("/proc/version").exists():
        assert shell.main(["audit", "plain", "cipher", "-o", "/proc/report"]) == 2
        assert "cannot write into /proc" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["cipher", "cipher/report", "plain/a/b"])
def test_no_report_among_the_pictures(folder, capsys, where):
    """The next audit would take the report's pictures for ciphertexts."""
    assert shell.main(["audit", "plain", "cipher", "-o", where]) == 2
    assert "choose a folder outside" in capsys.readouterr().err
    assert len(list(folder.rglob("*"))) == 14


def test_a_disk_that_fills_up_is_bad_output(folder, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leakage.audits.writing._files", full)
    assert shell.main(["audit", "plain", "cipher", "-o", "report"]) == 2
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("x"), MemoryError()])
def test_our_own_failures(folder, capsys, monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("leakage.audits.auditing.from_folders", fails)
    assert shell.main(["audit", "plain", "cipher", "-o", "report"]) == 4
    assert "no answer" in capsys.readouterr().err


def test_a_library_that_refuses_is_our_failure(folder, capsys, monkeypatch):
    monkeypatch.setattr("leakage.audits.auditing.from_folders", lambda *_: np.zeros(3).reshape(2))
    assert shell.main(["audit", "plain", "cipher", "-o", "report"]) == 4


def test_a_file_does_not_hide_a_scheme_of_ours(folder):
    program("identity", "touch was-run; cp $1 $2")
    assert shell.main(["audit", "plain", "--scheme", "identity", "-o", "report"]) == 1
    assert not Path("was-run").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exit 7", "exit code 7"),
        ("echo no such key >&2; exit 1", "no such key"),
        ("true", "it wrote no file"),
        ("sleep 30", "took more than 0.5 seconds"),
        ('yes > "$2"', "more than 256 MiB"),
        ("yes >&2", "took more than 0.5 seconds|256 MiB"),
        ('echo no picture > "$2"', "is not an image"),
        ("printf 'P5 8 8 255\\n%064d' 0 > \"$2\"", "wrote 8x8 pixels for "),
    ],
)
def test_programs_are_kept_within_limits(folder, capsys, text, says):
    seconds = "0.5" if "0.5" in says else "20"
    scheme = program("scheme", text)
    command = ["audit", "plain", "--scheme", scheme, "--seconds", seconds, "-o", "report"]
    assert shell.main(command) == 2
    message = capsys.readouterr().err
    assert any(part in message for part in says.split("|"))


@pytest.mark.parametrize("last", ['cp "$1" "$2"', 'mv "$1" "$2"', 'ln -s "$1" "$2"'])
def test_a_program_may_write_over_what_it_reads(folder, capsys, last):
    """Six ciphertexts of noise are too few to say anything, and no picture in the clear."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    for i in range(8):
        picture = np.roll(noise, i * 97)
        Image.fromarray(picture).save(f"{i}.noise.png")
    text = f'cp "{folder}/$(basename "$1" .png).noise.png" "$1" && {last}'
    assert shell.main(["audit", "plain", "--scheme", program("place", text), "-o", "report"]) != 2
    found = json.loads(Path("report/report.json").read_text())["findings"]
    assert not any(f["leaks"] for f in found if f["name"] == "images in the clear")


def test_a_program_keeps_the_names_of_images_and_their_folders(folder, capsys):
    """Groups are said by them, and the report names what was read."""
    for i in range(6):
        place = Path(f"deep/{i // 2}")
        place.mkdir(parents=True, exist_ok=True)
        Path(f"plain/{i}.png").rename(place / f"{i}.png")
    Path("deep/notes.txt").write_text("no picture")
    command = ["audit", "deep", "--scheme", program("copy", 'cp "$1" "$2"'), "-o", "report"]
    assert shell.main([*command, "--groups", "folder"]) == 1
    report = json.loads(Path("report/report.json").read_text())
    assert report["settings"]["independent images"] == 3
    assert [one["name"] for one in report["folders"]] == ["deep"]
    assert any("notes.txt" in remark for remark in report["remarks"])
    Path("deep/0/0.bmp").write_bytes(b"")
    Image.new("L", (32, 32)).save("deep/0/0.bmp")
    assert shell.main(command) == 2
    assert "0/0.bmp and 0/0.png have the same name" in capsys.readouterr().err


def test_a_reader_that_leaves_does_not_change_the_answer(folder):
    with subprocess.Popen(
        [sys.executable, "-m", "leakage", "audit", "plain", "--scheme", "identity", "-o", "report"],
        env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_words_that_find_no_room_do_not_change_the_answer(folder):
    arguments = ["audit", "plain", "--scheme", "identity", "-o", "report"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "leakage", *arguments], env=ENVIRONMENT, stdout=full, check=False
        )
    assert done.returncode == 1


def test_an_output_that_was_never_there_changes_nothing(folder):
    """As under a daemon: its number is closed, and Python has no stream of it."""
    command = [sys.executable, "-m", "leakage", "cache"]
    closed = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    assert subprocess.run(closed, env=ENVIRONMENT, check=False).returncode == 0


def test_an_output_that_lacks_letters_does_not_change_the_answer(folder):
    arguments = ["audit", "plain", "--scheme", "identity", "-o", "ber\u00efcht"]
    done = subprocess.run(
        [sys.executable, "-m", "leakage", *arguments],
        env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"ber\\xefcht" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_behind(folder, number):
    """The plain pictures that a program is given are removed, and the program ends."""
    temporary = folder / "temporary"
    temporary.mkdir()
    scheme = program("scheme", f'echo $$ > "{folder}/pid"; sleep 60')
    running = subprocess.Popen(
        [sys.executable, "-m", "leakage", "audit", "plain", "--scheme", scheme, "-o", "report"],
        env=ENVIRONMENT | {"TMPDIR": str(temporary)}, stderr=subprocess.DEVNULL,
        # of tests that run in the background, or under nohup, it would be ignored
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )  # fmt: skip
    pid = folder / "pid"
    with running:
        for _ in range(1800):
            if pid.exists() and pid.read_text():
                break
            time.sleep(0.1)
        assert list(temporary.rglob("*.png"))
        running.send_signal(number)
    assert running.returncode == 128 + number
    assert not list(temporary.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_any_command_line(folder, capsys):
    """300 of them, of folders, options and broken files: no traceback, no leak that is not one."""
    rng = random.Random(7)
    Path("empty").mkdir()
    Path("broken").mkdir()
    for i in range(6):
        Path(f"broken/{i}.png").write_bytes(Path(f"plain/{i}.png").read_bytes()[: 40 * i])
    Path("grid.yaml").write_text("images: [{source: nowhere}]\nschemes: [etc")
    Path("file.csv").write_text("0,1,2\n")
    words = ["plain", "cipher", "empty", "broken", "nowhere", "grid.yaml", "plain/0.png", "", "-",
             "--mode", "gray", "rgb", "--seed", "-3", "1e9", "--groups", "(", "file.csv", "folder",
             "--scheme", "bitplane", "etc", "os:system", "./grid.yaml", "--set", "bits=8", "bits=x",
             "--keying", "fixed", "--profile", "none", "--seconds", "nan", "--help", "\x00",
             "--jobs", "0"]  # fmt: skip
    counts = dict.fromkeys(range(5), 0)
    whole = 0
    for i in range(300):
        name = rng.choice(["audit", "audit", "audit", "study", "book", "cache", "nonsense"])
        given = rng.choices(words, k=rng.randrange(6))
        if name == "book":  # of pictures that can be used it would make one
            given = [word for word in given if word not in ("plain", "cipher", "plain/0.png")]
        whole += given[:2] in (["plain", "cipher"], ["plain", "plain"])
        if name != "cache" and whole < 4:
            given += ["-o", rng.choice([f"report-{i}", "plain/0.png", "nowhere/below"])]
        try:
            code = shell.main([name, *given])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        assert code in counts
        assert "Traceback" not in said.out + said.err, given
        assert code != 4, (name, given, said.err)
        if code == 1:
            assert "Leak detected" in said.out
            assert json.loads(next(Path().rglob("report.json")).read_text())["leaks"] is True
        counts[code] += 1
    assert counts[2] > 200
