"""A branch is brought up to date with its base: nothing lost, no commit twice, a person's commits only added to."""

import shutil

import pytest

A, B, C = "agent/YOU-1", "agent/YOU-2", "agent/YOU-3"
LEXER = [("Lexer: words", {"lexer.py": "words\n"}), ("Lexer: numbers", {"lexer.py": "words\nnumbers\n"})]
PARSER = [
    ("Parser: begin", {"parser.py": "parse\n"}),
    ("Parser: strings too", {"lexer.py": "words\nnumbers\nstrings\n"}),
]
PRINTER = [("Printer", {"printer.py": "print\n", "parser.py": "parse\nwith printing\n"})]


@pytest.fixture
async def stack(remote, pushed):
    """Three branches on top of each other, and a base branch that moved on meanwhile; their tips by name."""
    tips = {
        A: await pushed(A, LEXER),
        B: await pushed(B, PARSER, base=A),
        C: await pushed(C, PRINTER, base=B),
    }
    remote.add({"README.md": "# Youlab, better\n"}, message="Better words")
    return tips


@pytest.fixture
def update(worker, order, lease):
    """One run that brings a branch up to date."""

    async def update(branch, base="main", *, run="run-1", asked=lambda: None, **more):
        return await worker.work(order("update", run, branch=branch, base=base, **more), lease(asked=asked))

    return update


def everything(*commits):
    return {name: content.strip() for branch in commits for _, files in branch for name, content in files.items()}


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_the_branches_above_one_that_landed_follow_with_nothing_lost_and_nothing_twice(
    remote, stack, update, how
):
    landed = remote.land(A, how)
    result = await update(B, head=stack[B], upstream=stack[A])
    new = remote.git("rev-parse", B)
    assert "error" not in result, result
    assert (result["head"], result["base_at"], result["carried"]) == (new, landed, [stack[B], new])
    above = await update(C, B, run="run-2", head=stack[C], upstream=stack[B])
    assert (above["base_at"], above["carried"][0]) == (new, stack[C])

    base = {"README.md": "# Youlab, better", "src/app.py": "print('hello')"}
    assert remote.files(B) == base | everything(LEXER, PARSER)
    assert remote.files(C) == base | everything(LEXER, PARSER, PRINTER)
    assert remote.subjects("main", B) == [subject for subject, _ in PARSER]
    assert remote.subjects(B, C) == [subject for subject, _ in PRINTER]
    told = remote.git("log", "--format=%(trailers:key=Callboard-Ticket,valueonly,separator=)|%an|%as", f"main..{C}")
    ours = "callboard[bot]|2026-11-20"
    assert told.splitlines() == [f"YOU-3|{ours}", f"YOU-2|{ours}", f"YOU-2|{ours}"]

    remote.land(B, how)
    again = await update(C, run="run-3", head=above["head"], upstream=result["head"])
    assert again["kind"] == "success"
    assert remote.files(C) == base | everything(LEXER, PARSER, PRINTER)
    assert remote.subjects("main", C) == [subject for subject, _ in PRINTER]


async def test_what_came_into_the_base_as_it_was_leaves_the_branch_alone_unless_it_must_move(remote, stack, update):
    landed = remote.land(A, "merge")
    may = {"about": {"kind": "update", "must": False}, "head": stack[B], "upstream": stack[A]}
    result = await update(B, **may)
    assert (result["unchanged"], result["base_at"], remote.git("rev-parse", B)) == (True, stack[A], stack[B])
    must = await update(B, run="run-2", **may | {"about": {"kind": "update", "must": True}})
    assert must["base_at"] == landed


async def test_a_branch_follows_the_one_below_when_that_went_on(remote, stack, update, pushed):
    for number, moves in enumerate([lambda: pushed(A, [("Review: dates", {"dates.py": "1\n"})]), lambda: update(A)]):
        before = remote.git("rev-parse", A), remote.git("rev-parse", B)
        await moves()
        about = {"kind": "update", "must": False}
        result = await update(B, A, run=f"run-{number}", head=before[1], upstream=before[0], about=about)
        assert result["base_at"] == remote.git("rev-parse", A) != before[0]
        assert remote.subjects(A, B) == [subject for subject, _ in PARSER]


async def test_a_base_that_is_contained_already_changes_nothing(remote, stack, update):
    before = remote.git("for-each-ref")
    result = await update(B, A, head=stack[B], upstream=stack[A])
    assert (result["kind"], result["unchanged"], result["head"], result["base_at"]) == (
        *("success", True),
        *(stack[B], stack[A]),
    )
    assert remote.git("for-each-ref") == before


async def test_a_branch_that_is_contained_in_the_base_is_not_moved_onto_it(remote, stack, update):
    remote.land(A, "merge")
    result = await update(A, head=stack[A])
    assert (result["unchanged"], remote.git("rev-parse", A)) == (True, stack[A])


async def test_without_a_word_on_what_it_stood_on_the_base_is_merged(remote, stack, update):
    result = await update(A, head=stack[A])
    assert remote.git("log", "-1", "--format=%s|%cn|%P", A) == (
        f"Merge main into {A}|callboard[bot]|{stack[A]} {remote.git('rev-parse', 'main')}"
    )
    assert result["carried"] == [stack[A], remote.git("rev-parse", A)]
    assert remote.files(A)["README.md"] == "# Youlab, better"


@pytest.mark.parametrize("pushed_since", [True, False])
async def test_a_branch_with_a_persons_commit_is_only_added_to(remote, stack, update, pushed, pushed_since):
    theirs = remote.add({"hand.py": "by hand\n"}, branch=B, message="By hand")
    tip = theirs if pushed_since else await pushed(B, [("Ours on top", {"ours.py": "1\n"})])
    remote.land(A, "squash")
    result = await update(B, head=stack[B] if pushed_since else tip, upstream=stack[A])
    assert remote.contains(B, theirs)
    assert result["carried"][0] == tip
    assert remote.git("rev-parse", f"{B}^") == tip
    assert remote.files(B)["hand.py"] == "by hand"


async def test_a_branch_that_merged_its_base_before_is_merged_again(remote, stack, update):
    first = await update(B, head=stack[B])
    remote.land(A, "squash")
    second = await update(B, run="run-2", head=first["head"], upstream=stack[A])
    assert remote.contains(B, first["head"])
    assert second["base_at"] == remote.git("rev-parse", "main")


async def test_a_branch_that_merged_the_one_below_is_merged_again_although_all_of_it_is_ours(
    remote, stack, update, pushed
):
    below = await pushed(B, [("Review: dates", {"dates.py": "1\n"})])
    first = await update(C, B, head=stack[C])
    remote.land(B, "squash")
    await update(C, run="run-2", head=first["head"], upstream=below)
    assert remote.contains(C, first["head"])
    assert remote.git("diff", "--name-only", "main", C).splitlines() == ["parser.py", "printer.py"]


async def test_a_branch_that_a_person_put_back_is_only_added_to(remote, stack, update):
    remote.git("update-ref", f"refs/heads/{B}", f"{stack[B]}~1")
    remote.land(A, "squash")
    result = await update(B, head=stack[B], upstream=stack[A])
    assert result["carried"][0] == remote.git("rev-parse", f"{stack[B]}~1")
    assert remote.contains(B, result["carried"][0])
    assert remote.files(B)["lexer.py"] == "words\nnumbers", "what the person took back stays away"


async def test_a_commit_that_the_base_has_already_is_dropped_and_an_empty_one_is_kept(remote, stack, update, pushed):
    await pushed(C, [("Nothing to change in this phase", {})])
    tip = await pushed(C, [("Last", {"last.py": "1\n"})])
    remote.land(B, "squash")
    remote.add({"printer.py": "print\n", "parser.py": "parse\nwith printing\n"}, message="The printer, by hand")
    await update(C, head=tip, upstream=stack[B])
    assert remote.subjects("main", C) == ["Nothing to change in this phase", "Last"]


async def test_a_branch_of_which_nothing_is_left_keeps_its_commits(remote, stack, update):
    remote.land(C, "squash")
    await update(C, head=stack[C], upstream=stack[B])
    assert remote.contains(C, stack[C])
    assert remote.git("diff", "main", C) == ""


async def test_a_conflict_names_its_paths_and_pushes_nothing(remote, stack, update):
    moved = remote.add({"lexer.py": "otherwise\n", "other.py": "1\n"}, message="Another lexer")
    before = remote.git("for-each-ref")
    result = await update(B, head=stack[B], upstream=stack[A])
    assert result["kind"] == "success"
    assert result["conflict"] == {"paths": ["lexer.py"], "with": "main", "commit": moved}
    assert (result["head"], "carried" in result) == (stack[B], False)
    assert remote.git("for-each-ref") == before


async def test_commits_that_clash_one_by_one_but_not_as_a_whole_are_merged(remote, update, pushed):
    below = await pushed(A, [("Below", {"below.py": "1\n"})])
    there_and_back = [("There", {"README.md": "# Ours\n"}), ("And back", {"README.md": "# Youlab\n"})]
    tip = await pushed(B, [*there_and_back, ("Own", {"own.py": "1\n"})], base=A)
    remote.add({"README.md": "# Theirs\n"}, message="Theirs")
    remote.land(A, "squash")
    result = await update(B, head=tip, upstream=below)
    assert remote.files(B)["README.md"] == "# Theirs"
    assert result["carried"] == [tip, remote.git("rev-parse", B)]
    assert remote.contains(B, tip)


async def test_what_was_made_and_taken_back_does_not_take_it_from_the_base(remote, update, pushed):
    below = await pushed(A, [("Below", {"below.py": "1\n"})])
    there_and_back = [("There", {"README.md": "# Better\n"}), ("And back", {"README.md": "# Youlab\n"})]
    tip = await pushed(B, [*there_and_back, ("Own", {"own.py": "1\n"})], base=A)
    remote.add({"README.md": "# Better\n"}, message="The very same")
    remote.land(A, "squash")
    await update(B, head=tip, upstream=below)
    assert remote.files(B)["README.md"] == "# Better", "as a merge of the whole gives it"


async def test_a_branch_on_two_blockers_follows_when_the_first_of_them_lands(remote, update, pushed):
    first = await pushed(A, LEXER)
    await pushed(C, [("Printer", {"printer.py": "print\n"})])
    own = "agent/YOU-2-base"
    both = await update(A, own, merges=(A, C), head=first)  # makes the base; the branch itself is below it
    assert both["unchanged"] is True
    stood_on = remote.git("rev-parse", own)
    tip = await pushed(B, PARSER, base=own)

    remote.add({"README.md": "# Better\n"}, message="Better words")
    remote.land(A, "squash")
    other = await update(C, run="run-2", head=remote.git("rev-parse", C))
    result = await update(B, C, run="run-3", head=tip, upstream=stood_on)
    assert result["base_at"] == other["head"]
    assert remote.subjects(C, B) == [subject for subject, _ in PARSER]
    assert remote.files(B) == {
        **{"README.md": "# Better", "src/app.py": "print('hello')", "printer.py": "print"},
        **everything(LEXER, PARSER),
    }


async def test_a_base_of_its_own_takes_in_what_its_blockers_became(remote, update, pushed):
    await pushed(A, LEXER)
    await pushed(C, [("Printer", {"printer.py": "print\n"})])
    own = "agent/YOU-2-base"
    await update(A, own, merges=(A, C))
    stood_on = remote.git("rev-parse", own)
    tip = await pushed(B, PARSER, base=own)
    await pushed(A, [("Lexer: dates", {"dates.py": "1\n"})])
    result = await update(B, own, run="run-2", merges=(A, C), head=tip, upstream=stood_on)
    assert result["base_at"] == remote.git("rev-parse", own)
    assert remote.subjects(own, B) == [subject for subject, _ in PARSER]
    assert remote.files(B)["dates.py"] == "1"


async def test_a_run_that_is_sent_again_after_its_answer_got_lost_changes_nothing_more(remote, stack, update):
    remote.land(A, "squash")
    first = await update(B, head=stack[B], upstream=stack[A])
    before = remote.git("for-each-ref")
    again = await update(B, head=stack[B], upstream=stack[A])
    assert (again["head"], again["carried"]) == (first["head"], [stack[B], first["head"]]), "as the first would say it"
    assert remote.git("for-each-ref") == before


async def test_a_branch_that_is_gone_is_not_made_again(remote, stack, update):
    remote.git("update-ref", "-d", f"refs/heads/{B}")
    result = await update(B, head=stack[B], upstream=stack[A])
    assert (result["kind"], remote.has(B)) == ("work_failed", False)


async def test_an_update_is_known_again_after_everything_but_the_other_side_got_lost(remote, stack, update, tmp_path):
    remote.land(A, "squash")
    first = await update(B, head=stack[B], upstream=stack[A])
    shutil.rmtree(tmp_path / "repositories")
    again = await update(B, run="run-9", head=stack[B], upstream=stack[A])
    assert (again["head"], again["carried"]) == (first["head"], [stack[B], first["head"]])


async def test_a_persons_push_is_not_taken_for_an_update(remote, stack, update, tmp_path):
    remote.land(A, "squash")
    await update(B, head=stack[B], upstream=stack[A])
    remote.add({"theirs.py": "1\n"}, branch=B, message="By hand")
    shutil.rmtree(tmp_path / "repositories")
    again = await update(B, run="run-9", head=stack[B], upstream=stack[A])
    assert (again["unchanged"], "carried" in again) == (True, False)


async def test_a_commit_that_claims_a_date_no_program_can_read_holds_nothing_up(remote, stack, update, tmp_path):
    main = remote.git("rev-parse", "main")
    told = remote.git("cat-file", "commit", "main").splitlines()
    by = ("author", "committer")
    far = [f"{line.rsplit(' ', 2)[0]} 300000000000 +0000" if line.startswith(by) else line for line in told]
    written = "\n".join([f"parent {main}" if line.startswith("parent") else line for line in far])
    (tmp_path / "commit").write_text(f"{written}\n")
    strange = remote.git("hash-object", "-t", "commit", "-w", str(tmp_path / "commit"))
    remote.git("update-ref", "refs/heads/main", strange)
    result = await update(A, head=stack[A])
    assert result["kind"] == "success"
    assert remote.contains(A, strange)
