package await

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spy is a test that is told that it failed.
type spy struct {
	testing.TB
	told string
}

func (*spy) Helper() {}

func (s *spy) Fatalf(format string, args ...any) {
	s.told = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// verdict runs a test of its own and returns how it failed.
func verdict(test func(t testing.TB)) string {
	s := &spy{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		test(s)
	}()
	<-ended
	return s.told
}

func TestWhoWaitsInVainIsToldForWhatAndWhatThereWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		told := verdict(func(t testing.TB) {
			Seen(t, "b owns the shard", func() (any, bool) { looks++; return "a", false })
		})
		if told != "waited 1m0s for: b owns the shard; there is: a" {
			t.Errorf("%q", told)
		}
		if took := time.Since(began); took != Limit || looks < 10_000 {
			t.Errorf("%d looks in %s", looks, took)
		}
		told = verdict(func(t testing.TB) { That(t, "never", func() bool { return false }) })
		if !strings.Contains(told, "waited 1m0s for: never") {
			t.Errorf("%q", told)
		}
	})
}

func TestItEndsAsSoonAsTheConditionHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		if told := verdict(func(t testing.TB) { That(t, "third look", func() bool { looks++; return looks == 3 }) }); told != "" {
			t.Error(told)
		}
		if took := time.Since(began); took != 2*every {
			t.Errorf("%s", took)
		}
	})
}

// A machine that sleeps between two looks must not fail a test whose condition holds by now.
func TestTheLastLookIsAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		told := verdict(func(t testing.TB) {
			That(t, "the limit is over", func() bool {
				late := time.Since(began) > Limit
				if !late {
					time.Sleep(2 * Limit)
				}
				return late
			})
		})
		if told != "" {
			t.Error(told)
		}
	})
}
