// Package mysql is the embedded MySQL of a fleet that has no MySQL or MariaDB
// server: the client/server protocol of MySQL in front of SQLite, as a process
// of the fleet, with users, bounds, and the listeners, probes and metrics of
// every other process.
//
// Like MySQL: any client that can use mysql_native_password, text and prepared
// statements, transactions that are atomic, isolated and, with MYSQL_DATA_DIR,
// durable, AUTO_INCREMENT, strict types, comparisons that ignore the case of
// ASCII letters, errors by their number and SQLSTATE.
//
// Unlike MySQL: one database, one user, transactions write one at a time (a
// second one waits for MYSQL_LOCK_WAIT, then it is told to try again), the part
// of the SQL that the package dialect knows, UTC alone, no replication, no
// information_schema, no stored programs.
package mysql
