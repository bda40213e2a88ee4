package limit

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// patience bounds every trip to Redis. Nobody waits for one, but a replica that does not know that Redis is
// away goes by an old level for that long.
const patience = 150 * time.Millisecond

// presence is how long a replica counts after its last beat.
const presence = 3 * time.Second

// settle visits buckets. A bucket is one number, the time (µs) at which it will be full again – the
// theoretical arrival time of GCRA – under a key that expires then, so that idle clients cost nothing. All
// times are those of this one Redis. A level below −burst cannot come from what replicas do, only from a
// clock that was set back, so it is cut there: at worst everybody waits twice as long as a bucket takes to
// fill.
const settle = `
local t = redis.call('TIME')
local now = (t[1] - 1767225600) * 1000000 + t[2]
local out = {}
for i, key in ipairs(KEYS) do
  local a = i * 4 - 3
  local per, burst = 1000000 / ARGV[a], tonumber(ARGV[a + 1])
  local full = math.max(now, tonumber(redis.call('GET', key) or now))
  full = math.max(now, full + ARGV[a + 2] * per)
  full = math.min(full, now + 2 * burst * per)
  local level = burst - (full - now) / per
  local n = math.max(0, math.min(tonumber(ARGV[a + 3]), math.floor(level + 0.000001)))
  full = full + n * per
  if full > now then
    redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000))
  else
    redis.call('DEL', key)
  end
  out[i * 2 - 1], out[i * 2] = n, string.format('%.4f', level - n)
end
return out`

// beat counts the replicas: a sorted set of names by the time of their last beat.
const beat = `
local t = redis.call('TIME')
local now, stay = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - stay)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + stay, '+inf')
redis.call('PEXPIRE', KEYS[1], 2 * stay)
return redis.call('ZCARD', KEYS[1])`

// Redis is the Store of a fleet.
type Redis struct {
	client       *redis.Client
	prefix       string
	settle, beat *redis.Script
}

// NewRedis returns the store on a Redis. Of o it takes address, credentials and TLS; the time-outs are its
// own, and nothing is retried: by the time of a retry the answer would be of no use.
func NewRedis(o redis.Options, prefix string) *Redis {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PoolSize = 4
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Redis{client: redis.NewClient(&o), prefix: prefix, settle: redis.NewScript(settle), beat: redis.NewScript(beat)}
}

// ClientLog sends what the Redis client reports of its connections to log, at level debug: what matters of it is
// told by the packages that use the client. The logger is a global of the client's package, so this belongs to
// the start of a program.
func ClientLog(log *slog.Logger) { redis.SetLogger(clientLog{log}) }

type clientLog struct{ log *slog.Logger }

// Printf is what the client calls.
func (c clientLog) Printf(ctx context.Context, format string, args ...any) {
	if c.log.Enabled(ctx, slog.LevelDebug) {
		c.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
	}
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Settle runs the script once for all asks.
func (r *Redis) Settle(ctx context.Context, asks []Ask, grants []Grant) error {
	keys, args := make([]string, len(asks)), make([]any, 0, 4*len(asks))
	for i, a := range asks {
		keys[i] = r.prefix + a.Key
		args = append(args, a.Rate, a.Burst, a.Charge, a.Want)
	}
	answer, err := r.settle.Run(ctx, r.client, keys, args...).Slice()
	if err != nil {
		return fmt.Errorf("settle with redis: %w", err)
	}
	if len(answer) != 2*len(asks) {
		return fmt.Errorf("settle with redis: %d values for %d buckets", len(answer), len(asks))
	}
	for i := range grants {
		n, ok := answer[2*i].(int64)
		text, isText := answer[2*i+1].(string)
		left, err := strconv.ParseFloat(text, 64)
		if !ok || !isText || err != nil || n < 0 || n > int64(asks[i].Want) {
			return fmt.Errorf("settle with redis: bucket %d: answer %v, %v", i, answer[2*i], answer[2*i+1])
		}
		grants[i] = Grant{Tokens: int(n), Left: left}
	}
	return nil
}

// Beat adds this replica to the list and counts it.
func (r *Redis) Beat(ctx context.Context, instance string) (int, error) {
	n, err := r.beat.Run(ctx, r.client, []string{r.prefix + "replicas"}, instance, presence.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("beat: %w", err)
	}
	return n, nil
}

// Leave takes this replica from the list.
func (r *Redis) Leave(ctx context.Context, instance string) error {
	if err := r.client.ZRem(ctx, r.prefix+"replicas", instance).Err(); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}
