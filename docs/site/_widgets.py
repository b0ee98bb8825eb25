"""What widgets show, as HTML: their state is heard while the notebook runs."""

from __future__ import annotations

import hashlib
import json
from html import escape
from typing import Any

_REST = (
    "layout",
    "tabbable",
    "tooltip",
)  # of a picture's state; what else begins with _ is not drawn


class Sources:
    """The scripts and styles of the pictures, each once for all pages."""

    def __init__(self) -> None:
        self._scripts: dict[str, str] = {}
        self._styles: dict[str, None] = {}

    def add(self, state: dict[str, Any]) -> str:
        """The name under which a page finds the script of a picture."""
        name = hashlib.sha256(state["_esm"].encode()).hexdigest()[:12]
        self._scripts[name] = state["_esm"]
        self._styles[state.get("_css") or ""] = None
        return name

    @property
    def scripts(self) -> str:
        return f"const widgetScripts = {json.dumps(self._scripts, indent=1)};\n"

    @property
    def styles(self) -> str:
        return "\n".join(self._styles)


class Drawing:
    """Draws the widgets of one notebook from their `states` by model id."""

    def __init__(self, states: dict[str, dict[str, Any]], sources: Sources) -> None:
        self._states, self._sources = states, sources

    def html(self, model: str) -> str:
        note = '<p class="note">As it was when the notebook ended. In JupyterLab it is live.</p>'
        return f'<div class="widget">{self._draw(model)}{note}</div>'

    def _draw(self, model: str) -> str:
        state = self._states[model.removeprefix("IPY_MODEL_")]
        kind, children = state["_model_name"], state.get("children", ())
        if kind == "ButtonModel":
            return self._tag("span", "button", state, escape(state["description"]))
        if kind == "TabModel":
            return self._tag("div", "box column", state, self._tabs(state, children))
        if children:
            wanted = "box column" if kind == "VBoxModel" else "box"
            return self._tag("div", wanted, state, "".join(map(self._draw, children)))
        if "_esm" in state and "_widget_data" not in state:
            shown = {k: v for k, v in state.items() if not k.startswith("_") and k not in _REST}
            data = escape(json.dumps(shown, ensure_ascii=False))
            script = f'data-script="{self._sources.add(state)}"'
            return self._tag("div", "picture", state, data, script)
        if kind == "HTMLModel":
            return self._tag("div", "html", state, state["value"])
        if "value" in state:
            text = f"{escape(state.get('description', ''))} <b>{escape(str(state['value']))}</b>"
            return self._tag("label", "value", state, text)
        return '<p class="note">Here is a widget that only JupyterLab draws.</p>'

    def _tabs(self, state: dict[str, Any], children: list[str]) -> str:
        """The titles, and the page that was open: the others rest while they are not seen."""
        chosen = state["selected_index"] or 0
        titles = [
            f'<li class="{"chosen" if index == chosen else ""}">{escape(title)}</li>'
            for index, title in enumerate(state["titles"])
        ]
        return f'<ul class="tabs">{"".join(titles)}</ul>{self._draw(children[chosen])}'

    def _tag(self, name: str, kind: str, state: dict[str, Any], inside: str, more: str = "") -> str:
        layout = self._states[state["layout"].removeprefix("IPY_MODEL_")]
        style = ";".join(
            f"{key.replace('_', '-')}:{value}"
            for key, value in layout.items()
            if value is not None and not key.startswith("_")
        )
        kinds = " ".join([kind, *state["_dom_classes"]])
        return f'<{name} class="{escape(kinds)}" style="{escape(style)}" {more}>{inside}</{name}>'
