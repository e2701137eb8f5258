"""The scenario `epic`: the user dashboard, seven tasks that depend on each other and the documentation after them.

Independent tasks never touch the same file.
"""

from importlib.resources import files

from bot.simulator.demo.scenario import Scenario, read_task

SPEC = (files("prompts") / "spec.md").read_text(encoding="utf-8")
"""The example spec, as the description of the epic. Its title is its first heading."""

STORY = (
    read_task(
        "session-metrics",
        "Show session metrics on the dashboard",
        description=(
            "Add queries that count a user's sessions, average the length of those that have ended, and count the"
            " sessions of each day. Show total sessions, average length and the last seven days as a panel of the"
            " dashboard. A session is one conversation; days are days in UTC."
        ),
        scope="Queries, panel, style sheet, tests. Not the chart, no time zones, no caching.",
        impact="Small: new files only; the activity chart builds upon the counts per day.",
        summary=(
            "The dashboard shows total sessions, average length and the sessions of the last seven days. Sessions that"
            " go on count, but not into the average; without a finished session the average is a dash."
        ),
    ),
    read_task(
        "activity-chart",
        "Draw the activity chart",
        depends_on=("session-metrics",),
        description=(
            "Draw the sessions per day as an SVG bar chart on the server and show it on the dashboard, below the"
            " figures. The last 7, 30 or 90 days can be chosen by links; 30 is the usual span."
        ),
        scope="Drawing, panel, style sheet, tests. No scripts, no library, no other kinds of chart.",
        impact="Small: new files only; uses the counts per day of the session metrics.",
        summary=(
            "The dashboard shows a bar chart of the sessions per day over 7, 30 or 90 days, drawn as SVG by the server."
            " Each bar says its day and number, and the whole chart has a label that can be read out."
        ),
    ),
    read_task(
        "settings",
        "Add settings with notification preferences",
        description=(
            "Add a table for what users choose and a settings page that is made of panels, so that later tickets add"
            " a panel and change no line of the page. The first panel holds the notification preferences: an answer of"
            " the tutor, a reminder after three days, a summary of the week."
        ),
        scope="Table, storage, page, notification preferences, tests. Nothing is sent; theme and API keys come apart.",
        impact="Medium: a new table and a new page in the menu; theme and API keys build upon them.",
        summary=(
            "There is a settings page with notification preferences, kept in a new table that holds choices only."
            " Values that are not offered are refused. Nothing is sent yet, and the code says so."
        ),
    ),
    read_task(
        "theme",
        "Let users choose a light or a dark theme",
        depends_on=("settings",),
        description=(
            "Add a dark set of colours and let every page carry the theme its user has chosen. A panel of the settings"
            " page changes it. Before the login the theme is light."
        ),
        scope="Setting, colours, the frame of every page, panel, tests. Does not follow the operating system.",
        impact="Medium: changes the frame of every page (youlab/layout.py), which no other ticket touches.",
        summary=(
            "Every page is shown in the theme its user has chosen, light or dark, from the first paint and without a"
            " script. The choice is a panel of the settings page; an unknown theme is refused."
        ),
    ),
    read_task(
        "api-keys",
        "Manage API keys",
        depends_on=("settings",),
        description=(
            "Let users make, see and revoke keys for programs on the settings page. A key is random, shown once when"
            " it is made, and kept as a digest with a label and its last four characters."
        ),
        scope="Table, storage, panel, pages, tests. No page accepts a key yet; keys have no scopes and no expiry.",
        impact="Medium: a new table that holds digests of secrets; a panel of the settings page.",
        summary=(
            "Users make, list and revoke up to 20 API keys on the settings page. A key is shown once in an answer that"
            " is never cached; only its digest is stored. No page accepts a key yet."
        ),
    ),
    read_task(
        "activity-feed",
        "Show recent conversations in an activity feed",
        description=(
            "List a user's conversations, newest first, each with its day, the number of messages and its first"
            " message: five on the dashboard, fifty on a new page called Activity. Entries lead to the conversation."
        ),
        scope="Query, list, panel, page, tests. No search and no filter by date; nothing beyond the newest fifty.",
        impact="Small: new files only, one new page in the menu; search and date filter build upon it.",
        summary=(
            "The dashboard lists the five newest conversations and the new Activity page the newest fifty, each with a"
            " link, its day, the number of messages and its first message, cut where it is long."
        ),
    ),
    read_task(
        "feed-search",
        "Search the activity feed and filter it by date",
        depends_on=("activity-feed",),
        description=(
            "Give the Activity page a form with words, a first day and a last day. Every word must stand in the title"
            " or in a message. The search is part of the address; a day that can't be read is named and left out."
        ),
        scope="Query, form, tests. No full-text index, no ranking, no search on the dashboard.",
        impact="Small: replaces the feed's query and its page, keeps the panel on the dashboard as it is.",
        summary=(
            "The Activity page can be searched by words in titles and messages and narrowed to some days, both"
            " included. Signs that mean something to SQL are just signs; a search can be bookmarked."
        ),
    ),
)
"""The tasks of the epic, in the order of the breakdown."""

DOCUMENTATION = read_task(
    "documentation",
    "Document the user dashboard",
    depends_on=tuple(task.key for task in STORY),
    description="Describe the dashboard, the activity page and the settings, and bring the other documents up to date.",
    scope="Documents only; no code.",
    impact="Small: one new page, two changed ones.",
    summary=(
        "docs/dashboard.md describes every part of the dashboard and what it does not do yet; the README leads there"
        " and names the new modules; docs/architecture.md lists the new tables."
    ),
)
"""What the documentation agent does after all other tasks."""

EPIC = Scenario(
    title="User dashboard",
    spec=SPEC,
    summary=(
        "The user dashboard in seven tasks. Session metrics, settings and the activity feed start at once; the chart,"
        " theme, API keys and the search each build upon one of them. Pages and panels are found by themselves, so"
        " tasks that don't depend on each other change no file in common."
    ),
    tasks=STORY,
    documentation=DOCUMENTATION,
)
