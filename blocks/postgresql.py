"""The block for a PostgreSQL database."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from chaosday.errors import ChaosdayError
from chaosday.targets.postgresql import PostgreSQL


class PostgreSQLDatabase(Block):
    """Where a PostgreSQL database is, and the account that experiments use on it.

    The account needs to create a schema called chaosday and tables in it, and nothing else; give it
    no rights on your own tables.
    """

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

    def target(self, via: str = "") -> PostgreSQL:
        """The kernel's noun for it, going through the route called ``via`` if one is named."""
        return PostgreSQL(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database,
            sslmode=self.sslmode,
            via=via,
        )

    def check(self) -> str:
        """In words: whether it can be reached and whether the account may do what an experiment does."""
        import psycopg

        target = self.target()
        try:
            words = target.reach()
            with target.connect() as connection:
                allowed = connection.execute(
                    "select has_database_privilege(current_database(), 'CREATE') or exists(select 1 "
                    "from pg_namespace where nspname = 'chaosday' and has_schema_privilege(oid, 'CREATE'))"
                ).fetchone()[0]
        except (ChaosdayError, psycopg.Error) as error:
            return f"cannot be used: {str(error).splitlines()[0]}"
        if not allowed:
            grant = f"GRANT CREATE ON DATABASE {self.database} TO {self.user}"
            return f"{words}; reached, but {self.user} may not create a schema: {grant}"
        return f"{words}; ready"
