"""A plan in a person's own repository, run to one of its ends."""


def test_a_plan_runs_to_its_end_and_the_working_tree_has_what_it_made(desk):
    code, said = desk.run()
    assert code == 0, said
    assert desk.log() == ["Begin", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
