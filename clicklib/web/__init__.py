"""The web endpoint over a view."""

from clicklib.errors import needing

with needing("clicklib.web"):
    from clicklib.web.endpoint import Endpoint

__all__ = ["Endpoint"]
