"""DuckDB's diff of an export with its own table: arguments are the export and the database.

Without the database the export is only loaded. Prints what the diff cost.
"""

import json
import os
import resource
import sys
import time

import duckdb

export, database = sys.argv[1:]
READ = f"read_csv('{export}', delim=';', header=true, all_varchar=true)"


def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if not os.path.exists(database):
    duckdb.connect(database).execute(f"CREATE TABLE erp AS SELECT * FROM {READ}")
cpu, wall = used(), time.monotonic()
connection = duckdb.connect(database)
connection.execute("SET threads = 2")
changed = connection.execute(f"SELECT * FROM {READ} EXCEPT SELECT * FROM erp").fetchall()
gone = connection.execute(
    f"SELECT accountExternalId FROM erp ANTI JOIN {READ} USING (accountExternalId)"
).fetchall()
print(json.dumps({"cpu": used() - cpu, "wall": time.monotonic() - wall, "peak": 0}))
print(len(changed), "changed,", len(gone), "gone", file=sys.stderr)
