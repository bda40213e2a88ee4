package edge

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/ports"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// Program is the edge as a process of the fleet.
var Program = process.Program{
	Name:  "edge",
	About: "terminates TLS (HTTP/1.1, HTTP/2, HTTP/3) and passes requests on to the services of its routes",
	Ports: []process.Port{
		{Name: "http", Number: ports.EdgeHTTP, Protocol: "tcp"},
		{Name: "http3", Number: ports.Of("edge").Data, Protocol: "udp"},
	},
	Families: map[string]string{routes.Prefix: "values that the file of routes refers to as ${EDGE_UPSTREAM_…}; the built-in one needs EDGE_UPSTREAM_CACHE, and serves search.localhost with EDGE_UPSTREAM_SEARCH"},
	Calls:    []string{"upstreams of its routes: HTTP/1.1, with or without TLS"},
	Defaults: map[string]string{"RETRY_MIN_PER_SECOND": "10"}, // all of the fleet's traffic passes here
	Renamed: map[string]string{
		"EDGE_ATTEMPTS": "RETRY_ATTEMPTS", "EDGE_RETRY_SHARE": "RETRY_SHARE", "EDGE_RETRY_MIN_PER_SECOND": "RETRY_MIN_PER_SECOND",
	},
}

// Config is the configuration of an edge.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Limits

	RoutesFile   string   `env:"EDGE_ROUTES_FILE" doc:"file of routes (YAML), watched; the built-in routes of the fleet when empty"`
	Certificates []string `env:"EDGE_CERTIFICATES" doc:"further certificates for SNI, watched: cert.pem:key.pem, or a directory with tls.crt and tls.key; comma-separated. TLS_CERT_FILE is the default one"`
	TicketSecret string   `env:"EDGE_TICKET_SECRET_FILE" doc:"file with 32 bytes or more, watched; edges that share it resume each other's TLS sessions. Without it each edge has keys of its own"`
	CAFile       string   `env:"EDGE_CA_FILE" doc:"PEM file, watched, of the authorities that certify upstreams; the system's when empty"`

	HTTPAddr   string   `env:"EDGE_HTTP_ADDR" envDefault:":8088" doc:"plain HTTP listener that redirects to https: host:port, fd:N, or off"`
	HTTP3Addr  string   `env:"EDGE_HTTP3_ADDR" envDefault:":8443" doc:"UDP address of HTTP/3: host:port, fd:N, off, or elsewhere: announced here, served by another edge on the same public port"`
	PublicPort int      `env:"EDGE_PUBLIC_PORT" envDefault:"8443" doc:"port under which clients reach LISTEN_ADDR and EDGE_HTTP3_ADDR: for redirects and Alt-Svc"`
	HSTS       string   `env:"EDGE_HSTS" envDefault:"max-age=31536000" doc:"value of Strict-Transport-Security, or off"`
	Trusted    []string `env:"EDGE_TRUSTED_PROXIES" doc:"networks (CIDR, comma-separated) of load balancers in front of the edge, whose X-Forwarded-For is believed; nobody's when empty"`

	HeaderLimit config.Size `env:"EDGE_HEADER_LIMIT" envDefault:"32KiB" doc:"largest head of a request; more is 431"`
	BodyLimit   config.Size `env:"EDGE_BODY_LIMIT" envDefault:"16MiB" doc:"largest body of a request where the route says nothing else; more is 413"`
	Connections int         `env:"EDGE_CONNECTIONS" envDefault:"16384" doc:"most client connections; past it the slowest and then idle ones are closed"`
	PerAddress  int         `env:"EDGE_CONNECTIONS_PER_ADDRESS" envDefault:"2048" doc:"most client connections of one address (one /64 for IPv6); many users may share one"`
	Streams     int         `env:"EDGE_STREAMS" envDefault:"250" doc:"most concurrent requests on an HTTP/2 or HTTP/3 connection"`

	HandshakeTimeout time.Duration `env:"EDGE_HANDSHAKE_TIMEOUT" envDefault:"10s" doc:"for a TLS handshake"`
	HeaderTimeout    time.Duration `env:"EDGE_HEADER_TIMEOUT" envDefault:"10s" doc:"from the first byte of a request to the end of its head"`
	IdleTimeout      time.Duration `env:"EDGE_IDLE_TIMEOUT" envDefault:"75s" doc:"how long a client connection may be unused"`
	WriteTimeout     time.Duration `env:"EDGE_WRITE_TIMEOUT" envDefault:"30s" doc:"for a client to take 32 KiB of an answer"`
	MinRate          config.Size   `env:"EDGE_MIN_RATE" envDefault:"512B" doc:"slowest average, per second, at which a request body may arrive"`
	MinRateGrace     time.Duration `env:"EDGE_MIN_RATE_GRACE" envDefault:"10s" doc:"time that a body has before EDGE_MIN_RATE counts"`
	UpgradeIdle      time.Duration `env:"EDGE_UPGRADE_IDLE" envDefault:"10m" doc:"how long an upgraded connection (WebSocket) may be silent in both directions"`

	FirstReplicas  time.Duration `env:"EDGE_FIRST_REPLICAS" envDefault:"45s" doc:"how long a new edge is not ready while an upstream that is not optional has no usable replica; a cluster's DNS may deny a name for 30 s that it was asked for too early"`
	ConnectTimeout time.Duration `env:"EDGE_CONNECT_TIMEOUT" envDefault:"1s" doc:"for a connection to an upstream, with its TLS handshake"`
	AnswerTimeout  time.Duration `env:"EDGE_ANSWER_TIMEOUT" envDefault:"30s" doc:"until the head of an upstream's answer, where the route says nothing else; past it is 504"`
	StreamIdle     time.Duration `env:"EDGE_STREAM_IDLE" envDefault:"60s" doc:"between two pieces of an upstream's answer, and for an upstream to take a piece of a body"`
	KeepAlive      time.Duration `env:"EDGE_KEEPALIVE" envDefault:"30s" doc:"how long an unused connection to an upstream is kept"`
	MaxIdle        int           `env:"EDGE_KEEPALIVE_CONNECTIONS" envDefault:"256" doc:"unused connections kept per replica of an upstream"`
	MaxInFlight    int           `env:"EDGE_REPLICA_REQUESTS" envDefault:"2048" doc:"most requests in flight to a replica of an upstream; past it is 503"`

	AccessLog string `env:"EDGE_ACCESS_LOG" envDefault:"stdout" doc:"stdout, off, or a file that is appended to; a line of JSON per request"`

	// Lookup gives the values of the EDGE_UPSTREAM_ variables; nil: the
	// environment.
	Lookup func(name string) (string, bool) `env:"-"`
	// OnExtra, when set, is told the addresses of the redirect listener and of
	// HTTP/3, "" for those that are off.
	OnExtra func(http, http3 string) `env:"-"`
}

// Validate names every value that makes no sense.
func (c *Config) Validate() error {
	var wrong config.Error
	wrong.Want(c.TLSCertFile != "" && c.TLSKeyFile != "", "TLS_CERT_FILE, TLS_KEY_FILE", "both are required: an edge without a certificate is none")
	if _, err := c.pairs(); err != nil {
		wrong.Add("EDGE_CERTIFICATES", "%v", err)
	}
	if _, err := c.trusted(); err != nil {
		wrong.Add("EDGE_TRUSTED_PROXIES", "%v", err)
	}
	wrong.Want(c.PublicPort >= 1 && c.PublicPort <= 65535, "EDGE_PUBLIC_PORT", "want a port from 1 to 65535")
	wrong.Want(!strings.ContainsAny(c.HSTS, "\r\n"), "EDGE_HSTS", "want one line")
	for name, value := range map[string]int64{
		"EDGE_BODY_LIMIT": int64(c.BodyLimit), "EDGE_CONNECTIONS": int64(c.Connections),
		"EDGE_CONNECTIONS_PER_ADDRESS": int64(c.PerAddress), "EDGE_STREAMS": int64(c.Streams), "EDGE_MIN_RATE": int64(c.MinRate),
		"EDGE_HANDSHAKE_TIMEOUT": int64(c.HandshakeTimeout), "EDGE_HEADER_TIMEOUT": int64(c.HeaderTimeout),
		"EDGE_IDLE_TIMEOUT": int64(c.IdleTimeout), "EDGE_WRITE_TIMEOUT": int64(c.WriteTimeout), "EDGE_UPGRADE_IDLE": int64(c.UpgradeIdle),
		"EDGE_FIRST_REPLICAS": int64(c.FirstReplicas), "EDGE_CONNECT_TIMEOUT": int64(c.ConnectTimeout), "EDGE_ANSWER_TIMEOUT": int64(c.AnswerTimeout),
		"EDGE_STREAM_IDLE": int64(c.StreamIdle), "EDGE_KEEPALIVE": int64(c.KeepAlive),
	} {
		wrong.Want(value > 0, name, "must be above zero")
	}
	wrong.Want(c.HeaderLimit >= 1<<10 && c.HeaderLimit <= 1<<20, "EDGE_HEADER_LIMIT", "want 1KiB to 1MiB")
	wrong.Want(c.MaxIdle >= 0, "EDGE_KEEPALIVE_CONNECTIONS", "must not be negative")
	wrong.Want(c.MaxInFlight >= 0, "EDGE_REPLICA_REQUESTS", "must not be negative")
	return slices.Concat(wrong, c.Health.Problems(), c.Limits.Problems()).Err()
}

// pairs lists the certificates, the default one first.
func (c *Config) pairs() ([]certs.Pair, error) {
	all := []certs.Pair{{CertFile: c.TLSCertFile, KeyFile: c.TLSKeyFile}}
	var errs []error
	for _, text := range c.Certificates {
		cert, key, isPair := strings.Cut(text, ":")
		if isPair && (cert == "" || key == "") || text == "" {
			errs = append(errs, fmt.Errorf("%q: want cert.pem:key.pem or a directory", text))
			continue
		}
		if !isPair {
			cert, key = filepath.Join(text, "tls.crt"), filepath.Join(text, "tls.key")
		}
		all = append(all, certs.Pair{CertFile: cert, KeyFile: key})
	}
	return all, errors.Join(errs...)
}

func (c *Config) trusted() ([]netip.Prefix, error) {
	var all []netip.Prefix
	var errs []error
	for _, text := range c.Trusted {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: want a network such as 10.0.0.0/8", text))
			continue
		}
		all = append(all, prefix.Masked())
	}
	return all, errors.Join(errs...)
}

// front are the limits of HTTP/1.1 connections.
func (c *Config) front() front.Limits {
	return front.Limits{HeadBytes: int(c.HeaderLimit), Head: c.HeaderTimeout, Idle: c.IdleTimeout, Write: c.WriteTimeout,
		Rate: int64(c.MinRate), Grace: c.MinRateGrace, Upgraded: c.UpgradeIdle}
}

func (c *Config) lookup() func(string) (string, bool) {
	if c.Lookup != nil {
		return c.Lookup
	}
	return os.LookupEnv
}
