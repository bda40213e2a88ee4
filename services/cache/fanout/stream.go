package fanout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The times of the stream. A round's proof counts from when it was sent, so that the next one must be over
// within Window of that: twice block and two trips.
const (
	// Window is how long a proof of being up to date holds.
	Window = time.Second
	block  = 300 * time.Millisecond
	// patience is how long Redis may take for an answer.
	patience = 500 * time.Millisecond
)

// readCount bounds the records of one round.
const readCount = 100

// position is a place in the stream: the record applied last.
type position struct {
	epoch string
	seq   int64
	nonce string
}

// record is a command in the stream.
type record struct {
	seq         int64
	prev, nonce string
	body        string
}

// begin makes the state of a stream that is new, or was lost; what is left of a stream without its state is
// of no use. KEYS: state, stream. ARGV: epoch, nonce.
const begin = `
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', 0, 'nonce', ARGV[2])
end
`

const beginScript = begin + `return redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'nonce')`

// publishScript numbers a record and writes it. A stream that is ahead of its state was not written by this
// script; followers find the gap. ARGV besides: nonce, bound of the stream, body.
const publishScript = begin + `
local prev = redis.call('HGET', KEYS[1], 'nonce')
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('HSET', KEYS[1], 'nonce', ARGV[3])
local function add()
  return redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], seq .. '-0', 'prev', prev, 'nonce', ARGV[3], 'body', ARGV[5])
end
local done = add()
if type(done) == 'table' and done.err then
  redis.call('DEL', KEYS[2])
  done = add()
  if type(done) == 'table' and done.err then return done end
end
return redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'nonce')`

// stream is the Redis side.
type stream struct {
	client         *redis.Client
	keys           []string // state, stream
	maxLen         int64
	begin, publish *redis.Script
}

// openStream takes address, credentials and TLS of o. Nothing is retried: a record must not be written twice.
func openStream(o redis.Options, prefix string, maxLen int64) *stream {
	o.DialTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience
	o.ReadTimeout = block + patience
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PoolSize = 8
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &stream{
		client: redis.NewClient(&o), maxLen: maxLen,
		// The braces keep both keys in one slot of a Redis Cluster.
		keys:  []string{prefix + ":{invalidations}:state", prefix + ":{invalidations}:stream"},
		begin: redis.NewScript(beginScript), publish: redis.NewScript(publishScript),
	}
}

// state makes sure that there is one, and returns it.
func (s *stream) state(ctx context.Context) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	values, err := s.begin.Run(ctx, s.client, s.keys, nonce(), nonce()).Slice()
	if err != nil {
		return position{}, fmt.Errorf("read state of invalidations: %w", err)
	}
	return parsePosition(values)
}

// add records a command.
func (s *stream) add(ctx context.Context, body string) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	values, err := s.publish.Run(ctx, s.client, s.keys, nonce(), nonce(), nonce(), s.maxLen, body).Slice()
	if err != nil {
		return position{}, err
	}
	return parsePosition(values)
}

// read returns the records after a position – waiting for one, if it may – and then the state, in one trip.
// A state without epoch means that there is none.
func (s *stream) read(ctx context.Context, after position, wait bool) ([]record, position, error) {
	ctx, cancel := context.WithTimeout(ctx, block+patience)
	defer cancel()
	arg := redis.XReadArgs{Streams: []string{s.keys[1], strconv.FormatInt(after.seq, 10) + "-0"}, Count: readCount, Block: -1}
	if wait {
		arg.Block = block
	}
	pipe := s.client.Pipeline()
	read := pipe.XRead(ctx, &arg)
	state := pipe.HMGet(ctx, s.keys[0], "epoch", "seq", "nonce")
	_, _ = pipe.Exec(ctx) // each command has its own error
	if err := read.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return nil, position{}, fmt.Errorf("read invalidations: %w", err)
	}
	values, err := state.Result()
	if err != nil {
		return nil, position{}, fmt.Errorf("read state of invalidations: %w", err)
	}
	if values[0] == nil {
		return nil, position{}, nil
	}
	at, err := parsePosition(values)
	if err != nil {
		return nil, position{}, err
	}
	var records []record
	for _, one := range read.Val() {
		for _, m := range one.Messages {
			records = append(records, parseRecord(m))
		}
	}
	return records, at, nil
}

func parsePosition(values []any) (position, error) {
	if len(values) == 3 {
		epoch, _ := values[0].(string)
		seq, _ := values[1].(string)
		nonce, _ := values[2].(string)
		if n, err := strconv.ParseInt(seq, 10, 64); err == nil && n >= 0 && epoch != "" {
			return position{epoch: epoch, seq: n, nonce: nonce}, nil
		}
	}
	return position{}, fmt.Errorf("read state of invalidations: unexpected %v", values)
}

// parseRecord never fails: what is no record of ours has no predecessor, and is met as a gap.
func parseRecord(m redis.XMessage) record {
	text := func(name string) string { s, _ := m.Values[name].(string); return s }
	number, _, _ := strings.Cut(m.ID, "-")
	seq, _ := strconv.ParseInt(number, 10, 64)
	return record{seq: seq, prev: text("prev"), nonce: text("nonce"), body: text("body")}
}

func nonce() string { return rand.Text()[:16] }

// notSent tells of an error that it came before anything was written by the command.
func notSent(err error) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true
	}
	var reply redis.Error // Redis refused: out of memory, read-only, loading
	return errors.As(err, &reply) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted)
}
