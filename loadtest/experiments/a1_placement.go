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

// twemproxyHashes are the functions that twemproxy has.
var twemproxyHashes = []string{"crc16", "crc32", "crc32a", "fnv1_32", "fnv1_64", "fnv1a_32", "fnv1a_64", "hsieh", "jenkins", "md5", "murmur", "one_at_a_time"}

// retryMillis is long enough to write and to read all keys while a server is gone.
const retryMillis = 20_000

// samePlacement writes every key through redisshard and reads it through
// twemproxy: both have the same file, but for the ports.
func samePlacement(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("nutcracker", "redis-server"); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "redisshard"); err != nil {
		return err
	}
	s, err := realShards(ctx, g, 4)
	if err != nil {
		return err
	}
	for i, p := range s.procs {
		s.servers[i] = fmt.Sprintf("%s:%d server%d", p.Data, 1+2*i, 9+i) // server9 is numbered before server10
	}
	ours, theirs, err := twinPools(s.servers)
	if err != nil {
		return err
	}
	if err := startTwins(ctx, g, ours, theirs); err != nil {
		return err
	}
	keys := placementKeys(r)
	count := func(state string) error {
		differences := 0
		for i := range ours {
			n, err := compare(ctx, ours[i].Listen, theirs[i].Listen, keys)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", ours[i].Name, state, err)
			}
			differences += n
		}
		r.Claim(proof.Exactly(fmt.Sprintf("keys that twemproxy does not find, %s", state), differences, 0, fmt.Sprintf("of %d × %d", len(ours), len(keys))))
		return nil
	}
	if err := count("all servers there"); err != nil {
		return err
	}
	s.procs[2].Kill()
	for i := range ours { // the first request to it finds out
		if err := ejected(ctx, keys, ours[i].Listen, theirs[i].Listen); err != nil {
			return err
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

// twinPools are pools of each hash and distribution, for two proxies.
func twinPools(servers []string) (ours, theirs []rig.ShardPool, err error) {
	for _, hash := range twemproxyHashes {
		for _, distribution := range []string{"ketama", "modula"} {
			for _, side := range []*[]rig.ShardPool{&ours, &theirs} {
				listen, err := rig.Addr()
				if err != nil {
					return nil, nil, err
				}
				*side = append(*side, rig.ShardPool{Name: hash + "-" + distribution, Listen: listen, Hash: hash, Distribution: distribution, Servers: servers})
			}
		}
	}
	return ours, theirs, nil
}

func startTwins(ctx context.Context, g *rig.Rig, ours, theirs []rig.ShardPool) error {
	conf, err := g.Nutcracker("redisshard", retryMillis, ours...)
	if err != nil {
		return err
	}
	if _, err := g.Service(ctx, "redisshard", "redisshard", map[string]string{"REDISSHARD_CONFIG_FILE": conf, "LISTEN_ADDR": ours[0].Listen}); err != nil {
		return err
	}
	if conf, err = g.Nutcracker("twemproxy", retryMillis, theirs...); err != nil {
		return err
	}
	_, err = g.Twemproxy(ctx, conf, theirs[0].Listen)
	return err
}

// placementKeys are keys of every shape.
func placementKeys(r *proof.Report) []string {
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
			key := make([]byte, 1+random.IntN(246))
			for k := range key {
				key[k] = byte(random.UintN(256))
			}
			keys = append(keys, fmt.Sprintf("%s%d", key, i))
		}
	}
	return keys
}

// compare writes keys through one proxy and counts those that another one does
// not find.
func compare(ctx context.Context, write, read string, keys []string) (missing int, err error) {
	value := fmt.Sprintf("%d", time.Now().UnixNano())
	w, err := dialRedis(ctx, write)
	if err != nil {
		return 0, err
	}
	defer w.close()
	answers, err := w.pipeline(len(keys), func(i int) []string { return []string{"SET", keys[i], value} })
	if err != nil {
		return 0, err
	}
	for i, a := range answers {
		if a != "+OK" {
			return 0, fmt.Errorf("SET %q: %s", keys[i], a)
		}
	}
	rd, err := dialRedis(ctx, read)
	if err != nil {
		return 0, err
	}
	defer rd.close()
	if answers, err = rd.pipeline(len(keys), func(i int) []string { return []string{"GET", keys[i]} }); err != nil {
		return 0, err
	}
	for _, a := range answers {
		if a != value {
			missing++
		}
	}
	return missing, nil
}

// ejected asks proxies until none asks the server that is gone.
func ejected(ctx context.Context, keys []string, addrs ...string) error {
	for _, addr := range addrs {
		if err := settled(ctx, keys, addr); err != nil {
			return err
		}
	}
	return nil
}

func settled(ctx context.Context, keys []string, addr string) error {
	c, err := dialRedis(ctx, addr)
	if err != nil {
		return err
	}
	defer c.close()
	for range 20 {
		answers, err := c.pipeline(len(keys), func(i int) []string { return []string{"GET", keys[i]} })
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(answers, isError) {
			return nil
		}
	}
	return fmt.Errorf("%s goes on asking a server that is gone", addr)
}

func isError(answer string) bool { return strings.HasPrefix(answer, "-") }
