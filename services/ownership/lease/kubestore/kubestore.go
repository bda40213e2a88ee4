package kubestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// Store keeps leases in Leases. It is a lease.Store; New makes one.
type Store struct {
	api    *kube.Client
	prefix string

	mu   sync.Mutex // guards seen
	seen map[string]sighting
}

// A sighting is since when a version has been there, as this process saw it.
type sighting struct {
	version string
	at      time.Time
}

// New returns a store whose Leases have names that begin with a prefix.
func New(api *kube.Client, prefix string) *Store {
	return &Store{api: api, prefix: prefix, seen: map[string]sighting{}}
}

func (s *Store) name(name string) string { return s.prefix + name }

// group is that of Leases.
const group = "coordination.k8s.io/v1"

// path is that of Leases, or of one.
func (s *Store) path(name ...string) string { return s.api.Path(group, "leases", name...) }

func (s *Store) get(ctx context.Context, name string) (object, error) {
	var text json.RawMessage
	err := s.api.Get(ctx, s.path(s.name(name)), &text)
	return read(text, err)
}

func (s *Store) update(ctx context.Context, name string, o object) (object, error) {
	var text json.RawMessage
	err := s.api.Update(ctx, s.path(s.name(name)), o, &text)
	return read(text, err)
}

func read(text []byte, err error) (object, error) {
	if err != nil {
		return object{}, err
	}
	return parse(text)
}

// record is what an object says, as far as this process can know: a holder that was
// silent for its TTL holds nothing any more.
func (s *Store) record(name string, o object) lease.Record {
	token, _ := o.token() // it was parsed
	r := lease.Record{Name: name, Version: o.version(), TTL: o.ttl()}
	if o.Spec.AcquireTime != nil {
		r.Since = o.Spec.AcquireTime.Time
	}
	if o.Spec.HolderIdentity == "" {
		r.TTL = 0
		if token != 0 {
			r.Ended = lease.Resigned
		}
		return r
	}
	if left := o.ttl() - time.Since(s.sight(name, o.version())); left > 0 {
		r.Holder, r.Token, r.Left, r.Before = o.Spec.HolderIdentity, token, left, o.annotation(beforeAnnotation)
	} else {
		r.Ended = lease.Expired
	}
	return r
}

// sight returns when this version was first seen.
func (s *Store) sight(name, version string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.seen[name]; last.version == version {
		return last.at
	}
	at := time.Now()
	s.seen[name] = sighting{version, at}
	return at
}

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (lease.Grant, error) {
	o, err := s.get(ctx, name)
	if errors.Is(err, kube.ErrNotFound) {
		o, err = s.create(ctx, name)
	}
	if err != nil {
		return lease.Grant{}, held(err)
	}
	found := s.record(name, o)
	if found.Holder != "" {
		return lease.Grant{}, lease.ErrHeld
	}
	if found.Ended != "" {
		o.annotate(beforeAnnotation, found.Ended)
	}
	number, err := o.number()
	if err != nil {
		return lease.Grant{}, err
	}
	before, _ := o.token() // it was parsed
	token := max(lease.Token(number), before+1)
	o.setToken(token)
	o.Spec = spec{
		HolderIdentity: holder, LeaseDurationSeconds: int32((ttl + time.Second - 1) / time.Second),
		AcquireTime: now(), RenewTime: now(), LeaseTransitions: o.Spec.LeaseTransitions + 1,
	}
	o, err = s.update(ctx, name, o)
	if err != nil {
		return lease.Grant{}, held(err)
	}
	return lease.Grant{Name: name, Holder: holder, Token: token, TTL: ttl, Version: o.version()}, nil
}

// held is the error of a write that somebody else's was faster than.
func held(err error) error {
	if errors.Is(err, kube.ErrConflict) || errors.Is(err, kube.ErrNotFound) {
		return lease.ErrHeld
	}
	return err
}

// create makes a Lease that nobody holds: only then there is a version to be
// conditional on.
func (s *Store) create(ctx context.Context, name string) (object, error) {
	var text json.RawMessage
	err := s.api.Create(ctx, s.path(), object{
		APIVersion: group, Kind: "Lease",
		Metadata: map[string]any{"name": s.name(name), "namespace": s.api.Namespace()},
	}, &text)
	return read(text, err)
}

// Renew implements lease.Store.
func (s *Store) Renew(ctx context.Context, g lease.Grant) (lease.Grant, error) {
	version, err := s.change(ctx, g, func(o *object) { o.Spec.RenewTime = now() })
	g.Version = version
	return g, err
}

// Release implements lease.Store. The token stays, for the next one to be larger.
func (s *Store) Release(ctx context.Context, g lease.Grant) error {
	_, err := s.change(ctx, g, func(o *object) {
		o.Spec.HolderIdentity, o.Spec.LeaseDurationSeconds, o.Spec.RenewTime = "", 1, now()
	})
	return err
}

// attempts bounds how often somebody who does not want to hold the Lease, such as kubectl
// annotate, may be faster.
const attempts = 4

// change writes a Lease, if the grant is still the one that holds it.
func (s *Store) change(ctx context.Context, g lease.Grant, edit func(*object)) (version string, err error) {
	for range attempts {
		o, err := s.get(ctx, g.Name)
		if errors.Is(err, kube.ErrNotFound) {
			return "", lease.ErrLost
		}
		if err != nil {
			return "", err
		}
		if token, _ := o.token(); token != g.Token || o.Spec.HolderIdentity != g.Holder {
			return "", lease.ErrLost
		}
		edit(&o)
		o, err = s.update(ctx, g.Name, o)
		if err == nil {
			return o.version(), nil
		}
		if !errors.Is(err, kube.ErrConflict) && !errors.Is(err, kube.ErrNotFound) {
			return "", err
		}
	}
	return "", fmt.Errorf("others write the Lease all the time: %w", kube.ErrConflict)
}

// Next implements lease.Store.
func (s *Store) Next(ctx context.Context, name string, seen lease.Record) (lease.Record, error) {
	for {
		o, err := s.get(ctx, name)
		r := lease.Record{Name: name, Version: "none"}
		switch {
		case err == nil:
			r = s.record(name, o)
		case !errors.Is(err, kube.ErrNotFound):
			return lease.Record{}, err
		}
		if !is(r, seen) {
			return r, nil
		}
		if r, err = s.follow(ctx, name, o.version(), seen); err != nil || r.Version != "" {
			return r, err
		}
	}
}

// follow watches until there is another record than seen. A watch that ends without
// one says nothing: the caller looks again.
func (s *Store) follow(ctx context.Context, name, version string, seen lease.Record) (next lease.Record, err error) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	// Nobody tells when a holder has been silent for too long.
	expiry := time.AfterFunc(s.silence(name, seen), cancel)
	defer expiry.Stop()
	err = s.api.Watch(watching, s.path(), s.name(name), version, func(e kube.Event) bool {
		o, err := parse(e.Object)
		if e.Type != "ADDED" && e.Type != "MODIFIED" || err != nil {
			return e.Type == "BOOKMARK"
		}
		if r := s.record(name, o); !is(r, seen) {
			next = r
			return false
		}
		expiry.Reset(s.silence(name, seen))
		return true
	})
	switch {
	case ctx.Err() != nil:
		return lease.Record{}, ctx.Err()
	case err != nil && watching.Err() == nil && next.Version == "":
		// It ended by itself, perhaps at once: the next look must not follow at once.
		return lease.Record{}, retry.Sleep(ctx, pause)
	}
	return next, nil
}

// pause is that between a watch that ended and the next look.
const pause = 50 * time.Millisecond

// silence is how long the holder may still be silent; long, where there is none.
func (s *Store) silence(name string, seen lease.Record) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen.Holder == "" {
		return time.Minute
	}
	return time.Until(s.seen[name].at.Add(seen.TTL)) + time.Millisecond
}
