package redismetrics

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// mostClients bounds the clients that are shown.
const mostClients = 1000

// clients shows CLIENT LIST: a client is a line of pairs.
//
//	id=3 addr=127.0.0.1:50544 name=shop age=12 idle=0 flags=N db=0 … omem=0 … cmd=get
func (s *sink) clients(list string, now time.Time) {
	n := 0
	for line := range strings.SplitSeq(list, "\n") {
		pairs := map[string]string{}
		for pair := range strings.SplitSeq(strings.TrimSpace(line), " ") {
			if key, value, found := strings.Cut(pair, "="); found {
				pairs[key] = value
			}
		}
		host, _, err := net.SplitHostPort(pairs["addr"])
		if err != nil {
			continue
		}
		if n++; n > mostClients {
			return
		}
		s.gauge("connected_clients_details", 1, pairs["name"], before(now, pairs["age"]), before(now, pairs["idle"]), pairs["flags"], pairs["db"], pairs["omem"], pairs["cmd"], host)
	}
}

// before is the time so many seconds ago: unlike an age, it stays the same label.
func before(now time.Time, seconds string) string {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(now.Unix()-n, 10)
}
