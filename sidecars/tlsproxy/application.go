package tlsproxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// An application is the program behind the sidecar, on loopback.
type application struct {
	addr   string
	wait   time.Duration // how long it may refuse connections before that is told
	dialer net.Dialer
	waited prometheus.Counter

	mu      sync.Mutex // guards refused
	refused time.Time  // since when it refuses connections; zero when it does not
}

func newApplication(cfg *Config, m *metrics) *application {
	return &application{
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)), wait: cfg.ConnectWait,
		dialer: net.Dialer{Timeout: cfg.ConnectTimeout}, waited: m.waited,
	}
}

// keptConnections is how many unused connections to the application are kept.
const keptConnections = 64

// transport sends requests to the application, whatever host they name.
func (a *application) transport(cfg *Config) *http.Transport {
	return &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx) },
		DisableCompression:     true, // what it sends is passed on as it is
		MaxIdleConns:           keptConnections,
		MaxIdleConnsPerHost:    keptConnections,
		MaxConnsPerHost:        cfg.Requests,
		IdleConnTimeout:        30 * time.Second,
		ResponseHeaderTimeout:  cfg.AnswerTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// between are the pauses between attempts to connect.
var between = retry.Backoff{Base: 10 * time.Millisecond, Max: 100 * time.Millisecond}

// dial connects to the application. One that refuses is probably being started
// again, so it is asked again for a moment: nothing was sent yet, so that this is
// safe for every method. The moment counts from the first refusal. When it has
// passed everybody is refused at once, and a long outage holds no requests.
func (a *application) dial(ctx context.Context) (net.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, err := a.dialer.DialContext(ctx, "tcp", a.addr)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			a.accepts()
			return conn, err
		}
		if time.Since(a.refuses()) >= a.wait {
			return nil, err
		}
		a.waited.Inc()
		if retry.Sleep(ctx, between.Delay(attempt)) != nil {
			return nil, err
		}
	}
}

// refuses returns since when the application refuses connections.
func (a *application) refuses() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused.IsZero() {
		a.refused = time.Now()
	}
	return a.refused
}

func (a *application) accepts() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = time.Time{}
}

// reachable returns nil when the application accepts a connection.
func (a *application) reachable(ctx context.Context) error {
	conn, err := a.dialer.DialContext(ctx, "tcp", a.addr)
	if err != nil {
		return err
	}
	a.accepts()
	return conn.Close()
}
