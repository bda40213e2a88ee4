package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// sameMemcachedPlacement stores every key through memcacheshard and reads it
// through twemproxy: both have the same file, but for the ports.
func sameMemcachedPlacement(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("nutcracker", "memcached"); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "memcacheshard"); err != nil {
		return err
	}
	s, err := realMemcacheds(ctx, g, 4)
	if err != nil {
		return err
	}
	for i, p := range s.procs {
		s.servers[i] = fmt.Sprintf("%s:%d memcache-%d.memcache", p.Data, 1+2*i, 9+i) // memcache-9 is numbered before memcache-10
	}
	ours, theirs, err := twinPools(s.servers)
	if err != nil {
		return err
	}
	if err := startMemcachedTwins(ctx, g, ours, theirs); err != nil {
		return err
	}
	keys := memcachedKeys(r)
	count := func(state string) error {
		missing := 0
		for i := range ours {
			n, err := storeAndLook(ctx, ours[i].Listen, theirs[i].Listen, keys)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", ours[i].Name, state, err)
			}
			missing += n
		}
		r.Claim(proof.Exactly(fmt.Sprintf("keys that twemproxy does not find, %s", state), missing, 0, fmt.Sprintf("of %d × %d", len(ours), len(keys))))
		return nil
	}
	if err := count("all servers there"); err != nil {
		return err
	}
	s.procs[2].Kill()
	for i := range ours { // the first request to it finds out
		for _, addr := range []string{ours[i].Listen, theirs[i].Listen} {
			if err := memcachedSettled(ctx, keys, addr); err != nil {
				return err
			}
		}
	}
	if err := count("one server gone"); err != nil {
		return err
	}
	if err := s.procs[2].Restart(ctx); err != nil {
		return err
	}
	r.Log("waiting until the server is tried again")
	if err := pause(ctx, retryMillis*time.Millisecond+time.Second); err != nil {
		return err
	}
	return count("the server back")
}

func startMemcachedTwins(ctx context.Context, g *rig.Rig, ours, theirs []rig.ShardPool) error {
	for _, pools := range [][]rig.ShardPool{ours, theirs} {
		for i := range pools {
			pools[i].Memcached = true
		}
	}
	conf, err := g.Nutcracker("memcacheshard", retryMillis, ours...)
	if err != nil {
		return err
	}
	if _, err := g.Service(ctx, "memcacheshard", "memcacheshard", map[string]string{"MEMCACHESHARD_CONFIG_FILE": conf, "LISTEN_ADDR": ours[0].Listen}); err != nil {
		return err
	}
	if conf, err = g.Nutcracker("twemproxy", retryMillis, theirs...); err != nil {
		return err
	}
	_, err = g.Twemproxy(ctx, conf, theirs[0].Listen)
	return err
}

// memcachedKeys are keys of every shape that memcached allows.
func memcachedKeys(r *proof.Report) []string {
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
			key := make([]byte, 1+random.IntN(240))
			for k := range key {
				if key[k] = '!' + byte(random.UintN(94)); random.IntN(4) == 0 {
					key[k] |= 0x80
				}
			}
			keys = append(keys, fmt.Sprintf("%s%d", key, i))
		}
	}
	return keys
}

// storeAndLook stores keys through one proxy and counts those that another one
// does not find.
func storeAndLook(ctx context.Context, write, read string, keys []string) (missing int, err error) {
	value := fmt.Sprintf("%d", time.Now().UnixNano())
	w, err := dialMemcached(ctx, write)
	if err != nil {
		return 0, err
	}
	defer w.close()
	answers, err := w.pipeline(len(keys), func(i int) string { return fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", keys[i], len(value), value) })
	if err != nil {
		return 0, err
	}
	for i, a := range answers {
		if a != "STORED" {
			return 0, fmt.Errorf("set %q: %s", keys[i], a)
		}
	}
	answers, err = lookAll(ctx, read, keys)
	for _, a := range answers {
		if a != value {
			missing++
		}
	}
	return missing, err
}

func lookAll(ctx context.Context, addr string, keys []string) ([]string, error) {
	c, err := dialMemcached(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.pipeline(len(keys), func(i int) string { return "get " + keys[i] + "\r\n" })
}

// memcachedSettled asks a proxy until it does not ask the server that is gone.
func memcachedSettled(ctx context.Context, keys []string, addr string) error {
	for range 20 {
		answers, err := lookAll(ctx, addr, keys)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(answers, func(a string) bool { return strings.HasPrefix(a, "SERVER_ERROR") }) {
			return nil
		}
	}
	return fmt.Errorf("%s goes on asking a server that is gone", addr)
}
