"""Writes of a round against the simulated workspace: once, in order, and repaired by asking again."""

from dataclasses import replace
from typing import Any

import pytest

from bot.linear.batch import MOST_BYTES
from bot.linear.directory import Directory
from bot.linear.ensure import NewTicket, Writes, ticket_id
from bot.linear.marker import effect_id, without_marker
from bot.linear.records import seal
from bot.machine.errors import Refused, Transient, UserError
from bot.machine.facts import Issue
from bot.machine.record import Record
from bot.machine.stages import LABELS, STATES, Disposition, Stage
from bot.simulator.faults import Fault, When
from bot.simulator.linear import Attachment, Comment, Document, Label, LinearWorld, Relation

KEY = "the service's key"
TASKS = [NewTicket(key, f"Do {key}", f"How to do {key}", labels=("orchestrated",), priority=2) for key in "abc"]


@pytest.fixture
async def epic(office: Any) -> Issue:
    """An epic, as the service saw it first."""
    made = office.person("alice").creates("YOU", "Dashboard", labels=("orchestrate",), state="Todo")
    seen: Issue = (await office.sees(made)).epic
    await office.directory.teams()
    office.forgets()
    return seen


async def again(office: Any, issue: Issue) -> Issue:
    return (await office.observer.observe_epic(issue.id)).epic


def breakdown(writes: Writes, epic: Issue) -> dict[str, str]:
    """What a round writes when a breakdown was approved."""
    ids = writes.create_tickets(epic, TASKS)
    writes.relation(ids["a"], ids["b"])
    writes.relation(ids["b"], ids["c"])
    writes.move(epic, Stage.DEV)
    writes.comment(epic, "panel", "Three tickets are on their way.")
    for key, id_ in ids.items():
        writes.record(id_, Record(id_, task=key), title="Callboard", url=f"https://c.test/{id_}")
    writes.record(epic, Record(epic.id, stage=Stage.DEV), title="Callboard", url=f"https://c.test/{epic.id}")
    return ids


async def is_broken_down(office: Any, epic: Issue) -> None:
    """Exactly one of everything."""
    picture = await office.observer.observe_epic(epic.id)
    assert picture.epic.stage is Stage.DEV
    assert picture.epic.record == Record(epic.id, stage=Stage.DEV)
    seen = {one.title: one for one in picture.tickets}
    assert set(seen) == {"Do a", "Do b", "Do c"}
    assert {one.labels for one in picture.tickets} == {frozenset({"orchestrated"})}
    assert {one.stage for one in picture.tickets} == {Stage.TODO}
    assert {one.record.task for one in picture.tickets if one.record} == {"a", "b", "c"}
    assert [one.issue for one in seen["Do b"].blocked_by] == [ticket_id(epic.id, "a")]
    assert [one.issue for one in seen["Do c"].blocked_by] == [ticket_id(epic.id, "b")]
    assert [one.topic for one in picture.epic.comments] == ["panel"]
    world: LinearWorld = office.world
    assert (len(world.issues()), len(world.all(Relation)), len(world.all(Attachment))) == (4, 2, 4)
    assert [label.name for label in world.all(Label)].count("orchestrated") == 1


async def test_a_round_is_one_request(office: Any, epic: Issue) -> None:
    writes = office.writes()
    breakdown(writes, epic)
    sent = await writes.send()
    assert len(office.asked) == sent.requests == 1
    assert len(sent.done) == 12
    assert sent.repeated == []
    assert sent.answers[ticket_id(epic.id, "a")]["identifier"] == "YOU-2"
    await is_broken_down(office, epic)


@pytest.mark.parametrize("status", [200, 400])
async def test_a_round_done_twice_is_a_round_done_once(office: Any, epic: Issue, status: int) -> None:
    office.world.knobs.conflict_status = status
    for _ in range(2):
        writes = office.writes()
        breakdown(writes, epic)
        sent = await writes.send()
    assert len(sent.repeated) == 6  # three tickets, two relations, one comment; the label was read again
    await is_broken_down(office, epic)


async def test_an_answer_that_is_lost_is_repaired_by_the_next_round(office: Any, epic: Issue) -> None:
    office.world.faults.plant(Fault(0, When.AFTER))
    writes = office.writes()
    breakdown(writes, epic)
    with pytest.raises(Transient):
        await writes.send()
    assert len(office.asked) == 1
    repeat = office.writes()
    breakdown(repeat, epic)
    await repeat.send()
    await is_broken_down(office, epic)


@pytest.mark.parametrize("kept", [1, 3, 5, 7, 8, 11])
async def test_wherever_a_round_broke_off_the_next_one_ends_it(office: Any, epic: Issue, kept: int) -> None:
    first = office.writes()
    breakdown(first, epic)
    part = (await first.plan())[:kept]
    half = office.writes()
    for write in part:
        half._add(write)
    await half.send()
    office.directory.forget()
    repeat = office.writes()
    breakdown(repeat, epic)
    await repeat.send()
    await is_broken_down(office, epic)


async def test_a_failure_ends_the_round_before_the_record_claims_it(office: Any, epic: Issue) -> None:
    writes = office.writes()
    writes.comment(epic, "panel", "first")
    writes.relation("00000000-0000-4000-8000-000000000000", epic.id)
    writes.record(epic, Record(epic.id, turns=1), title="Callboard", url="https://c.test")
    assert set((await writes.send()).refused) == {epic.id}
    seen = await again(office, epic)
    assert [one.topic for one in seen.comments] == ["panel"]
    assert seen.record is None


@pytest.mark.parametrize("told", [True, False])
async def test_what_is_refused_of_one_issue_leaves_out_the_rest_of_it_and_nothing_else(
    office: Any, epic: Issue, told: bool
) -> None:
    """Also where Linear doesn't tell which write it refuses."""
    one, other = [office.person("alice").creates("YOU", name, state="Todo") for name in ("one", "other")]
    issues = [await again(office, issue) for issue in (one, other)]
    writes = office.writes()
    for issue in (issues[0], replace(issues[1], id="00000000-0000-4000-8000-000000000000")):
        writes.comment(issue, "plan", "The plan.")
        writes.record(issue, Record(issue.id, turns=1), title="Callboard", url=f"https://c.test/{issue.id}")
    writes.comment(epic, "merged", "All is well.")
    if not told:
        office.world.faults.plant(
            Fault(200, body='{"errors": [{"message": "Nonsense", "extensions": {"type": "invalid input"}}]}')
        )
    sent = await writes.send()
    assert set(sent.refused) == {"00000000-0000-4000-8000-000000000000"}
    assert (await again(office, one)).record == Record(one.id, turns=1)
    assert (await again(office, other)).record is None
    assert [said.topic for said in (await again(office, epic)).comments] == ["merged"]
    assert sent.requests == (2 if told else 5)


async def test_a_ticket_that_was_made_taken_out_and_archived_holds_up_no_new_breakdown(
    office: Any, epic: Issue
) -> None:
    """Its id is used, and nothing can be related to it; the relations between the others are made."""
    alice, first = office.person("alice"), office.writes()
    first.create_tickets(epic, TASKS[1:2])
    await first.send()
    gone = office.world.issue("YOU-2")
    alice.reparents(gone, None)
    alice.archives(gone)
    writes = office.writes()
    ids = writes.create_tickets(epic, TASKS)
    for above, below in (("a", "b"), ("b", "c"), ("a", "c")):
        writes.relation(ids[above], ids[below], epic.id)
    writes.move(epic, Stage.DEV)
    for key, id_ in ids.items():
        writes.record(id_, Record(id_, task=key), title="Callboard", url="https://c.test", first=True, epic=epic.id)
    assert (await writes.send()).refused == {}
    picture = await office.observer.observe_epic(epic.id)
    assert picture.epic.stage is Stage.DEV
    assert {one.title: [below.issue for below in one.blocked_by] for one in picture.tickets} == {
        "Do a": [],
        "Do c": [ids["a"]],
    }


async def test_a_relation_that_is_rejected_for_another_reason_is_not_left_out(office: Any, epic: Issue) -> None:
    """A dependent would start before what it waits for. Its ticket is there because an answer was lost, perhaps."""
    first = office.writes()
    first.create_tickets(epic, TASKS[:2])
    await first.send()
    writes = office.writes()
    ids = writes.create_tickets(epic, TASKS[:2])
    writes.relation(ids["a"], ids["b"], epic.id)
    writes.relation(ids["b"], ids["b"], epic.id)
    assert set((await writes.send()).refused) == {epic.id}


async def test_a_ticket_in_a_team_without_our_states_holds_up_no_other(office: Any, epic: Issue) -> None:
    office.world.add_team("OPS", "Operations")
    ticket = await again(office, office.person("alice").creates("OPS", "moved away"))
    writes = office.writes()
    writes.move(ticket, Stage.RESEARCH)
    writes.record(ticket, Record(ticket.id), title="Callboard", url="https://c.test")
    writes.comment(epic, "merged", "All is well.")
    [(issue, said)] = (await writes.send()).refused.items()
    assert (issue, "OPS lacks" in said, "callboard setup" in said) == (ticket.id, True, True)
    assert (await again(office, ticket)).record is None
    assert [one.topic for one in (await again(office, epic)).comments] == ["merged"]


async def test_a_conflict_that_is_not_about_our_thing_is_no_success(office: Any, epic: Issue) -> None:
    body = (
        '{"errors": [{"message": "conflict on insert of DocumentContent", "path": ["w0"], "extensions": {"code": '
        '"INPUT_ERROR", "userPresentableMessage": "Entity DocumentContent with id x already exists."}}], "data": null}'
    )
    office.world.faults.plant(Fault(200, body=body))
    writes = office.writes()
    writes.document(epic, "Breakdown", "text")
    assert "DocumentContent" in (await writes.send()).refused[epic.id]


async def test_nothing_to_write_asks_nothing(office: Any, epic: Issue) -> None:
    writes = office.writes()
    writes.move(epic, Stage.TODO)
    writes.label(epic, add=["orchestrate"], remove=["paused"])
    sent = await writes.send()
    assert (office.asked, sent.requests) == ([], 0)


async def test_a_comment_is_edited_only_when_its_text_is_another(office: Any, epic: Issue) -> None:
    text = "Progress:\n\n- one <https://x.test>\n- [two](https://y.test)"  # Linear stores it changed
    for body, edits in ((text, 0), (text, 0), (f"{text}\n- three", 1), (f"{text}\n- three", 0)):
        seen = await again(office, epic)
        office.forgets()
        writes = office.writes()
        made = writes.comment(seen, "panel", body)
        sent = await writes.send()
        assert sum("edit" in about for about in sent.done) == edits
    [comment] = office.world.comments(office.world.issue("YOU-1"))
    assert comment.id == made
    assert "three" in comment.body


async def test_each_topic_has_its_own_comment_and_people_are_left_alone(office: Any, epic: Issue) -> None:
    said = office.person("bob").comments(office.world.issue("YOU-1"), "panel")
    seen = await again(office, epic)
    writes = office.writes()
    writes.comment(seen, "panel", "a")
    writes.comment(seen, "review", "b", parent=said.id)
    await writes.send()
    comments = {one.topic: one for one in (await again(office, epic)).comments}
    assert [without_marker(comments[topic].body) for topic in ("", "panel", "review")] == ["panel", "a", "b"]
    assert comments["review"].parent == said.id
    assert not comments[""].ours


async def test_an_answer_to_an_answer_joins_the_thread(office: Any, epic: Issue) -> None:
    bob = office.person("bob")
    first = bob.comments(office.world.issue("YOU-1"), "status")
    second = bob.replies(first, "status")
    writes = office.writes()
    writes.comment(await again(office, epic), "status", "All is well.", parent=second.id)
    await writes.send()
    ours = next(one for one in (await again(office, epic)).comments if one.ours)
    assert ours.parent == first.id


async def test_an_answer_in_a_thread_whose_first_comment_was_deleted_stands_by_itself(office: Any, epic: Issue) -> None:
    """Linear would refuse it, and all that is written with it, in every round."""
    bob = office.person("bob")
    first = bob.comments(office.world.issue("YOU-1"), "status")
    second = bob.replies(first, "status")
    seen = await again(office, epic)
    left = replace(seen, comments=tuple(one for one in seen.comments if one.id != first.id))
    writes = office.writes()
    writes.comment(left, "status", "All is well.", parent=second.id)
    await writes.send()
    ours = next(one for one in (await again(office, epic)).comments if one.ours)
    assert ours.parent is None


async def test_a_person_who_copies_our_marker_does_not_become_us(office: Any, epic: Issue) -> None:
    writes = office.writes()
    writes.comment(epic, "shown", "Approve these heads?")
    await writes.send()
    [ours] = (await again(office, epic)).comments
    office.person("bob").comments(office.world.issue("YOU-1"), ours.body)
    copy = next(one for one in (await again(office, epic)).comments if one.id != ours.id)
    assert (copy.ours, copy.topic) == (False, "")


async def test_a_move_and_its_labels_are_one_change(office: Any, epic: Issue) -> None:
    office.person("alice").labels(office.world.issue("YOU-1"), "worker")
    seen = await again(office, epic)
    writes = office.writes()
    await office.directory.teams()
    writes.label(seen, add=[Disposition.BLOCKED], remove=["worker"])
    writes.move(seen, Stage.CODE_REVIEW)
    planned = await writes.plan()
    assert [write.operation for write in planned] == ["issueLabelCreate", "issueUpdate"]
    await writes.send()
    after = await again(office, epic)
    assert (after.stage, after.labels, after.disposition) == (
        Stage.CODE_REVIEW,
        {"orchestrate", "blocked"},
        Disposition.BLOCKED,
    )


async def test_labels_that_others_put_meanwhile_stay(office: Any, epic: Issue) -> None:
    office.person("alice").labels(office.world.issue("YOU-1"), "worker")
    writes = office.writes()
    writes.label(epic, add=["paused"], remove=["orchestrate"])
    await writes.send()
    assert (await again(office, epic)).labels == {"worker", "paused"}


async def test_a_label_that_somebody_makes_first_is_taken_the_next_time(office: Any, epic: Issue) -> None:
    office.world.add_label("Paused", team=office.world.team("YOU"))
    writes = office.writes()
    writes.label(epic, add=["paused"])
    assert "already exists" in (await writes.send()).refused[epic.id]
    repeat = office.writes()
    repeat.label(epic, add=["paused"])
    await repeat.send()
    assert "paused" in (await again(office, epic)).labels


async def test_a_label_group_with_our_name_is_said_in_words(office: Any, epic: Issue) -> None:
    office.world.add_label("blocked", is_group=True)
    office.directory.forget()
    writes = office.writes()
    writes.label(epic, add=["blocked"])
    assert "label group called blocked" in (await writes.send()).refused[epic.id]


async def test_a_team_without_the_states_is_told_what_to_do(office: Any, epic: Issue) -> None:
    office.world.add_team("OPS", "Operations")
    writes = office.writes()
    writes.comment(epic, "panel", "text")
    writes.move(replace(epic, team="OPS"), Stage.RESEARCH)
    with pytest.raises(UserError, match=r"OPS lacks .*Research in Progress.*callboard setup"):
        await writes.plan()
    assert office.world.all(Comment) == []


async def test_setup_makes_the_states_and_labels_that_a_team_lacks(office: Any) -> None:
    office.world.add_team("OPS", "Operations")
    names = {stage: state.name for stage, state in STATES.items()}
    for made in ((7, 4), (0, 0)):
        writes = office.writes()
        team = await office.directory.team("OPS")
        assert (len(writes.create_states(team)), len(writes.create_labels(team))) == made
        await writes.send()
    team = await office.directory.team("OPS")
    assert (team.missing_states(names), team.wrong_states(names), team.missing_labels()) == ({}, {}, ())
    started = [one.name for one in sorted(team.states, key=lambda one: one.position) if one.type == "started"]
    assert started[2:] == [names[stage] for stage in Stage if STATES[stage].type == "started"]
    assert set(LABELS) <= set(team.labels)


async def test_a_record_is_kept_and_replaced(office: Any, epic: Issue) -> None:
    for turns in (1, 2):
        seen = await again(office, epic)
        writes = office.writes()
        writes.record(
            seen, Record(epic.id, turns=turns), title="Callboard", url="https://c.test/1", subtitle=f"{turns}"
        )
        await writes.send()
    [attachment] = office.world.all(Attachment)
    assert (attachment.subtitle, attachment.metadata["generation"]) == ("2", 0)
    seen = await again(office, epic)
    assert seen.record == Record(epic.id, turns=2)
    office.forgets()
    writes = office.writes()
    writes.record(seen, seen.record, title="Callboard", url="https://c.test/1")
    await writes.send()
    assert office.asked == []


async def test_a_record_stays_one_when_the_service_moves_house(office: Any, epic: Issue) -> None:
    for turns, url in ((1, "https://old.test"), (2, "https://new.test")):
        writes = office.writes()
        writes.record(epic, Record(epic.id, turns=turns), title="Callboard", url=url)
        await writes.send()
    assert len(office.world.all(Attachment)) == 1
    assert (await again(office, epic)).record == Record(epic.id, turns=2)


async def test_a_first_record_leaves_the_one_that_is_there(office: Any, epic: Issue) -> None:
    """Where the address is the same, Linear itself replaces what is there."""
    for turns, first in ((3, False), (0, True)):
        writes = office.writes()
        writes.record(epic, Record(epic.id, turns=turns), title="Callboard", url=f"https://{turns}.test", first=first)
        await writes.send()
    assert (await again(office, epic)).record == Record(epic.id, turns=3)


async def test_a_record_that_a_person_forges_is_refused_and_written_anew(office: Any, epic: Issue) -> None:
    writes = office.writes()
    writes.record(epic, Record(epic.id), title="Callboard", url="https://c.test")
    await writes.send()
    [attachment] = office.world.all(Attachment)
    attachment.metadata = {**attachment.metadata, "callboard": attachment.metadata["callboard"] + "x"}
    seen = await again(office, epic)
    assert seen.record is None
    assert "not signed" in seen.record_refused


async def test_a_record_of_ours_that_is_put_back_or_taken_away_is_refused(office: Any, epic: Issue) -> None:
    """Both are signed well, and both would set what it has cost back to nothing."""
    for generation in (1, 2):
        writes = office.writes()
        writes.comment(epic, f"research-{generation}", "Found something.")
        writes.record(
            await again(office, epic),
            Record(epic.id, generation=generation, cost_usd=9.0),
            title="Callboard",
            url="https://c.test",
        )
        await writes.send()
    [attachment] = office.world.all(Attachment)
    newest = attachment.metadata
    assert (await again(office, epic)).record == Record(epic.id, generation=2, cost_usd=9.0)
    attachment.metadata = seal(Record(epic.id, generation=1), KEY)
    seen = await again(office, epic)
    assert (seen.record, seen.record_refused) == (None, "the record on Linear is older than what was said here since")
    attachment.metadata = {}
    seen = await again(office, epic)
    assert (seen.record, seen.record_refused) == (None, "the record that was kept on Linear is gone")
    attachment.metadata = newest
    assert (await again(office, epic)).record_refused == ""


@pytest.mark.parametrize("used", [True, False])
async def test_a_record_that_somebody_deleted_can_be_kept_again(office: Any, epic: Issue, used: bool) -> None:
    """Whether or not Linear takes its id for used: the write was refused for ever, and the whole epic stood."""
    office.world.knobs.ids_stay_used = used
    for turns in (1, 2, 3, 4):
        if turns in (2, 4):
            [attachment] = office.world.all(Attachment)
            attachment.issue.attachments.remove(attachment)
            office.world.drop(attachment)
        writes = office.writes()
        record = Record(epic.id, turns=turns, number=turns)
        writes.record(await again(office, epic), record, title="Callboard", url="https://c.test")
        assert (await writes.send()).refused == {}
        assert len(office.world.all(Attachment)) == 1
        assert (await again(office, epic)).record == record


@pytest.mark.parametrize("used", [True, False])
async def test_a_label_whose_definition_somebody_deleted_is_made_again(office: Any, epic: Issue, used: bool) -> None:
    office.world.knobs.ids_stay_used = used
    for left in (0, 1, 2):
        for _ in range(left + 1 if used else 1):  # how often it was deleted is found out by asking
            writes = office.writes()
            writes.label(replace(epic, labels=frozenset()), add=["paused"])
            refused = (await writes.send()).refused
        assert refused == {}
        assert "paused" in (await again(office, epic)).labels
        [label] = [one for one in office.world.all(Label) if one.name == "paused"]
        office.world.find_issue(epic.identifier).labels.remove(label)
        office.world.drop(label)
        office.directory.forget()


async def test_a_label_that_another_process_made_first_is_put_on_issues_ever_after(office: Any, epic: Issue) -> None:
    """What Linear says it knows already is not always something that was deleted."""
    await office.directory.team("YOU")  # and remembers that there is no such label
    first = Writes(office.client, Directory(office.client), states={}, key=KEY)
    for writes in (first, office.writes(), office.writes()):
        writes.label(replace(epic, labels=frozenset()), add=["paused"])
        assert (await writes.send()).refused == {}
    assert "paused" in (await again(office, epic)).labels


async def test_a_document_is_made_once_edited_and_called_back_from_the_trash(office: Any, epic: Issue) -> None:
    writes = office.writes()
    made = writes.document(epic, "Breakdown", "one")
    await writes.send()
    picture = await office.observer.observe_epic(epic.id)
    assert picture.document is not None
    assert (picture.document.id, picture.document.content) == (made, "one")
    writes = office.writes()
    writes.document(epic, "Breakdown", "two", picture.document)
    await writes.send()
    [document] = office.world.all(Document)
    assert document.content == "two"
    document.trashed = True
    assert (await office.observer.observe_epic(epic.id)).document is None
    writes = office.writes()
    writes.document(epic, "Breakdown", "three")
    [create] = await writes.plan()
    assert create.instead is not None
    assert create.instead.variables["input"] == {"title": "Breakdown", "content": "three", "trashed": None}
    assert len((await writes.send()).repeated) == 1
    assert document.content == "three"


async def test_documents_of_people_are_not_the_breakdown(office: Any, epic: Issue) -> None:
    office.person("alice").writes(office.world.issue("YOU-1"), "Breakdown", "mine")
    picture = await office.observer.observe_epic(epic.id)
    assert [one.title for one in picture.documents] == ["Breakdown"]
    assert picture.document is None


async def test_a_large_round_is_sent_in_parts(office: Any, epic: Issue) -> None:
    writes = office.writes()
    writes.create_tickets(epic, [NewTicket(f"t{n}", f"Ticket {n}", "a line\n" * (MOST_BYTES // 28)) for n in range(8)])
    writes.record(epic, Record(epic.id), title="Callboard", url="https://c.test")
    sent = await writes.send()
    assert sent.requests == 3
    assert len((await office.observer.observe_epic(epic.id)).tickets) == 8


async def test_many_small_writes_are_sent_in_parts(office: Any, epic: Issue) -> None:
    writes = office.writes()
    writes.create_tickets(epic, [NewTicket(f"t{n}", f"Ticket {n}", "") for n in range(90)])
    assert (await writes.send()).requests == 3


async def test_a_full_workspace_is_said_and_not_tried_again(office: Any, epic: Issue) -> None:
    office.world.knobs.issue_limit = 1
    writes = office.writes()
    writes.create_tickets(epic, TASKS)
    with pytest.raises(Refused, match="free issue limit"):
        await writes.send()
    assert len(office.asked) == 1


async def test_ids_are_those_the_rest_of_the_house_expects(office: Any, epic: Issue) -> None:
    writes = office.writes()
    assert writes.create_tickets(epic, TASKS)["a"] == effect_id("ticket", epic.id, "a")
    assert writes.document(epic, "t", "c") == effect_id("document", epic.id)
    assert writes.comment(epic, "panel", "x") == effect_id("comment", epic.id, "panel")
