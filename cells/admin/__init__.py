from cells.admin import fleet, offers

__all__ = ["fleet", "offers"]
