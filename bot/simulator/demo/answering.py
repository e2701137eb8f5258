"""What the scripted model does on an open pull request: answer a review, repair a check, resolve a conflict."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.simulator.demo.scenario import Files, Review, Task
from bot.simulator.model import Answer, Asked, calls, concludes, runs, writes

ALL_TESTS = "python3 -m unittest discover -s tests -t ."
_THREAD = re.compile(
    r"^<<< thread \d+ · data written[^\n]* · (?P<mark>\w+)\n(?P<text>.*?)\n>>> [^\n]* · (?P=mark) · read", re.M | re.S
)
_CONFLICT = re.compile(r"Merge `(?P<base>origin/\S+)` and resolve it")
_UNKNOWN = "I have nothing prepared for this."


def answer_review(asked: Asked, task: Task) -> Sequence[Answer]:
    """Change the files that the reviews ask for, run all tests, and answer in every thread."""
    files: dict[str, str] = {}
    replies, done = [], list[str]()
    for thread in (json.loads(found["text"]) for found in _THREAD.finditer(asked.text)):
        review, answer, resolved = _prepared(task, thread)
        if review and review.later:
            files |= task.later[review.later]
            done.append(review.summary)
        replies.append({"thread_id": thread["thread_id"], "body": answer, "resolved": resolved})
    summary = " ".join(dict.fromkeys(done)) or "Answered; nothing was to be changed."
    outcome = {"status": "success", "summary": summary, "verified": [ALL_TESTS], "replies": replies}
    if not files:
        return [calls(runs("git log --oneline -3")), concludes({**outcome, "verified": []})]
    return _tested(asked, [_writing(files)], outcome)


def repair(asked: Asked, task: Task) -> Sequence[Answer]:
    """Repair what the checks of the pull request found, or resolve its conflict with the base."""
    conflict = _CONFLICT.search(asked.text)
    kind = "conflict" if conflict else "checks"
    look = runs(f"git merge {conflict['base']}; git diff" if conflict else f"{ALL_TESTS} 2>&1 | tail -20")
    outcome = {"status": "success", "summary": task.repairs[kind], "verified": [ALL_TESTS]}
    return _tested(asked, [calls(look), _writing(task.later[kind])], outcome)


def _prepared(task: Task, thread: Mapping[str, Any]) -> tuple[Review | None, str, bool]:
    """The review that a thread is of, the answer, and whether all is done with it."""
    said = "\n".join(_texts(thread))
    for review in task.reviews:
        for remark in review.remarks:
            if remark.text in said:
                return review, remark.answer, remark.resolved
        if review.body and review.body in said:
            return review, review.answer, True
    return None, _UNKNOWN, False


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _writing(files: Files) -> Answer:
    return calls(*(writes(path, content) for path, content in files.items()))


def _tested(asked: Asked, steps: list[Answer], outcome: Mapping[str, Any]) -> Sequence[Answer]:
    """The steps, all tests after them, and the outcome; a failure when the tests say so."""
    done = [*steps, calls(runs(ALL_TESTS))]
    if asked.answers == len(done) and any("FAILED" in result for result in asked.results):
        return [*done, concludes({"status": "failure", "summary": "The repository's tests fail."})]
    return [*done, concludes(outcome)]
