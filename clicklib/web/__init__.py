"""The web endpoint over a view."""

from clicklib.packages import needing

with needing("clicklib.web"):
    from clicklib.web.endpoint import Endpoint

__all__ = ["Endpoint"]
