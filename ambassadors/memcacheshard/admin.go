package memcacheshard

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/pool"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/session"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// administer offers GET /shards, the pools with their shards, and GET
// /shards?key=K, the shard of a key in each pool.
func (f *fleet) administer(admin *process.Admin) {
	admin.Handle("GET /shards", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if !r.URL.Query().Has("key") {
			_ = enc.Encode(f.status()) // the operator is gone when this fails
			return
		}
		_ = enc.Encode(f.place([]byte(r.URL.Query().Get("key"))))
	}))
}

func (f *fleet) status() []pool.Status {
	all := make([]pool.Status, len(f.pools))
	for i, p := range f.pools {
		all[i] = p.Status()
	}
	return all
}

// place is the shard of a key by pool; "" where no shard is live.
func (f *fleet) place(key []byte) map[string]string {
	shards := map[string]string{}
	for _, p := range f.pools {
		shards[p.Name()] = ""
		if s := p.Pick(key); s != nil {
			shards[p.Name()] = s.Name()
		}
	}
	return shards
}

// stats is what the command stats answers: of the router, for each server behind
// it has statistics of its own.
func stats(p *pool.Pool, server *tcpserve.Server, metrics *session.Metrics) func() []session.Stat {
	started := time.Now()
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return func() []session.Stat {
		now := time.Now()
		list := []session.Stat{
			{Name: "pid", Value: strconv.Itoa(os.Getpid())},
			{Name: "uptime", Value: number(uint64(now.Sub(started) / time.Second))},
			{Name: "time", Value: number(uint64(now.Unix()))},
			{Name: "version", Value: session.Version},
			{Name: "server", Value: Program.Name},
			{Name: "pool", Value: p.Name()},
			{Name: "curr_connections", Value: number(uint64(server.Open()))},
			{Name: "total_connections", Value: number(server.Accepted())},
			{Name: "rejected_connections", Value: number(server.Refused())},
		}
		for v := range wire.Verbs {
			list = append(list, session.Stat{Name: "cmd_" + wire.Verb(v).String(), Value: number(metrics.Commands(wire.Verb(v)))})
		}
		for _, s := range p.Status().Shards {
			list = append(list, session.Stat{Name: "shard_" + s.Name, Value: s.State()})
		}
		return list
	}
}

// registerServers registers what is known of the clients.
func registerServers(r prometheus.Registerer, servers map[string]*tcpserve.Server, memory *session.Memory) {
	for name, s := range servers {
		labels := prometheus.Labels{"pool": name}
		r.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "memcacheshard_clients", Help: "Connections of clients.", ConstLabels: labels},
				func() float64 { return float64(s.Open()) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "memcacheshard_clients_total", Help: "Connections of clients so far.", ConstLabels: labels},
				func() float64 { return float64(s.Accepted()) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "memcacheshard_clients_refused_total", Help: "Connections over the limit so far.", ConstLabels: labels},
				func() float64 { return float64(s.Refused()) }),
		)
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "memcacheshard_memory_bytes", Help: "Answers that clients have not taken, and large commands."},
		func() float64 { return float64(memory.Used()) }))
}
