// Package follow tells what etcd has under a key or a prefix, each time that
// changes.
//
// It lists, then watches from the revision of the list on, and after a while lists
// again. So it needs no memory of what it may have missed: a lost connection, a
// revision that was compacted and a file that somebody else has touched all end
// with a new list.
package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Entry is a key with its value.
type Entry struct {
	Key     string
	Value   []byte
	Version int64 // how often it was written
}

// Snapshot is what there is at a revision.
type Snapshot struct {
	Cluster  uint64 // identifies the etcd
	Revision int64
	Entries  []Entry // sorted by key
}

// Follower follows one key, or all that begin with it.
type Follower struct {
	Etcd    *clientv3.Client
	Key     string
	Prefix  bool
	MaxKeys int
	Timeout time.Duration // of a list
	Resync  time.Duration // between two lists

	Seen func(context.Context, Snapshot) // is told of every snapshot
	Lost func(err error)                 // is told that etcd cannot be used, again and again
}

// ErrTooMany is lost for when there are more keys than MaxKeys.
var ErrTooMany = errors.New("there are more keys than may be")

var pauses = retry.Backoff{Base: 100 * time.Millisecond, Max: 2 * time.Second}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := f.round(ctx)
		switch {
		case err == nil, errors.Is(err, rpctypes.ErrCompacted):
			failures = 0 // the next list has what the watch could not tell
			continue
		case ctx.Err() != nil:
			return
		}
		f.Lost(err)
		if retry.Sleep(ctx, pauses.Delay(failures)) != nil {
			return
		}
		failures++
	}
}

// round is one list and the watch that follows it.
func (f *Follower) round(ctx context.Context) error {
	v, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.Seen(ctx, v.snapshot())
	return f.watch(ctx, v)
}

// view is a snapshot that changes are applied to.
type view struct {
	cluster  uint64
	revision int64
	entries  map[string]Entry
}

func (v *view) snapshot() Snapshot {
	s := Snapshot{Cluster: v.cluster, Revision: v.revision}
	for _, key := range slices.Sorted(maps.Keys(v.entries)) {
		s.Entries = append(s.Entries, v.entries[key])
	}
	return s
}

func (f *Follower) options(more ...clientv3.OpOption) []clientv3.OpOption {
	if f.Prefix {
		more = append(more, clientv3.WithPrefix())
	}
	return more
}

func (f *Follower) list(ctx context.Context) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	resp, err := f.Etcd.Get(ctx, f.Key, f.options(clientv3.WithLimit(int64(f.MaxKeys)))...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", f.Key, err)
	}
	if resp.More {
		return nil, ErrTooMany
	}
	v := &view{cluster: resp.Header.ClusterId, revision: resp.Header.Revision, entries: map[string]Entry{}}
	for _, kv := range resp.Kvs {
		v.entries[string(kv.Key)] = Entry{string(kv.Key), kv.Value, kv.Version}
	}
	return v, nil
}

// watch applies changes to v until it is time to list again.
func (f *Follower) watch(ctx context.Context, v *view) error {
	// Without a leader a watch would wait in silence on the wrong side of a partition.
	watching, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), f.Resync)
	defer cancel()
	for resp := range f.Etcd.Watch(watching, f.Key, f.options(clientv3.WithRev(v.revision+1))...) {
		if err := resp.Err(); err != nil {
			if watching.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch %s: %w", f.Key, err)
		}
		if len(resp.Events) == 0 {
			continue
		}
		v.apply(resp)
		if len(v.entries) > f.MaxKeys {
			return ErrTooMany
		}
		f.Seen(ctx, v.snapshot())
	}
	return nil
}

func (v *view) apply(resp clientv3.WatchResponse) {
	v.revision = resp.Header.Revision
	for _, e := range resp.Events {
		if e.Type == clientv3.EventTypeDelete {
			delete(v.entries, string(e.Kv.Key))
			continue
		}
		v.entries[string(e.Kv.Key)] = Entry{string(e.Kv.Key), e.Kv.Value, e.Kv.Version}
	}
}
