"""The example's script on the real genome of phage lambda: known figures, and clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "analyse_genome.py"
GENOME = EXAMPLES / "lambda_phage.fa"
NAME = "gi|9626243|ref|NC_001416.1|"


def analyse(genome: Path, report: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script as the demand does, but with nothing except the standard library."""
    argv = [sys.executable, "-I", "-S", str(SCRIPT), str(genome), str(report), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def tables(report: Path) -> tuple[list[list[str]], list[list[str]]]:
    first, second = (report / "report.tsv").read_text().split("\n\n")
    return tuple([line.split("\t") for line in each.splitlines()] for each in (first, second))


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "new/report"
    done = analyse(GENOME, folder, "--window", "500")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{NAME}: 48,502 bases, GC 49.86 %\n"
    return folder


def test_the_composition_of_the_genome_is_the_published_one(report):
    composition, _ = tables(report)
    assert composition == [
        ["sequence", "length", "gc_percent", "A", "C", "G", "T", "other"],
        [NAME, "48502", "49.86", "12334", "11362", "12820", "11986", "0"],
    ]


def test_the_windows_cover_the_genome_and_are_counted_anew_here(report):
    _, windows = tables(report)
    letters = "".join(GENOME.read_text().splitlines()[1:])
    expected = [["sequence", "window_start", "window_end", "gc_percent"]]
    for start in range(0, len(letters), 500):
        part = letters[start : start + 500]
        share = 100 * sum(letter in "GC" for letter in part) / len(part)
        expected.append([NAME, str(start + 1), str(start + len(part)), f"{share:.2f}"])
    assert windows == expected
    assert len(windows) == 1 + 98


def test_the_plot_is_a_picture_with_axes_title_and_mean(report):
    svg = ET.fromstring((report / "gc.svg").read_text())
    texts = ["".join(each.itertext()) for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert f"{NAME}: GC content in windows of 500 bases" in texts
    assert {"GC content (%)", "Position (kb)", "mean", "49.86 %", "45", "60"} <= set(texts)
    paths = {each.get("class"): each.get("d") for each in svg.iter() if each.get("class")}
    assert paths["gc"].count("L") == 96  # 97 whole windows; the one of two bases is not drawn


def test_several_sequences_unknown_bases_and_odd_names(tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text("\n>a<&> first\nacgtN\n\nNNNNN\n>b\n" + "GC" * 5 + "\n")
    assert analyse(genome, tmp_path / "r", "--window", "5").returncode == 0
    composition, windows = tables(tmp_path / "r")
    assert composition[1:] == [
        ["a<&>", "10", "50.00", "1", "1", "1", "1", "6"],
        ["b", "10", "100.00", "0", "5", "5", "0", "0"],
    ]
    assert windows[1:] == [
        ["a<&>", "1", "5", "50.00"],
        ["a<&>", "6", "10", ""],
        ["b", "1", "5", "100.00"],
        ["b", "6", "10", "100.00"],
    ]
    ET.fromstring((tmp_path / "r/gc.svg").read_text())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; a FASTA file is needed"),
        (b"\n\n", "is empty; a FASTA file is needed"),
        (b"ACGT\n", "line 1: a FASTA file begins with '>'"),
        (b"\x1f\x8b\x08\x00", "line 1: a FASTA file begins with '>'"),
        (b">a\nACGT\nAC1T\n", "line 3: '1' is no letter of a DNA sequence"),
        (b">\nACGT\n", "line 1: the sequence has no readable name"),
        (b">a\n>b\nA\n", "the sequence 'a' has no bases"),
        (b">a\n", "the sequence 'a' has no bases"),
    ],
)
def test_bad_input_is_told_and_writes_nothing(tmp_path, content, message):
    genome = tmp_path / "g.fa"
    genome.write_bytes(content)
    done = analyse(genome, tmp_path / "r")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("window", ["0", "-1", "x"])
def test_a_window_is_a_positive_number(tmp_path, window):
    assert analyse(GENOME, tmp_path / "r", "--window", window).returncode == 2


def test_the_demand_names_the_files_that_are_here():
    parameters = json.loads((EXAMPLES / "demand.json").read_text())["execution_parameters"]
    for name in parameters["inputs"]:
        remote, _, local = parameters["params"][name].partition(" @ ")
        assert (EXAMPLES / remote.removeprefix("s3://demo/")).is_file()
        assert local
    assert set(parameters["outputs"]) <= parameters["params"].keys()
