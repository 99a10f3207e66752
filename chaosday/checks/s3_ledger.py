"""The object ledger: every acknowledged object is there as it was written, and nothing else is."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import EvidenceMissing
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

DETAILS_SHOWN = 20

# 900000000000 is object_content.SHARED_FROM: keys below it have one writer.

_OPS = """
create temp table ops as
select index, f::varchar as f, key, value, result, status::varchar as status
from history where f::varchar in ('put', 'multipart', 'delete', 'create', 'replace', 'get', 'look');
create temp table writes as select * from ops where f in ('put', 'multipart', 'delete', 'create', 'replace');
create temp table owned as select * from writes where key < 900000000000;
create temp table raced as select * from writes where key >= 900000000000;
create temp table owed as
select key, coalesce(arg_max(value, index) filter (status = 'ok'), 0) as value,
    coalesce(max(index) filter (status = 'ok'), -1) as since, count(*) filter (status = 'ok') as acknowledged
from owned group by key;
create temp table final as
select coalesce(o.key, r.key) as key, coalesce(r.value, 0) as value, r.holder, o.value as owed, o.since,
    coalesce(r.value, 0) = o.value or exists (
        select 1 from owned u where u.key = o.key and u.status = 'unknown' and u.index > o.since
            and u.value = coalesce(r.value, 0)) as explained,
    (select min(w.status) from owned w where w.key = o.key and w.value = r.value and w.status <> 'failed') as written
from owed o full join (select * from rows where key < 900000000000) r on r.key = o.key;
"""

# Name of the damage -> the query that gives the damaged keys and what to say of each.
_DAMAGE = {
    "unreadable": "select key, 'listed, but not to be read' as why from rows where value = -2",
    "damaged": "select key, 'its bytes are not what was written' as why from rows where value = -1",
    "misplaced": "select key, 'holds the object of ' || holder as why from rows where value > 0 and holder <> key",
    "lost": """select key, 'acknowledged, and not there' as why from final
        where value = 0 and owed > 0 and not explained""",
    "resurrected": """select key, 'deleted, and there again' as why from final
        where value > 0 and owed = 0 and since >= 0 and not explained and written is not null""",
    "stale": """select key, 'an older content than the last acknowledged' as why from final
        where value > 0 and owed > 0 and not explained and written is not null""",
    "phantom": """select key, 'nobody wrote what it holds' as why from final
        where value > 0 and holder is not distinct from key and written is null and not coalesce(explained, false)""",
    "created twice": """select key, count(*) || ' clients were told that they made it' as why
        from raced where f = 'create' and status = 'ok' group by key having count(*) > 1""",
    "lost update": """select key, count(*) || ' writes replaced the same content' as why
        from raced where f = 'replace' and status = 'ok' group by key, result having count(*) > 1""",
    "shared lost": """select w.key, 'acknowledged, and not there' as why from raced w
        where w.status = 'ok' and not exists (select 1 from rows r where r.key = w.key) group by w.key""",
    "shared stale": """select r.key, 'holds what an acknowledged write has replaced' as why from rows r
        where exists (select 1 from raced w where w.key = r.key and w.status = 'ok' and w.f = 'replace'
            and w.result = r.value)""",
    "shared phantom": """select r.key, 'nobody wrote what it holds' as why from rows r where r.key >= 900000000000
        and r.value > 0 and not exists (
            select 1 from raced w where w.key = r.key and w.value = r.value and w.status <> 'failed')""",
    "damaged read": "select key, 'a client was given bytes that nobody wrote' as why from ops "
    "where f in ('get', 'look') and status = 'ok' and result = -1",
    "stale read": """select key, 'the writer itself was given something else than its last acknowledged write' as why
        from (select *, last_value(case when f not in ('get', 'look') and status = 'ok' then value end ignore nulls)
            over (partition by key order by index rows between unbounded preceding and 1 preceding) as last
            from ops where key < 900000000000)
        where f = 'get' and status = 'ok' and result <> -1 and result is distinct from last""",
}
_VERSION_LOST = """select w.key, 'an acknowledged version is not among the versions' as why from writes w
    where w.status = 'ok' and w.value > 0 and not exists (
        select 1 from versions v where v.key = w.key and v.value = w.value)"""


class S3Ledger(Check):
    """Compares what an object store acknowledged with what it lists and gives afterwards.

    Keys with one writer are held to their last acknowledged write, or an unknown one after it; shared
    keys to their conditions: one creator, no content replaced twice, nothing back that was replaced. Reads
    during the run count too. With versions read back, every acknowledged version has to be among them.
    """

    kind: Literal["s3_ledger"] = "s3_ledger"
    store: str = Field(default="objects", description="Name of the rows that were read back")
    needs: ClassVar[tuple[str, ...]] = ("history", "rows")
    blind_to: ClassVar[tuple[str, ...]] = (
        "objects outside the workload's own folder",
        "writes that the store never acknowledged",
        "metadata, tags and access rights of objects",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the rows called ``store`` by the history; nothing acknowledged is inconclusive."""
        import duckdb

        history, rows = evidence.history(), evidence.rows(self.store)
        if not {"key", "value", "holder"} <= set(rows.column_names):
            raise EvidenceMissing(f"rows/{self.store} are not an S3 workload's")
        with duckdb.connect() as base:
            base.register("history", history.table)
            base.register("rows", rows)
            base.execute(_OPS)
            queries = dict(_DAMAGE)
            with_versions = evidence.has(f"rows/{self.store}_versions")
            if with_versions:
                base.register("versions", evidence.rows(f"{self.store}_versions"))
                queries["version lost"] = _VERSION_LOST
            found = [_anomaly(base, name, query) for name, query in queries.items()]
            examined, acknowledged = _counts(base)
        return judged(
            self.kind,
            examined=examined if acknowledged else 0,
            anomalies=[each for each in found if each is not None],
            unsure=[] if acknowledged else ["no write was acknowledged, so none can have been lost"],
            blind_to=list(self.blind_to) + ([] if with_versions else ["versions other than the newest"]),
            result={"store": self.store, "objects": rows.num_rows, "acknowledged_writes": acknowledged},
        )


def _anomaly(base: Any, name: str, query: str) -> Anomaly | None:
    damaged = base.execute(f"select key, any_value(why) as why from ({query}) group by key order by key").fetchall()  # noqa: S608
    if not damaged:
        return None
    detail = [{"key": key, "why": why} for key, why in damaged[:DETAILS_SHOWN]]
    return Anomaly(name=name, count=len(damaged), keys=[key for key, _ in damaged[:KEYS_SHOWN]], detail=detail)


def _counts(base: Any) -> tuple[int, int]:
    said = base.execute(
        "select count(*), count(*) filter (status = 'ok' and f not in ('get', 'look')) from ops"
    ).fetchone()
    return int(said[0]), int(said[1])
