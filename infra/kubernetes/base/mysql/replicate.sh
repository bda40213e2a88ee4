# Makes this server follow the other one, as the other follows this: whatever was written
# to one is on both, and the application can move. Read by the image's entry point, once,
# when the data directory is new. Some have read the password's file by then, and unset its
# name.
replica_password=${MARIADB_PASSWORD:-$(cat "${MARIADB_PASSWORD_FILE-}")}
: "${replica_password:?}"
docker_process_sql --database=mysql <<SQL
SET SESSION sql_log_bin = 0;
CREATE USER 'replica'@'%' IDENTIFIED BY '$replica_password';
GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%';
CREATE USER 'broker'@'%'; -- may log in, which tells that the server is alive, and nothing else
CHANGE MASTER TO MASTER_HOST = '${MYSQL_PEER%:*}', MASTER_PORT = ${MYSQL_PEER#*:}, MASTER_USER = 'replica',
  MASTER_PASSWORD = '$replica_password', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1;
SQL
