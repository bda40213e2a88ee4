#!/bin/sh
# A real MariaDB in the place of the embedded server, on this machine:
#
#   real.sh MARIADBD DATA PORT PASSWORD_FILE PEER_PORT NUMBER
#
# Two of them follow each other, so that what is written to one is on both, as in compose
# and in the manifests. The first start makes its user, one for the other server, and last
# the database: where that is, all is.
set -eu
server=$1 data=$2 port=$3 password=$(cat "$4") peer=$5 number=$6
mkdir -p "$data"
user=
if [ "$(id -u)" = 0 ]; then user=--user=root; fi
first=
if [ ! -d "$data/db/guestbook" ]; then
	rm -rf "$data/db"
	mariadb-install-db $user --datadir="$data/db" --auth-root-authentication-method=normal --skip-test-db >"$data/install.log"
	first=--init-file=$data/first.sql
	umask 077
	cat >"$data/first.sql" <<SQL
SET SESSION sql_log_bin = 0;
CREATE USER guestbook@'%' IDENTIFIED BY '$password';
GRANT ALL ON guestbook.* TO guestbook@'%';
CREATE USER replica@'%' IDENTIFIED BY '$password';
GRANT REPLICATION SLAVE ON *.* TO replica@'%';
CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = $peer, MASTER_USER = 'replica', MASTER_PASSWORD = '$password', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1;
START SLAVE;
CREATE DATABASE guestbook;
SQL
fi
# The runner asks for the greeting and goes away: no reason to lock its address out.
exec "$server" --no-defaults $user $first --datadir="$data/db" --port="$port" --bind-address=127.0.0.1 --socket="$data/db/mysql.sock" \
	--skip-name-resolve --host-cache-size=0 --log-warnings=1 --server-id="$number" --gtid-domain-id="$number" --log-bin=binlog --relay-log=relay \
	--auto-increment-increment=2 --auto-increment-offset="$number" --innodb-buffer-pool-size=32M --performance-schema=OFF
