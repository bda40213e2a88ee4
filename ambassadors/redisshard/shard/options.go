package shard

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Options are the same for all shards of a pool, but for Server.
type Options struct {
	Server      nutcracker.Server
	Timeout     time.Duration // for an answer, and for opening a connection
	Connections int           // links of each protocol

	User         string
	Password     string // "": none, or that of the file
	PasswordFile string // read for every connection, so that a renewed one counts from the next on; "": none
	DB           int
	TLS          *tls.Config // nil: plain text

	Replicas     []string      // addresses of servers that are asked for reads; see Reader
	ReplicaRetry time.Duration // how long one that failed is not asked

	MaxReply   int // bytes of a reply
	MaxFlight  int // requests without a reply on a link
	MaxBacklog int // bytes that wait to be written to a link
	MaxWatch   int // links borrowed at a time

	Log   *slog.Logger
	Meter *Meter // see Metrics.Meter
}

// Same tells whether a shard of these options can go on with the others.
func (o Options) Same(p Options) bool {
	return o.Server.Name == p.Server.Name && o.Server.Addr == p.Server.Addr && o.Timeout == p.Timeout && o.Connections == p.Connections && o.DB == p.DB && o.Password == p.Password &&
		slices.Equal(o.Replicas, p.Replicas) && (len(o.Replicas) == 0 || o.ReplicaRetry == p.ReplicaRetry)
}

// Health is told how requests went.
type Health interface {
	Succeeded()
	Failed()
}

// login returns user and password; an empty password for none.
func (o Options) login() (user, password string, err error) {
	if o.Password != "" || o.PasswordFile == "" {
		return o.User, o.Password, nil
	}
	text, err := watch.Read(o.PasswordFile)
	if err != nil {
		return "", "", fmt.Errorf("password of the shards: %w", err)
	}
	return o.User, strings.TrimSpace(string(text)), nil
}
