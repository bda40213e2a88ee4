package redismetrics

import (
	"strconv"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics/info"
)

// mostDatabases bounds the databases of which is told that they are empty.
const mostDatabases = 256

// keyspace tells how many keys the databases have. INFO names those with keys
// only; of the others, as many as are configured, is told that they have none.
func (s *sink) keyspace(i *info.Info, config map[string]string) {
	if !i.Has("redis_version") {
		return
	}
	told := map[string]bool{}
	for _, g := range i.Groups(info.Databases) {
		db := "db" + g.Name
		told[db] = true
		keys, _ := g.Number("keys")
		expiring, _ := g.Number("expires")
		s.gauge("db_keys", keys, db)
		s.gauge("db_keys_expiring", expiring, db)
		if ttl, ok := g.Number("avg_ttl"); ok {
			s.gauge("db_avg_ttl_seconds", ttl/1000, db)
		}
	}
	n, err := strconv.Atoi(config["databases"])
	if err != nil {
		return
	}
	for k := range min(n, mostDatabases) {
		if db := "db" + strconv.Itoa(k); !told[db] {
			s.gauge("db_keys", 0, db)
			s.gauge("db_keys_expiring", 0, db)
		}
	}
}
