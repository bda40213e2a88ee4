package redismetrics

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// scanBatch is how many keys are looked at by one SCAN.
const scanBatch = 1000

// checkKeys shows the keys that the configuration names. Connections are to one
// database, so each has its own.
func (s *sink) checkKeys(ctx context.Context, cfg *Config, connect func(db int) *redis.Client) error {
	wanted := map[int]*keysOf{}
	of := func(db int) *keysOf {
		if wanted[db] == nil {
			wanted[db] = &keysOf{}
		}
		return wanted[db]
	}
	for _, k := range cfg.SingleKeys {
		of(k.DB).single = append(of(k.DB).single, k.Name)
	}
	for _, k := range cfg.CheckKeys {
		of(k.DB).check = append(of(k.DB).check, k.Name)
	}
	for _, k := range cfg.CountKeys {
		of(k.DB).count = append(of(k.DB).count, k.Name)
	}
	var errs []error
	for db, keys := range wanted {
		c := connect(db)
		errs = append(errs, s.database(ctx, c, "db"+strconv.Itoa(db), keys, cfg), c.Close())
	}
	return errors.Join(errs...)
}

// keysOf are the keys and patterns of one database.
type keysOf struct{ single, check, count []string }

func (s *sink) database(ctx context.Context, c *redis.Client, db string, keys *keysOf, cfg *Config) error {
	if err := s.sizes(ctx, c, db, keys.single, bool(cfg.KeyTexts)); err != nil {
		return err
	}
	for _, pattern := range keys.count {
		n := 0
		if err := scan(ctx, c, pattern, func(found []string) bool { n += len(found); return true }); err != nil {
			return err
		}
		s.gauge("keys_count", float64(n), db, pattern)
	}
	for _, pattern := range keys.check {
		var found []string
		err := scan(ctx, c, pattern, func(some []string) bool {
			found = append(found, some...)
			return len(found) < cfg.MaxKeys
		})
		if err != nil {
			return err
		}
		if err := s.sizes(ctx, c, db, found[:min(len(found), cfg.MaxKeys)], bool(cfg.KeyTexts)); err != nil {
			return err
		}
	}
	return nil
}

// scan visits the keys that match, until visit says that it is enough.
func scan(ctx context.Context, c *redis.Client, pattern string, visit func([]string) bool) error {
	var cursor uint64
	for {
		keys, next, err := c.Scan(ctx, cursor, pattern, scanBatch).Result()
		if err != nil {
			return err
		}
		if !visit(keys) || next == 0 {
			return nil
		}
		cursor = next
	}
}

// sizes shows the size of keys, and the value of those that are texts. Keys that
// are not there have the size 0.
func (s *sink) sizes(ctx context.Context, c *redis.Client, db string, keys []string, texts bool) error {
	for len(keys) > 0 {
		batch := keys[:min(len(keys), scanBatch)]
		keys = keys[len(batch):]
		kinds := make([]*redis.StatusCmd, len(batch))
		pipe := c.Pipeline()
		for i, key := range batch {
			kinds[i] = pipe.Type(ctx, key)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		if err := s.measure(ctx, c, db, batch, kinds, texts); err != nil {
			return err
		}
	}
	return nil
}

// longestValue is how long a text may be whose value is asked for.
const longestValue = 256

func (s *sink) measure(ctx context.Context, c *redis.Client, db string, keys []string, kinds []*redis.StatusCmd, texts bool) error {
	sizes, values := make([]*redis.IntCmd, len(keys)), make([]*redis.StringCmd, len(keys))
	pipe := c.Pipeline()
	for i, key := range keys {
		switch kinds[i].Val() {
		case "string":
			sizes[i] = pipe.StrLen(ctx, key)
			values[i] = pipe.GetRange(ctx, key, 0, longestValue) // one byte more than is shown
		case "list":
			sizes[i] = pipe.LLen(ctx, key)
		case "set":
			sizes[i] = pipe.SCard(ctx, key)
		case "zset":
			sizes[i] = pipe.ZCard(ctx, key)
		case "hash":
			sizes[i] = pipe.HLen(ctx, key)
		case "stream":
			sizes[i] = pipe.XLen(ctx, key)
		}
	}
	if pipe.Len() > 0 {
		if _, err := pipe.Exec(ctx); err != nil {
			var answer redis.Error
			if !errors.As(err, &answer) { // a key that has changed its type is no reason to give up
				return err
			}
		}
	}
	for i, key := range keys {
		size := int64(0)
		if sizes[i] != nil {
			size = sizes[i].Val()
		}
		s.gauge("key_size", float64(size), db, key)
		if values[i] != nil && len(values[i].Val()) <= longestValue {
			s.value(db, key, values[i].Val(), texts)
		}
	}
	return nil
}

func (s *sink) value(db, key, value string, texts bool) {
	if v, err := strconv.ParseFloat(value, 64); err == nil {
		s.gauge("key_value", v, db, key)
	} else if texts {
		s.gauge("key_value_as_string", 1, db, key, value)
	}
}
