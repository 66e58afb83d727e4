#!/bin/sh
# A PostgreSQL of its own in a folder, on a free port of 127.0.0.1.
#
# usage: pg_cluster.sh start DIR [OPTION=VALUE ...]   prints "PORT PID"
#        pg_cluster.sh stop DIR [fast|immediate]
#
# The superuser is `user`, the password `pass`. As root it runs as the user postgres.
set -eu

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)

as_owner() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    dir=$1
    shift
    if [ ! -d "$dir/data" ]; then
        mkdir -p "$dir"
        [ "$(id -u)" != 0 ] || chown postgres "$dir"
        (cd "$dir" && umask 077 && echo pass | as_owner tee "$dir/password" >/dev/null)
        as_owner "$bin/initdb" --no-sync -D "$dir/data" -U user --pwfile="$dir/password" -A scram-sha-256 \
            -E UTF8 --locale=C >/dev/null
    fi
    port=$(cat "$dir/port" 2>/dev/null || free_port)
    echo "$port" >"$dir/port"
    set -- "listen_addresses=127.0.0.1" "port=$port" "unix_socket_directories=$dir" "max_connections=60" "$@"
    options=
    for option in "$@"; do
        options="$options -c $option"
    done
    as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -o "$options" start >/dev/null
    echo "$port $(head -n 1 "$dir/data/postmaster.pid")"
}

stop() {
    as_owner "$bin/pg_ctl" -D "$1/data" -m "${2:-immediate}" -w stop >/dev/null
}

"$@"
