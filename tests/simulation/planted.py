"""Bugs that are planted on purpose, each one small exact replacement in the service's own code: `make sweep` runs them.

A simulation that finds nothing proves something only when it would have found these.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Planted:
    """One bug: in `file`, `old` (found exactly once) becomes `new`. `found_by` is the story that found it last."""

    bug: str
    file: str
    old: str
    new: str
    found_by: int = 0


def plant(bug: Planted, tree: Path) -> None:
    """Put the bug into a copy of the tree.

    Raises:
        ValueError: the text that it replaces is not there exactly once.
    """
    path = tree / bug.file
    text = path.read_text()
    if text.count(bug.old) != 1:
        raise ValueError(f"{bug.bug}: its text is {text.count(bug.old)} times in {bug.file}")
    path.write_text(text.replace(bug.old, bug.new))


PLANTED = (
    # ---- runs
    Planted(
        "a settled run is taken in again",
        "bot/machine/running.py",
        "    if newest is None or newest.generation <= record.settled or newest.generation < record.generation:",
        "    if newest is None or newest.generation < record.generation:",
    ),
    Planted(
        "every run has the same generation",
        "bot/machine/running.py",
        "    generation = record.generation + 1\n",
        "    generation = max(1, record.generation)\n",
    ),
    Planted(
        "a result is not noted as settled",
        "bot/machine/running.py",
        "    settled = replace(record, settled=run.generation)\n",
        "    settled = record\n",
    ),
    Planted(
        "a move by hand back lets the old run's result count",
        "bot/machine/moving.py",
        "    return record.settled if goes_on else record.generation\n",
        "    return record.settled\n",
        found_by=4,
    ),
    Planted(
        "a failing stage is tried again for ever",
        "bot/machine/running.py",
        "    if failed.attempts <= facts.rules.max_retries:",
        "    if failed.attempts >= 0:",
        found_by=32,
    ),
    Planted(
        "an agent may push when its lease is another's",
        "bot/engine/memory.py",
        "row.attempt_of_start == self.fence and row.stop_reason is None\n",
        "row.attempt_of_start > 0\n",
        found_by=130,
    ),
    Planted(
        "the cap of workers is forgotten",
        "bot/engine/admission.py",
        "if all(used[scope] < cap for scope, cap in _claims(order)):",
        "if True:",
    ),
    # ---- money
    Planted(
        "a cost is counted twice",
        "bot/machine/spending.py",
        "cost_usd=round(record.cost_usd + cost, 6)) if cost",
        "cost_usd=round(record.cost_usd + 2 * cost, 6)) if cost",
        found_by=34,
    ),
    Planted(
        "what a run has cost is not counted",
        "bot/machine/spending.py",
        "cost_usd=round(record.cost_usd + cost, 6)) if cost",
        "cost_usd=record.cost_usd) if cost",
    ),
    Planted(
        "the budget is not looked at",
        "bot/machine/running.py",
        "    if spent(facts) >= budget(facts):",
        "    if spent(facts) < 0:",
        found_by=7,
    ),
    # ---- order
    Planted(
        "blockers are not waited for",
        "bot/machine/stack.py",
        "        if not _far_enough(facts, below)\n",
        "        if False\n",
    ),
    Planted(
        "a pause is ignored",
        "bot/machine/running.py",
        "    for one in (ticket, facts.epic):\n        if one.issue.disposition is not None:",
        "    for one in ():\n        if one.issue.disposition is not None:",
        found_by=28,
    ),
    Planted(
        "a pause of the epic is ignored by its tickets",
        "bot/machine/running.py",
        "    for one in (ticket, facts.epic):\n",
        "    for one in (ticket,):\n",
        found_by=34,
    ),
    Planted(
        "a ticket begins before the breakdown is approved",
        "bot/machine/running.py",
        "or record_of(facts.epic).approval is not None\n",
        "or True\n",
        found_by=46,
    ),
    Planted(
        "runs go on when their ticket is over",
        "bot/machine/running.py",
        "for run in ticket.runs if run.live)\n",
        "for run in ticket.runs if False)\n",
        found_by=85,
    ),
    # ---- who may
    Planted(
        "what an integration wrote counts as a person's",
        "bot/linear/reading.py",
        "            person=not strange and user.active and not user.guest and not user.app,\n",
        "            person=user.active and not user.guest and not user.app,\n",
        found_by=5,
    ),
    Planted(
        "an edited comment approves",
        "bot/machine/approval.py",
        "    if comment.edited and act is not Act.ASK:",
        "    if False:",
        found_by=52,
    ),
    Planted(
        "the service hears itself",
        "bot/machine/listening.py",
        "    new = [one for one in said if not one.ours and one.id not in known]",
        "    new = [one for one in _said(facts, ticket) if one.id not in known]",
    ),
    Planted(
        "what was heard is heard again",
        "bot/machine/listening.py",
        "    new = [one for one in said if not one.ours and one.id not in known]",
        "    new = [one for one in said if not one.ours]",
    ),
    Planted(
        "a forged record is believed",
        "bot/linear/records.py",
        "            fields = _serializer([key]).loads(text)\n",
        "            fields = _serializer([key]).loads_unsafe(text)[1]\n",
        found_by=29,
    ),
    Planted(
        "a record copied from another issue is believed",
        "bot/linear/records.py",
        "    if record.issue != issue:",
        "    if False:",
        found_by=34,
    ),
    Planted(
        "an approval where nothing stands in review has no answer",
        "bot/machine/decide.py",
        "    return decision + Decision(tuple(post for post in replies if post.topic not in answered))\n",
        "    return decision\n",
    ),
    Planted(
        "what is archived is edited",
        "bot/machine/archive.py",
        "    if not archived:\n",
        "    if True:\n",
        found_by=142,
    ),
    Planted(
        "the label counts whoever puts it there",
        "bot/machine/calling.py",
        '    return verdict.reason if isinstance(verdict, Denied) else ""\n',
        '    return ""\n',
        found_by=39,
    ),
    Planted(
        "a label that was taken off still counts",
        "bot/machine/decide.py",
        "        record = replace(record, called=calling.known(facts), lone=facts.lone)\n",
        "        record = replace(record, called=record.called or calling.known(facts), lone=facts.lone)\n",
        found_by=99,
    ),
    # ---- the merge
    Planted(
        "an approval of another head counts",
        "bot/machine/approval.py",
        "    return head == given[ticket.issue.id] or carried == (given[ticket.issue.id], head)\n",
        "    return True\n",
        found_by=10,
    ),
    Planted(
        "what was carried from anywhere counts as approved",
        "bot/machine/approval.py",
        "or carried == (given[ticket.issue.id], head)\n",
        "or (carried is not None and carried[1] == head)\n",
        found_by=10,
    ),
    Planted(
        "a merge is not bound to the head that was approved",
        "bot/github/landing.py",
        '        wanted = {"sha": head, "commit_title": title}\n',
        '        wanted = {"commit_title": title}\n',
        found_by=10,
    ),
    Planted(
        "an approval that was taken back still counts",
        "bot/machine/clearance.py",
        "or not stands(approval, asked, facts.rules):",
        "or False:",
        found_by=22,
    ),
    Planted(
        "an approval counts for what was shown after it",
        "bot/machine/approval.py",
        "    if subject is None or subject.shown_at is None or comment.created_at <= subject.shown_at:\n"
        "        return _TOO_EARLY[act]\n    if not subject.unchanged:",
        "    if subject is None:\n        return _TOO_EARLY[act]\n    if False:",
        found_by=22,
    ),
    Planted(
        "a stack is merged from its top",
        "bot/machine/train.py",
        "    if ahead:\n        names = ",
        "    if False:\n        names = ",
        found_by=22,
    ),
    Planted(
        "red checks are no obstacle",
        "bot/github/checks.py",
        "if one and not _is_own(one, own))\n",
        'if one and not _is_own(one, own) and one.get("conclusion") != "FAILURE")\n',
        found_by=52,
    ),
    Planted(
        "checks that still run are no obstacle",
        "bot/machine/clearance.py",
        "    if not checks_are_green(facts, ticket, pull):\n",
        "    if False:\n",
        found_by=34,
    ),
    Planted(
        "the clock on the wall says whether checks will still appear",
        "bot/machine/stack.py",
        "    watched = facts.unchecked.get(record.issue, 0.0)\n",
        "    watched = (facts.now - record.head_at).total_seconds() if record.head_at else 0.0\n",
        found_by=479,
    ),
    Planted(
        "somebody who wants changes is no obstacle",
        "bot/machine/clearance.py",
        "    if pull.changes_requested_by:\n",
        "    if False:\n",
        found_by=37,
    ),
    Planted(
        "a ticket that stands still is merged",
        "handlers/merge.py",
        "    running = facts.epic.issue.stage is Stage.MERGE and _stands_still(facts, ticket) is None\n",
        "    running = facts.epic.issue.stage is Stage.MERGE\n",
        found_by=52,
    ),
    Planted(
        "what shall not be merged any more stays in the merge queue",
        "bot/machine/merge_queue.py",
        "    if _rides(facts, ticket, pull):\n",
        "    if True:\n",
        found_by=868,
    ),
    Planted(
        "a merge into a branch counts as landed",
        "bot/machine/stack.py",
        "    return any(base in (None, one.base_branch) for one in _merges(facts, ticket))\n",
        "    return bool(_merges(facts, ticket))\n",
        found_by=16,
    ),
    Planted(
        "a branch is deleted below an open pull request",
        "bot/machine/landing.py",
        "    if any(_stands_on(facts, one, branch) for one in facts.tickets for branch in branches):\n",
        "    if False:\n",
        found_by=22,
    ),
    Planted(
        "a branch is deleted with what was pushed to it after its merge",
        "bot/github/ensure.py",
        "        pushed_to = bool(merged) and tip != merged\n",
        "        pushed_to = False\n",
        found_by=522,
    ),
    Planted(
        "a review bot that ends its check well speaks for those that have not begun",
        "bot/reviewing.py",
        "        left = Checks.GREEN if counted else Checks.NONE\n",
        "        left = Checks.GREEN\n",
        found_by=446,
    ),
    Planted(
        "nobody waits for review bots",
        "bot/machine/mending.py",
        "    return end if facts.now < end else None\n",
        "    return None\n",
        found_by=26,
    ),
    Planted(
        "what review bots find is left to people",
        "bot/machine/mending.py",
        '        settled = bot.word == "findings" or (end is None and not on_its_way)',
        "        settled = False",
        found_by=26,
    ),
    # ---- effects
    Planted(
        "a branch on which somebody stacked something is deleted",
        "bot/github/ensure.py",
        "        stacked_on = await self._is_base(repository, branch)\n",
        "        stacked_on = False\n",
        found_by=52,
    ),
    Planted(
        "a webhook is answered before it is stored",
        "bot/web/intake.py",
        "        accepted = await accept(delivery)\n",
        "        accepted, _ = Accepted.NEW, asyncio.ensure_future(accept(delivery))\n",
    ),
    Planted(
        "a delivery is stored and nobody is told",
        "bot/engine/memory_inbox.py",
        "            self.want(stored.key)\n        return accepted\n",
        "            self.keys.setdefault(stored.key, MemoryKey())\n        return accepted\n",
    ),
    Planted(
        "a failed round counts as a good one",
        "bot/engine/memory.py",
        "                self._inbox.failed(key, noted, error)\n",
        "                self._inbox.done(key, noted, None)\n",
    ),
    Planted(
        "the wish to look again is forgotten",
        "bot/engine/memory_inbox.py",
        "        row.not_before = min(row.not_before or due, due)\n",
        "        row.not_before = due\n",
    ),
    Planted(
        "nobody looks regularly",
        "bot/observe.py",
        '        return [f"epic:{root.id}" for root in roots]\n',
        "        return []\n",
        found_by=40,
    ),
    Planted(
        "the service is triggered by itself on GitHub",
        "bot/github/webhook.py",
        "    if own and event.cause() == own:\n",
        "    if False:\n",
        found_by=16,
    ),
    Planted(
        "Linear is told what GitHub refused",
        "bot/perform.py",
        "        if failure is not None:\n",
        "        if False:\n",
        found_by=208,
    ),
    Planted(
        "a comment gets a new id each time",
        "bot/linear/upsert.py",
        "    ours = comment_id(issue.id, topic) if",
        '    ours = comment_id(issue.id, f"{topic}{len(issue.comments)}") if',
        found_by=56,
    ),
    Planted(
        "a ticket gets a new id each time",
        "bot/linear/ensure.py",
        "        ours = ticket_id(epic.id, ticket.key)\n",
        '        ours = ticket_id(epic.id, f"{ticket.key}{len(self._plans)}{id(self)}")\n',
    ),
    Planted(
        "a branch that nobody may delete holds up everything",
        "bot/github/ensure.py",
        "        except (Forbidden, Unprocessable) as error:\n",
        "        except NotFound as error:\n",
        found_by=40,
    ),
    Planted(
        "a locked conversation holds up everything",
        "bot/perform.py",
        "        except Locked as locked:\n",
        "        except ZeroDivisionError as locked:\n",
        found_by=112,
    ),
    Planted(
        "merge commits are tried for ever where they are forbidden",
        "bot/github/landing.py",
        "if method != methods[-1] and _ANOTHER_METHOD.search(str(error)):\n",
        "if False:\n",
        found_by=112,
    ),
    Planted(
        "an answer on a pull request is given each time",
        "bot/github/talking.py",
        '                if comment.user.id == own and topic_of(comment.body or "") == topic:\n',
        "                if False:\n",
        found_by=160,
    ),
    Planted(
        "a checkout is never cleaned up",
        "bot/perform.py",
        "                await self.clean_up(repository, branch)\n",
        "",
        found_by=10,
    ),
    Planted(
        "a ticket is done when its pull request is closed",
        "bot/machine/landing.py",
        "    if not has_landed(facts, ticket):\n        return Decision(blockers=(_merged_elsewhere(",
        "    if False:\n        return Decision(blockers=(_merged_elsewhere(",
        found_by=16,
    ),
    Planted(
        "a stage may be skipped by hand without what it needs",
        "bot/machine/moving.py",
        "    if not missing:\n",
        "    if True:\n",
        found_by=25,
    ),
    Planted(
        "a ticket that a person took away is made again",
        "bot/machine/archive.py",
        "    gone = taken_away(facts)\n",
        "    gone = frozenset[str]()\n",
        found_by=235,
    ),
    Planted(
        "what is taken out of its epic keeps its checkout",
        "bot/machine/departed.py",
        "    actions.append(CleanUp(facts.epic.issue.id, repository, one.branch, delete_branch=False))\n",
        "",
        found_by=57,
    ),
    Planted(
        "what is taken out of its epic stays in the merge queue",
        "bot/machine/departed.py",
        "        actions.append(Dequeue(facts.epic.issue.id, facts.repository.name, pull.number))\n",
        "        pass\n",
        found_by=657,
    ),
    Planted(
        "what was taken out of its epic and is called alone counts as an epic",
        "bot/observe.py",
        "not record.epic and (has_begun(record)",
        "(has_begun(record)",
        found_by=237,
    ),
    Planted(
        "an answer goes below what was deleted",
        "bot/linear/upsert.py",
        '    return root if any(one.id == root for one in issue.comments) else ""\n',
        "    return root\n",
        found_by=2155,
    ),
    Planted(
        "another label makes another thing of what has begun",
        "bot/observe.py",
        "(has_begun(record) or not issue.labels & {ORCHESTRATE, WORKER}):\n",
        "not issue.labels & {ORCHESTRATE, WORKER}:\n",
        found_by=895,
    ),
    Planted(
        "an epic goes on wherever its label, project or team says now",
        "bot/places.py",
        "    if not began_in:\n",
        "    if True:\n",
        found_by=1075,
    ),
    Planted(
        "what can't be written about one ticket holds up its whole epic",
        "bot/linear/ensure.py",
        "                if refused is None or not issue:\n",
        "                if True:\n",
        found_by=810356,
    ),
    Planted(
        "what GitHub refuses to show fails the whole round",
        "bot/observe.py",
        "        except (Refused, UserError) as error:\n",
        "        except NotImplementedError as error:\n",
        found_by=296,
    ),
    Planted(
        "what GitHub refuses of one ticket fails the whole round",
        "bot/perform.py",
        "            except (Refused, UserError, Unprocessable) as error:\n",
        "            except NotImplementedError as error:\n",
        found_by=836,
    ),
    Planted(
        "a label that somebody deleted is made with a used id, for ever",
        "bot/linear/ensure.py",
        "        self._directory.spent.update(sent.there & labels)\n",
        "",
        found_by=810476,
    ),
    Planted(
        "a record that somebody deleted is kept under a used id, for ever",
        "bot/linear/upsert.py",
        " else change(ours, anew))\n",
        " else change(ours, create(ours, None)))\n",
        found_by=810176,
    ),
    Planted(
        "what was pushed before a kill is nothing to do",
        "bot/runs/order.py",
        "    if old is None or shared in (None, old):\n",
        "    if True:\n",
        found_by=20457,
    ),
    Planted(
        "what another account said is edited, which nobody may",
        "bot/linear/upsert.py",
        "    if there is not None and there.editable:\n",
        "    if there is not None:\n",
        found_by=329,
    ),
    Planted(
        "what has begun is looked for by the name that its ticket has now",
        "bot/machine/stack.py",
        "    return known or pushed or branch_of(ticket.issue.identifier)\n",
        "    return branch_of(ticket.issue.identifier)\n",
        found_by=19916,
    ),
    Planted(
        "nobody sees that a protected file is changed",
        "bot/machine/protected.py",
        "    return tuple(path for path in paths if _one_means(wanted, path.casefold()))\n",
        "    return ()\n",
        found_by=114,
    ),
    Planted(
        "what departed had cost is forgotten",
        "bot/machine/spending.py",
        "    return tuple((left | {one.issue: round(_had_cost(facts, one), 6) for one in facts.departed}).items())\n",
        "    return tuple(left.items())\n",
        found_by=117,
    ),
    Planted(
        "what counts when a model is called is not looked at before a run begins",
        "bot/machine/spending.py",
        "    return max(facts.spent_usd, recorded(facts)",
        "    return max(0.0, recorded(facts)",
        found_by=150,
    ),
    Planted(
        "nobody asks whether the model's account is at its limit",
        "bot/machine/limits.py",
        "    if end is None or end <= facts.now:\n",
        "    if True:\n",
        found_by=433,
    ),
    Planted(
        "nobody asks what the day has cost",
        "bot/machine/limits.py",
        "    if facts.service.today_usd < facts.rules.day_usd:\n",
        "    if True:\n",
        found_by=73,
    ),
    Planted(
        "nobody asks how many runs there were within an hour",
        "bot/machine/limits.py",
        "    if facts.service.runs_lately >= facts.rules.runs_per_hour:\n",
        "    if False:\n",
        found_by=673,
    ),
)
