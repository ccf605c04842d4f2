# Two stages: the compiler stays behind, the image holds one binary and what it calls.
FROM rust:1-bookworm AS builder
WORKDIR /src
COPY . .
# The caches make a rebuild cheap and are no part of a layer, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin roster \
    && cp target/release/roster /usr/local/bin/roster

FROM debian:bookworm-slim
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

HEALTHCHECK --interval=30s --timeout=5s CMD ["roster", "--version"]
ENTRYPOINT ["roster"]
CMD ["--help"]
