"""The page with the live table, and the policy that permits only the page's script and style."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from string import Template

__all__ = ["PAGE", "POLICY"]


def _read(kind: str) -> str:
    return Path(__file__).with_name(f"page.{kind}").read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE, _SCRIPT = _read("css"), _read("js")

PAGE = Template(_read("html")).substitute(style=_STYLE, script=_SCRIPT)

POLICY = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors http://localhost:* http://127.0.0.1:*"
)
