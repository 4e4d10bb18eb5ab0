"""Example data on a machine whose clock stands before the examples' dates.

The example files carry fixed dates.  An invoice dated after today has no price, rightly; so that a demo runs on
any day, its files are moved back as a whole, by as many days as the newest invoice lies ahead.  Never forward:
on a later day the late fees have grown, as they would.
"""

from __future__ import annotations

import csv
import datetime as dt
import io

from kiosk.sync.mapping import Mapping, date_reader, date_writer


def dated_for(text: str, mapping: Mapping, on: dt.date) -> str:
    """Return a CSV text whose newest issue date is at most `on`; unchanged where it is already.

    Raises:
        ImportRowError: a date of the file is not of the mapping's form.
    """
    rows = list(csv.reader(io.StringIO(text), delimiter=mapping.delimiter))
    fields = [mapping.columns.get(heading.strip(), "") for heading in rows[0]] if rows else []
    read, write = date_reader(mapping.dates), date_writer(mapping.dates)
    days = [read(row[place]) for row in rows[1:] for place, field in enumerate(fields) if field == "issued"]
    ahead = max(days) - on if days else dt.timedelta()
    if ahead <= dt.timedelta():
        return text
    for row in rows[1:]:
        for place, field in enumerate(fields):
            if field in ("issued", "due") and row[place]:
                row[place] = write(read(row[place]) - ahead)
    out = io.StringIO()
    csv.writer(out, delimiter=mapping.delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()
