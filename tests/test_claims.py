"""The table of claims at the end of a notebook, and the ledger of all of them."""

import json

import nbformat
import pytest

from workbench.claims import CLAIMS, MIME, TEXT, Claim, claims, ledger, read_ledger

SOME = [
    Claim("D0", 0.04123, (0.039, 0.0431), verdict="holds", what="share of lines, marketplace"),
    Claim(
        "M3", 54_321.0, (-54_321.0, 123_456.0), verdict="depends", what="the budget: " + "x " * 70
    ),
    Claim("F3", "under 50 ms", verdict="does not"),
]


def test_the_table_is_the_repr_and_fits_90_columns():
    lines = repr(claims(SOME)).splitlines()
    assert lines[1].split()[-4:] == ["0.0412", "[0.0390,", "0.0431]", "holds"]
    assert lines[2] == "    share of lines, marketplace"
    assert max(map(len, lines)) <= 90
    assert "54,300 [-54,300, 123,000]" in " ".join(lines[3].split())


def test_ids_are_unique_and_texts_fit_their_column():
    assert len(CLAIMS) == 47
    assert all(0 < len(text) <= TEXT for text in CLAIMS.values())
    assert len(set(CLAIMS.values())) == len(CLAIMS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"id": "Z9"}, "no claim is called 'Z9'; there are D0"),
        ({"verdict": "maybe"}, "verdict of L1 must be one of"),
        ({"verdict": "depends"}, "say on what"),
        ({"measured": float("nan")}, "must be a number, got nan"),
        ({"measured": "a very long story"}, "has room for 14 letters"),
        ({"interval": (2, 1)}, r"must be \(low, high\), got \(2, 1\)"),
        ({"interval": (float("nan"), 1)}, "must be"),
    ],
)
def test_a_claim_that_is_none_is_an_error(arguments, words):
    given = {"id": "L1", "measured": 1.0, "verdict": "holds"} | arguments
    with pytest.raises(ValueError, match=words):
        Claim(**given)


@pytest.mark.parametrize("rows", [[], ["L1"]])
def test_claims_takes_claims_and_at_least_one(rows):
    with pytest.raises(ValueError, match="claims"):
        claims(rows)


def test_saved_figures_are_those_of_the_table():
    saved = claims(SOME)._repr_mimebundle_()[MIME]["claims"]
    assert saved[0]["measured"] == 0.0412
    assert saved[0]["interval"] == [0.039, 0.0431]
    assert saved[2]["interval"] is None
    json.dumps(saved, allow_nan=False)


def test_the_ledger_reads_saved_outputs_in_book_order(tmp_path):
    save_notebook(tmp_path / "80_monitoring.ipynb", SOME[1:2])
    save_notebook(tmp_path / "00_the_loop.ipynb", [SOME[2], SOME[0]])
    rows = read_ledger(tmp_path)
    assert [(row["id"], row["notebook"]) for row in rows] == [
        ("D0", "00_the_loop"),
        ("F3", "00_the_loop"),
        ("M3", "80_monitoring"),
    ]
    text = ledger(tmp_path)
    assert "3 of 47 claims measured" in text
    assert "not yet: D1 D2" in text
    assert "00_the_loop: share of lines, marketplace" in text
    assert max(map(len, text.splitlines())) <= 90


def test_a_folder_without_notebooks_and_an_unknown_id_are_errors(tmp_path):
    with pytest.raises(ValueError, match="no notebooks in"):
        ledger(tmp_path)
    save_notebook(tmp_path / "00_x.ipynb", SOME[:1])
    text = (tmp_path / "00_x.ipynb").read_text().replace('"D0"', '"Z9"')
    (tmp_path / "00_x.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"00_x.ipynb measures 'Z9'"):
        ledger(tmp_path)


def test_a_kernel_saves_what_the_ledger_reads(tmp_path):
    pytest.importorskip("ipykernel")
    from nbclient import NotebookClient

    source = (
        "from workbench.claims import Claim, claims\n"
        "claims([Claim('L1', 0.5, (0.4, 0.6), verdict='holds', what='accuracy')])"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    nbformat.validate(notebook)
    nbformat.write(notebook, tmp_path / "20_labels.ipynb")
    (row,) = read_ledger(tmp_path)
    assert (row["id"], row["measured"], row["notebook"]) == ("L1", 0.5, "20_labels")
    assert notebook.cells[0].outputs[0].data["text/plain"].startswith("id  claim")


def save_notebook(path, rows):
    output = nbformat.v4.new_output("execute_result", data=claims(rows)._repr_mimebundle_())
    cell = nbformat.v4.new_code_cell("claims([...])", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("x"), cell]), path)
