"""A page of text as HTML: the little of Markdown that the problem pages use, with everything escaped first."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator

_STYLE = (
    "body{max-width:44rem;margin:3rem auto;padding:0 1rem;font:1rem/1.6 system-ui,sans-serif;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.1rem;margin-top:2rem}"
    "pre{padding:1rem;overflow:auto;background:#f4f4f4;border-radius:6px}code{font:.9em ui-monospace,monospace}"
    "@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}pre{background:#242424}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=3600",
}
_CODE = re.compile(r"`([^`]+)`")
_ITEM = re.compile(r"(?:[-*]|[0-9]+\.) ")


def page_of(text: str) -> str:
    """`text` holds headings, paragraphs, flat lists, `code` and fenced blocks, and begins with ``# Title``."""
    title = html.escape(text.partition("\n")[0].lstrip("# "))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{title}</title>\n<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        + "\n".join(_block(lines) for lines in _blocks(text))
        + "\n</main>\n</body>\n</html>\n"
    )


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together: parted by empty lines, but a fenced block is one, and a heading stands alone."""
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        fence = line.startswith("```")
        ends = fence if fenced else fence or not line.strip() or line.startswith("#")
        if ends and block:
            yield block
            block = []
        if fence:
            fenced = not fenced
        if fenced or (line.strip() and not fence):
            block.append(line)
        if line.startswith("#") and not fenced:
            yield block
            block = []
    if block:
        yield block


def _block(lines: list[str]) -> str:
    first = lines[0]
    if first.startswith("```"):
        return "<pre><code>" + html.escape("\n".join(lines[1:])) + "</code></pre>"
    if first.startswith("#"):
        level = len(first) - len(first.lstrip("#"))
        return f"<h{level}>{_inline(first.lstrip('# '))}</h{level}>"
    if _ITEM.match(first):
        tag = "ol" if first[0].isdigit() else "ul"
        return f"<{tag}>" + "".join(f"<li>{_inline(item)}</li>" for item in _items(lines)) + f"</{tag}>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _items(lines: list[str]) -> Iterator[str]:
    """A line that begins no item goes on with the one before."""
    item = ""
    for line in lines:
        if _ITEM.match(line) and item:
            yield item
            item = ""
        item = f"{item} {_ITEM.sub('', line, count=1) if not item else line.strip()}".strip()
    yield item


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text))
