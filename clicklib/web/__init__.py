"""The web endpoint over a view."""

from clicklib.web.server import Endpoint

__all__ = ["Endpoint"]
