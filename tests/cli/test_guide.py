"""`edgebench guide`: every page is a topic, printed as it is, or rendered on a terminal."""

import os
import re
import subprocess

import pytest

from edgebench.cli.guide import pages, summary
from edgebench.results.measurement.verdict import Verdict
from edgebench.results.reports import comparison
from tests.support.command import EDGEBENCH, cli

SELF_EVIDENT = {"#", "network", "verdict"}


def on_a_terminal(*arguments: str) -> str:
    """What the command prints where its output is a terminal of 100 columns."""
    ours, theirs = os.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([*EDGEBENCH, *arguments], stdout=theirs, env=environment)
    os.close(theirs)
    printed = b""
    with os.fdopen(ours, "rb", buffering=0) as output:
        try:
            while part := output.read(65536):
                printed += part
        except OSError:  # Linux: the other end was closed
            pass
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode())


def test_the_guide_lists_every_topic_with_its_first_sentence() -> None:
    listed = [line.split(maxsplit=1) for line in cli("guide").stdout.splitlines()]
    assert listed == [[topic, summary(file.read_text())] for topic, file in pages().items()]
    assert {"nightly", "words"} <= set(pages())


def test_the_list_is_wrapped_to_the_terminal() -> None:
    done = cli("guide", COLUMNS="60")
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert " ".join(done.stdout.split()) == " ".join(cli("guide").stdout.split())


@pytest.mark.parametrize("topic", pages())
def test_a_page_opens_with_a_heading_and_one_sentence_on_one_line(topic: str) -> None:
    heading, empty, sentence, below, *_ = pages()[topic].read_text().splitlines()
    assert (heading.startswith("# "), empty, sentence[-1], below) == (True, "", ".", "")


@pytest.mark.parametrize("topic", pages())
def test_a_page_is_printed_as_it_is_where_no_terminal_is(topic: str) -> None:
    assert cli("guide", topic).stdout == pages()[topic].read_text()


@pytest.mark.lengthy
def test_a_page_is_rendered_on_a_terminal_with_links_as_their_texts() -> None:
    printed = on_a_terminal("guide", "schema")
    assert "mobilenet_v2-0.5@160/int8" in printed
    assert not {"# Names", "](", "```"} & {mark for mark in ("# Names", "](", "```") if mark in printed}


def test_an_unknown_topic_is_refused_in_one_line_with_what_there_is() -> None:
    done = cli("guide", "nightli")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"no topic 'nightli' (has {', '.join(pages())}); did you mean 'nightly'?" in done.stderr


def test_the_words_define_every_verdict_and_every_heading_of_the_table() -> None:
    defined = ", ".join(re.findall(r"^- \*\*(.+?)\*\*: ", pages()["words"].read_text(), re.MULTILINE))
    headings = [part for heading in {column.heading for column in comparison.COLUMNS} for part in heading.split(" or ")]
    wanted = {*(verdict.name for verdict in Verdict), *headings} - SELF_EVIDENT
    assert [term for term in sorted(wanted) if term not in defined] == []
