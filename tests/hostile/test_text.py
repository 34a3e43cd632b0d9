"""Words of others, in every source, in every medium: none is read as a command there, and none crashes a writer."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import product
from pathlib import Path
from unicodedata import category
from xml.etree import ElementTree

import pytest

from edgebench.analysis.lint.reading import csv_rows
from edgebench.cli import terminal
from edgebench.foundation import escape
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.sheet import Column, Sheet, as_csv, as_json, document, latex, markdown
from edgebench.foundation.shelf import load as load_plugin
from edgebench.foundation.shelf import names
from edgebench.nightly.night import History, Outcome
from edgebench.nightly.summary import Bulletin, bulletin
from edgebench.results.folders import study
from edgebench.results.table.row import Background, Table
from tests import ROOT
from tests.support.nights import entry, night
from tests.support.rows import changed

WORDS = {
    "escape": "net\x1b[2J\x1b]0;owned\x07",
    "control": "net\x00\x08\x0b\x7f",
    "c1": "net\x9b31m\x85",
    "bidi": "net\u202egnp.exe\u2066\u2069",
    "separator": "net\u2028two\u2029three",
    "lines": "net\r\n::error::owned\n# heading\n- item",
    "surrogate": "net\udc9b\udcff",
    "no_character": "net\ufffe\uffff",
    "command": "::error title=x::owned",
    "group": "##[group]owned ##vso[task.complete]",
    "stop": " ::stop-commands::owned",
    "pipe": "net | b | c",
    "code": "net `b` ``c``",
    "link": "[net](https://evil) ![i](http://evil/i.png) [a][b] www.evil.org",
    "html": "<img src=x onerror=alert(1)> </td></script><script>alert(1)</script>",
    "entity": "&lt;script&gt;&#60;b&#62;",
    "attribute": "\"onload='x' y=\"",
    "emphasis": "**net** _b_ ~~c~~",
    "backslash": "net\\| \\`b`",
    "equals": "=HYPERLINK(\"http://evil\",\"x\")",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "blank": " =1+1",
    "quote": "'=1+1",
    "latex": r"\input{/etc/passwd} $x$ ^^5cinput % # & ~ _ { }",
    "markup": "[bold]net[/bold] [/] [link=http://evil]x",
    "open_markup": "[/nothing] [red",
    "braces": "{task} {0} %s {{ 7 * 7 }}",
}  # fmt: skip
COLUMNS = (
    *("target", "architecture", "quantization", "dataset", "preprocessing", "runtime", "runtime_version"),
    *("runtime_options", "runtime_packages", "preset", "weights", "reasons", "answered_by", "worst_layer", "epoch"),
)


def commands(text: str) -> list[str]:
    """What a terminal would obey, and what hides what is written."""
    return [letter for letter in text if category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter != "\n"]


def log_commands(text: str) -> list[str]:
    """Lines that a CI system would obey."""
    return [line for line in text.splitlines() if line.strip().startswith("::") or re.search(r"##\w*\[", line)]


@pytest.fixture(scope="module")
def studied() -> tuple[Table, Background]:
    return study(ROOT / "results" / "x86_vm")


def mixed(place: int) -> dict[str, str]:
    """The words that each text column of a row says: every word stands once in every column."""
    words = list(WORDS.values())
    return {column: words[(place + number) % len(words)] for number, column in enumerate(COLUMNS)}


@pytest.fixture(scope="module")
def hostile(studied: tuple[Table, Background]) -> tuple[Table, Background]:
    """A table in which every text column says every word, and so do the notes and the facts of machines."""
    table, background = studied
    many = range(len(WORDS))
    rows = tuple(changed(table.rows[place % len(table.rows)], **mixed(place)) for place in many)
    lines = tuple(background.lines[place % len(table.rows)] for place in many)
    facts = {words: words for words in WORDS.values()}
    machines = [replace(one, title=WORDS["html"], facts=facts, packages=facts) for one in background.machines]
    grown = replace(background, lines=lines, machines=tuple(machines), methods=tuple(WORDS.values()))
    return replace(table, title=WORDS["html"], rows=rows, notes=tuple(WORDS.values())), grown


def hostile_bulletin(words: str) -> Bulletin:
    """A night in which sweep, host, names, targets, reasons and components say these words."""
    verdicts = list(Outcome)
    entries = [
        entry(name=f"{words}{place}", target=words, why=words, changed=(words,), components={words: words}, verdict=one)
        for place, one in enumerate(verdicts)
    ]
    first = replace(night(1, *entries, facts={words: words, "cpu": words}), sweep=words)
    return replace(bulletin(History(nights=(first,))), notes=(words,))


def markdown_text(words: str) -> str:
    """Read Markdown as GitHub does, back into words."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(words)
    return "".join(child.content for token in tokens for child in token.children or ())


def markdown_kinds(words: str) -> set[str]:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(words)
    return {one.type for token in tokens for one in (token, *(token.children or ()))}


class Tags(HTMLParser):
    """Collects tags and the attributes that browsers run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.handlers = list[str](), list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_a_terminal_and_a_log_are_commanded_by_no_words(words: str) -> None:
    shown = escape.terminal(words)
    assert not commands(shown)
    assert "\n" not in shown
    assert not log_commands(f"  {shown}")


@pytest.mark.lengthy
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_markdown_shows_words_as_they_are(words: str) -> None:
    cell = f"| a |\n| --- |\n| {escape.markdown(words)} |\n"
    assert markdown_text(cell).split() == f"a{escape.plain(words)}".split() or " ".join(
        markdown_text(cell).split()
    ) == " ".join(f"a{escape.plain(words).strip()}".split())
    line = f"- {escape.markdown_line(words)}\n"
    kinds = markdown_kinds(line) | markdown_kinds(f"{escape.markdown_line(words)}\n")
    assert not kinds & {"link_open", "image", "code_inline", "html_inline", "html_block", "em_open", "strong_open"}
    assert not kinds & {"heading_open", "fence", "blockquote_open", "s_open", "hr", "code_block"}
    assert markdown_kinds(line) <= {*markdown_kinds("- a\n"), "text_special", "softbreak"}
    assert not commands(line)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_csv_computes_nothing_and_is_read_back(words: str, tmp_path: Path) -> None:
    written = escape.csv_text([["name", "value"], [words, -2.5], [None, 3]])
    rows = list(csv.reader(StringIO(written)))
    assert [row[1] for row in rows] == ["value", "-2.5", "3"]  # numbers stay numbers
    assert not rows[1][0].lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not commands(written)
    assert not log_commands(written)
    assert escape.from_csv(rows[1][0]) == escape.plain(words)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_html_xml_json_and_latex_hold_words_as_text(words: str) -> None:
    element = ElementTree.fromstring(f'<a b="{escape.html(words)}">{escape.html(words)}</a>')
    assert (element.text, element.get("b")) == (escape.plain(words),) * 2
    text = escape.json_text({"a": words})
    assert json.loads(text) == {"a": words}
    assert not commands(text)
    text.encode()
    tex = escape.latex(words)
    assert not commands(tex)
    assert not log_commands(tex)
    assert not re.search(r"(?<!\\)[%#&]|\\input|\^\^", tex)


@pytest.mark.lengthy
@pytest.mark.parametrize("name", names("reports"))
def test_every_report_of_a_table_holds_words_of_every_source(
    name: str, studied: tuple[Table, Background], hostile: tuple[Table, Background]
) -> None:
    report = load_plugin("reports", name)
    text = report.render(*hostile)
    assert not commands(text)
    text.encode()
    match Path(report.FILE).suffix:
        case ".html":
            page, calm = Tags(text), Tags(report.render(*studied))
            assert page.tags.count("script") == calm.tags.count("script")
            assert "img" not in page.tags
            assert not page.handlers
        case ".svg":
            ElementTree.fromstring(text)
        case ".json":
            json.loads(text)
        case ".csv":
            rows = list(csv.DictReader(StringIO(text)))
            for place, row in enumerate(rows):
                for column, words in mixed(place).items():
                    assert escape.from_csv(row[column]) == escape.plain(words), column
    assert report.FILE.endswith(".html") or not log_commands(text)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_every_bulletin_of_a_night_holds_words_of_every_source(words: str) -> None:
    tonight = hostile_bulletin(words)
    for name in names("nightly.bulletins"):
        plugin = load_plugin("nightly.bulletins", name)
        text = plugin.render(tonight)
        assert not commands(text), name
        text.encode()
        if plugin.FILE.endswith(".xml"):
            suite = ElementTree.fromstring(text)
            assert {case.get("classname") for case in suite.iter("testcase")} == {escape.plain(words)}
        elif plugin.FILE.endswith(".html"):
            assert not {"script", "img"} & set(Tags(text).tags)
        elif plugin.FILE.endswith(".json"):
            json.loads(text)
        elif name == "annotations":
            assert {line.split(" ")[0] for line in text.splitlines()} == {"::error", "::warning", "::notice"}
        else:
            assert not log_commands(text), name


SHOWN: dict[str, Callable[[str], None]] = {
    "notice in a log": lambda words: _progress(lambda show: show(Notice(text=words))),
    "step in a log": lambda words: _progress(lambda show: show(Step(activity="train", subject=words))),
    "night": lambda words: terminal.show_bulletin(hostile_bulletin(words)),
    **{
        f"sheet as {form}": lambda words, form=form: terminal.show_sheets("x", [_sheet(words)], form)  # type: ignore[misc]
        for form in terminal.FORMATS
    },
}


def _progress(do: Callable[..., None]) -> None:
    with terminal.progress(quiet=False) as show:
        do(show)


def _sheet(words: str) -> Sheet:
    columns = (Column[str].text(words, lambda item: item), Column[str].figure("n", lambda _: -1.5))
    return Sheet.of(words, columns, [words], [words])


@pytest.mark.parametrize(("words", "shown"), list(product(WORDS, SHOWN)))
def test_what_is_printed_commands_nothing(words: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    SHOWN[shown](WORDS[words])
    printed = capsys.readouterr()
    assert not commands(printed.out + printed.err)
    assert not log_commands(printed.out + printed.err)


@pytest.mark.lengthy
@pytest.mark.parametrize("format", terminal.REPORT_FORMATS)
def test_a_printed_table_commands_nothing(
    format: str, hostile: tuple[Table, Background], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.show_report(hostile[0], format, hostile[1])
    printed = capsys.readouterr().out
    assert not commands(printed)
    assert not log_commands(printed)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_every_form_of_a_sheet_holds_words(words: str) -> None:
    sheet = _sheet(words)
    for write in (markdown, latex, as_csv, lambda sheet: as_json("x", document([sheet]))):
        text = write(sheet)
        assert not commands(text)
        assert not log_commands(text)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_a_refusal_quotes_words_of_others_as_text(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    from edgebench import cli
    from edgebench.foundation.errors import RequestError

    with _refusing(RequestError(f"no model {words}")), pytest.raises(SystemExit) as left:
        cli.main()
    printed = capsys.readouterr()
    assert left.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert not commands(printed.err)
    assert not log_commands(printed.err)


@contextmanager
def _refusing(error: Exception) -> Iterator[None]:
    from edgebench import cli

    def refuse() -> None:
        raise error

    app, cli.app = cli.app, refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        cli.app = app


def test_the_tables_own_reader_takes_off_what_marks_text(studied: tuple[Table, Background], tmp_path: Path) -> None:
    table, background = studied
    rows = [changed(row, quantization="=1+1") for row in table.rows]
    path = tmp_path / "comparison.csv"
    path.write_text(load_plugin("reports", "csv").render(replace(table, rows=tuple(rows)), background))
    assert "'=1+1" in path.read_text()
    with csv_rows(path, "") as (read, _):
        assert {row["quantization"] for _, row in read} == {"=1+1"}
