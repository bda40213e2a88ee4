package upstream

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// Intervals are how often a pool looks. Embed the struct in a program's
// configuration: its variables are names of the process contract, which hold
// for all upstreams of the process and have no prefix.
type Intervals struct {
	// 0: no active checks, all endpoints have passive health only.
	CheckInterval time.Duration `env:"CHECK_INTERVAL" envDefault:"1s" doc:"how often /readyz of each endpoint of an upstream is asked; 0s: never"`
	// Must be above 0 where an address has the form dns:….
	ResolveInterval time.Duration `env:"RESOLVE_INTERVAL" envDefault:"1s" doc:"how often an upstream address dns:… is resolved again"`
}

// Health says when an endpoint is taken out and back in; embed it like
// Intervals, and ask Problems before use. Default returns the values of the
// tags. With the zero value nothing is ever ejected, active checks decide at the
// first answer, and have the usual time for it.
type Health struct {
	CheckTimeout time.Duration `env:"CHECK_TIMEOUT" envDefault:"500ms" doc:"how long one /readyz may take"`
	CheckUp      int           `env:"CHECK_UP" envDefault:"2" doc:"good checks in a row that bring an endpoint back"`
	CheckDown    int           `env:"CHECK_DOWN" envDefault:"2" doc:"bad checks in a row that take an endpoint out (status 503 does at once)"`
	EjectAfter   int           `env:"EJECT_AFTER" envDefault:"3" doc:"failed requests in a row that eject an endpoint; 0: never"`
	EjectBase    time.Duration `env:"EJECT_BASE" envDefault:"1s" doc:"length of the first ejection; the nth is n times as long"`
	EjectMax     time.Duration `env:"EJECT_MAX" envDefault:"30s" doc:"longest ejection"`
	EjectShare   float64       `env:"EJECT_SHARE" envDefault:"0.5" doc:"largest share of the endpoints ejected at a time (one always may be)"`
}

// Default returns what the tags give to an empty environment.
func Default() (Intervals, Health) {
	return Intervals{CheckInterval: time.Second, ResolveInterval: time.Second},
		Health{
			CheckTimeout: checkTimeout, CheckUp: 2, CheckDown: 2,
			EjectAfter: 3, EjectBase: time.Second, EjectMax: 30 * time.Second, EjectShare: 0.5,
		}
}

const checkTimeout = 500 * time.Millisecond

// Problems names every value that makes no sense.
func (h Health) Problems() config.Error {
	var wrong config.Error
	wrong.Invalid(h.CheckTimeout <= 0, "CHECK_TIMEOUT", h.CheckTimeout, "more than 0s")
	wrong.Invalid(h.CheckUp < 0, "CHECK_UP", h.CheckUp, "0 or more")
	wrong.Invalid(h.CheckDown < 0, "CHECK_DOWN", h.CheckDown, "0 or more")
	wrong.Invalid(h.EjectAfter < 0, "EJECT_AFTER", h.EjectAfter, "0 or more")
	wrong.Invalid(h.EjectAfter > 0 && h.EjectBase <= 0, "EJECT_BASE", h.EjectBase, "more than 0s")
	wrong.Invalid(h.EjectAfter > 0 && h.EjectMax < h.EjectBase, "EJECT_MAX", h.EjectMax, fmt.Sprintf("at least EJECT_BASE, %s", h.EjectBase))
	wrong.Invalid(!(h.EjectShare >= 0 && h.EjectShare <= 1), "EJECT_SHARE", h.EjectShare, "0 to 1")
	return wrong
}

func (h Health) validate() error {
	if wrong := h.Problems(); len(wrong) > 0 {
		return wrong
	}
	return nil
}

// A Policy chooses among the usable endpoints when Pick gets no key.
type Policy string

const (
	// LeastRequests draws two endpoints at random and takes the one with fewer
	// requests in flight (the power of two choices): a slow replica gets less,
	// and callers that know nothing of each other do not rush to the same one.
	// It is the zero value too.
	LeastRequests Policy = "least-requests"
	// RoundRobin takes one after the other.
	RoundRobin Policy = "round-robin"
	// Fastest looks at all endpoints: of those with the fewest requests in flight it
	// takes one that is not much slower than the fastest of them. A replica whose
	// machine is busy with something else gets requests only when the others have
	// more to do; a latency that nobody has measured for two seconds counts as none,
	// so that it is noticed when that is over.
	//
	// The latency is one average of all requests, short and long ones alike, because
	// every replica gets the same mixture: what it misjudges by chance, the next
	// requests put right. Simulated with one request at a time, half of which take 3.2
	// times as long as the others (10 times), a replica that is three times as slow
	// gets 1.2 % (1.8 %) of them, and with an average for each kind 0.5 %; one that is
	// 20 times as slow gets 0.1 % (0.2 %), and with an average for each kind 0.25 %, for
	// each has to be tried anew every two seconds.
	Fastest Policy = "fastest"
)

// UnmarshalText takes the name of a policy, which makes it a configuration
// value.
func (p *Policy) UnmarshalText(text []byte) error {
	*p = Policy(text)
	return p.validate()
}

func (p Policy) validate() error {
	switch p {
	case LeastRequests, RoundRobin, Fastest, "":
		return nil
	}
	return fmt.Errorf("balancing policy %q is unknown; write %s, %s or %s", string(p), LeastRequests, RoundRobin, Fastest)
}

// Options describe a pool. Name and Address are needed.
type Options struct {
	Name      string // of the upstream, in logs, errors and metrics
	Address   Address
	Intervals Intervals
	Health    Health
	Policy    Policy

	// Fallback is how many further endpoints on the ring may stand in for the
	// owner of a key; 0 means all, a negative number none.
	Fallback int

	// Open makes what a transport keeps for an endpoint (a connection pool);
	// Endpoint.Attachment returns it. Close is called once, when the endpoint has
	// left and its last request is released, or the pool was stopped. Both may
	// be nil, must be quick and must not call the pool.
	Open  func(*Endpoint) any
	Close func(*Endpoint)

	Resolver Resolver              // of dns: addresses; nil means net.DefaultResolver
	Log      *slog.Logger          // nil means silence
	Metrics  prometheus.Registerer // nil means none
}
