"""What CodeRabbit writes, in its own shape and wording: markers, banners, findings, replies."""

from collections.abc import Sequence
from dataclasses import dataclass

SUMMARY = "<!-- This is an auto-generated comment: summarize by coderabbit.ai -->"
REPLY = "<!-- This is an auto-generated reply by CodeRabbit -->"
CLEAN = "No actionable comments were generated in the recent review. 🎉"
SKIPPED_BOT = "Skipped: comment is from another GitHub bot."
RESUMED = "✅ Reviews resumed.\n\nUse the `@coderabbitai review` command to trigger a review."
PAUSED = "✅ Reviews paused.\n\nUse the `@coderabbitai resume` command to resume reviews."
RESOLVED = "✅ Comments resolved."
HELP = "There are commands: `review`, `full review`, `pause`, `resume`, `resolve`, `help`."
ALREADY = (
    "CodeRabbit does not re-review already reviewed commits. This commit was reviewed in an earlier round; push new "
    "changes to trigger a fresh review."
)


@dataclass(frozen=True)
class Finding:
    """A defect that it finds in its `round`-th review of a pull request. Outside of the diff it goes into the body."""

    path: str
    line: int
    text: str
    round: int = 1
    kind: str = "🎯 Functional Correctness"
    severity: str = "🟠 Major"
    prompt: str | None = None
    """What the block for agents says; by default the text."""

    @property
    def remark(self) -> str:
        """The finding as a comment on its line."""
        return (
            f"_{self.kind}_ | _{self.severity}_ | _⚡ Quick win_\n\n**{self.text}**\n\n"
            "<details>\n<summary>🤖 Prompt for AI Agents</summary>\n\n```\n"
            f"In `@{self.path}` at line {self.line}, {self.prompt or self.text}\n```\n\n</details>\n\n"
            "<!-- This is an auto-generated comment by CodeRabbit -->"
        )


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def banner(kind: str, title: str, text: str, *, level: str = "WARNING") -> str:
    """A status inside the summary comment, between its own markers."""
    body = _quoted(f"[!{level}]\n## {title}\n\n{text}")
    return (
        f"{SUMMARY}\n<!-- This is an auto-generated comment: {kind} by coderabbit.ai -->\n\n{body}\n\n"
        f"<!-- end of auto-generated comment: {kind} by coderabbit.ai -->"
    )


def commits(base: str, head: str) -> str:
    """Which commits a review is about."""
    span = f"Reviewing files that changed from the base of the PR and between {base} and {head}."
    return f"<details>\n<summary>📥 Commits</summary>\n\n{span}\n\n</details>"


def in_progress(base: str, head: str) -> str:
    """The summary comment while it reviews."""
    text = "Currently processing new changes in this PR. This may take a few minutes, please wait..."
    return banner("review in progress", "Review in progress", f"{text}\n\n{commits(base, head)}", level="NOTE")


def limited(author: str, minutes: int) -> str:
    """The summary comment when its limit is reached."""
    text = (
        f"`@{author}`, you've reached your PR review limit, so we couldn't start this review.\n\n"
        f"**Next review available in:** **{minutes} minutes**"
    )
    return banner("rate limited", "Review limit reached", text)


def limited_reply(minutes: int) -> str:
    """Its answer to a command when its limit is reached."""
    text = "You're currently rate limited under our Fair Usage Limits Policy. "
    return reply(f"{text}Your next review will be available in {minutes} minutes.")


def skipped(reason: str) -> str:
    """The summary comment when it does not review."""
    hint = "To trigger a single review, invoke the `@coderabbitai review` command."
    return banner("skip review", "Review skipped", f"{reason}\n\n{hint}", level="IMPORTANT")


def paused() -> str:
    """The summary comment after too many heads in a row."""
    text = (
        "It looks like this branch is under active development. To avoid overwhelming you with review comments due to "
        "an influx of new commits, CodeRabbit has automatically paused this review. Use `@coderabbitai resume` to "
        "resume automatic reviews, or `@coderabbitai review` to trigger a single review."
    )
    return banner("review paused", "Reviews paused", text, level="NOTE")


def failed(reason: str) -> str:
    """The summary comment after it broke."""
    return banner("failure", "Review failed", reason, level="CAUTION")


def walkthrough(title: str, base: str, head: str, *, clean: bool) -> str:
    """The summary comment after a review: first the result with its commits, then the pull request retold."""
    said = f"{CLEAN}\n\n" if clean else ""
    return (
        f"{SUMMARY}\n<!-- recent_review_start -->\n\n{said}"
        f"<details>\n<summary>ℹ️ Recent review info</summary>\n\n{commits(base, head)}\n\n</details>\n\n"
        "<!-- recent_review_end -->\n<!-- walkthrough_start -->\n\n"
        f"<details>\n<summary>📝 Walkthrough</summary>\n\n## Walkthrough\n\n{title}\n\n</details>\n\n"
        "<!-- walkthrough_end -->"
    )


def body(inside: Sequence[Finding], outside: Sequence[Finding], base: str, head: str) -> str:
    """The body of a review with findings; those outside of the diff are told here alone."""
    parts = [f"**Actionable comments posted: {len(inside)}**"]
    if outside:
        told = "\n\n".join(
            f"`{one.line}-{one.line}`: _{one.kind}_ | _{one.severity}_ | _⚡ Quick win_\n\n**{one.text}**"
            for one in outside
        )
        parts.append(
            _quoted(
                "[!CAUTION]\nSome comments are outside the diff and can't be posted inline due to platform "
                f"limitations.\n\n<details>\n<summary>⚠️ Outside diff range comments ({len(outside)})</summary>"
                f"<blockquote>\n\n<details>\n<summary>{outside[0].path} ({len(outside)})</summary><blockquote>\n\n"
                f"{told}\n\n</blockquote></details>\n\n</blockquote></details>"
            )
        )
    tasks = "\n\n".join(
        f"In `@{one.path}`:\n- Around line {one.line}: {one.prompt or one.text}" for one in (*inside, *outside)
    )
    parts.append(
        "<details>\n<summary>🤖 Prompt for all review comments with AI agents</summary>\n\n```\n"
        f"Verify each finding against current code.\n\n{tasks}\n```\n\n</details>"
    )
    return "\n\n".join((*parts, commits(base, head)))


def reply(text: str) -> str:
    """An answer in the conversation."""
    return f"{REPLY}\n{text}"


def performed(action: str) -> str:
    """Its answer to a command; the note stands there whether it reviews or not."""
    note = (
        "Note: CodeRabbit is an incremental review system and does not re-review already reviewed commits. This "
        "command is applicable only when automatic reviews are paused."
    )
    return reply(f"<details>\n<summary>✅ Actions performed</summary>\n\n{action}\n\n{_quoted(note)}\n\n</details>")
