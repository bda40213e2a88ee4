// Package broker is an ambassador that finds a database for an application.
//
// The application always connects to localhost:3306. Where the database really
// is, the broker learns from the environment, a service binding, a file, etcd, DNS
// or a service broker that makes one, in this order; it passes the bytes on, looks
// whether the database is alive, and moves when it moves. So the same application
// runs unchanged beside a database on the same machine, in the same cluster, or of
// a cloud.
//
//	BROKER_TARGET=db.example:3306 LISTEN_ADDR=127.0.0.1:3306 ADMIN_ADDR=127.0.0.1:4306 broker
//	mariadb -h 127.0.0.1
//	curl http://127.0.0.1:4306/v1/target
package broker
