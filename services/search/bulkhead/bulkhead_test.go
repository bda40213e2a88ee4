package bulkhead_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
)

// places is how many may wait in these tests.
const places = 4

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full returns a bulkhead with one who is in and all who may wait, and where they tell how that ended.
func full(t *testing.T, ctx context.Context) (*bulkhead.Bulkhead, <-chan error) {
	t.Helper()
	b := bulkhead.New(1, places)
	if err := b.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	entered := make(chan error, places)
	for range places {
		go func() { entered <- b.Enter(ctx) }()
	}
	await.That(t, "all places to wait are taken", func() bool { return b.Waiting() == places })
	return b, entered
}

func TestWhoIsOneTooManyIsRefusedAndWhoWaitsIsLetIn(t *testing.T) {
	b, entered := full(t, t.Context())
	if err := b.Enter(t.Context()); !errors.Is(err, bulkhead.ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	if err := b.Wait(func() error { return nil }); !errors.Is(err, bulkhead.ErrFull) {
		t.Errorf("one too many who waits for something else: %v", err)
	}
	for range places {
		b.Leave()
		if err := <-entered; err != nil {
			t.Error(err)
		}
	}
	if b.Inside() != 1 || b.Waiting() != 0 {
		t.Errorf("%d are in, %d wait", b.Inside(), b.Waiting())
	}
}

func TestWhoseTimeIsOverWaitsNoLonger(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	b, entered := full(t, ctx)
	end()
	for range places {
		if err := <-entered; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if b.Inside() != 1 || b.Waiting() != 0 {
		t.Errorf("%d are in, %d wait", b.Inside(), b.Waiting())
	}
}

func TestASlotIsNotTakenWhenTheTimeIsOver(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	b := bulkhead.New(1, places)
	for range 100 { // of a slot and an end, select takes either
		if err := b.Enter(ctx); !errors.Is(err, context.Canceled) || b.Inside() != 0 {
			t.Fatalf("%v, %d are in", err, b.Inside())
		}
	}
}
