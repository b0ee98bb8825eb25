"""What runs on threads: the machinery behind processor and view."""
