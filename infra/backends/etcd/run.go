package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	contract, advertised := cfg.Contract, ""
	contract.OnListen = func(data, admin net.Addr) {
		advertised = data.String()
		if cfg.OnListen != nil {
			cfg.OnListen(data, admin)
		}
	}
	p, err := process.Open(ctx, Program, contract, cfg)
	if err != nil {
		return err
	}
	c, err := newCluster(cfg, advertised, p.Log)
	if err != nil {
		p.Close()
		return err
	}
	if err := c.start(); err != nil {
		p.Close()
		return errors.Join(err, c.stop())
	}
	p.Health.Ready("leader", func(context.Context) error {
		if !c.led() {
			return errors.New("no leader that a majority of the members follows")
		}
		return nil
	})
	p.Admin.Protect("GET /members", http.HandlerFunc(c.list))
	p.Admin.Protect("POST /members/{number}/{action}", http.HandlerFunc(c.act))
	p.Serve(newServer(cfg, c, p.Metrics, p.Log))
	if cfg.DataDir == "" {
		p.Log.Info("data are kept for this process only and lost when it ends")
	}
	return p.Run(ctx)
}

// state is a member as the list shows it.
type state struct {
	Member  int  `json:"member"`
	Running bool `json:"running"`
	Leader  bool `json:"leader"`
}

func (c *cluster) list(w http.ResponseWriter, _ *http.Request) {
	all := []state{}
	for _, m := range c.members {
		all = append(all, state{m.number, m.running() != nil, m.leads()})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // the operator is gone when this fails
}

// act stops or starts a member, or cuts it off from the others.
func (c *cluster) act(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	at := slices.IndexFunc(c.members, func(m *member) bool { return m.number == number })
	if err != nil || at < 0 {
		problem.New(http.StatusNotFound, "no-such-resource", "GET /members lists the members").Write(w)
		return
	}
	m := c.members[at]
	switch r.PathValue("action") {
	case "stop":
		m.stop()
	case "start":
		if err := m.start(); err != nil {
			problem.New(http.StatusInternalServerError, "internal", "the member did not start").Write(w)
			return
		}
	case "cut":
		m.cut()
	case "mend":
		m.mend()
	default:
		problem.New(http.StatusNotFound, "no-such-resource", "want stop, start, cut or mend in /members/N/…").Write(w)
		return
	}
	c.list(w, r)
}
