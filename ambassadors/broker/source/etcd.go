package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Etcd is a key of etcd whose value is a list of addresses.
type Etcd struct {
	Client  *clientv3.Client
	Key     string
	Timeout time.Duration // of one read
}

// Name is "etcd".
func (Etcd) Name() string { return "etcd" }

// Run reads the key and watches it from that revision on. After an error it
// begins anew: a watch may have missed what was compacted meanwhile.
func (e Etcd) Run(ctx context.Context, report func(Report)) {
	m := &memory{report: report}
	backoff := retry.Backoff{Base: 100 * time.Millisecond, Max: 5 * time.Second}
	for failures := 0; ctx.Err() == nil; failures++ {
		revision, err := e.read(ctx, m)
		if err == nil {
			failures = 0
			err = e.watch(ctx, revision, m)
		}
		if ctx.Err() != nil {
			return
		}
		m.failed(err.Error())
		if retry.Sleep(ctx, backoff.Delay(failures)) != nil {
			return
		}
	}
}

// read reports the key's value and returns the revision that it was read at.
func (e Etcd) read(ctx context.Context, m *memory) (revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	answer, err := e.Client.Get(ctx, e.Key)
	if err != nil {
		return 0, fmt.Errorf("read the key: %w", err)
	}
	if len(answer.Kvs) == 0 {
		m.gone("there is no such key")
	} else {
		take(m, answer.Kvs[0].Value)
	}
	return answer.Header.Revision, nil
}

var errEnded = errors.New("watch the key: etcd ended the watch")

// watch reports changes after a revision until the watch breaks. A watch survives that a member
// of the cluster goes, and silence: so the source asks, from time to time,
// whether anybody is there.
func (e Etcd) watch(ctx context.Context, revision int64, m *memory) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	changes := e.Client.Watch(ctx, e.Key, clientv3.WithRev(revision+1))
	ask := time.NewTicker(5 * time.Second)
	defer ask.Stop()
	for {
		select {
		case change, open := <-changes:
			if !open {
				return errEnded
			}
			if err := change.Err(); err != nil {
				return fmt.Errorf("watch the key: %w", err)
			}
			for _, event := range change.Events {
				if event.Kv.ModRevision <= revision {
					continue // a read was faster
				}
				if event.Type == clientv3.EventTypeDelete {
					m.gone("the key was deleted")
					continue
				}
				take(m, event.Kv.Value)
			}
		case <-ask.C:
			read, err := e.read(ctx, m)
			if err != nil {
				return err
			}
			revision = read
		}
	}
}

func take(m *memory, value []byte) {
	candidates, err := parse(string(value))
	switch {
	case errors.Is(err, errEmpty):
		m.gone("the key is empty")
	case err != nil:
		m.failed(err.Error())
	default:
		m.found(candidates)
	}
}
