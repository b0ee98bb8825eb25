"""Where the Jupyter server of a kernel answers, as a hub says it or the server's own note."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clicklib.web.jupyter import base_path, proxied_path


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/user/ann/", "/user/ann/proxy/9095/"),
        ("/user/ann", "/user/ann/proxy/9095/"),
        ("/", "/proxy/9095/"),
        ("", None),
        ("user/ann/", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_hub_names_the_path(prefix: str, path: str | None) -> None:
    assert proxied_path(9095, {"JUPYTERHUB_SERVICE_PREFIX": prefix}) == path


@pytest.mark.parametrize(
    ("note", "base"),
    [
        (json.dumps({"base_url": "/deep/er/"}), "/deep/er/"),
        (json.dumps({"base_url": None}), None),
        (json.dumps({}), None),
        ("[]", None),
        ("{", None),
        (None, None),
    ],
)
def test_a_server_keeps_a_note(
    note: str | None, base: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    if note is not None:
        (tmp_path / "jpserver-77.json").write_text(note, "utf-8")
    assert base_path({"JPY_PARENT_PID": "77"}) == base


@pytest.mark.parametrize("pid", ["", "../77", "none"])
def test_without_a_server_there_is_no_path(pid: str) -> None:
    assert base_path({"JPY_PARENT_PID": pid}) is None
    assert base_path({}) is None
