# Two stages: the compiler stays behind, the image holds one binary and what it calls.
# The digests fix the bytes, for every architecture; the tags say which releases they are.
ARG BUILDER=rust:1.94.0-bookworm@sha256:365468470075493dc4583f47387001854321c5a8583ea9604b297e67f01c5a4f
ARG RUNTIME=debian:12.12-slim@sha256:d5d3f9c23164ea16f31852f95bd5959aad1c5e854332fe00f7b3a20fcc9f635c

FROM ${BUILDER} AS builder
WORKDIR /src
COPY . .
# The caches make a rebuild cheap and are no part of a layer, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin roster \
    && cp target/release/roster /usr/local/bin/roster

FROM ${RUNTIME}
# git and ssh read git sources; the certificates are for https ones.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/*
COPY --from=builder /usr/local/bin/roster /usr/local/bin/roster

# A fixed number, so that Kubernetes can verify runAsNonRoot and volumes can be given to it.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin roster \
    && install --directory --owner=10001 --group=10001 --mode=0750 /data
USER 10001:10001

# The embedded database lives below the working directory: /data/.roster/roster.db.
WORKDIR /data
VOLUME /data

# Asks /healthz at the address that `serve` listens at by default; give another one to your own health check.
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD ["roster", "status", "--health"]
ENTRYPOINT ["roster"]
CMD ["--help"]
