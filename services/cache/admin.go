package cache

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// administer adds the cache's own paths to the administration listener:
//
//	POST /v1/invalidate {"url": …} | {"pattern": …} | {"key": …}, and "host"
//	GET  /v1/stats
func (s *Server) administer(a *process.Admin) {
	a.Protect("POST /v1/invalidate", http.HandlerFunc(s.handleInvalidate))
	a.Protect("GET /v1/stats", http.HandlerFunc(s.handleStats))
}

func (s *Server) handleInvalidate(w http.ResponseWriter, r *http.Request) {
	var o Order
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(&o)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		problem.New(http.StatusBadRequest, "invalid-order", err.Error()).Write(w)
		return
	}
	if err := s.order(r.Context(), o); err != nil {
		s.Log.Error("order was not distributed", "error", err)
		problem.New(http.StatusServiceUnavailable, "order-not-distributed", "the order could not be recorded for all replicas; send it again").Write(w)
		return
	}
	s.Log.Info("invalidation ordered", "url", o.URL, "pattern", o.Pattern, "key", o.Key, "host", o.Host)
	w.WriteHeader(http.StatusNoContent)
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
