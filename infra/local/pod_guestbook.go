package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// guestbookPod is a guest book, the broker that finds its database, and two
// database servers of one store, between which it can move:
//
//	browser → guestbook → broker → mysql-a, or whatever a service binding says
//	                               mysql-b
//	                    dbhealth → mysql-a
func guestbookPod() []topology.Service {
	database := map[string]string{
		"MYSQL_DATABASE":      "guestbook",
		"MYSQL_USER":          "guestbook",
		"MYSQL_PASSWORD_FILE": `{{secret "guestbook-database"}}`,
		"MYSQL_DATA_DIR":      `{{shared "guestbook"}}`,
		"DRAIN_DELAY":         "0s", // nobody can move away by himself
	}
	return []topology.Service{
		{Name: "mysql-a", Package: "./infra/backends/mysql/cmd/mysql", Count: 1, Single: true, Env: database, Real: mariadb("mysql-b", "1")},
		{Name: "mysql-b", Package: "./infra/backends/mysql/cmd/mysql", Count: 1, Single: true, Env: database, Real: mariadb("mysql-a", "2")},
		{
			Name: "dbhealth", Pod: "mysql-a", Package: "./adapters/dbhealth/cmd/dbhealth", Count: 1, Needs: []string{"mysql-a"},
			Env: map[string]string{
				"DBHEALTH_ADDRESS":       `{{addr "mysql-a"}}`,
				"DBHEALTH_DATABASE":      "guestbook",
				"DBHEALTH_USER":          "guestbook",
				"DBHEALTH_PASSWORD_FILE": `{{secret "guestbook-database"}}`,
				"DBHEALTH_HANG_LIMIT":    "5s", // this fleet is there to be broken
			},
		},
		{
			Name: "broker", Pod: "guestbook", Package: "./ambassadors/broker/cmd/broker", Count: 1, Single: true, Needs: []string{"mysql-a", "mysql-b"},
			Env: map[string]string{
				"BROKER_CHECK_INTERVAL": checkInterval,
				"SERVICE_BINDING_ROOT":  `{{shared "bindings"}}`,
				"BROKER_FILE":           `{{endpoints "mysql-a"}}`,
				"BROKER_CHECK_USER":     "guestbook", // it need not be let in
			},
		},
		{
			Name: "guestbook", Package: "./ambassadors/broker/cmd/guestbook", Count: 1, Single: true, Needs: []string{"broker"},
			Env: map[string]string{
				"GUESTBOOK_DATABASE":      `guestbook@tcp({{addr "broker"}})/guestbook`,
				"GUESTBOOK_PASSWORD_FILE": `{{secret "guestbook-database"}}`,
			},
		},
	}
}

// mariadb is a real server that follows the other one. Before anything is asked it
// greets: with the length of the greeting, its number, which is 0, and version 10 of
// the protocol.
func mariadb(peer, number string) *topology.Real {
	return &topology.Real{
		Program: "mariadbd", Script: `{{file "infra/backends/mysql/real.sh"}}`,
		Args: []string{`{{private "real"}}`, `{{port "data"}}`, `{{secret "guestbook-database"}}`, `{{port "` + peer + `"}}`, number},
		Ping: "\n", Pong: "(?s)^.\x00\x00\x00\n",
	}
}
