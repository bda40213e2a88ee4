package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// Store keeps leases in etcd. It is a lease.Store.
type Store struct {
	Etcd    *clientv3.Client
	Prefix  string        // of the keys
	Timeout time.Duration // of one request
}

func (s *Store) key(name string) string { return s.Prefix + name }

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (lease.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	now, _, err := s.look(ctx, name)
	if err != nil {
		return lease.Grant{}, err
	}
	if now.Holder != "" {
		return lease.Grant{}, lease.ErrHeld
	}
	granted, err := s.Etcd.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return lease.Grant{}, fmt.Errorf("grant a lease: %w", err)
	}
	g, err := s.put(ctx, now, granted, holder, ttl)
	if err != nil {
		s.revoke(ctx, granted.ID)
	}
	return g, err
}

// put binds the key to a lease, if it still is as it was.
func (s *Store) put(ctx context.Context, now lease.Record, granted *clientv3.LeaseGrantResponse, holder string, ttl time.Duration) (lease.Grant, error) {
	was, err := parseVersion(now.Version)
	if err != nil {
		return lease.Grant{}, err
	}
	// The store may grant more than was asked for. Relying on less is never wrong.
	ttl = min(ttl, time.Duration(granted.TTL)*time.Second)
	before := now.Ended
	if before == "" {
		before = lease.Expired // or deleted, or never there
	}
	text, err := json.Marshal(value{Holder: holder, Since: time.Now().UTC(), TTL: ttl.Milliseconds(), Before: before})
	if err != nil {
		return lease.Grant{}, fmt.Errorf("write the record: %w", err)
	}
	key := s.key(now.Name)
	resp, err := s.Etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", was.revision)).
		Then(clientv3.OpPut(key, string(text), clientv3.WithLease(granted.ID))).
		Commit()
	if err != nil {
		return lease.Grant{}, fmt.Errorf("take %s: %w", key, err)
	}
	if !resp.Succeeded {
		return lease.Grant{}, lease.ErrHeld
	}
	revision := resp.Header.Revision
	return lease.Grant{
		Name: now.Name, Holder: holder, Token: lease.Token(revision), TTL: ttl, Version: version{revision, granted.ID}.String(),
	}, nil
}

// revoke takes a lease back that leads to nothing, or of which nobody knows whether it
// does. If that fails too, it ends by itself.
func (s *Store) revoke(ctx context.Context, id clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	_, _ = s.Etcd.Revoke(ctx, id)
}

// Renew implements lease.Store.
func (s *Store) Renew(ctx context.Context, g lease.Grant) (lease.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	v, err := parseVersion(g.Version)
	if err != nil {
		return lease.Grant{}, err
	}
	if _, err := s.Etcd.KeepAliveOnce(ctx, v.lease); err != nil {
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return lease.Grant{}, lease.ErrLost
		}
		return lease.Grant{}, fmt.Errorf("keep the lease alive: %w", err)
	}
	resp, err := s.Etcd.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(s.key(g.Name)), "=", v.revision)).Commit()
	if err != nil {
		return lease.Grant{}, fmt.Errorf("confirm the lease: %w", err)
	}
	if !resp.Succeeded {
		return lease.Grant{}, lease.ErrLost
	}
	return g, nil
}

// Release implements lease.Store.
func (s *Store) Release(ctx context.Context, g lease.Grant) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	v, err := parseVersion(g.Version)
	if err != nil {
		return err
	}
	text, err := json.Marshal(value{Since: time.Now().UTC(), Token: uint64(g.Token)})
	if err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	key := s.key(g.Name)
	resp, err := s.Etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", v.revision)).
		Then(clientv3.OpPut(key, string(text))). // without a lease: it is bound to none any more
		Commit()
	if err != nil {
		return fmt.Errorf("give %s back: %w", key, err)
	}
	// The lease of etcd is bound to nothing any more and ends by itself. To revoke it would be one more write through the quorum
	// at the very moment when those of the candidates come.
	if !resp.Succeeded {
		return lease.ErrLost
	}
	return nil
}

// Next implements lease.Store.
func (s *Store) Next(ctx context.Context, name string, seen lease.Record) (lease.Record, error) {
	for {
		now, revision, err := s.lookAt(ctx, name)
		if err != nil || now.Version != seen.Version {
			return now, err
		}
		// An event says only that there is something new: what it is, is looked up. So
		// it does not matter what a watch has missed, nor why it ended: that it broke, or that the
		// revision was compacted. If etcd is away, the next look says so.
		if err := s.changed(ctx, name, revision); err != nil {
			return lease.Record{}, err
		}
	}
}

// resync is how long a watch is believed that says nothing.
const resync = 30 * time.Second

// changed returns when something was written after a revision, or the watch ended.
func (s *Store) changed(ctx context.Context, name string, revision int64) error {
	// Without a leader a watch would wait in silence on the wrong side of a partition.
	watching, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), resync)
	defer cancel()
	for resp := range s.Etcd.Watch(watching, s.key(name), clientv3.WithRev(revision+1)) {
		if len(resp.Events) > 0 {
			return nil
		}
		if resp.Err() != nil {
			break
		}
	}
	if watching.Err() == nil { // it ended by itself, perhaps at once: the next look must not follow at once
		return retry.Sleep(ctx, pause)
	}
	return ctx.Err()
}

// pause is that between a watch that ended and the next look.
const pause = 50 * time.Millisecond

func (s *Store) lookAt(ctx context.Context, name string) (lease.Record, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.look(ctx, name)
}

// look returns the record, and the revision at which it was so.
func (s *Store) look(ctx context.Context, name string) (lease.Record, int64, error) {
	resp, err := s.Etcd.Get(ctx, s.key(name))
	if err != nil {
		return lease.Record{}, 0, fmt.Errorf("look at %s: %w", s.key(name), err)
	}
	if len(resp.Kvs) == 0 {
		return lease.Record{Name: name, Version: version{}.String()}, resp.Header.Revision, nil
	}
	r, err := parse(name, resp.Kvs[0])
	if err != nil || r.Holder == "" {
		return r, resp.Header.Revision, err
	}
	life, err := s.Etcd.TimeToLive(ctx, clientv3.LeaseID(resp.Kvs[0].Lease))
	if err != nil {
		return lease.Record{}, 0, fmt.Errorf("look at the lease of %s: %w", s.key(name), err)
	}
	r.Left = time.Duration(max(life.TTL, 0)) * time.Second
	return r, resp.Header.Revision, nil
}
