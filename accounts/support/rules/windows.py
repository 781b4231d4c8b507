"""Opening hours of support access: weekdays and hours in a time zone. Pure Python."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Hours:
    """Open on `days` (0 is Monday) from `opens` to `closes`; to the next morning where `closes` is not after `opens`."""

    days: frozenset[int]
    opens: time
    closes: time
    zone: str

    def around(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """The opening that contains this moment, in UTC."""
        openings = (self._of(day) for day in self._days(moment, -1, 1))
        return next((one for one in openings if one and one[0] <= moment < one[1]), None)

    def next_after(self, moment: datetime) -> tuple[datetime, datetime]:
        """The opening that contains this moment, else the next one, in UTC."""
        openings = (self._of(day) for day in self._days(moment, -1, 8))
        # A day without an hour (the clocks went forward over it) has no opening: nine days hold another one of each weekday.
        return next(one for one in openings if one and one[1] > moment)

    def _days(self, moment: datetime, first: int, last: int) -> list[date]:
        today = moment.astimezone(ZoneInfo(self.zone)).date()
        return [today + A_DAY * offset for offset in range(first, last + 1)]

    def _of(self, day: date) -> tuple[datetime, datetime] | None:
        """The opening that begins on this day."""
        if day.weekday() not in self.days:
            return None
        last = day if self.closes > self.opens else day + A_DAY
        begins, ends = (self._moment(*at) for at in ((day, self.opens), (last, self.closes)))
        return (begins, ends) if begins < ends else None

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)
