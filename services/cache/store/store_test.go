package store

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, bans int) *Store {
	s, err := New(Options{Memory: 16 << 20, MaxBans: bans, Validation: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *Store) put(key string, tags ...string) *Object {
	born := s.Begin()
	defer s.End(born)
	o := &Object{Status: 200, Body: []byte("x"), Tags: tags, Meta: rfc9111.Meta{Lifetime: time.Hour, ResponseTime: time.Now()}}
	o.MarkBorn(born)
	s.Put(key, o)
	return o
}

func (s *Store) usable(key string) bool {
	r := s.Get(key)
	return r != nil && len(r.Variants) > 0 && s.Usable(key, r.Variants[0])
}

func TestABanHitsWhatWasStoredBeforeItOnly(t *testing.T) {
	s := open(t, 10)
	s.put("h/a", "t1")
	s.put("h/b", "t2")
	s.Ban(Ban{Tag: "t1"})
	s.Ban(Ban{Host: "H", Pattern: regexp.MustCompile("^/c")})
	if s.usable("h/a") || !s.usable("h/b") {
		t.Error("the ban hits the wrong object")
	}
	s.put("h/a", "t1")
	if !s.usable("h/a") {
		t.Error("the ban hits what was stored after it")
	}
}

func TestTheListOfBansStaysShort(t *testing.T) {
	s := open(t, 8)
	for i := range 1000 {
		s.put(fmt.Sprint("h/", i), fmt.Sprint("t", i))
	}
	for i := range 500 {
		s.Ban(Ban{Tag: fmt.Sprint("t", i)})
		if s.Bans() > 8 {
			t.Fatalf("%d bans after %d", s.Bans(), i)
		}
	}
	for i := range 1000 {
		if got, want := s.usable(fmt.Sprint("h/", i)), i >= 500; got != want {
			t.Fatalf("object %d usable %v", i, got)
		}
	}
	s.Sweep(time.Now())
	if s.Bans() != 0 {
		t.Errorf("%d bans after a sweep", s.Bans())
	}
}

// While something is on its way that was asked for before a ban, the ban is not retired.
func TestAFetchUnderWayHoldsLaterBans(t *testing.T) {
	s := open(t, 8)
	born := s.Begin()
	s.Ban(Ban{Tag: "t"})
	s.Sweep(time.Now())
	o := &Object{Tags: []string{"t"}, Meta: rfc9111.Meta{Lifetime: time.Hour, ResponseTime: time.Now()}}
	o.MarkBorn(born)
	s.Put("h/a", o)
	s.End(born)
	if s.usable("h/a") {
		t.Error("the ban was forgotten")
	}
	s.Sweep(time.Now())
	if s.Bans() != 0 || s.Get("h/a") != nil {
		t.Errorf("%d bans, resource %v", s.Bans(), s.Get("h/a"))
	}
}

func TestTheSweepRemovesWhatIsPastUse(t *testing.T) {
	s := open(t, 8)
	s.put("h/a")
	s.MarkMiss("h/b", time.Now().Add(time.Second))
	s.Sweep(time.Now())
	if s.Get("h/a") == nil || s.Get("h/b") == nil {
		t.Error("removed too early")
	}
	s.Sweep(time.Now().Add(2 * time.Hour))
	if s.Get("h/a") != nil || s.Get("h/b") != nil {
		t.Error("still there")
	}
}
