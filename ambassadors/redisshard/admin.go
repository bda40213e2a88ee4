package redisshard

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/pool"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/session"
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
			shards[p.Name()] = s.Options().Server.Name
		}
	}
	return shards
}

// registerServers registers what is known of the clients.
func registerServers(r prometheus.Registerer, servers map[string]*tcpserve.Server, memory *session.Memory) {
	for name, s := range servers {
		labels := prometheus.Labels{"pool": name}
		r.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "redisshard_clients", Help: "Connections of clients.", ConstLabels: labels},
				func() float64 { return float64(s.Open()) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "redisshard_clients_total", Help: "Connections of clients so far.", ConstLabels: labels},
				func() float64 { return float64(s.Accepted()) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "redisshard_clients_refused_total", Help: "Connections over the limit so far.", ConstLabels: labels},
				func() float64 { return float64(s.Refused()) }),
		)
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "redisshard_memory_bytes", Help: "Replies that clients have not taken, and large commands."},
		func() float64 { return float64(memory.Used()) }))
}
