package process

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// Admin is the administration listener: probes and metrics for everybody who
// reaches it, the rest for operators.
type Admin struct {
	mux   *http.ServeMux
	token []byte // of protected paths; empty: loopback only
}

func newAdmin(tokenFile string) (*Admin, error) {
	a := &Admin{mux: http.NewServeMux()}
	if tokenFile == "" {
		return a, nil
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, fmt.Errorf("read ADMIN_TOKEN_FILE: %w", err)
	}
	a.token = []byte(strings.TrimSpace(string(token)))
	if len(a.token) < 16 {
		return nil, fmt.Errorf("ADMIN_TOKEN_FILE %s: want a token of at least 16 characters", tokenFile)
	}
	return a, nil
}

// Handle adds a path that is open. The pattern is that of http.ServeMux.
func (a *Admin) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// Protect adds a path that needs the token of ADMIN_TOKEN_FILE as
// "Authorization: Bearer …", or, where there is none, a caller on loopback.
func (a *Admin) Protect(pattern string, h http.Handler) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if p := a.refuse(r); p != nil {
			p.Write(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (a *Admin) refuse(r *http.Request) *problem.Problem {
	if len(a.token) == 0 {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			return nil
		}
		return problem.New(http.StatusForbidden, "loopback-only", "without ADMIN_TOKEN_FILE this path answers to loopback only")
	}
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	// Digests have one length, so that the comparison tells nothing of the token's.
	want, got := sha256.Sum256(a.token), sha256.Sum256([]byte(given))
	if !bearer || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return problem.New(http.StatusUnauthorized, "token-required", "send the administration token as Authorization: Bearer …")
	}
	return nil
}

// routes adds the paths that every process has.
func (a *Admin) routes(p *Process, configuration func() any) {
	a.Handle("GET /livez", p.Health.LiveHandler())
	a.Handle("GET /readyz", p.Health.ReadyHandler())
	a.Handle("GET /metrics", promhttp.HandlerFor(p.telemetry.Registry, promhttp.HandlerOpts{Timeout: 5 * time.Second, MaxRequestsInFlight: 4}))
	a.Handle("GET /version", answerJSON(func() any {
		return map[string]string{"program": p.Program.Name, "version": Version(), "instance": p.Instance, "go": runtime.Version()}
	}))
	a.Protect("GET /configz", answerJSON(configuration))
	a.Protect("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
	a.Protect("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	a.Protect("GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	a.Protect("GET /debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
	a.Protect("GET /debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline))
}

func answerJSON(value func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(value()) // the operator is gone when this fails
	})
}

// server serves administration. Profiles take as long as they are asked to, so
// there is no write time-out.
func (a *Admin) server() *http.Server {
	return &http.Server{Handler: a.mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
}
