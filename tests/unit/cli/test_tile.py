"""The tile in JupyterLab's launcher, as jupyter-server-proxy finds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyter_server_proxy.config import get_entrypoint_server_processes


@pytest.mark.filterwarnings("default")  # of other packages' entry points
def test_jupyter_server_proxy_takes_all_that_it_is_told() -> None:
    [process] = [each for each in get_entrypoint_server_processes() if each.name == "clicks"]
    attributes = process.get_proxy_attributes()
    assert attributes["command"][1:] == ["-m", "clicklib", "view", "--port", "{port}"]
    assert attributes["timeout"] > 60
    assert attributes["update_last_activity"] is False
    assert attributes["request_headers_override"] == {"Host": "localhost"}
    assert process.launcher_entry.title == "Clicks"
    assert Path(process.launcher_entry.icon_path).is_file()
