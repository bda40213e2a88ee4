package poll

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Slowlog reads the slow log of a Redis. Its entries have ascending numbers, so
// that those which were overwritten before they were read are counted exactly.
type Slowlog struct{ options *redis.Options }

// NewSlowlog returns a Slowlog. Each question has a connection of its own: it is
// asked seldom, and a pool would dial a server that is away behind our back.
func NewSlowlog(o *redis.Options) *Slowlog { return &Slowlog{o} }

// most is how many entries are asked for. Redis keeps 128 by default.
const most = 1024

// run is the cursor: the number of the last entry that was read, in one life of
// the server, which begins to count anew in the next.
type run struct {
	ID   string `json:"run_id"`
	Last int64  `json:"last"`
}

// Poll implements Poller.
func (s *Slowlog) Poll(ctx context.Context, now time.Time, cursor json.RawMessage, emit func(*record.Record) error) (json.RawMessage, int, error) {
	var before run
	if cursor != nil {
		if err := json.Unmarshal(cursor, &before); err != nil {
			return nil, 0, fmt.Errorf("read cursor: %w", err)
		}
	}
	server, entries, err := s.ask(ctx)
	if err != nil {
		return nil, 0, err
	}
	after, fresh, missed := sift(before, cursor == nil, runID(server), entries)
	var r record.Record
	for i := range fresh {
		describe(&r, &fresh[i], after.ID, now)
		if err := emit(&r); err != nil {
			return nil, 0, err
		}
	}
	raw, err := json.Marshal(after)
	return raw, missed, err
}

func (s *Slowlog) ask(ctx context.Context) (server string, entries []redis.SlowLog, err error) {
	o := *s.options
	client := redis.NewClient(&o)
	defer client.Close()
	if server, err = client.Info(ctx, "server").Result(); err != nil {
		return "", nil, fmt.Errorf("ask Redis for its run: %w", err)
	}
	if entries, err = client.SlowLogGet(ctx, most).Result(); err != nil {
		return "", nil, fmt.Errorf("ask Redis for its slow log: %w", err)
	}
	return server, entries, nil
}

// sift returns the entries after the cursor, the oldest first, the cursor after
// them, and how many between are gone.
func sift(before run, first bool, id string, entries []redis.SlowLog) (after run, fresh []redis.SlowLog, missed int) {
	slices.SortFunc(entries, func(a, b redis.SlowLog) int { return int(a.ID - b.ID) })
	last := before.Last
	if first || id != before.ID {
		last = -1
	}
	after = run{ID: id, Last: last}
	for _, e := range entries {
		if e.ID <= last {
			continue
		}
		if !first && len(fresh) == 0 {
			missed = int(e.ID - last - 1)
		}
		fresh = append(fresh, e)
		after.Last = e.ID
	}
	return after, fresh, missed
}

// runID finds run_id in INFO server.
func runID(info string) string {
	for line := range strings.Lines(info) {
		if id, found := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); found {
			return id
		}
	}
	return ""
}

func describe(r *record.Record, e *redis.SlowLog, run string, now time.Time) {
	r.Reset()
	r.Time, r.Observed = e.Time.UnixNano(), now.UnixNano()
	r.Severity, r.Level = record.Warn, []byte("WARN")
	r.UID = []byte(run + "-" + strconv.FormatInt(e.ID, 10))
	r.Body = record.Text([]byte(strings.Join(e.Args, " ")))
	r.Add("db.system.name", record.Text([]byte("redis")))
	if len(e.Args) > 0 {
		r.Text("db.operation.name", []byte(strings.ToUpper(e.Args[0])))
	}
	r.Add("redis.slowlog.id", record.Int(e.ID))
	r.Add("redis.slowlog.duration_us", record.Int(e.Duration.Microseconds()))
	if host, port, err := net.SplitHostPort(e.ClientAddr); err == nil {
		r.Text("client.address", []byte(host))
		if n, err := strconv.Atoi(port); err == nil {
			r.Add("client.port", record.Int(int64(n)))
		}
	}
	r.Text("redis.client.name", []byte(e.ClientName))
}

// Close implements Poller.
func (s *Slowlog) Close() {}

// ClientLog sends what the client of Redis logs to a log, as details: its errors
// are returned too.
func ClientLog(log *slog.Logger) { redis.SetLogger(clientLog{log}) }

type clientLog struct{ log *slog.Logger }

// Printf implements the client's interface of a log.
func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client", "detail", fmt.Sprintf(format, v...))
}
