# PostgreSQL of Debian's packages, where a mirror of Debian can be reached and no registry of images: POSTGRES_IMAGE.
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${DEBIAN_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-common \
    # The package would make a cluster inside the image.
    && sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
    && apt-get install --yes --no-install-recommends postgresql \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && rm -rf /var/lib/apt/lists/*
COPY docker/postgres-start /usr/local/bin/postgres-start
USER postgres
VOLUME /var/lib/postgresql
EXPOSE 5432
# Ends sessions and writes everything out; SIGTERM would wait for clients to leave.
STOPSIGNAL SIGINT
CMD ["sh", "/usr/local/bin/postgres-start"]
