# Server, migrations, beat and score worker: everything that may see the database.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS dependencies
COPY pyproject.toml requirements.lock docker/install docker/requirements.py /build/
# The pattern matches nothing where no wheels were laid out, and then pip asks its index.
COPY pyproject.toml docker/wheel[s] /build/wheels/
RUN sh /build/install /opt/site server worker

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
COPY --from=dependencies /opt/site /opt/site
COPY alembic.ini /opt/proctor/
COPY evaluator /opt/proctor/evaluator
COPY contract /opt/proctor/contract
COPY sandbox /opt/proctor/sandbox
COPY server /opt/proctor/server
COPY --from=scripts /build/server/web/third_party /opt/proctor/server/web/third_party
COPY worker /opt/proctor/worker
COPY migrations /opt/proctor/migrations
WORKDIR /opt/proctor
ENV PYTHONPATH=/opt/proctor:/opt/site PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PROCTOR_DATA=/data
USER proctor
EXPOSE 8426
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8426/healthz', timeout=4)"]
CMD ["python3", "-m", "server", "--host", "0.0.0.0", "--port", "8426"]
