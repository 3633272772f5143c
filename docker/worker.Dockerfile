# Run worker: starts participants' containers. Neither the server's code nor a database driver is inside.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS dependencies
COPY pyproject.toml requirements.lock docker/install docker/requirements.py /build/
COPY pyproject.toml docker/wheel[s] /build/wheels/
RUN sh /build/install /opt/site worker

FROM ${PYTHON_IMAGE}
COPY --from=dependencies /opt/site /opt/site
COPY evaluator /opt/proctor/evaluator
COPY contract /opt/proctor/contract
COPY sandbox /opt/proctor/sandbox
COPY worker/__init__.py worker/app.py /opt/proctor/worker/
COPY worker/run /opt/proctor/worker/run
# Compiled here, because a container cannot keep what it compiles at each start. The commit is that of the sources
# where these say it, as a release's do, or the one that is named.
ARG PROCTOR_COMMIT=
ARG PROCTOR_SOURCE=
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/proctor \
    && if [ -n "${PROCTOR_COMMIT}" ]; then \
        printf '%.12s\n' "${PROCTOR_COMMIT}" >/opt/proctor/contract/commit.txt; \
    fi
LABEL org.opencontainers.image.title="Proctor worker" \
    org.opencontainers.image.description="Run worker" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${PROCTOR_COMMIT}" \
    org.opencontainers.image.source="${PROCTOR_SOURCE}" \
    org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/proctor
ENV PYTHONPATH=/opt/proctor:/opt/site PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A worker that cannot reach its server leases nothing.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(os.environ['PROCTOR_SERVER_URL'] + '/healthz', timeout=4)"]
# Root: the engine's socket means root on the host anyway, and bounded disks need mounts.
CMD ["python3", "-m", "worker.run", "--name", "run-1"]
