"""The activity page: the feed at its full length, with a search and a filter by date."""

from __future__ import annotations

from datetime import date

from youlab import feed
from youlab.feed import Search
from youlab.layout import page
from youlab.markup import Markup, fill
from youlab.pages import Page
from youlab.web import Request, Response

SHOWN = 50
FORM = """<form class="search" method="get" action="/activity" role="search">
<label>Search <input type="search" name="words" value="{words}"></label>
<label>From <input type="date" name="from" value="{first}"></label>
<label>To <input type="date" name="to" value="{last}"></label>
<button>Search</button> <a href="/activity">Show all</a>
</form>{problem}"""


def show(request: Request) -> Response:
    """The newest conversations that the search in the address finds."""
    search, problem = _search(request)
    entries = feed.find(request.connection, request.user.id, search, SHOWN)
    everything = search == Search()
    nothing = "You have not started a conversation yet." if everything else "Nothing was found."
    body = fill(
        '<div class="card">{form}{listing}</div>',
        form=_form(request, problem),
        listing=feed.listing(entries, nothing),
    )
    return page(request, "Activity", body)


def _search(request: Request) -> tuple[Search, str]:
    """The search that the address asks for, and what was wrong with it; a bad day is left out."""
    first_day, first_problem = _day(request.query.get("from", ""))
    last_day, last_problem = _day(request.query.get("to", ""))
    problem = first_problem or last_problem
    if first_day and last_day and first_day > last_day:
        problem = "The first day is after the last."
    return Search(request.query.get("words", ""), first_day, last_day), problem


def _day(text: str) -> tuple[date | None, str]:
    if not text:
        return None, ""
    try:
        return date.fromisoformat(text), ""
    except ValueError:
        return None, f"{text} is not a day; write it as YYYY-MM-DD."


def _form(request: Request, problem: str) -> Markup:
    warning = fill('<p class="warning" role="alert">{problem}</p>', problem=problem) if problem else Markup("")
    return fill(
        FORM,
        words=request.query.get("words", ""),
        first=request.query.get("from", ""),
        last=request.query.get("to", ""),
        problem=warning,
    )


PAGES = (Page("GET", "/activity", show, navigation="Activity", order=20),)
