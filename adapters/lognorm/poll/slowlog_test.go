package poll

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

func TestEntriesAreSiftedByTheirNumbers(t *testing.T) {
	entries := func(ids ...int64) (all []redis.SlowLog) {
		for _, id := range ids {
			all = append(all, redis.SlowLog{ID: id})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		before run
		first  bool
		id     string
		got    []redis.SlowLog
		want   []int64
		missed int
		last   int64
	}{
		{"the first time all of them", run{}, true, "a", entries(9, 8, 7), []int64{7, 8, 9}, 0, 9},
		{"then what is new", run{"a", 9}, false, "a", entries(11, 10, 9, 8), []int64{10, 11}, 0, 11},
		{"nothing", run{"a", 9}, false, "a", entries(9, 8), nil, 0, 9},
		{"after RESET", run{"a", 9}, false, "a", nil, nil, 0, 9},
		{"overwritten", run{"a", 9}, false, "a", entries(14, 13), []int64{13, 14}, 3, 14},
		{"another life", run{"a", 9}, false, "b", entries(1, 0), []int64{0, 1}, 0, 1},
		{"another life, overwritten", run{"a", 9}, false, "b", entries(5), []int64{5}, 5, 5},
	} {
		after, fresh, missed := sift(c.before, c.first, c.id, c.got)
		var ids []int64
		for _, e := range fresh {
			ids = append(ids, e.ID)
		}
		if !slices.Equal(ids, c.want) || missed != c.missed || after != (run{c.id, c.last}) {
			t.Errorf("%s: %v, %d missed, then %+v", c.name, ids, missed, after)
		}
	}
}

func realServer(t *testing.T) string {
	t.Helper()
	return realserver.Redis(t, "the slow log is NOT read from a real one here", "--slowlog-log-slower-than", "0", "--slowlog-max-len", "20")
}

func TestRealSlowLogIsReadOnceAndGapsAreCounted(t *testing.T) {
	addr := realServer(t)
	client := redis.NewClient(&redis.Options{Addr: addr, ClientName: "shop"})
	defer client.Close()
	s := NewSlowlog(&redis.Options{Addr: addr, DisableIdentity: true})
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var l record.Line
	read := func(cursor []byte) (next []byte, missed int, lines []string) {
		t.Helper()
		next, missed, err := s.Poll(ctx, time.Now(), cursor, func(r *record.Record) error {
			lines = append(lines, string(l.Append(nil, r)))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return next, missed, lines
	}
	if err := client.Set(ctx, "dog", "bark", 0).Err(); err != nil {
		t.Fatal(err)
	}
	cursor, _, lines := read(nil)
	all := strings.Join(lines, "")
	for _, want := range []string{`"Body":"set dog bark"`, `"db.operation.name":"SET"`, `"redis.client.name":"shop"`, `"client.address":"127.0.0.1"`, `"SeverityNumber":13`, `"redis.slowlog.duration_us":`} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is missing in %s", want, all)
		}
	}
	for i := range 50 { // more than it keeps
		if err := client.Set(ctx, fmt.Sprint("k", i), "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	cursor, missed, lines := read(cursor)
	if missed < 30 || len(lines) != 20 || missed+len(lines) < 50 {
		t.Errorf("%d missed, %d read", missed, len(lines))
	}
	if _, missed, lines = read(cursor); missed != 0 || strings.Contains(strings.Join(lines, ""), "set k") {
		t.Errorf("%d missed, read again: %q", missed, lines)
	}
}
