#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the data base of the stack in an empty volume, as root of its container.
set -e
export PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
if [ -s "$PGDATA/PG_VERSION" ]; then
	exit 0
fi
chown postgres "$PGDATA"
chmod 700 "$PGDATA"
# The inner shell expands it.
# shellcheck disable=SC2016
exec setpriv --reuid=postgres --regid=postgres --clear-groups sh -ec '
	initdb --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8
	echo "host orders orders all scram-sha-256" >>"$PGDATA/pg_hba.conf"
	pg_ctl start --wait -o "-c listen_addresses= -c unix_socket_directories=/run"
	psql --host /run --dbname postgres --command "CREATE ROLE orders LOGIN PASSWORD '"'secret'"'"
	psql --host /run --dbname postgres --command "CREATE DATABASE orders OWNER orders"
	psql --host /run --dbname orders --command "SET ROLE orders; CREATE TABLE orders (id text PRIMARY KEY, application text NOT NULL)"
	pg_ctl stop --wait'
