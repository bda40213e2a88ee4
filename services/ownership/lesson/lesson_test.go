package lesson_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/etcdstore"
	"github.com/flotilla-dev/flotilla/services/ownership/lesson"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

func client(t *testing.T, addr string) *etcdstore.Store {
	t.Helper()
	c, err := etcdclient.Settings{Endpoints: []string{addr}, Access: etcdclient.Access{Timeout: 10 * time.Second}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test is over
	return &etcdstore.Store{Etcd: c, Prefix: "/", Timeout: 10 * time.Second}
}

// ttl is long beside what a slow machine needs for a few requests.
const ttl = 20 * time.Second

// succession is the schedule of the book's unlock. Alice holds a lock for a second and stands still for longer;
// Bob gets it; Alice goes on and tidies up. Has Carol got it, too?
func succession(t *testing.T, anyVersion bool) (bob *lease.Lease, carols bool) {
	addr := etcdtest.Start(t, program).Addr
	ctx := etcdtest.Context(t)
	alice := &lesson.Store{Store: client(t, addr), AnyVersion: anyVersion}
	short := lease.Lock{Store: alice, Name: "n", Holder: "alice", TTL: time.Second}
	held, err := short.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bob, err = lease.Election{Lock: lease.Lock{Store: client(t, addr), Name: "n", Holder: "bob", TTL: ttl}}.Campaign(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bob.Resign(context.Background()) }) // he may have lost it
	if err := short.Unlock(ctx, held); !anyVersion && !errors.Is(err, lease.ErrLost) {
		t.Errorf("%v", err)
	}
	_, err = lease.Lock{Store: client(t, addr), Name: "n", Holder: "carol", TTL: ttl}.TryLock(ctx)
	if err != nil && !errors.Is(err, lease.ErrHeld) {
		t.Fatal(err)
	}
	return bob, err == nil
}

func TestUnlockWithoutTheVersionMakesTwoOwners(t *testing.T) {
	t.Parallel()
	if bob, carols := succession(t, true); !carols || !bob.Held() {
		t.Errorf("Bob: %v, Carol: %v; the lesson is that both have it", bob.Held(), carols)
	}
}

func TestUnlockByVersionTakesNothingFromTheNext(t *testing.T) {
	t.Parallel()
	if bob, carols := succession(t, false); carols || !bob.Held() {
		t.Errorf("Bob: %v, Carol: %v", bob.Held(), carols)
	}
}

func TestWhoStandsStillRenewsNothing(t *testing.T) {
	t.Parallel()
	store := &lesson.Store{Store: client(t, etcdtest.Start(t, program).Addr)}
	l, err := lease.Election{Lock: lease.Lock{Store: store, Name: "n", Holder: "alice", TTL: time.Second}}.Campaign(etcdtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := store.Stall(etcdtest.Context(t), 2*time.Second); err != nil || time.Since(began) < 2*time.Second || l.Held() {
		t.Errorf("after %v: %v, %v", time.Since(began), err, l.Held())
	}
	if err := l.Resign(etcdtest.Context(t)); !errors.Is(err, lease.ErrLost) {
		t.Errorf("%v", err)
	}
}

func TestAPauseEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	store := &lesson.Store{}
	store.Resume() // nothing stands still
	done := make(chan error)
	go func() { done <- store.Stall(t.Context(), time.Hour) }()
	await.That(t, "it goes on", func() bool {
		store.Resume()
		select {
		case err := <-done:
			return err == nil
		default:
			return false
		}
	})
}
