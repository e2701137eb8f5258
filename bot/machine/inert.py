"""What others wrote, made harmless to post: readable as it was, but nothing in it acts (S-25).

Where a text is shown it may notify people, close or link issues, load pictures (whose address can carry anything out),
unfurl links, or hide parts of itself. A blank without width inside each of these marks takes the effect and leaves the
look. It is put into the reference and not only before it: one `fixes` may be followed by several.
"""

import re

from bot.machine.visible import visible_characters

BLANK = "\u200b"
_MENTION = re.compile(r"(?<![A-Za-z0-9])@(?=\w)")
_REFERENCE = re.compile(r"#(?=\d)|(?<![\w-])[A-Z][A-Z0-9]{0,9}-(?=\d)")
_CLOSING = re.compile(
    r"\b(clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|complet(?:e[sd]?|ing)|implement(?:s|ed|ing)?"
    r"|refs?|references|part of|relate[sd] to|contributes to|towards?)(?=\s*:?\s+[\w./-]*[#-]?\d|\s*:?\s+https?:)",
    re.I,
)
"""The words by which GitHub and Linear close or link issues, before something that may name one."""
_DEFINITION = re.compile(r"^([\s>*+.)\d-]*\[[^\]\n]+\])(?=:)", re.M)
"""Where a link's address is told apart from it: at the beginning of a line only, so a login like `name[bot]:` stays."""
_LINK = re.compile(r"(?<=\])(?=\()|(?<=!)(?=\[)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\bmailto:)(?=\w)", re.I)
_ENTITY = re.compile(r"&(?=(?!(?:lt|gt|amp|quot);)#?\w+;)")
"""An entity would become the very character that was taken care of; those that stand for themselves may stay."""


def disarmed(text: object, *, references: bool = True) -> str:
    """The text with its mentions, links, pictures and closing words dead. With `references`, so is `#12` or `ABC-7`.

    For what is no Markdown: titles and commit messages.
    """
    return _disarmed(visible_characters(str(text)), references)


def inert(text: object, *, references: bool = True) -> str:
    """The same for Markdown, in which no HTML and no entity counts either."""
    flat = _ENTITY.sub(f"&{BLANK}", visible_characters(str(text)))
    return _disarmed(flat, references).replace("<", "&lt;")


def _disarmed(text: str, references: bool) -> str:
    flat = _DEFINITION.sub(lambda found: f"{found[0]}{BLANK}", text)
    flat = _LINK.sub(BLANK, _MENTION.sub(f"@{BLANK}", flat))
    if not references:
        return flat
    return _REFERENCE.sub(lambda found: f"{found[0]}{BLANK}", _CLOSING.sub(lambda found: f"{found[0]}{BLANK}", flat))
