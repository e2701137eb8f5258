"""The audit log: who had what done and why; a line that is changed, lost or put in is found; no line, no act."""

import json
import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.audit import AuditLog, BrokenChainError
from bot.cli import main
from bot.machine.decision import Merge, Move, Post, Remember, ShowCheck, StopRun
from bot.machine.errors import Transient
from bot.machine.facts import Author, Comment, Facts, Issue, Ticket
from bot.machine.record import Approval, Record
from bot.machine.stages import Stage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MERGE = Merge("e", "acme/youlab", 7, "a" * 40, "YOU-2: Write it")


@pytest.fixture
def facts():
    comment = Comment("c1", "approve", Author("u1", "Alice", person=True), NOW)
    record = Record("e", approval=Approval("c1", "u1", NOW, heads=(("t", "a" * 40),)))
    epic = Issue(
        "e", "YOU-1", "T", "", "", "YOU", Stage.MERGE, "Ready to Merge", "", frozenset(), 0, NOW, (comment,),
        record=record,
    )  # fmt: skip
    return Facts(NOW, "epic:e", Ticket(epic), (), None, None)


@pytest.fixture
def log(tmp_path):
    return AuditLog(tmp_path / "audit.jsonl")


def test_a_merge_names_the_person_the_comment_and_the_commit(log, facts):
    log.note(facts, MERGE)
    (line,) = log.lines()
    assert (line["act"], line["epic"], line["issue"], line["who"]) == ("Merge", "YOU-1", "YOU-1", "Alice (u1)")
    assert line["why"] == "approved by comment c1"
    assert line["what"] == {"repository": "acme/youlab", "number": 7, "head": "a" * 40, "title": "YOU-2: Write it"}


def test_a_refusal_is_written_as_one(log, facts):
    log.note(facts, MERGE, "the head moved")
    assert [one["refused"] for one in log.lines()] == ["the head moved"]


def test_what_is_decided_in_every_round_is_written_once(log, facts):
    told = Comment("c2", "…", None, NOW, ours=True, topic="merged")
    told_already = replace(facts, epic=Ticket(replace(facts.epic.issue, comments=(told,))))
    log.note(told_already, Post("e", "merged", "merged", {}))
    log.note(facts, ShowCheck("e", "acme/youlab", "a", Stage.DEV, ()))
    log.note(facts, Remember("e", Record("e")))
    assert not list(log.lines())
    log.note(facts, Post("e", "merged", "merged", {}))
    assert len(list(log.lines())) == 1


@pytest.mark.attack("S-74")
@pytest.mark.parametrize("harm", ["flip", "drop", "insert", "swap", "cut chain", "garbage"])
def test_a_line_that_was_changed_is_found(log, facts, harm):
    for run in "abc":
        log.note(facts, StopRun("e", run, "because"))
    lines = log.path.read_text().splitlines(keepends=True)
    match harm:
        case "flip":
            lines[1] = lines[1].replace("because", "becausE")
        case "drop":
            del lines[1]
        case "insert":
            lines.insert(1, lines[1])
        case "swap":
            lines[0], lines[1] = lines[1], lines[0]
        case "cut chain":
            told = json.loads(lines[1])
            del told["chain"]
            lines[1] = json.dumps(told) + "\n"
        case "garbage":
            lines[1] = "not JSON\n"
    log.path.write_text("".join(lines))
    with pytest.raises(BrokenChainError, match=r"line [123]"):
        list(log.lines())


def _writes(log, facts, name):
    for number in range(50):
        log.note(facts, StopRun("e", f"{name}-{number}", "because"))


def test_processes_of_one_machine_share_the_log(log, facts):
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=_writes, args=(log, facts, name)) for name in "ab"]
    for one in others:
        one.start()
    for one in others:
        one.join()
    assert len(list(log.lines())) == 100


def test_after_a_line_that_was_only_half_written_the_log_goes_on(log, facts):
    log.note(facts, MERGE)
    with log.path.open("a") as file:
        file.write('{"at": "2026')
    log.note(facts, Move("e", Stage.DONE))
    with pytest.raises(BrokenChainError, match="line 2"):  # it is told, not hidden
        list(log.lines())
    assert '"Move"' in log.path.read_text().splitlines()[2]


def test_what_can_not_be_written_down_is_not_done(tmp_path, facts):
    with pytest.raises(Transient, match="so nothing is done"):
        AuditLog(tmp_path / "missing" / "audit.jsonl").note(facts, MERGE)


@pytest.mark.attack("S-74")
def test_a_link_in_its_place_is_not_followed(tmp_path, facts):
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Transient):
        AuditLog(tmp_path / "audit.jsonl").note(facts, MERGE)
    assert not (tmp_path / "elsewhere").exists()


def test_a_person_reads_it_a_line_each(log, facts, monkeypatch, capsys):
    monkeypatch.setenv("CALLBOARD_HOME", str(log.path.parent))
    monkeypatch.setenv("CALLBOARD_SECRET_KEY", "k" * 32)
    log.note(facts, MERGE, "the head moved")
    assert main(["audit", "you-1"]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "YOU-1  Merge repository=`acme/youlab` number=`7`" in said
    assert said.endswith("by Alice (u1): approved by comment c1  REFUSED: `the head moved`\n")
    assert main(["audit", "YOU-9"]) == 0
    assert capsys.readouterr().out == ""
    log.path.write_text(log.path.read_text().replace("c1", "c2"))
    assert main(["audit", "--json"]) == 1
    assert "line 1 of audit.jsonl is not what was written there" in capsys.readouterr().err
