"""The scenario `review`: what happens to pull requests between the first push and the merge.

Three tickets stand upon each other and one stands alone. CodeRabbit finds a mistake in the lowest; bob wants two
changes in the middle one, whose check also fails once for no reason; alice asks something about the highest. The one
that stands alone breaks a test that its worker did not run, and then clashes with what bob pushes to the base branch.
"""

from types import MappingProxyType

from bot.simulator.demo.scenario import CODERABBIT, Push, Remark, Review, Scenario, read_task, read_text

STREAKS = read_task(
    "streaks",
    "Count study streaks",
    description="Count the days in a row on which a user started a conversation: the streak that goes on, the longest.",
    scope="Query and tests. No panel, no time zones, no table.",
    impact="Small: one new module; the panel and the milestones build upon it.",
    summary="`streaks.find` counts the days in a row of a user: the streak that goes on, and the longest.",
    reviews=(
        Review(
            by=CODERABBIT,
            remarks=(
                Remark(
                    path="youlab/streaks.py",
                    at="return Streak(length if last == today else 0, longest)",
                    text=(
                        "A streak is lost every midnight: who studied until yesterday and not yet today is told 0."
                        " Count it until a whole day has passed without a conversation."
                    ),
                    answer=(
                        "True: a streak that reaches until yesterday goes on now (youlab/streaks.py), and two tests say"
                        " when it ends."
                    ),
                ),
            ),
            later="coderabbit",
            summary="A streak that reaches until yesterday goes on until today is over.",
        ),
    ),
)

PANEL = read_task(
    "streak-panel",
    "Show the streak on the dashboard",
    depends_on=("streaks",),
    description="Show the streak that goes on and the longest one as the first panel of the dashboard.",
    scope="Panel, style sheet, tests. No milestones.",
    impact="Small: new files only.",
    summary="The dashboard begins with the days in a row on which the user studied, and the longest streak there was.",
    reviews=(
        Review(
            by="bob",
            verdict="request changes",
            body="Nice and small. Two things before it goes in.",
            answer="Both are done, each with a test.",
            remarks=(
                Remark(
                    path="youlab/panels/streak.py",
                    at='STREAK = \'<p class="streak">',
                    text="“1 days in a row” reads wrong. Say “1 day”.",
                    answer="It says “1 day in a row” now (youlab/panels/streak.py).",
                ),
                Remark(
                    path="youlab/panels/streak.py",
                    at="return fill(STREAK, current=streak.current",
                    text="Somebody without a streak is shown a large 0. Tell them how to begin one instead.",
                    answer="Without a streak the panel says how one begins, and no number.",
                ),
            ),
            later="bob",
            summary="One day is a day, and without a streak the panel says how to begin one. Two tests hold it.",
        ),
    ),
)

MILESTONES = read_task(
    "milestones",
    "Announce the next milestone",
    depends_on=("streak-panel",),
    description="Say below the streak how many days are left until the next milestone: 7, 30 and 100 days.",
    scope="Panel and tests. No badges, no mail.",
    impact="Small: new files only.",
    summary="Below the streak the dashboard says how many days are left until 7, 30 or 100 days in a row.",
    reviews=(
        Review(
            by="alice",
            remarks=(
                Remark(
                    path="youlab/panels/milestone.py",
                    at="MILESTONES = (7, 30, 100)",
                    text="Why these three? Would a year be hard to add?",
                    answer=(
                        "The spec names these three. A year would be one more number in this line; `words` and its"
                        " tests take any number of them."
                    ),
                    resolved=False,
                ),
            ),
        ),
    ),
)

HELP = read_task(
    "help",
    "Add a page of help",
    description="Add a page to the menu that says what a streak is, and that nothing is lost by missing a day.",
    scope="Page, tests, a row in the README. No search.",
    impact="Small: one new page, one row in the README.",
    summary="The last entry of the menu is a page of help; it says what a streak is.",
    repairs=MappingProxyType(
        {
            "checks": (
                "The page is called “Help”. The sign & in its name is another one in HTML, and the test of the menu"
                " looks for names as they are."
            ),
            "conflict": "Kept both rows of the README: the page of help, and bob's row for the tables.",
        }
    ),
    push=Push(
        by="bob",
        message="README: say where the tables are",
        files=MappingProxyType({"README.md": read_text("help", "pushed/README.md")}),
    ),
)

TASKS = (STREAKS, PANEL, MILESTONES, HELP)

DOCUMENTATION = read_task(
    "streaks-documented",
    "Document the streaks",
    depends_on=tuple(task.key for task in TASKS),
    description="Say what a streak is, and where it is counted and shown.",
    scope="Documents only; no code.",
    impact="Small: one new page, one changed one.",
    summary="There is a page about the streaks, and the word stands among the others.",
)
"""What the documentation agent does after all other tasks."""

REVIEW = Scenario(
    title="Study streaks",
    spec=read_text("streaks", "spec.md"),
    summary=(
        "Four small tasks: counting, the panel and the milestones build upon each other, each in files of its own; the"
        " page of help stands alone."
    ),
    tasks=TASKS,
    documentation=DOCUMENTATION,
    review_bot=True,
    checks=("test", "browser"),
    flaky="streak-panel",
)
