"""A notebook in the browser, as a reader sees and drives it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, ViewportSize, expect

from tests.browser.hub import Hub
from tests.browser.lab import Lab
from tests.browser.pictures import Pictures

expect.set_options(timeout=60_000)  # the machine may be busy
THEMES = ("JupyterLab Light", "JupyterLab Dark")

_WINDOW: ViewportSize = {"width": 1280, "height": 720}
_PAGE = 1_100  # pixels of a picture of a long notebook: more are hard to read

_IDLE = (
    "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status"
    " === 'idle'"
)
# Where nothing is open, JupyterLab opens a launcher.
_OPEN = """async (path) => {
    const close = () => [...jupyterapp.shell.widgets("main")].forEach(
        each => each !== kept && each.dispose());
    let kept = null;
    close();
    kept = await jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook" });
    close();
}"""
# A command answers when its cells have ended, or at the first that ends with an error, although
# the kernel goes on where the cell was tagged so. What is asked afterwards is answered at the end.
_BEGIN = """([command, cell]) => {
    const content = jupyterapp.shell.currentWidget.content;
    if (cell) content.activeCellIndex = content.widgets.findIndex(w => w.model.id === cell);
    if (content.activeCellIndex < 0) throw new Error(`no cell ${cell}`);
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    window.ended = false;
    jupyterapp.commands.execute(command)
        .finally(() => kernel.requestExecute({ code: "", silent: true }).done)
        .finally(() => { window.ended = true; });
}"""
_OUTPUTS = """() => {
    const cells = jupyterapp.shell.currentWidget.content.widgets;
    const code = cells.filter(cell => cell.model.type === "code");
    return code.map(cell => ({
        id: cell.model.id,
        ran: cell.model.executionCount !== null,
        outputs: cell.model.outputs.toJSON(),
    }));
}"""
_OUTPUTS_SHOWN = ".jp-Notebook:not(.lm-mod-hidden) .jp-OutputArea-output"
_BLANK = (Path(__file__).parent / "blank.js").read_text("utf-8")
# Where the last cell ends when the first one is at the top.
_LENGTH = """() => {
    const cells = document.querySelectorAll(".jp-Notebook:not(.lm-mod-hidden) .jp-Cell");
    document.querySelector(".jp-WindowedPanel-outer").scrollTop = 0;
    return Math.ceil(Math.max(...[...cells].map(cell => cell.getBoundingClientRect().bottom)));
}"""


class Notebook:
    """Notes what no reader should see: errors in the console, requests to other machines."""

    def __init__(self, page: Page, lab: Lab | Hub) -> None:
        self.page, self._lab = page, lab
        self._complaints: list[str] = []
        self._strangers: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("request", self._request)

    def assert_clean(self) -> None:
        """Nothing was noted since the last time that this was asked."""
        complaints, strangers = self._complaints, self._strangers
        self.forget()
        assert not complaints, complaints
        assert not strangers, strangers

    def forget(self) -> None:
        """Drop what was noted."""
        self._complaints, self._strangers = [], []

    def open(self, name: str) -> None:
        self.page.set_viewport_size(_WINDOW)
        here = self._lab.url("").partition("?")[0]
        if isinstance(self._lab, Lab) and self.page.url.startswith(here):
            self.page.evaluate(_OPEN, name)  # JupyterLab itself takes longer to load than this
        else:
            self.page.goto(self._lab.url(name))
        self.wait_idle()
        # The file browser takes the width that the widgets need.
        self.page.evaluate("() => jupyterapp.shell.collapseLeft()")

    def wait_idle(self) -> None:
        self.page.wait_for_function(_IDLE, timeout=60_000)

    def run(self, cell: str) -> None:
        """Run one cell, named by its id, and wait for its end."""
        self._execute("notebook:run-cell", cell, 60)

    def run_all(self, timeout: float = 60) -> None:
        """Run all cells and wait for their end; `timeout` in seconds."""
        self._execute("notebook:run-all-cells", "", timeout)

    def _execute(self, command: str, cell: str, timeout: float) -> None:
        self.page.evaluate(_BEGIN, [command, cell])
        self.page.wait_for_function("() => ended", timeout=timeout * 1_000, polling=100)

    def code(self) -> list[dict[str, Any]]:
        """Of each code cell its `id`, whether it `ran`, and its `outputs`."""
        cells: list[dict[str, Any]] = self.page.evaluate(_OUTPUTS)
        return cells

    def source(self, cell: str) -> str:
        """What stands in a cell now."""
        return str(
            self.page.evaluate(
                """(id) => jupyterapp.shell.currentWidget.content.widgets
                    .find(w => w.model.id === id).model.sharedModel.source""",
                cell,
            )
        )

    def errors(self) -> dict[str, str]:
        """The errors that cells ended with, by the cell's id."""
        return {
            cell["id"]: f"{output['ename']}: {output['evalue']}"
            for cell in self.code()
            for output in cell["outputs"]
            if output["output_type"] == "error"
        }

    def unfold(self) -> None:
        """Make the window as high as the notebook: what is out of sight is not drawn."""
        for _ in range(2):  # what was out of sight gets its true height only when it is seen
            self.page.set_viewport_size({**_WINDOW, "height": self._length() + 100})
            self.page.wait_for_timeout(500)

    def fold(self) -> None:
        """Make the window as small as a reader's again: a high page with live pictures is slow."""
        self.page.set_viewport_size(_WINDOW)

    def assert_drawn(self) -> None:
        """Every widget, plot and diagram of the unfolded notebook shows something, soon."""
        for _ in range(50):
            blank = self.page.evaluate(_BLANK)
            if not blank:
                return
            self.page.wait_for_timeout(200)
        raise AssertionError("\n".join(blank))

    def ask(self, code: str) -> str:
        """What `code` prints in the kernel; no cell is touched."""
        return str(
            self.page.evaluate(
                """async (code) => {
                    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                    const future = kernel.requestExecute({ code, store_history: false });
                    let text = "";
                    future.onIOPub = ({ content }) => {
                        if (content.name !== "stderr") text += content.text || content.evalue || "";
                    };
                    await future.done;
                    return text.trim();
                }""",
                code,
            )
        )

    def clear_outputs(self) -> None:
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")

    def restart(self) -> None:
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.wait_idle()

    def end(self) -> None:
        """Shut the kernel down, so that it stops what it started."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget?.sessionContext?.shutdown()")

    def theme(self, name: str) -> None:
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        self.page.wait_for_function(
            "(name) => document.body.dataset.jpThemeName === name", arg=name
        )

    def photograph(self, pictures: Pictures, name: str) -> None:
        """All of the unfolded notebook in both themes, in pages.

        Diagrams keep the colours of the theme that the notebook was opened in.
        """
        if not pictures.wanted:
            return
        for theme in reversed(THEMES):
            self.theme(theme)
            self.page.wait_for_timeout(500)  # plots follow the theme a moment later
            for number, top in enumerate(range(0, self._length(), _PAGE), start=1):
                clip = {"x": 0, "y": top, "width": _WINDOW["width"], "height": _PAGE}
                pictures.take(self.page, f"{name}-{theme.split()[1].lower()}-{number}", clip=clip)

    def _length(self) -> int:
        return int(self.page.evaluate(_LENGTH))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complaints.append(f"{message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        place = urlsplit(request.url)
        if place.scheme not in ("data", "blob") and place.hostname not in (
            "127.0.0.1",
            self._lab.host,
        ):
            self._strangers.append(request.url)


def total(notebook: Notebook) -> int:
    """The total that the counts say."""
    text = notebook.page.get_by_role("status").filter(has_text="Clicks:").inner_text()
    found = re.search(r"Clicks: ([\d,]+)", text)
    assert found, text
    return int(found[1].replace(",", ""))


def wait_total(notebook: Notebook, wanted: int) -> None:
    line = notebook.page.get_by_role("status").filter(has_text=f"Clicks: {wanted:,} ")
    expect(line).to_be_visible()


def press(notebook: Notebook) -> None:
    """Press a button of the first notebook and see it counted, however slow the machine is."""
    expect(notebook.page.locator(".clicklib-dashboard")).to_have_count(1)
    counted = "print(sum(row.clicks for _, row in view.wait_running().items()))"
    before = int(notebook.ask(counted))
    wait_total(notebook, before)
    notebook.page.get_by_role("button", name="user-3").first.click()
    wait_total(notebook, before + 1)


def picture(notebook: Notebook, label: str) -> Locator:
    """A picture by the beginning of what a screen reader says of it."""
    return notebook.page.get_by_role("img", name=re.compile(f"^{label}"))


def complaints(notebook: Notebook) -> list[str]:
    """What axe-core finds wrong in the outputs of the notebook."""
    notebook.unfold()
    found = Axe().run(notebook.page, context={"include": [[_OUTPUTS_SHOWN]]})
    notebook.fold()
    return [
        f"{rule['id']}: {node['html']} {node['failureSummary']}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


def look_at(notebook: Notebook, pictures: Pictures, name: str) -> None:
    """Take a picture in each theme, in which axe-core finds nothing; end in the first theme."""
    for theme in THEMES:
        notebook.theme(theme)
        # JupyterLab complains of a theme that comes too soon.
        notebook.page.wait_for_timeout(1_000)
        pictures.take(notebook.page, f"{name}-{theme.split()[1].lower()}")
        assert complaints(notebook) == []
    notebook.theme(THEMES[0])
