package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// Rig is a place for one experiment.
type Rig struct {
	Root string // of the tree
	Dir  string // scratch
	Log  func(format string, args ...any)

	closers []func()
}

// New returns an empty rig for an experiment.
func New(r *proof.Report) *Rig { return &Rig{Root: r.Root, Dir: r.Dir, Log: r.Log} }

// Close ends everything, the youngest first.
func (g *Rig) Close() {
	for len(g.closers) > 0 {
		last := len(g.closers) - 1
		g.closers[last]()
		g.closers = g.closers[:last]
	}
}

// Defer adds to what Close does.
func (g *Rig) Defer(f func()) { g.closers = append(g.closers, f) }

// packages are the programs of the tree, by the name of their binary.
var packages = map[string]string{
	"content":       "./services/content/cmd/content",
	"dictionary":    "./services/dictionary/cmd/dictionary",
	"cache":         "./services/cache/cmd/cache",
	"edge":          "./services/edge/cmd/edge",
	"experiment":    "./ambassadors/experiment/cmd/experiment",
	"redis":         "./infra/backends/redis/cmd/redis",
	"topz":          "./sidecars/topz/cmd/topz",
	"gitserver":     "./sidecars/gitsync/cmd/gitserver",
	"gitsync":       "./sidecars/gitsync/cmd/gitsync",
	"site":          "./sidecars/gitsync/cmd/site",
	"etcd":          "./infra/backends/etcd/cmd/etcd",
	"legacy":        "./sidecars/tlsproxy/cmd/legacy",
	"tlsproxy":      "./sidecars/tlsproxy/cmd/tlsproxy",
	"configsync":    "./sidecars/configsync/cmd/configsync",
	"configapi":     "./sidecars/configsync/cmd/configapi",
	"local":         "./infra/local",
	"hog":           "./loadtest/cmd/hog",
	"hotshards":     "./services/hotshards/cmd/hotshards",
	"loris":         "./loadtest/cmd/loris",
	"httputil":      "./loadtest/peers/httputil",
	"bare":          "./loadtest/peers/bare",
	"handshakes":    "./loadtest/cmd/handshakes",
	"redisshard":    "./ambassadors/redisshard/cmd/redisshard",
	"lookups":       "./ambassadors/redisshard/cmd/lookups",
	"memcached":     "./infra/backends/memcached/cmd/memcached",
	"memcacheshard": "./ambassadors/memcacheshard/cmd/memcacheshard",
	"thesaurus":     "./ambassadors/memcacheshard/cmd/thesaurus",
	"memload":       "./loadtest/cmd/memload",
	"mysql":         "./infra/backends/mysql/cmd/mysql",
	"broker":        "./ambassadors/broker/cmd/broker",
	"guestbook":     "./ambassadors/broker/cmd/guestbook",
	"dbhealth":      "./adapters/dbhealth/cmd/dbhealth",
	"lognorm":       "./adapters/lognorm/cmd/lognorm",
	"ownership":     "./services/ownership/cmd/ownership",
	"ledger":        "./services/ownership/cmd/ledger",
	"redismetrics":  "./adapters/redismetrics/cmd/redismetrics",
	"shardproxy":    "./services/shardproxy/cmd/shardproxy",
	"kafka":         "./infra/backends/kafka/cmd/kafka",
	"search":        "./services/search/cmd/search",
	"searchleaf":    "./services/search/cmd/searchleaf",
	"searchfeed":    "./services/search/cmd/searchfeed",
}

// Build compiles programs; what has not changed is not linked again.
func (g *Rig) Build(ctx context.Context, programs ...string) error {
	return g.build(ctx, g.bin(), os.Environ(), programs)
}

// BuildCold compiles programs with an empty build cache, as a newcomer does.
func (g *Rig) BuildCold(ctx context.Context, programs ...string) error {
	cache := filepath.Join(g.Dir, "build-cache")
	err := g.build(ctx, filepath.Join(g.Dir, "cold"), append(os.Environ(), "GOCACHE="+cache), programs)
	return errors.Join(err, os.RemoveAll(cache))
}

func (g *Rig) build(ctx context.Context, into string, env, programs []string) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	// The tag is that of the images.
	argv := []string{"build", "-tags", "grpcnotrace", "-o", into + string(filepath.Separator)}
	for _, p := range programs {
		argv = append(argv, packages[p])
	}
	cmd := exec.CommandContext(ctx, "go", argv...)
	cmd.Dir, cmd.Env = g.Root, env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", strings.Join(programs, ", "), err, out)
	}
	return nil
}

// Serving are the programs of the serving path, and what runs the fleet here.
func Serving() []string {
	return []string{"content", "dictionary", "cache", "edge", "redis", "redismetrics", "local"}
}

// Programs are those of the whole fleet.
func Programs() []string {
	return append(Serving(), "broker", "configapi", "configsync", "dbhealth", "etcd", "experiment", "gitserver", "gitsync", "guestbook", "hotshards", "kafka",
		"ledger", "legacy", "lognorm", "lookups", "memcached", "memcacheshard", "mysql", "ownership", "redisshard", "search", "searchfeed", "searchleaf", "shardproxy", "site", "thesaurus", "tlsproxy", "topz")
}

func (g *Rig) bin() string { return filepath.Join(g.Dir, "bin") }

// Bin is the path of a built program.
func (g *Rig) Bin(program string) string { return filepath.Join(g.bin(), program) }

// Need returns Missing when a program of others is not installed. Debian keeps
// servers where an ordinary user's PATH does not reach.
func Need(names ...string) error {
	var absent []string
	for _, name := range names {
		if _, err := Find(name); err != nil {
			absent = append(absent, name)
		}
	}
	if len(absent) > 0 {
		return proof.Missing{What: strings.Join(absent, ", ") + " is not installed"}
	}
	return nil
}

// Find looks for a program in PATH and where servers are.
func Find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil || errors.Is(err, exec.ErrDot) {
		return path, err
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// TwoCPUs is the method for rates: the server on the first CPU, load and
// upstream on the second.
func TwoCPUs() (server, load int, err error) {
	cpus := machine.CPUs()
	if len(cpus) < 2 {
		return 0, 0, proof.Missing{What: "two CPUs that a process can be pinned to"}
	}
	return cpus[0], cpus[1], nil
}

// Addr returns a TCP address on loopback that is free for UDP too. It lies below the ports
// of the local runner's processes and of outgoing connections, so that none takes it before
// it is used; another program may, which then is an ordinary error.
func Addr() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(20_000-15_000))
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue // it is taken
		}
		udp, err := net.ListenPacket("udp", addr)
		_ = ln.Close() // only its number was wanted
		if err == nil {
			return addr, udp.Close()
		}
	}
	return "", errors.New("free address: none in a hundred tries")
}
