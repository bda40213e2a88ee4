package experiments

import (
	"context"
	"errors"
	"time"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chaos"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// Whoever owns a shard when a fault begins is a victim, too.
const (
	owner0 = "the owner of shard 0"
	owner1 = "the owner of shard 1"
)

// faultsOf are all that may happen to the processes, and to what is between them.
func (o *owners) faultsOf(n *chaos.Network) []chaos.Fault {
	replicas := []string{owner0, owner1, ownerName(0), ownerName(1), ownerName(2)}
	faults := []chaos.Fault{
		{Name: "pause", Victims: replicas, Begin: o.pauseFault},
		{Name: "kill -9", Victims: replicas, Begin: o.killFault},
		{Name: "pause of another program", Victims: []string{"etcd", "ledger"}, Begin: o.pauseFault},
		{Name: "kill -9 of another program", Victims: []string{"etcd", "ledger"}, Begin: o.killFault},
	}
	if n == nil {
		return append(faults, o.linkFaults(replicas)...)
	}
	return append(faults, o.networkFaults(n, replicas)...)
}

// victim finds the process of a name.
func (o *owners) victim(ctx context.Context, name string) (*rig.Proc, error) {
	switch name {
	case "etcd":
		return o.etcd, nil
	case "ledger":
		return o.ledger, nil
	case owner0:
		_, p, err := o.acting(ctx, 0)
		return p, err
	case owner1:
		_, p, err := o.acting(ctx, 1)
		return p, err
	}
	_, p, err := o.replica(name)
	return p, err
}

func (o *owners) pauseFault(ctx context.Context, victim string) (func(context.Context) error, error) {
	p, err := o.victim(ctx, victim)
	if err != nil {
		return nil, err
	}
	if err := p.Pause(ctx); err != nil {
		return nil, err
	}
	return func(context.Context) error { return p.Resume() }, nil
}

func (o *owners) killFault(ctx context.Context, victim string) (func(context.Context) error, error) {
	p, err := o.victim(ctx, victim)
	if err != nil {
		return nil, err
	}
	p.Kill()
	return p.Restart, nil
}

// networkFaults lose packets between nodes.
func (o *owners) networkFaults(n *chaos.Network, replicas []string) []chaos.Fault {
	fault := func(name string, cut func(ctx context.Context, victim string) error) chaos.Fault {
		return chaos.Fault{Name: name, Victims: replicas, Begin: func(ctx context.Context, victim string) (func(context.Context) error, error) {
			p, err := o.victim(ctx, victim)
			if err != nil {
				return nil, err
			}
			if err := cut(ctx, p.Spec.Name); err != nil {
				return nil, errors.Join(err, n.Mend(context.WithoutCancel(ctx)))
			}
			return n.Mend, nil
		}}
	}
	toLedger := func(ctx context.Context, v string) error { return n.CutOneWay(ctx, v, "ledger") }
	return []chaos.Fault{
		fault("partition from all", n.Isolate),
		fault("partition from the store", func(ctx context.Context, v string) error { return n.Cut(ctx, v, "etcd") }),
		fault("nothing to the store", func(ctx context.Context, v string) error { return n.CutOneWay(ctx, v, "etcd") }),
		fault("nothing from the store", func(ctx context.Context, v string) error { return n.CutOneWay(ctx, "etcd", v) }),
		fault("partition from the ledger", func(ctx context.Context, v string) error { return n.Cut(ctx, v, "ledger") }),
		fault("nothing from the ledger", func(ctx context.Context, v string) error { return n.CutOneWay(ctx, "ledger", v) }),
		o.lateFault(fault("", toLedger)),
	}
}

// linkFaults are those of links, where there is no network.
func (o *owners) linkFaults(replicas []string) []chaos.Fault {
	fault := func(name string, links []*cable.Cable, do func(*cable.Cable)) chaos.Fault {
		return chaos.Fault{Name: name, Victims: replicas, Begin: func(ctx context.Context, victim string) (func(context.Context) error, error) {
			p, err := o.victim(ctx, victim)
			if err != nil {
				return nil, err
			}
			i, _, err := o.replica(p.Spec.Name)
			if err != nil {
				return nil, err
			}
			do(links[i])
			return func(context.Context) error { links[i].Mend(); return nil }, nil
		}}
	}
	silent := func(d cable.Direction) func(*cable.Cable) { return func(c *cable.Cable) { c.Silence(d) } }
	return []chaos.Fault{
		fault("link to the store cut", o.toStore, (*cable.Cable).Cut),
		fault("link to the store silent", o.toStore, silent(cable.Both)),
		fault("nothing to the store", o.toStore, silent(cable.ToServer)),
		fault("nothing from the store", o.toStore, silent(cable.ToClient)),
		fault("link to the ledger silent", o.toLedger, silent(cable.Both)),
		fault("nothing from the ledger", o.toLedger, silent(cable.ToClient)),
		o.lateFault(fault("", o.toLedger, silent(cable.ToServer))),
	}
}

// lateFault keeps what an owner sends to the ledger on its way, pauses the owner, and lets
// it arrive before the owner wakes.
func (o *owners) lateFault(toLedger chaos.Fault) chaos.Fault {
	return chaos.Fault{Name: "paused while its entries are on their way", Victims: []string{owner0, owner1}, Begin: func(ctx context.Context, victim string) (func(context.Context) error, error) {
		p, err := o.victim(ctx, victim)
		if err != nil {
			return nil, err
		}
		mend, err := toLedger.Begin(ctx, p.Spec.Name)
		if err != nil {
			return nil, err
		}
		// Long enough for an entry of any client, and less than a lease.
		err = retry.Sleep(ctx, 100*time.Millisecond)
		if err == nil {
			err = p.Pause(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, mend(context.WithoutCancel(ctx)))
		}
		return func(ctx context.Context) error {
			// TCP sends what was lost again after twice as long as it has tried.
			return errors.Join(mend(ctx), retry.Sleep(ctx, 3*time.Second), p.Resume())
		}, nil
	}}
}
