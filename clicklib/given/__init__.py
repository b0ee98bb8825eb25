"""What a user gives to clicklib: arguments and callbacks, refused where they are given."""

from clicklib.given.arguments import check, listed
from clicklib.given.callbacks import deferred, is_unfinished, same_definition, unfinished

__all__ = ["check", "deferred", "is_unfinished", "listed", "same_definition", "unfinished"]
