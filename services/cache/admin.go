package cache

import (
	"encoding/json"
	"net/http"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/cache/fanout"
)

// administer adds the cache's own paths to the administration listener:
//
//	POST /v1/invalidations {"url": …} | {"ban": …} | {"keys": […]}, and "host"; see package fanout
//	GET  /v1/stats
func (s *Server) administer(a *process.Admin, f *fanout.Fanout) {
	a.Protect(fanout.Path, f.Handler())
	a.Protect(fanout.Path+"/", f.Handler())
	a.Protect("GET /v1/stats", http.HandlerFunc(s.handleStats))
}

// stats is what an operator asks first.
type stats struct {
	Resources int    `json:"resources"`
	Bytes     uint64 `json:"bytes"`
	Flights   int    `json:"flights"`
	Bans      int    `json:"bans_pending"`
}

func (s *Server) handleStats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(stats{Resources: s.Store.Len(), Bytes: s.Store.Weight(), Flights: s.flights.len(), Bans: s.Store.Bans()})
}
