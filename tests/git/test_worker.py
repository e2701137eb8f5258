"""A worker over real git: what an agent hands over becomes one commit of the service, pushed; or a reason why not."""

import pytest

from bot.runs.contract import Ending, RunResult


async def test_the_files_of_an_agent_become_one_commit_of_the_service_on_the_pushed_branch(
    worker, agent, remote, order, lease
):
    agent.files = {"src/settings.py": "x = 1\n"}
    result = await worker.work(order(), lease())
    assert result["kind"] == "success"
    assert remote.git("rev-parse", "agent/YOU-2") == result["head"]
    assert remote.git("log", "-1", "--format=%an|%s", "agent/YOU-2") == "callboard[bot]|YOU-2: Store settings"
    assert remote.git("show", "agent/YOU-2:src/settings.py") == "x = 1"
    assert "Callboard-Run: run-1" in remote.git("log", "-1", "--format=%B", "agent/YOU-2")
    assert int(remote.git("rev-list", "--count", "main..agent/YOU-2")) == 1


async def test_documentation_with_no_commit_has_nothing_to_do(worker, order, lease):
    result = await worker.work(order(), lease())
    assert (result["kind"], result["nothing_to_do"]) == ("success", True)


async def test_work_that_was_pushed_before_a_kill_is_not_taken_for_nothing_to_do(worker, agent, remote, order, lease):
    """`make kill` lost the documentation of an epic: who begins again finds it on the branch, and nothing to add."""
    agent.files = {"docs/settings.md": "x\n"}
    pushed = (await worker.work(order(), lease()))["head"]
    agent.files = {}
    again = await worker.work(order(), lease())
    assert (again["kind"], again["head"], again.get("nothing_to_do")) == ("success", pushed, None)
    assert remote.git("rev-parse", "agent/YOU-2") == pushed


async def test_a_document_is_committed_under_thoughts_and_linked(worker, agent, remote, order, lease):
    agent.result = RunResult(kind=Ending.SUCCESS, outcome={"summary": "s", "document": "# Found\n"})
    result = await worker.work(order("research"), lease())
    path = "thoughts/shared/research/2026-11-21-YOU-2.md"
    assert result["document"]["path"] == path
    assert remote.git("show", f"agent/YOU-2:{path}") == "# Found"
    assert result["document_url"] == f"https://github/acme/youlab/blob/{result['head']}/{path}"
    agent.result = RunResult(kind=Ending.SUCCESS, outcome={"summary": "s", "document": "# Plan\n"})
    planned = await worker.work(order("plan", "run-2", research_path=path), lease())
    assert agent.specs[-1].variables["research"] == "# Found\n"
    assert remote.git("show", f"agent/YOU-2:{planned['document']['path']}") == "# Plan"


@pytest.mark.attack("S-36")
async def test_a_run_that_is_no_longer_mine_pushes_nothing(worker, agent, remote, order, lease):
    agent.files, taken_away = {"a.py": "1\n"}, lease()
    agent.then = lambda _tree: setattr(taken_away, "mine", False)
    result = await worker.work(order(), taken_away)
    assert result["kind"] == "stopped"
    assert "agent/YOU-2" not in remote.git("branch", "--list")


async def test_a_run_that_is_no_longer_mine_begins_no_agent(worker, agent, order, lease):
    result = await worker.work(order(), lease(mine=False))
    assert result["kind"] == "stopped"
    assert agent.specs == []


async def test_a_person_who_pushed_meanwhile_loses_nothing(worker, agent, remote, order, lease):
    agent.files = {"a.py": "1\n"}
    agent.then = lambda _tree: remote.commit({"theirs.py": "2\n"}, branch="agent/YOU-2")
    result = await worker.work(order(), lease())
    assert result["kind"] == "transport_failed"
    assert remote.git("show", "agent/YOU-2:theirs.py") == "2"
    agent.then = lambda _tree: None
    again = await worker.work(order(run="run-2"), lease())
    assert again["kind"] == "success"
    assert remote.git("show", "agent/YOU-2:theirs.py") == "2"
    assert remote.git("show", "agent/YOU-2:a.py") == "1"


async def test_two_blockers_are_merged_into_a_base_of_their_own(worker, agent, remote, order, lease):
    remote.commit({"one.py": "1\n"}, branch="agent/YOU-7")
    agent.files = {"both.py": "3\n"}
    result = await worker.work(
        order().model_copy(update={"base": "agent/YOU-2-base", "merges": ("agent/YOU-7", "main")}), lease()
    )
    assert result["kind"] == "success"
    assert remote.git("show", "agent/YOU-2-base:one.py") == "1"
    assert remote.git("show", "agent/YOU-2:one.py") == "1"


async def test_blockers_that_clash_are_a_question_for_a_person(worker, agent, remote, shell, order, lease):
    remote.commit({"README.md": "mine\n"}, branch="agent/YOU-7")
    shell("git", "checkout", "-q", "-B", "agent/YOU-8", "HEAD~1", cwd=remote.work)
    remote.commit({"README.md": "theirs\n"}, branch="agent/YOU-8")
    clashing = order().model_copy(update={"base": "agent/YOU-2-base", "merges": ("agent/YOU-7", "agent/YOU-8")})
    result = await worker.work(clashing, lease())
    assert result["kind"] == "needs_input"
    assert "README.md" in result["outcome"]["question"]


@pytest.mark.attack("S-45")
async def test_a_link_that_leads_out_is_refused(worker, agent, remote, tmp_path, order, lease):
    agent.files = {"ok.py": "1\n"}
    agent.then = lambda tree: (tree / "passwd").symlink_to("/etc/passwd")
    result = await worker.work(order(), lease())
    assert result["kind"] == "work_failed"
    assert "passwd" in result["error"]
    assert "agent/YOU-2" not in remote.git("branch", "--list")


async def test_a_repository_that_does_not_answer_is_no_failure_of_the_work(worker, remote, order, lease):
    remote.answers = [(502, "bad gateway")] * 9
    result = await worker.work(order(), lease())
    assert result["kind"] == "transport_failed"


@pytest.mark.proves("S-34")
async def test_every_run_begins_in_a_fresh_checkout(worker, agent, tmp_path, order, lease):
    agent.files, agent.commits = {"left.over": "x"}, False
    await worker.work(order(), lease())
    agent.files, agent.commits = {"a.py": "1"}, True
    await worker.work(order(run="run-2"), lease())
    assert "left.over" not in agent.trees[-1]
    await worker.clean_up("acme/youlab", "agent/YOU-2")
    assert not (tmp_path / "repositories" / "acme" / "youlab" / ".trees" / "agent" / "YOU-2").exists()


async def test_every_result_says_what_it_was_about_and_where_the_branch_stands(worker, agent, remote, order, lease):
    about = {"kind": "checks", "number": 7}
    agent.files = {"a.py": "1\n"}
    begun = remote.git("rev-parse", "main")
    result = await worker.work(order(about=about), lease())
    assert (result["about"], result["base_at"]) == (about, begun)
    remote.commit({"README.md": "moved on\n"})
    agent.files = {}
    again = await worker.work(order(run="run-2", about=about), lease())
    assert (again["about"], again["base_at"], again["head"]) == (about, begun, result["head"])
    remote.answers = [(502, "bad gateway")] * 9
    failed = await worker.work(order(run="run-3", about=about), lease())
    assert (failed["kind"], failed["about"]) == ("transport_failed", about)


async def test_cleaning_up_deletes_the_work_in_hand_on_the_other_side(worker, remote):
    remote.git("update-ref", "refs/callboard/unfinished/agent/YOU-2", "main")
    remote.git("update-ref", "refs/callboard/unfinished/agent/YOU-22", "main")
    await worker.clean_up("acme/youlab", "agent/YOU-2")
    assert (
        remote.git("for-each-ref", "--format=%(refname)", "refs/callboard") == "refs/callboard/unfinished/agent/YOU-22"
    )
    await worker.clean_up("acme/youlab", "agent/YOU-2")


@pytest.mark.parametrize("status", [502, 403])
async def test_cleaning_up_goes_on_when_the_other_side_does_not_answer(
    worker, agent, remote, order, lease, tmp_path, status
):
    await worker.work(order(), lease())
    remote.answers = [(status, "no")] * 9
    await worker.clean_up("acme/youlab", "agent/YOU-2")
    assert not (tmp_path / "repositories" / "acme" / "youlab" / ".trees" / "agent" / "YOU-2").exists()


async def test_what_people_look_at_twice_is_what_the_policy_names(worker, agent, order, lease):
    agent.files = {"deploy/production.yaml": "replicas: 3\n", "uv.lock": "x\n"}
    result = await worker.work(order(protected=("deploy/",)), lease())
    assert result["protected"] == ["deploy/production.yaml"]


@pytest.mark.attack("S-25", "S-51")
@pytest.mark.parametrize("prompt", ["documentation", "feedback"])
async def test_a_run_that_hands_over_a_secret_fails_and_nothing_of_it_is_pushed(
    worker, agent, order, lease, remote, tmp_path, prompt
):
    token = "ghp_" + "Z9y8X7w6V5u4T3s2R1q0"
    if prompt == "feedback":
        agent.files = {"src/b.py": "2\n"}
        assert (await worker.work(order(), lease()))["kind"] == "success"
    before = remote.git("for-each-ref")
    agent.files = {"src/found.py": f"KEY = '{token}'\n"}
    result = await worker.work(order(prompt, run="run-2"), lease())
    assert (result["kind"], token in str(result)) == ("work_failed", False)
    assert "src/found.py holds what is shaped like a token" in result["error"]
    assert remote.git("for-each-ref") == before


@pytest.mark.attack("S-25", "S-51")
async def test_no_secret_that_an_agent_says_comes_into_a_commit_or_a_result(worker, agent, order, lease, remote):
    token = "ghp_" + "Z9y8X7w6V5u4T3s2R1q0"
    agent.files = {"src/b.py": "2\n"}
    outcome = {"status": "success", "summary": f"found {token}"}
    agent.result = agent.result.model_copy(update={"outcome": outcome, "summary": f"found {token}"})
    result = await worker.work(order(), lease())
    assert (result["kind"], token in str(result)) == ("success", False)
    assert "found [secret]" in remote.git("log", "-1", "--format=%B", result["head"])
