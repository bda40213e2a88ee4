package broker

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/target"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// Status is what GET /v1/target answers.
type Status struct {
	Resolution
	Since       time.Time    `json:"since"` // of the addresses
	Targets     []TargetView `json:"targets"`
	Sources     []SourceView `json:"sources"` // in order of precedence
	Connections Connections  `json:"connections"`
}

// TargetView is an address with its connections.
type TargetView struct {
	target.View
	Connections int `json:"connections"`
}

// Connections counts those of the application.
type Connections struct {
	Open     int    `json:"open"`
	Most     int    `json:"most"` // that may be open
	Draining int    `json:"draining"`
	Finished uint64 `json:"drained_finished"`
	Cut      uint64 `json:"drained_cut"`
}

// status serves the state of the broker to operators.
func status(p *proxy, s *tcpserve.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := Status{Sources: p.directory.view(), Targets: []TargetView{}}
		now.Resolution, now.Since = p.directory.now()
		for _, v := range p.pool.View() {
			now.Targets = append(now.Targets, TargetView{v, p.links.Of(v.Address)})
		}
		_, draining, counts := p.links.Count()
		now.Connections = Connections{s.Open(), p.cfg.MaxConns, draining, counts.Finished, counts.Cut}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(now) // the operator is gone when this fails
	})
}
