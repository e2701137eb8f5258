"""A worker over real git: what an agent hands over becomes one commit of the service, pushed; or a reason why not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.git.bundle import bundle_command
from bot.git.commit import Author
from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.runner import Handover
from bot.runs.worker import Access, Worker, WorkOrder

BOT = Author("callboard[bot]", "1+callboard[bot]@users.noreply.github.com")


class Lease:
    def __init__(self, mine=True):
        self.mine = mine

    async def still_mine(self):
        return self.mine


class Agent:
    """Writes files, commits or not, and says what it says."""

    def __init__(self, shell, tmp_path):
        self.shell, self.tmp_path = shell, tmp_path
        self.files = {}
        self.commits = True
        self.result = RunResult(
            kind=Ending.SUCCESS, outcome={"status": "success", "summary": "did it"}, summary="did it"
        )
        self.specs, self.trees = [], []
        self.meanwhile = lambda: None

    async def run(self, spec, *, tree, mirror, base_commit):
        self.specs.append(spec)
        self.trees.append(sorted(path.name for path in tree.iterdir()))
        for name, content in self.files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(content)
        self.meanwhile()
        bundle = self.tmp_path / f"{spec.run_id}.bundle"
        if self.commits and self.files:
            self.shell("git", "add", "-A", cwd=tree)
            self.shell("git", "commit", "-q", "-m", "agent's own words", cwd=tree)
            self.shell(*bundle_command(base_commit, str(bundle)), cwd=tree)
        return Handover(self.result, bundle if bundle.exists() else None)

    async def verify(self, commands, run_id, *, tree, mirror, minutes):
        raise AssertionError("nothing is to be verified here")


@pytest.fixture
def agent(shell, tmp_path):
    return Agent(shell, tmp_path)


@pytest.fixture
def worker(remote, token, agent, tmp_path):
    async def access(_name):
        return Access(remote.url, "https://github/acme/youlab", token, BOT)

    return Worker(tmp_path / "repositories", access=access, runner=agent)


def order(prompt="documentation", run="run-1", **more):
    spec = RunSpec(run_id=run, prompt=prompt, task_id="YOU-2", stage="dev", title="Store settings")
    return WorkOrder(
        run=spec,
        repository="acme/youlab",
        branch="agent/YOU-2",
        base="main",
        ordered_at=datetime(2026, 11, 21, tzinfo=UTC),
        **more,
    )


async def test_the_files_of_an_agent_become_one_commit_of_the_service_on_the_pushed_branch(worker, agent, remote):
    agent.files = {"src/settings.py": "x = 1\n"}
    result = await worker.work(order(), Lease())
    assert result["kind"] == "success"
    assert remote.git("rev-parse", "agent/YOU-2") == result["head"]
    assert remote.git("log", "-1", "--format=%an|%s", "agent/YOU-2") == "callboard[bot]|YOU-2: Store settings"
    assert remote.git("show", "agent/YOU-2:src/settings.py") == "x = 1"
    assert "Callboard-Run: run-1" in remote.git("log", "-1", "--format=%B", "agent/YOU-2")
    assert int(remote.git("rev-list", "--count", "main..agent/YOU-2")) == 1


async def test_documentation_with_no_commit_has_nothing_to_do(worker):
    result = await worker.work(order(), Lease())
    assert (result["kind"], result["nothing_to_do"]) == ("success", True)


async def test_a_document_is_committed_under_thoughts_and_linked(worker, agent, remote):
    agent.result = RunResult(kind=Ending.SUCCESS, outcome={"summary": "s", "document": "# Found\n"})
    result = await worker.work(order("research"), Lease())
    path = "thoughts/shared/research/2026-11-21-YOU-2.md"
    assert result["document"]["path"] == path
    assert remote.git("show", f"agent/YOU-2:{path}") == "# Found"
    assert result["document_url"] == f"https://github/acme/youlab/blob/{result['head']}/{path}"
    agent.result = RunResult(kind=Ending.SUCCESS, outcome={"summary": "s", "document": "# Plan\n"})
    planned = await worker.work(order("plan", "run-2", research_path=path), Lease())
    assert agent.specs[-1].variables["research"] == "# Found\n"
    assert remote.git("show", f"agent/YOU-2:{planned['document']['path']}") == "# Plan"


async def test_a_run_that_is_no_longer_mine_pushes_nothing(worker, agent, remote):
    agent.files = {"a.py": "1\n"}
    result = await worker.work(order(), Lease(mine=False))
    assert result["kind"] == "stopped"
    assert "agent/YOU-2" not in remote.git("branch", "--list")


async def test_a_person_who_pushed_meanwhile_loses_nothing(worker, agent, remote):
    agent.files = {"a.py": "1\n"}
    agent.meanwhile = lambda: remote.commit({"theirs.py": "2\n"}, branch="agent/YOU-2")
    result = await worker.work(order(), Lease())
    assert result["kind"] == "transport_failed"
    assert remote.git("show", "agent/YOU-2:theirs.py") == "2"
    agent.meanwhile = lambda: None
    again = await worker.work(order(run="run-2"), Lease())
    assert again["kind"] == "success"
    assert remote.git("show", "agent/YOU-2:theirs.py") == "2"
    assert remote.git("show", "agent/YOU-2:a.py") == "1"


async def test_two_blockers_are_merged_into_a_base_of_their_own(worker, agent, remote):
    remote.commit({"one.py": "1\n"}, branch="agent/YOU-7")
    agent.files = {"both.py": "3\n"}
    result = await worker.work(
        order().model_copy(update={"base": "agent/YOU-2-base", "merges": ("agent/YOU-7", "main")}), Lease()
    )
    assert result["kind"] == "success"
    assert remote.git("show", "agent/YOU-2-base:one.py") == "1"
    assert remote.git("show", "agent/YOU-2:one.py") == "1"


async def test_blockers_that_clash_are_a_question_for_a_person(worker, agent, remote, shell):
    remote.commit({"README.md": "mine\n"}, branch="agent/YOU-7")
    shell("git", "checkout", "-q", "-B", "agent/YOU-8", "HEAD~1", cwd=remote.work)
    remote.commit({"README.md": "theirs\n"}, branch="agent/YOU-8")
    clashing = order().model_copy(update={"base": "agent/YOU-2-base", "merges": ("agent/YOU-7", "agent/YOU-8")})
    result = await worker.work(clashing, Lease())
    assert result["kind"] == "needs_input"
    assert "README.md" in result["outcome"]["question"]


async def test_a_link_that_leads_out_is_refused(worker, agent, remote, tmp_path):
    agent.files = {"ok.py": "1\n"}
    trees = tmp_path / "repositories" / "acme" / "youlab" / ".trees" / "agent" / "YOU-2"
    agent.meanwhile = lambda: Path(trees / "passwd").symlink_to("/etc/passwd")
    result = await worker.work(order(), Lease())
    assert result["kind"] == "work_failed"
    assert "passwd" in result["error"]
    assert "agent/YOU-2" not in remote.git("branch", "--list")


async def test_a_repository_that_does_not_answer_is_no_failure_of_the_work(worker, remote):
    remote.answers = [(502, "bad gateway")] * 9
    result = await worker.work(order(), Lease())
    assert result["kind"] == "transport_failed"


async def test_every_run_begins_in_a_fresh_checkout(worker, agent, tmp_path):
    agent.files, agent.commits = {"left.over": "x"}, False
    await worker.work(order(), Lease())
    agent.files, agent.commits = {"a.py": "1"}, True
    await worker.work(order(run="run-2"), Lease())
    assert "left.over" not in agent.trees[-1]
    await worker.clean_up("acme/youlab", "agent/YOU-2")
    assert not (tmp_path / "repositories" / "acme" / "youlab" / ".trees" / "agent" / "YOU-2").exists()


async def test_every_result_says_what_it_was_about_and_where_the_branch_stands(worker, agent, remote):
    about = {"kind": "checks", "number": 7}
    agent.files = {"a.py": "1\n"}
    begun = remote.git("rev-parse", "main")
    result = await worker.work(order(about=about), Lease())
    assert (result["about"], result["base_at"]) == (about, begun)
    remote.commit({"README.md": "moved on\n"})
    agent.files = {}
    again = await worker.work(order(run="run-2", about=about), Lease())
    assert (again["about"], again["base_at"], again["head"]) == (about, begun, result["head"])
    remote.answers = [(502, "bad gateway")] * 9
    failed = await worker.work(order(run="run-3", about=about), Lease())
    assert (failed["kind"], failed["about"]) == ("transport_failed", about)
