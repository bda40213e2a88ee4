package etcd

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	heartbeat = 100 // milliseconds
	// election is the time-out of an election in milliseconds. The shortest lease
	// is one and a half of it, rounded up to seconds: 1 s up to 666 ms.
	election = 600
)

// A cluster is what of a cluster is in this process: its one member, all three, or one of
// several whose others are processes of their own.
type cluster struct {
	temporary string // directory of what need not be kept; "" when there is none
	members   []*member
}

// maxSocket is how long the path of a socket may be, on the strictest of systems.
const maxSocket = 100

// newCluster prepares the members; none runs yet. The advertised address is what
// clients find in the list of members.
func newCluster(cfg Config, advertised string, log *slog.Logger) (*cluster, error) {
	c, dir := &cluster{}, cfg.DataDir
	if dir == "" || len(dir)+len("/N.sock") > maxSocket {
		var err error
		if dir, err = os.MkdirTemp("", "etcd-"); err != nil {
			return nil, fmt.Errorf("make directory: %w", err)
		}
		c.temporary = dir
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ETCD_DATA_DIR: %w", err)
	}
	where, err := newPlaces(cfg)
	if err != nil {
		return nil, errors.Join(err, c.remove())
	}
	client := url.URL{Scheme: "http", Host: advertised}
	for _, n := range where.own {
		name, at := where.names[n-1], where.urls[n-1]
		m := &member{number: n, socket: filepath.Join(dir, fmt.Sprintf("%d.sock", n))}
		m.config = settings(cfg, name, dir)
		m.config.InitialCluster = where.initial()
		m.config.ListenClientUrls, m.config.AdvertiseClientUrls = []url.URL{{Scheme: "unix", Path: m.socket}}, []url.URL{client}
		m.config.ListenPeerUrls, m.config.AdvertisePeerUrls = []url.URL{at}, []url.URL{at}
		m.config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(log.With("member", m.number), &m.stopping))
		c.members = append(c.members, m)
	}
	return c, nil
}

// settings are what the members have in common, and where one keeps its data.
func settings(cfg Config, name, dir string) *embed.Config {
	e := embed.NewConfig()
	e.Name, e.Dir = name, cfg.DataDir
	if cfg.DataDir == "" {
		e.Dir, e.UnsafeNoFsync = filepath.Join(dir, name), true
	}
	e.TickMs, e.ElectionMs = heartbeat, election
	e.QuotaBackendBytes = int64(cfg.Quota)
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, cfg.Compaction.String()
	return e
}

// start starts all members. They find each other by themselves.
func (c *cluster) start() error {
	for _, m := range c.members {
		if err := m.start(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all members and forgets what need not be kept. The leader goes first:
// it hands over to one that is still there, where it would wait in vain for those
// that are gone.
func (c *cluster) stop() error {
	for range c.members {
		next := c.members[0]
		for _, m := range c.members {
			if m.leads() || next.running() == nil {
				next = m
			}
		}
		next.stop()
	}
	return c.remove()
}

func (c *cluster) remove() error {
	if c.temporary == "" {
		return nil
	}
	return os.RemoveAll(c.temporary)
}

// led tells whether there is a leader that a majority of joined members follows:
// only then is anything answered. A member whose others are elsewhere knows it by itself: one without a
// majority follows nobody after an election time-out, and leads nobody.
func (c *cluster) led() bool {
	following := 0
	for _, m := range c.members {
		if m.led() {
			following++
		}
	}
	return following > len(c.members)/2
}
