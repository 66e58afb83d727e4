# Two stages on Debian 12: the first builds as ./dev does, the second has the executable and the libraries that it needs.
FROM debian:12-slim AS build
WORKDIR /src
COPY tools/packages.txt tools/
RUN apt-get update \
    && sed -n '/^\[build\]/,/^\[/p' tools/packages.txt | grep -v '^\[' | sed 's/#.*//; s/:.*//' | xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
COPY meson.build meson_options.txt ./
COPY catalogue catalogue/
COPY docs/meson.build docs/
COPY docs/man docs/man/
COPY locales locales/
COPY schema schema/
COPY static static/
COPY templates templates/
COPY tools/embed.py tools/
COPY src src/
RUN meson setup /build --buildtype=release -Dtests=false -Dbench=false --strip --prefix=/usr/local \
    && DESTDIR=/stage meson install -C /build

FROM debian:12-slim
LABEL org.opencontainers.image.title="tools-dashboard" \
      org.opencontainers.image.description="A subscription service: packages, a pricing page, a checkout, subscriptions and their history" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:12-slim"
# The last two are loaded when they are needed: libpq5 by PostgreSQL's store, libssl3 by TLS to Cassandra.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmicrohttpd12 libsqlite3-0 libjansson4 libsodium23 zlib1g libbrotli1 liblz4-1 libpq5 libssl3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log \
    && useradd --system --uid 10001 --home-dir /var/lib/tools-dashboard --create-home tools-dashboard
COPY --from=build /stage/usr/local/bin/tools-dashboard /usr/local/bin/tools-dashboard
USER 10001
WORKDIR /var/lib/tools-dashboard
ENV HOST=0.0.0.0
EXPOSE 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=90s --retries=3 CMD ["tools-dashboard", "healthcheck"]
ENTRYPOINT ["tools-dashboard"]
CMD ["serve"]
