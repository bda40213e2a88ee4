package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// twemproxyHashes are the functions that twemproxy has.
var twemproxyHashes = []string{"crc16", "crc32", "crc32a", "fnv1_32", "fnv1_64", "fnv1a_32", "fnv1a_64", "hsieh", "jenkins", "md5", "murmur", "one_at_a_time"}

// retryMillis is long enough to write and to read all keys while a server is gone.
const retryMillis = 20_000

// samePlacement writes every key through an ambassador and reads it through twemproxy:
// both have the same file, but for the ports.
func samePlacement(a ambassador) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		if err := rig.Need("nutcracker", a.peer); err != nil {
			return err
		}
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, a.program); err != nil {
			return err
		}
		s, err := a.real(ctx, g, 4)
		if err != nil {
			return err
		}
		for i, p := range s.procs {
			s.servers[i] = fmt.Sprintf("%s:%d server%d", p.Data, 1+2*i, 9+i) // server9 is numbered before server10
		}
		t, err := a.startTwins(ctx, g, s.servers)
		if err != nil {
			return err
		}
		t.keys = a.placementKeys(r)
		if err := t.count(ctx, r, "all servers there"); err != nil {
			return err
		}
		s.procs[2].Kill()
		if err := t.settled(ctx); err != nil {
			return err
		}
		if err := t.count(ctx, r, "one server gone"); err != nil {
			return err
		}
		if err := s.procs[2].Restart(ctx); err != nil {
			return err
		}
		r.Log("waiting until the server is tried again")
		if err := retry.Sleep(ctx, retryMillis*time.Millisecond+time.Second); err != nil {
			return err
		}
		return t.count(ctx, r, "the server back")
	}
}

// twins are two proxies with the same pools, one of each hash and distribution.
type twins struct {
	ambassador
	ours, theirs []rig.ShardPool
	keys         []string
}

func (a ambassador) startTwins(ctx context.Context, g *rig.Rig, servers []string) (*twins, error) {
	t := &twins{ambassador: a}
	for _, hash := range twemproxyHashes {
		for _, distribution := range []string{"ketama", "modula"} {
			for _, side := range []*[]rig.ShardPool{&t.ours, &t.theirs} {
				listen, err := rig.Addr()
				if err != nil {
					return nil, err
				}
				*side = append(*side, rig.ShardPool{Name: hash + "-" + distribution, Listen: listen, Hash: hash, Distribution: distribution, Servers: servers, Memcached: a.backend == "memcached"})
			}
		}
	}
	conf, err := g.Nutcracker(a.program, retryMillis, t.ours...)
	if err != nil {
		return nil, err
	}
	if _, err := g.Service(ctx, a.program, a.program, map[string]string{a.prefix + "CONFIG_FILE": conf, "LISTEN_ADDR": t.ours[0].Listen}); err != nil {
		return nil, err
	}
	if conf, err = g.Nutcracker("twemproxy", retryMillis, t.theirs...); err != nil {
		return nil, err
	}
	_, err = g.Twemproxy(ctx, conf, t.theirs[0].Listen)
	return t, err
}

// placementKeys are keys of every shape.
func (a ambassador) placementKeys(r *proof.Report) []string {
	n := 10_000
	if r.Quick {
		n = 500
	}
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]string, 0, n)
	for i := range n {
		switch i % 5 {
		case 0:
			keys = append(keys, fmt.Sprintf("user:%d", i))
		case 1:
			keys = append(keys, fmt.Sprintf("user:{%d}:%d", i/50, i))
		case 2:
			keys = append(keys, fmt.Sprintf("größe/%d/漢字/🚢", i))
		default:
			keys = append(keys, fmt.Sprintf("%s%d", a.oddKey(random), i))
		}
	}
	return keys
}

// count claims that each key is where the other one looks for it.
func (t *twins) count(ctx context.Context, r *proof.Report, state string) error {
	missing := 0
	for i := range t.ours {
		n, err := t.compare(ctx, t.ours[i].Listen, t.theirs[i].Listen)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", t.ours[i].Name, state, err)
		}
		missing += n
	}
	r.Claim(proof.Exactly(fmt.Sprintf("keys that twemproxy does not find, %s", state), missing, 0, fmt.Sprintf("of %d × %d", len(t.ours), len(t.keys))))
	return nil
}

// compare writes keys through one proxy and counts those that another one does
// not find.
func (t *twins) compare(ctx context.Context, write, read string) (missing int, err error) {
	value := fmt.Sprintf("%d", time.Now().UnixNano())
	writer, err := t.dial(ctx, write)
	if err != nil {
		return 0, err
	}
	defer writer.close()
	if err := writer.setAll(t.keys, value); err != nil {
		return 0, err
	}
	reader, err := t.dial(ctx, read)
	if err != nil {
		return 0, err
	}
	defer reader.close()
	answers, err := reader.getAll(t.keys)
	for _, answer := range answers {
		if answer != value {
			missing++
		}
	}
	return missing, err
}

// settled asks until no pool asks the server that is gone: the first request to it
// finds out.
func (t *twins) settled(ctx context.Context) error {
	for i := range t.ours {
		for _, addr := range []string{t.ours[i].Listen, t.theirs[i].Listen} {
			if err := t.goesAround(ctx, addr); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *twins) goesAround(ctx context.Context, addr string) error {
	c, err := t.dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.close()
	for range 20 {
		answers, err := c.getAll(t.keys)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(answers, c.isError) {
			return nil
		}
	}
	return fmt.Errorf("%s goes on asking a server that is gone", addr)
}
