"""The block for a PostgreSQL database."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, SecretStr

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.postgresql import PostgreSQL


class PostgreSQLDatabase(TargetBlock):
    """Where a PostgreSQL database is, and the account that experiments use on it.

    The account needs to create a schema called chaosday and tables in it, and nothing else; give it
    no rights on your own tables.
    """

    _model: ClassVar[type[Target]] = PostgreSQL
    _block_type_name = "chaosday PostgreSQL"
    _block_type_slug = "chaosday-postgresql"
    _description = "A PostgreSQL database that chaosday may write its own tables to."

    host: str = Field(default="127.0.0.1", description="Host name or address")
    port: int = Field(default=5432, ge=1, le=65535)
    user: str = Field(default="chaosday", description="An account with rights on the schema chaosday only")
    password: SecretStr | None = Field(
        default=None, title="Password", description="Empty: libpq's own places are asked"
    )
    database: str = Field(default="postgres")
    sslmode: str = Field(default="", description="libpq's sslmode; empty is its default")

    def may_touch(self, target: Any) -> str:
        """Whether the account may make the schema that experiments write to."""
        import psycopg

        try:
            with target.connect() as connection:
                allowed = connection.execute(
                    "select has_database_privilege(current_database(), 'CREATE') or exists(select 1 "
                    "from pg_namespace where nspname = 'chaosday' and has_schema_privilege(oid, 'CREATE'))"
                ).fetchone()[0]
        except psycopg.Error as error:
            return f"cannot be used: {str(error).splitlines()[0]}"
        grant = f"GRANT CREATE ON DATABASE {self.database} TO {self.user}"
        return "ready" if allowed else f"reached, but {self.user} may not create a schema: {grant}"
