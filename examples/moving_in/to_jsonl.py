"""Writes the rows of a help desk as JSON Lines for `workspace-db import --jsonl`: python3 to_jsonl.py helpdesk.db"""

import json
import sqlite3
import sys
from datetime import datetime, timezone

STATES = {"new": "open", "waiting": "pending", "solved": "resolved", "closed": "closed"}

desk = sqlite3.connect(sys.argv[1])
desk.row_factory = sqlite3.Row


def line(table, **columns):
    """One row. What is None is left out, and gets the column's default."""
    present = {name: value for name, value in columns.items() if value is not None}
    print(json.dumps({"table": table, **present}, ensure_ascii=False))


def time(seconds):
    return seconds and datetime.fromtimestamp(seconds, timezone.utc).isoformat()


# What is referred to comes first. An id is whatever the help desk knows a row by.
line("datasources", id="articles", name="Help desk", type="api")
for row in desk.execute("SELECT * FROM articles"):
    line("documents", id=row["id"], datasource_id="articles", external_id=str(row["id"]), title=row["title"],
         metadata={"locale": row["locale"], "body": row["body"]}, status="draft",
         is_published=bool(row["published"]), created_at=time(row["created"]))
for row in desk.execute("SELECT * FROM tickets"):
    line("conversations", id=row["id"], external_user_id=row["customer"], title=row["subject"],
         status=STATES[row["state"]], created_at=time(row["opened"]), closed_at=time(row["closed"]))
for row in desk.execute("SELECT * FROM replies ORDER BY id"):
    line("messages", id=row["id"], conversation_id=row["ticket_id"], content=row["text"],
         role="user" if row["is_customer"] else "assistant", created_at=time(row["at"]))
    if row["stars"]:
        line("feedback", id=row["id"], message_id=row["id"], score=1 if row["stars"] > 3 else -1)
