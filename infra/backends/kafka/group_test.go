package kafka

import (
	"context"
	"sync"
	"testing"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// reader is a member of a group that reads until it has enough.
type reader struct {
	enough int
	done   context.CancelFunc
	mu     sync.Mutex
	seen   map[string]int // value → how often
}

func (*reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		r.mu.Lock()
		r.seen[string(m.Value)]++
		enough := len(r.seen) == r.enough
		r.mu.Unlock()
		session.MarkMessage(m, "")
		if enough {
			session.Commit()
			r.done()
		}
	}
	return nil
}

// members reads so many records as a member of a group, and returns what was read.
func members(t *testing.T, g sarama.ConsumerGroup, count int) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	defer cancel()
	r := &reader{enough: count, done: cancel, seen: map[string]int{}}
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{"shared"}, r); err != nil {
			t.Fatal(err)
		}
	}
	return r.seen
}
