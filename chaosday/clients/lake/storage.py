"""Where lake tables lie: a folder, or a bucket reached as the environment says, like every other S3 source."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator, Mapping

from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, MalformedInput, TargetUnreachable
from chaosday.processes.limits.within import GARBLED

LONGEST_WORDS = 200
_DENIED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden", "Permission denied")
_AWAY = ("error sending request", "Connection refused", "dns error", "timed out", "NoSuchBucket", "CURL", "curl",
         "Max retries exceeded", "Failed to resolve", "No such file", "NotFound", "not found", "unable to open",
         "does not exist")  # fmt: skip


def delta_options(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Storage options for delta-rs: it reads the environment itself, but never plain HTTP unless it is told so."""
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"} if endpoint.startswith("http://") else {}


def iceberg_properties(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Properties for pyiceberg's files: where the bucket is; who asks, Arrow finds out as boto3 does."""
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", "")
    return {name: value for name, value in (("s3.endpoint", endpoint), ("s3.region", region)) if value}


def first_words(error: BaseException) -> str:
    """What a library said, in one line, and not too much of it."""
    return " ".join(str(error).split())[:LONGEST_WORDS] or type(error).__name__


@contextlib.contextmanager
def delta_words(what: str) -> Iterator[None]:
    """Inside, what delta-rs and Arrow raise is one line of ours: unreachable, denied, or not what it claims to be."""
    try:
        import deltalake
        import pyarrow as pa
    except ImportError:
        raise CapabilityMissing("Delta tables need deltalake: pip install 'chaosday[lake]'") from None
    try:
        yield
    except (deltalake.exceptions.DeltaError, pa.ArrowException, OSError, *GARBLED) as error:
        if isinstance(error, deltalake.exceptions.TableNotFoundError):
            raise TargetUnreachable(f"there is no Delta table at {what}: {first_words(error)}") from None
        raise explained(error, what) from None


@contextlib.contextmanager
def iceberg_words(what: str) -> Iterator[None]:
    """Inside, what pyiceberg, its catalogues and Arrow raise is one line of ours."""
    try:
        import pyarrow as pa
        import pyiceberg.avro.file as avro
        import pyiceberg.exceptions as iceberg
        import requests
        import sqlalchemy.exc
        from pyiceberg.avro.decoder import StreamingBinaryDecoder
    except ImportError:
        raise CapabilityMissing("Iceberg tables need pyiceberg: pip install 'chaosday[lake]'") from None
    # The compiled reader of Avro that pyiceberg 0.12 prefers reads past the end of what is cut off, or is made to say
    # a length that is none, and takes the process with it.
    avro.new_decoder = StreamingBinaryDecoder  # type: ignore[assignment, attr-defined]
    try:
        yield
    except (iceberg.UnauthorizedError, iceberg.ForbiddenError, iceberg.OAuthError) as error:
        raise AccessDenied(f"{what}: {first_words(error)}") from None
    except (iceberg.NoSuchTableError, iceberg.NoSuchNamespaceError, iceberg.NoSuchIcebergTableError) as error:
        raise TargetUnreachable(f"there is no Iceberg table {what}: {first_words(error)}") from None
    except (iceberg.RESTError, requests.RequestException) as error:
        raise TargetUnreachable(f"{what}: the catalogue gave no answer: {first_words(error)}") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise TargetUnreachable(f"{what}: the catalogue cannot be read: {first_words(error)}") from None
    except (
        pa.ArrowException, OSError, *GARBLED, zlib.error, iceberg.ValidationError, iceberg.ResolveError,
        iceberg.NotInstalledError,
    ) as error:  # fmt: skip
        # Metadata may lack what it has to hold, or be nested deeper than anybody goes.
        raise explained(error, what) from None


def explained(error: BaseException, what: str) -> ChaosdayError:
    """The error in our words."""
    said = str(error)
    if any(word in said for word in _DENIED):
        return AccessDenied(f"{what}: {first_words(error)}")
    if any(word in said for word in _AWAY) or isinstance(error, FileNotFoundError):
        return TargetUnreachable(f"{what} cannot be read whole: {first_words(error)}")
    return MalformedInput(f"{what} cannot be read: {first_words(error)}")
