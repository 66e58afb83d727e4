# Two stages on Debian 12: the first builds as ./dev does, the second has the executable and the libraries that it needs.
FROM debian:12-slim AS build
WORKDIR /src
COPY tools/packages.txt tools/
RUN apt-get update \
    && sed -n '/^\[build\]/,/^\[/p' tools/packages.txt | grep -v '^\[' | sed 's/#.*//; s/:.*//' | xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN meson setup /build --buildtype=release -Dtests=false -Dbench=false --strip --prefix=/usr/local \
    && DESTDIR=/stage meson install -C /build

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmicrohttpd12 libpq5 libsqlite3-0 libjansson4 libsodium23 zlib1g libbrotli1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/tools-dashboard --create-home tools-dashboard
COPY --from=build /stage/usr/local/bin/tools-dashboard /usr/local/bin/tools-dashboard
USER 10001
WORKDIR /var/lib/tools-dashboard
ENV HOST=0.0.0.0
EXPOSE 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s --retries=3 CMD ["tools-dashboard", "healthcheck"]
ENTRYPOINT ["tools-dashboard"]
CMD ["serve"]
