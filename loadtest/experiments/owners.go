package experiments

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/loadtest/chaos"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// owners are the processes of the ownership pattern: a store, a ledger, and replicas of
// which one owns each shard. A replica reaches the store and the ledger through links of
// its own, or each process is a node of a network.
type owners struct {
	etcd, ledger *rig.Proc
	replicas     []*rig.Proc
	toStore      []*cable.Cable // by replica; none in a network
	toLedger     []*cable.Cable
	http         *http.Client
	shards       int
}

// ownersSpec is how they are started.
type ownersSpec struct {
	ttl     time.Duration
	shards  int
	replica map[string]string // more parameters
	ledger  map[string]string
	network *chaos.Network // nil: on loopback, with links
}

const ownerReplicas = 3

// nodes are the names of the processes, and of their nodes in a network.
func ownerNodes() []string {
	names := []string{"etcd", "ledger"}
	for i := range ownerReplicas {
		names = append(names, ownerName(i))
	}
	return names
}

func ownerName(i int) string { return fmt.Sprintf("ownership-%d", i+1) }

// newOwners starts all of them and waits until every shard is owned.
func newOwners(ctx context.Context, g *rig.Rig, spec ownersSpec) (*owners, error) {
	if err := g.Build(ctx, "etcd", "ledger", "ownership"); err != nil {
		return nil, err
	}
	o := &owners{shards: spec.shards, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	g.Defer(o.http.CloseIdleConnections)
	data, err := os.MkdirTemp(g.Dir, "owners-")
	if err != nil {
		return nil, err
	}
	books := filepath.Join(data, "ledger")
	if err := os.Mkdir(books, 0o755); err != nil {
		return nil, err
	}
	if o.etcd, err = o.start(ctx, g, spec, "etcd", "etcd", map[string]string{"ETCD_DATA_DIR": filepath.Join(data, "etcd"), "ETCD_PROTECTED": "off"}); err != nil {
		return nil, err
	}
	ledger := map[string]string{"LEDGER_DIR": books, "LEDGER_ENTRIES": "100000"}
	maps.Copy(ledger, spec.ledger)
	if o.ledger, err = o.start(ctx, g, spec, "ledger", "ledger", ledger); err != nil {
		return nil, err
	}
	for i := range ownerReplicas {
		if err := o.addReplica(ctx, g, spec, i); err != nil {
			return nil, err
		}
	}
	for shard := range spec.shards {
		if _, _, err := o.acting(ctx, shard); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *owners) addReplica(ctx context.Context, g *rig.Rig, spec ownersSpec, i int) error {
	env := map[string]string{
		"OWNERSHIP_TTL": spec.ttl.String(), "OWNERSHIP_SHARDS": fmt.Sprint(spec.shards), "OWNERSHIP_BALANCE_INTERVAL": "0s", // nothing moves by itself
		"OWNERSHIP_STORE_ETCD_ENDPOINTS": o.etcd.Data, "OWNERSHIP_LEDGERS": o.ledger.Data,
	}
	if spec.network == nil {
		toStore, err := lay(g, o.etcd.Data)
		if err != nil {
			return err
		}
		toLedger, err := lay(g, o.ledger.Data)
		if err != nil {
			return err
		}
		o.toStore, o.toLedger = append(o.toStore, toStore), append(o.toLedger, toLedger)
		env["OWNERSHIP_STORE_ETCD_ENDPOINTS"], env["OWNERSHIP_LEDGERS"] = toStore.Addr(), toLedger.Addr()
	}
	maps.Copy(env, spec.replica)
	p, err := o.start(ctx, g, spec, "ownership", ownerName(i), env)
	if err != nil {
		return err
	}
	o.replicas = append(o.replicas, p)
	return nil
}

func lay(g *rig.Rig, to string) (*cable.Cable, error) {
	c, err := cable.Lay("tcp", to)
	if err != nil {
		return nil, err
	}
	g.Defer(c.Close)
	return c, nil
}

// start starts a program under its name, on its node where there is a network.
func (o *owners) start(ctx context.Context, g *rig.Rig, spec ownersSpec, program, name string, env map[string]string) (*rig.Proc, error) {
	// The same name may have been that of a process of a run before.
	if err := os.RemoveAll(filepath.Join(g.Dir, name+".log")); err != nil {
		return nil, err
	}
	if spec.network == nil {
		return g.Service(ctx, program, name, env)
	}
	ip := spec.network.IP(name)
	env["LISTEN_ADDR"], env["ADMIN_ADDR"] = net.JoinHostPort(ip, "8000"), net.JoinHostPort(ip, "9000")
	return g.Wrapped(ctx, spec.network.In(name), program, name, env)
}

// ownerView is what GET /v1/owner tells of a shard.
type ownerView struct {
	Shard   int
	Owner   string
	Addr    string
	Run     string
	Token   uint64
	TTLLeft *int64 `json:"ttl_left_ms"`
	Held    bool
}

// askLimit bounds one request of these experiments.
const askLimit = 10 * time.Second

// owner asks a replica who owns a shard.
func (o *owners) owner(ctx context.Context, of *rig.Proc, shard int) (ownerView, error) {
	var told struct{ Shards []ownerView }
	if err := o.get(ctx, "http://"+of.Data+"/v1/owner", &told); err != nil {
		return ownerView{}, err
	}
	if shard >= len(told.Shards) {
		return ownerView{}, fmt.Errorf("%s knows %d shards", of.Spec.Name, len(told.Shards))
	}
	return told.Shards[shard], nil
}

// awaitOwner asks a replica until a shard has an owner with a larger token, by the store's
// own word.
func (o *owners) awaitOwner(ctx context.Context, of *rig.Proc, shard int, than uint64) (v ownerView, err error) {
	err = until(ctx, fmt.Sprintf("shard %d has an owner after token %d", shard, than), func() (bool, error) {
		v, err = o.owner(ctx, of, shard)
		return err == nil && v.Owner != "" && v.Token > than && v.TTLLeft != nil, nil
	})
	return v, err
}

// acting waits until a shard's owner knows of it itself, and returns it: the store knows
// first.
func (o *owners) acting(ctx context.Context, shard int) (v ownerView, owner *rig.Proc, err error) {
	err = until(ctx, fmt.Sprintf("the owner of shard %d acts", shard), func() (bool, error) {
		for _, p := range o.replicas {
			if v, err = o.owner(ctx, p, shard); err == nil && v.Held {
				owner = p
				return true, nil
			}
		}
		return false, nil
	})
	return v, owner, err
}

// replica finds a process by its name.
func (o *owners) replica(name string) (int, *rig.Proc, error) {
	for i, p := range o.replicas {
		if p.Spec.Name == name {
			return i, p, nil
		}
	}
	return 0, nil, fmt.Errorf("there is no replica %q", name)
}

// other is a replica that is not this one.
func (o *owners) other(than int) *rig.Proc { return o.replicas[(than+1)%len(o.replicas)] }

// settled waits until an entry is recorded in every shard again, through every replica.
func (o *owners) settled(ctx context.Context) error {
	for shard := range o.shards {
		for i, p := range o.replicas {
			id := fmt.Sprintf("settled-%d", time.Now().UnixNano())
			err := until(ctx, fmt.Sprintf("%s records in shard %d", ownerName(i), shard), func() (bool, error) {
				_, what, err := o.post(ctx, p, id, o.accountOf(fmt.Sprintf("settled-%d", i), shard), 1)
				return what == recorded, err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
