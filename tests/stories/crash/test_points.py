"""The list of crash points knows every verb there is: one that is new, and not killed anywhere, fails here.

What is left out is named, with the reason.
"""

from dataclasses import fields
from importlib import resources
from types import FunctionType
from typing import get_args

import pytest

from bot.effects import GitHubEffects, Runs
from bot.engine.port import Engine
from bot.git.mirror import Mirror
from bot.linear.ensure import Writes
from bot.machine import decision
from bot.perform import Performer
from bot.simulator.crash import POINTS, VERBS, Moment
from bot.simulator.crash.trap import LINEAR
from bot.telling import Telling

LINEAR_VERBS = {
    "comment": {"linear.comment", "linear.edit", "linear.reply"},
    "create_tickets": {"linear.ticket", "linear.new-label"},
    "relation": {"linear.relation"},
    "move": {"linear.move"},
    "label": {"linear.label", "linear.new-label"},
    "record": {"linear.record"},
    "document": {"linear.document", "linear.document-edit"},
}
TELLS = {
    "begin": "linear.*",
    "runs": "engine.*",
    "page": "no verb",
    "voice": "no verb",
    "note": "the audit log: a line more or less is nobody's memory",
    "panels": "keeps the panel in memory for the pages",
}
NOT_THE_LOOP = {
    "epic": "`callboard orchestrate` makes it, and its id is made from the spec",
    "create_states": "`callboard setup`",
    "create_labels": "`callboard setup`",
    "plan": "tells what would be sent",
    "send": "sends what the others asked for",
}
ACTIONS = {
    "Move": "linear.move",
    "Dispose": "linear.label",
    "Remember": "linear.record",
    "Post": "linear.comment",
    "WriteBreakdown": "linear.document",
    "CreateTickets": "linear.ticket",
    "StartRun": "engine.start_run",
    "StopRun": "engine.cancel_run",
    "OpenPullRequest": "github.ensure_pull",
    "Retarget": "github.retarget",
    "Merge": "github.merge",
    "Enqueue": "github.enqueue",
    "Dequeue": "github.dequeue",
    "Rerun": "github.rerun",
    "Answer": "github.answer",
    "RequestReview": "github.request_review",
    "ShowCheck": "github.our_check",
    "ClosePullRequest": "github.close_pull",
    "CleanUp": "github.delete_branch",
}
ENGINE_LEAVES_OUT = {
    "refuse": "counts for people what was not let in",
    "runs": "reads",
    "records": "reads",
    "text_of": "reads",
    "service": "reads",
    "spent": "reads",
    "status": "reads",
    "parked": "reads",
    "run": "is the loop itself",
}
MIRROR_LEAVES_OUT = {
    "delete": "nothing calls it; branches are deleted by `github.delete_branch`",
    **dict.fromkeys(("fetch", "obtain"), "changes only the mirror, which is fetched again"),
    "git": "what the others are made of",
    "keep": "changes only the mirror; the run brings its bundle again",
    **dict.fromkeys(("tip", "work", "has", "contains", "descends", "fork", "read", "tree", "differing"), "reads"),
}
HANDS = {
    "telling": "linear.*",
    "github": "github.*",
    "runs": "engine.*",
    "clean_up": "checkout.remove and git.drop_work",
    "log_of": "reads",
    "policy": "reads",
    "allowed": "remembers what `engine.allow` was told",
    "refusals": "what GitHub said is in memory, and asked for again when that is lost",
}


def public(owner):
    return {name for name, value in vars(owner).items() if isinstance(value, FunctionType) and name[0] != "_"}


def verbs(room):
    return {name.partition(".")[2] for name in VERBS if name.startswith(f"{room}.")}


def test_every_verb_on_github_is_killed():
    assert verbs("github") == public(GitHubEffects)


def test_every_write_to_linear_is_killed():
    assert public(Writes) == LINEAR_VERBS.keys() | NOT_THE_LOOP.keys()
    assert {f"linear.{one}" for one in verbs("linear")} == set().union(*LINEAR_VERBS.values())


def test_every_mutation_of_linear_has_its_verb():
    folder = resources.files("bot.linear") / "operations"
    sent = {file.name.partition(".")[0] for file in folder.iterdir() if "mutation" in file.read_text().split()[:1]}
    assert sent == LINEAR.keys() | {"webhookCreate", "workflowStateCreate"}, "two are `callboard setup`'s"
    assert set(LINEAR.values()) <= VERBS.keys()


def test_every_verb_of_the_engine_is_killed():
    assert public(Runs) <= verbs("engine")
    assert public(Engine) == (verbs("engine") | ENGINE_LEAVES_OUT.keys()) - {"finish"}


def test_every_push_is_killed():
    assert public(Mirror) == verbs("git") | MIRROR_LEAVES_OUT.keys()


def test_every_action_and_every_hand_of_the_performer_leads_to_a_verb():
    assert {one.__name__ for one in get_args(decision.Action)} == ACTIONS.keys()
    assert set(ACTIONS.values()) <= VERBS.keys()
    assert {one.name for one in fields(Performer)} == HANDS.keys()
    assert {one.name for one in fields(Telling)} == TELLS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_dies_at_every_moment_with_and_without_its_database(verb):
    mine = {(point.moment, point.lost) for point in POINTS if point.verb == verb}
    assert mine == {(moment, lost) for moment in Moment for lost in (False, True)}


def test_no_point_is_there_twice():
    assert len({point.name for point in POINTS}) == len(POINTS)
